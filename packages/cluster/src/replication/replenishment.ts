import { newcomersFor } from './balance.js';
import type { QueueMirrorRecord } from './mirror-records.js';
import type { Order } from './operations.js';
import type { DataId } from './record.js';

/** A member that has not been registered for so long is replaced where there is another node. Milliseconds. */
export const replaceAfterMs = 10 * 60_000;

/** Where copies are, and could be. */
export interface Landscape {
  /** Nodes that are there and may get copies, with their names. */
  readonly nodes: ReadonlyMap<DataId, string>;
  /** How many each has. */
  readonly copies: ReadonlyMap<DataId, number>;
  /** The cluster was told that this one never comes back. */
  isForgotten(member: DataId): boolean;
  /** The name of its node, be that there or not. */
  nameOf(member: DataId): string;
  /** For how long it has not been registered. Milliseconds. */
  awayMs(member: DataId): number;
}

/** What the leader of a queue should do so that it has as many copies as it shall have, on nodes that are there; null: nothing. */
export function replenishment(record: QueueMirrorRecord, landscape: Landscape): Order | null {
  const { replicas, inSync, min, wish } = record;
  const wanted = wantedOf(wish);
  const [newcomer = null] = newcomersFor(record, eligible(wish, landscape.nodes), landscape.copies);
  const lost = replicas.find((id) => landscape.isForgotten(id)) ?? replicas.find((id) => isAway(id, landscape));
  if (lost === undefined) {
    const isWanted = newcomer !== null && (replicas.length < wanted || typeof wish.copies === 'object');
    return isWanted ? adding(newcomer) : surplus(record, landscape, wanted);
  }
  // The set cannot be without it before another copy is in it.
  if (inSync.includes(lost) && inSync.length <= min) {
    const isComing = replicas.some((id) => !inSync.includes(id) && landscape.awayMs(id) === 0);
    return isComing || newcomer === null ? null : adding(newcomer);
  }
  if (newcomer !== null && replicas.length <= wanted) return { what: 'exchange', member: lost, by: newcomer };
  // Nobody takes the place of one that may still come back.
  const isSpare = landscape.isForgotten(lost) || replicas.length > wanted;
  return isSpare && replicas.length > 1 ? removing(lost) : null;
}

/** A copy more than shall be, or on a node that was not named: one goes at a time, and never what holds the queue up. */
function surplus(record: QueueMirrorRecord, landscape: Landscape, wanted: number): Order | null {
  const { replicas, leader, inSync, wish } = record;
  const { copies } = wish;
  if (typeof copies === 'object') {
    const isNamed = (id: DataId) => copies.includes(landscape.nameOf(id));
    const named = replicas.filter((id) => isNamed(id) && landscape.awayMs(id) === 0);
    // Those that shall have it have it first.
    if (named.length === 0 || named.some((id) => !inSync.includes(id))) return null;
    const strangers = replicas.filter((id) => !isNamed(id));
    const [follower = null] = strangers.filter((id) => id !== leader);
    if (follower !== null) return removing(follower);
    return strangers.length > 0 ? { what: 'hand over', member: named[0]! } : null;
  }
  if (replicas.length <= wanted) return null;
  const load = (id: DataId) => landscape.copies.get(id) ?? 0;
  // Best one that counts for nothing now.
  const use = (id: DataId) => (inSync.includes(id) ? 2 : 0) + (landscape.awayMs(id) === 0 ? 1 : 0);
  const [least] = replicas.filter((id) => id !== leader).sort((a, b) => use(a) - use(b) || load(b) - load(a));
  return least === undefined ? null : removing(least);
}

const removing = (member: DataId): Order => ({ what: 'remove', member, isByHand: false });

const adding = (member: DataId): Order => ({ what: 'add', member, isByHand: false });

const isAway = (id: DataId, { awayMs }: Landscape): boolean => awayMs(id) >= replaceAfterMs;

/** How many copies a queue shall have. Infinity: as many as there are nodes. */
export function wantedOf({ copies }: QueueMirrorRecord['wish']): number {
  if (typeof copies === 'number') return copies;
  return copies === 'all' ? Number.POSITIVE_INFINITY : copies.length;
}

function eligible({ copies }: QueueMirrorRecord['wish'], nodes: ReadonlyMap<DataId, string>): DataId[] {
  if (typeof copies !== 'object') return [...nodes.keys()];
  return [...nodes].filter(([, name]) => copies.includes(name)).map(([id]) => id);
}
