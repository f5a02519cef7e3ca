import { type Homes, type LedQueue, MirroredQueue } from '@chapar/cluster';
import type { RunningNode } from '../cluster/running-node.js';

type List = readonly unknown[];

/** Deep inside of what is kept for mirrored queues; nobody else has a use for it. */
interface Waiting {
  readonly requests: { readonly isEmpty: boolean };
}

/**
 * All clients have left and everything is settled: what a node still keeps for mirrored queues. Publishes that wait for a verdict,
 * settlements to be said again, questions nobody answers, pulls of copies that are not there.
 */
export function keptFor({ name, cluster, broker }: RunningNode): string[] {
  if (cluster === null) return [];
  const found: string[] = [];
  const vhost = broker.topology.vhosts.get('/');
  const faces = [...(vhost?.queues.values() ?? [])].filter((queue) => queue instanceof MirroredQueue);
  for (const face of faces) {
    const { publishes, settlements, consumers } = face;
    const { requests } = face as unknown as Waiting;
    const at = `${name} has of ${face.name}`;
    if (face.line === null) found.push(`${name} does not know who leads ${face.name}`);
    if (publishes.count > 0) found.push(`${at} ${publishes.count} publishes without a verdict`);
    if (!settlements.isEmpty) found.push(`${at} settlements that are not for good`);
    if (!requests.isEmpty) found.push(`${at} questions without an answer`);
    if (consumers.size > 0) found.push(`${at} ${consumers.size} consumers`);
  }
  return [...found, ...ofHomes(name, cluster as unknown as { homes: Homes }, faces.length), ...ofLeads(name, cluster)];
}

/** Everything that consumers settled is so on all disks that count, and everybody who said it knows that. */
export function isForGood({ cluster, broker }: RunningNode): boolean {
  const queues = broker.topology.vhosts.get('/')?.queues.values() ?? [];
  for (const queue of queues) if (queue instanceof MirroredQueue && !queue.settlements.isEmpty) return false;
  return [...(cluster?.mirrors.allLed() ?? [])].every((led) => led.forGood >= led.mark());
}

function ofHomes(name: string, { homes }: { readonly homes: Homes }, faces: number): string[] {
  const found: string[] = [];
  const known = [...homes.faces].length;
  if (known !== faces) found.push(`${name} has ${known} faces of ${faces} mirrored queues`);
  const { keptBytes } = homes.faces as unknown as { readonly keptBytes: number };
  if (keptBytes !== 0) found.push(`${name} keeps ${keptBytes} bytes of publishes`);
  for (const home of homes) {
    if (home.requests.size > 0) found.push(`${name} waits for ${home.requests.size} answers of ${home.node}`);
    if (home.consumers.size > 0) found.push(`${name} has ${home.consumers.size} consumers at ${home.node}`);
  }
  return found;
}

function ofLeads(name: string, { mirrors }: NonNullable<RunningNode['cluster']>): string[] {
  const found: string[] = [];
  for (const led of mirrors.allLed()) {
    const { waiting, log } = led as LedQueue & {
      readonly waiting: List;
      readonly log: { waiting: List; batches: List };
    };
    const at = `${name}, which leads ${led.queue.name}, has`;
    if (waiting.length > 0) found.push(`${at} ${waiting.length} who wait for a commit`);
    if (log.waiting.length > 0) found.push(`${at} ${log.waiting.length} who wait for settlements`);
    if (log.batches.length > 0) found.push(`${at} ${log.batches.length} settlements that are not for good`);
  }
  const { held } = mirrors.lanes as unknown as { readonly held: ReadonlyMap<string, ReadonlySet<unknown>> };
  for (const [incarnation, pulls] of held)
    if (pulls.size > 0 && mirrors.of(incarnation) === undefined)
      found.push(`${name} holds pulls of a queue it has not`);
  return found;
}
