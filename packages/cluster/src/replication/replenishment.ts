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
  /** For how long it has not been registered. Milliseconds. */
  awayMs(member: DataId): number;
}

/** What the leader of a queue should do so that it has as many copies as it shall have, on nodes that are there; null: nothing. */
export function replenishment(record: QueueMirrorRecord, landscape: Landscape): Order | null {
  const { replicas, inSync, min, wish } = record;
  const wanted = wantedOf(wish);
  const [newcomer = null] = newcomersFor(record, eligible(wish, landscape.nodes), landscape.copies);
  const lost = replicas.find((id) => landscape.isForgotten(id)) ?? replicas.find((id) => isAway(id, landscape));
  if (lost === undefined) return newcomer !== null && replicas.length < wanted ? adding(newcomer) : null;
  // The set cannot be without it before another copy is in it.
  if (inSync.includes(lost) && inSync.length <= min) {
    const isComing = replicas.some((id) => !inSync.includes(id) && landscape.awayMs(id) === 0);
    return isComing || newcomer === null ? null : adding(newcomer);
  }
  if (newcomer !== null && replicas.length <= wanted) return { what: 'exchange', member: lost, by: newcomer };
  // Nobody takes the place of one that may still come back.
  const isSpare = landscape.isForgotten(lost) || replicas.length > wanted;
  return isSpare && replicas.length > 1 ? { what: 'remove', member: lost, isByHand: false } : null;
}

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
