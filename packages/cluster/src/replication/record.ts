import type { Epoch, Incarnation, JsonValue } from '@chapar/core';

export type { Epoch };

/** Names a disk, not a node: a node that lost its disk is another member. */
export type DataId = string;

/**
 * What all nodes agree on about a mirrored queue; one key in etcd. Every change of it is one write, guarded by the revision that it was
 * read at and by the session of whoever writes.
 */
export interface MirrorRecord {
  readonly incarnation: Incarnation;
  /** Who is to have a copy, in the order in which they succeed each other. */
  readonly replicas: readonly DataId[];
  /** Null: nobody yet. */
  readonly leader: DataId | null;
  readonly epoch: Epoch;
  /** Members that have everything that is committed. Only one of these may lead. */
  readonly inSync: readonly DataId[];
  /** The set is never made smaller than this: so many disks have whatever was confirmed. */
  readonly min: number;
  /** Of the write that made it so: who asked and was never answered recognizes its own. */
  readonly nonce: string;
  /** Fields of versions to come are kept as they are. */
  readonly [field: string]: JsonValue;
}

/** Of the write that makes the record: whoever it names leads, if nothing of it was there before. */
export const firstNonce = 'new';

/** Of the write that makes the record of a queue that had messages before: whoever it names has them, and begins with an epoch of its own. */
export const convertedNonce = 'converted';

/** A successor further down in the order waits so much longer than the one before it. Milliseconds. */
export const successionStepMs = 1000;

/** Half of the replicas, rounded up. */
export function usualMin(replicas: number): number {
  return Math.ceil(replicas / 2);
}

/**
 * How long `member` waits before it begins to lead once the leader is known to be gone; null: it may not. Whoever stands before it in
 * the order and lives goes first. A leader that is itself back waits for nobody.
 */
export function successionDelayMs(
  { replicas, leader, inSync }: MirrorRecord,
  member: DataId,
  isLive: (id: DataId) => boolean,
): number | null {
  if (!inSync.includes(member)) return null;
  if (leader === member) return 0;
  const before = replicas.slice(0, replicas.indexOf(member));
  return successionStepMs * before.filter((id) => id !== leader && inSync.includes(id) && isLive(id)).length;
}

/**
 * `member` begins to lead: always with a new epoch, also when it led before, because what it shipped unsynced before its process ended
 * would else be a second history of the same epoch. The leader before it leaves the set unless the set would become too small;
 * members that are merely not registered stay, or the first to boot after a full stop would call itself the last copy.
 */
export function promotion(record: MirrorRecord, member: DataId, nonce: string): MirrorRecord {
  const { inSync, leader, min, epoch } = record;
  const without = inSync.filter((id) => id === member || id !== leader);
  return {
    ...record,
    leader: member,
    epoch: epoch + 1,
    inSync: without.length >= min ? without : inSync,
    nonce,
  };
}

/**
 * By the word of an operator `member` leads, though it is none of the set: nobody of the set is coming back. It alone is the set, so what
 * was confirmed and it does not have is lost. `epoch`: above that of any log.
 */
export function forcedPromotion(record: MirrorRecord, member: DataId, epoch: Epoch, nonce: string): MirrorRecord {
  return { ...record, leader: member, epoch, inSync: [member], forced: epoch, nonce };
}

/** The last reign that an operator made begin outside the set: copies from before let go of what it does not have, confirmed or not. 0: none. */
export function forcedEpoch({ forced }: MirrorRecord): Epoch {
  return typeof forced === 'number' ? forced : 0;
}

/**
 * So many positions are left free before such a reign: a consumer may hold messages of those that were lost, and what it says of them
 * must not hit others.
 */
export const forcedGap = 2 ** 40;

/** Null: it is a member already, or none of the replicas. */
export function growth(record: MirrorRecord, member: DataId, nonce: string): MirrorRecord | null {
  const { inSync, replicas } = record;
  if (inSync.includes(member) || !replicas.includes(member)) return null;
  return { ...record, inSync: [...inSync, member], nonce };
}

/** Null: not now, for the set would be too small, or would lose its leader. */
export function shrinking(record: MirrorRecord, member: DataId, nonce: string): MirrorRecord | null {
  const { inSync, leader, min } = record;
  if (member === leader || !inSync.includes(member) || inSync.length <= min) return null;
  return { ...record, inSync: inSync.filter((id) => id !== member), nonce };
}

/**
 * `newcomer` is to have the copy that `gone` stays away with, in its place in the order. Null: not while it is in the set (it leaves that
 * first, where it may), or when the newcomer has a copy already.
 */
export function replacement(record: MirrorRecord, gone: DataId, newcomer: DataId, nonce: string): MirrorRecord | null {
  const { inSync, replicas } = record;
  if (inSync.includes(gone) || !replicas.includes(gone) || replicas.includes(newcomer)) return null;
  return { ...record, replicas: replicas.map((id) => (id === gone ? newcomer : id)), nonce };
}

/** How many disks have what is confirmed when there are so many copies. */
export type MinFor = (copies: number) => number;

/** Another node is to have a copy, as the last in the order; it joins the set when it has caught up. Null: it has one. */
export function enlarged(
  record: MirrorRecord,
  member: DataId,
  nonce: string,
  minFor: MinFor = usualMin,
): MirrorRecord | null {
  if (record.replicas.includes(member)) return null;
  const replicas = [...record.replicas, member];
  return { ...record, replicas, min: minWith(record, minFor(replicas.length)), nonce };
}

/** `member` has no copy any more. Null: not while it is in the set (it leaves that first), or it has none. */
export function reduced(
  record: MirrorRecord,
  member: DataId,
  nonce: string,
  minFor: MinFor = usualMin,
): MirrorRecord | null {
  if (record.inSync.includes(member) || !record.replicas.includes(member)) return null;
  const replicas = record.replicas.filter((id) => id !== member);
  return { ...record, replicas, min: minWith(record, minFor(replicas.length)), nonce };
}

/** What is wished of so many disks: it does not rise above what the set has, or nothing would be confirmed until others have caught up. */
export function minWith({ min, inSync }: Pick<MirrorRecord, 'min' | 'inSync'>, wished: number): number {
  return Math.min(wished, Math.max(min, inSync.length));
}

/** Changes nothing but who wrote last, which decides whatever else was asked at the same revision. */
export function touch(record: MirrorRecord, nonce: string): MirrorRecord {
  return { ...record, nonce };
}

/** The lead goes to a member that is well, by the leader's own wish: nobody leaves the set. It begins with an epoch of its own, as after a restart. Null: it is none, or leads. */
export function transfer(record: MirrorRecord, to: DataId, nonce: string): MirrorRecord | null {
  if (to === record.leader || !record.inSync.includes(to)) return null;
  return { ...record, leader: to, epoch: record.epoch + 1, nonce };
}

/** As `transfer`, by a leader that stops: it leaves the set with it, where it may, so that the next one waits for its disk no more. */
export function resignation(record: MirrorRecord, to: DataId, nonce: string): MirrorRecord | null {
  const next = transfer(record, to, nonce);
  if (next === null || record.inSync.length <= record.min) return next;
  return { ...next, inSync: record.inSync.filter((id) => id !== record.leader) };
}
