import type { Incarnation, JsonValue, Mirroring, MirroringWish, QueueProperties } from '@chapar/core';
import { mirrorKey, type QueueMirrorRecord } from './mirror-records.js';
import { convertedNonce, type DataId, firstNonce, type MirrorRecord, usualMin } from './record.js';

/** Who has how many copies of mirrored queues, and leads how many of them, by their records. */
export class Placement {
  private readonly records = new Map<Incarnation, MirrorRecord>();
  private readonly copies = new Map<DataId, number>();
  private readonly leads = new Map<DataId, number>();

  /** Undefined: it is gone. */
  seen(incarnation: Incarnation, record: MirrorRecord | undefined): void {
    const before = this.records.get(incarnation);
    if (before !== undefined) this.count(before, -1);
    if (record === undefined) this.records.delete(incarnation);
    else {
      this.records.set(incarnation, record);
      this.count(record, 1);
    }
  }

  copiesOf(id: DataId): number {
    return this.copies.get(id) ?? 0;
  }

  /** Those with the fewest copies first, and among equals by their ids turned by the queue's: not all queues to the same. */
  byLoad(ids: Iterable<DataId>, incarnation: Incarnation): DataId[] {
    const rank = (id: DataId) => mixed(id + incarnation);
    return [...ids].sort((a, b) => this.copiesOf(a) - this.copiesOf(b) || rank(a) - rank(b));
  }

  /**
   * The record of a queue that is declared on `here`. It names a leader, an epoch and a set that is in sync, since nothing of this
   * incarnation is on any disk: so the declaration is the only write, and whoever leads begins without another one. `members`: who is
   * registered, with the names of their nodes.
   */
  record(
    { incarnation, vhost, name, arguments: args }: QueueProperties,
    wish: MirroringWish,
    here: DataId,
    members: ReadonlyMap<DataId, string>,
  ): QueueMirrorRecord {
    const chosen = this.chosen(incarnation, wish, here, members);
    const isBalanced = args['x-queue-leader-locator'] === 'balanced';
    const leader = isBalanced || !chosen.includes(here) ? this.fewestLed(chosen) : here;
    const replicas = [leader, ...chosen.filter((id) => id !== leader)];
    const state = { incarnation, replicas, leader, epoch: 1, inSync: replicas, nonce: firstNonce };
    return { ...state, min: minOf(wish, replicas.length), vhost, name, wish: { copies: wish.copies, min: wish.min } };
  }

  /**
   * The record of a queue that lives on `here` alone, with all its messages, and is to have copies. Until others have caught up it is as
   * safe as it was before.
   */
  conversion(
    { incarnation, vhost, name }: QueueProperties,
    wish: MirroringWish,
    here: DataId,
    members: ReadonlyMap<DataId, string>,
  ): QueueMirrorRecord {
    const others = this.chosen(incarnation, wish, here, members).filter((id) => id !== here);
    const state = { incarnation, replicas: [here, ...others], leader: here, epoch: 1, inSync: [here], min: 1 };
    return { ...state, nonce: convertedNonce, vhost, name, wish: { copies: wish.copies, min: wish.min } };
  }

  private chosen(
    incarnation: Incarnation,
    { copies }: MirroringWish,
    here: DataId,
    members: ReadonlyMap<DataId, string>,
  ): readonly DataId[] {
    if (typeof copies === 'object') {
      const named = [...members].filter(([, node]) => copies.includes(node)).map(([id]) => id);
      return named.length === 0 ? [here] : this.byLoad(named, incarnation);
    }
    const others = this.byLoad(members.keys(), incarnation).filter((id) => id !== here);
    // Not on a node that is being drained, unless it is the only one.
    const first = members.has(here) || others.length === 0 ? [here] : [];
    return [...first, ...others].slice(0, copies === 'all' ? members.size + 1 : Math.max(1, copies));
  }

  private fewestLed(ids: readonly DataId[]): DataId {
    const led = (id: DataId) => this.leads.get(id) ?? 0;
    return ids.reduce((best, id) => (led(id) < led(best) ? id : best));
  }

  private count({ replicas, leader }: MirrorRecord, by: number): void {
    for (const id of replicas) add(this.copies, id, by);
    if (leader !== null) add(this.leads, leader, by);
  }
}

/** How many disks have whatever is confirmed: with fewer copies than were wished what was wished holds, and publishes are refused. */
export function minOf({ copies, min }: MirroringWish, replicas: number): number {
  if (min === null) return usualMin(replicas);
  const wanted = typeof copies === 'number' ? copies : copies === 'all' ? replicas : copies.length;
  return Math.max(1, Math.min(min, Math.max(wanted, replicas)));
}

/** What is written with a queue's record. */
export function mirroringOf(record: MirrorRecord): Mirroring {
  const key = mirrorKey(record.incarnation);
  return { guards: [], writes: [{ key, value: record as JsonValue }] };
}

function add(counts: Map<DataId, number>, id: DataId, by: number): void {
  const count = (counts.get(id) ?? 0) + by;
  if (count === 0) counts.delete(id);
  else counts.set(id, count);
}

/** FNV-1a. */
function mixed(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
