import type { Copy, QueueMirrorRecord } from '@chapar/cluster';
import type { SimCluster } from '../cluster/sim-cluster.js';

const mirrorsPrefix = '/chapar/meta/mirrors/';

/** What etcd says of the copies of all mirrored queues. */
export function mirrorRecords({ etcd }: SimCluster): QueueMirrorRecord[] {
  return etcd.keys.under(mirrorsPrefix).map(({ value }) => JSON.parse(value) as QueueMirrorRecord);
}

export function hasMirrors(cluster: SimCluster): boolean {
  return mirrorRecords(cluster).length > 0;
}

/** The node that leads the queue by its record, and has it open; null: none. */
export function leaderOf(cluster: SimCluster, name: string): string | null {
  const record = mirrorRecords(cluster).find((each) => each.name === name);
  return record === undefined || !isLed(cluster, record) ? null : cluster.nodeOf(record.leader!);
}

/** Those that follow it, in the order in which they would succeed. */
export function followersOf(cluster: SimCluster, name: string): string[] {
  const record = mirrorRecords(cluster).find((each) => each.name === name);
  if (record === undefined) return [];
  return record.replicas.filter((id) => id !== record.leader).flatMap((id) => cluster.nodeOf(id) ?? []);
}

function isLed(cluster: SimCluster, { leader, incarnation, epoch }: QueueMirrorRecord): boolean {
  const node = leader === null ? null : cluster.nodeOf(leader);
  if (node === null) return false;
  const led = cluster.member(node).node?.cluster?.mirrors.led(incarnation) ?? null;
  return led !== null && led.epoch === epoch && !led.queue.isHeld;
}

/** All members that are there are in sync, and somebody leads. */
export function isWhole(cluster: SimCluster, name: string): boolean {
  const record = mirrorRecords(cluster).find((each) => each.name === name);
  return record !== undefined && isLed(cluster, record) && absent(cluster, record).length === 0;
}

function absent(cluster: SimCluster, { replicas, inSync }: QueueMirrorRecord): string[] {
  return replicas.flatMap((id) => (inSync.includes(id) ? [] : (cluster.nodeOf(id) ?? [])));
}

/**
 * Everything is repaired and quiet: each mirrored queue is led by the one that its record names, all its members that are there are in
 * sync, and their copies come to the same. What is not so.
 */
export function differences(cluster: SimCluster): string[] {
  return mirrorRecords(cluster).flatMap((record) => {
    const { name, incarnation, replicas, leader, epoch } = record;
    const found: string[] = [];
    if (!isLed(cluster, record)) found.push(`${name} is not led by ${leader} in epoch ${epoch}`);
    for (const node of absent(cluster, record)) found.push(`the copy of ${name} on ${node} is not in sync`);
    for (const member of cluster.members.values()) {
      const led = member.node?.cluster?.mirrors.led(incarnation) ?? null;
      if (led !== null && (led.epoch !== epoch || cluster.nodeOf(leader ?? '') !== member.name))
        found.push(`${member.name} leads ${name} in epoch ${led.epoch}, the record says ${epoch}`);
    }
    const copies = replicas.flatMap((id) => {
      const node = cluster.nodeOf(id);
      const copy = node === null ? undefined : cluster.member(node).node?.cluster?.mirrors.of(incarnation);
      if (node !== null && copy === undefined) found.push(`${node} has no copy of ${name}`);
      return copy === undefined ? [] : [{ node: node!, copy }];
    });
    return [...found, ...unlike(name, copies)];
  });
}

function unlike(name: string, copies: readonly { readonly node: string; readonly copy: Copy }[]): string[] {
  const found: string[] = [];
  const [first] = copies;
  if (first === undefined) return [`no node has a copy of ${name}`];
  for (const { node, copy } of copies) {
    const { end, committed } = copy.stored;
    if (end !== committed) found.push(`the copy of ${name} on ${node} ends at ${end}, committed is ${committed}`);
    for (const what of aspects) {
      const [own, other] = [what.of(copy), what.of(first.copy)];
      if (own !== other)
        found.push(`copies of ${name} differ in ${what.name}: ${first.node} has ${other}, ${node} ${own}`);
    }
  }
  return [...found, ...contradictions(name, copies)];
}

const aspects: readonly { readonly name: string; of(copy: Copy): string }[] = [
  { name: 'their ends', of: ({ stored }) => String(stored.end) },
  { name: 'what lives', of: ({ stored }) => JSON.stringify(stored.liveIn(1, stored.end)) },
  { name: 'how many live', of: ({ stored }) => String(stored.liveCount) },
  {
    name: 'marks',
    of: ({ stored }) =>
      JSON.stringify(
        stored
          .marksIn(1, stored.end)
          .map((mark) => JSON.stringify(mark))
          .sort(),
      ),
  },
  {
    name: 'origins',
    of: ({ stored }) =>
      JSON.stringify(
        stored
          .originRows()
          .map((row) => JSON.stringify(row))
          .sort(),
      ),
  },
];

/** An epoch begins where it begins, on every disk that knows of it. */
function contradictions(name: string, copies: readonly { readonly node: string; readonly copy: Copy }[]): string[] {
  const begins = new Map<number, number>();
  const found: string[] = [];
  for (const { node, copy } of copies) {
    for (const { epoch, first } of copy.stored.starts) {
      const known = begins.get(epoch);
      if (known === undefined) begins.set(epoch, first);
      else if (known !== first) found.push(`epoch ${epoch} of ${name} begins at ${known}, and at ${first} on ${node}`);
    }
  }
  return found;
}
