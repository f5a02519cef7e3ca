import type { Position } from '@chapar/core';
import type { Leader } from './leader.js';
import type { DataId, Epoch, MirrorRecord } from './record.js';

/** What a leader knows of its queue's copies, for people. A type, so that it is JSON. */
export type LeaderReport = {
  readonly leader: DataId;
  readonly epoch: Epoch;
  /** Where its log ends, and up to where all that count have it. */
  readonly end: Position;
  readonly committed: Position;
  /** Fewer members than have to have a copy answer: publishes are refused. */
  readonly isShort: boolean;
  /** In the record's order. */
  readonly members: readonly MemberReport[];
};

export type MemberReport = {
  readonly id: DataId;
  readonly isInSync: boolean;
  /** On its disk up to here; of the leader's own copy too. */
  readonly synced: Position;
  /** How many entries it lacks, and since when it has lacked one. Milliseconds. */
  readonly lag: number;
  readonly lagMs: number;
  /** Since when nothing was heard of it; null: nothing at all was in this reign. Milliseconds. */
  readonly silentMs: number | null;
};

export function reportOf(leader: Leader, { replicas, inSync }: MirrorRecord, nowMs: number): LeaderReport {
  const { self, epoch, end, committed } = leader;
  leader.ends.note(end, nowMs);
  const members = replicas.map((id): MemberReport => {
    const member = id === self ? null : (leader.members.get(id) ?? null);
    const synced = id === self ? leader.syncedUpTo : (member?.synced ?? 0);
    return {
      id,
      isInSync: inSync.includes(id),
      synced,
      lag: end - synced - leader.freeBehind(synced),
      lagMs: leader.ends.behindMs(synced, nowMs),
      silentMs: id === self ? 0 : member === null || member.session === 0 ? null : nowMs - member.heardAtMs,
    };
  });
  return { leader: self, epoch, end, committed, isShort: leader.isShort(nowMs), members };
}
