import type { Position, Revision } from '@chapar/core';
import type { Pull } from './exchange.js';
import type { DataId } from './record.js';

/** Milliseconds. */
export interface FollowerPatience {
  /** A member of the set for which an entry waits so long leaves it. */
  readonly lateMs: number;
  /** One that is not registered for so long leaves it even if nothing waits, so that another can take its place. */
  readonly awayMs: number;
  /** One that left waits this long before it may join again, and each time twice as long. */
  readonly backOffMs: number;
  readonly backOffMaxMs: number;
  /** After so long in the set it is well again. */
  readonly steadyMs: number;
}

export const followerPatience: FollowerPatience = {
  lateMs: 10_000,
  awayMs: 60_000,
  backOffMs: 2_000,
  backOffMaxMs: 10 * 60_000,
  steadyMs: 10 * 60_000,
};

/** A follower as its leader sees it, in one reign. */
export class Standing {
  readonly id: DataId;
  /** The registration it speaks from; 0: it was not heard. */
  session: Revision = 0;
  link = 0;
  /** Of its last pull. */
  number = 0;
  /** Synced up to here, by its word. */
  synced: Position = 0;
  changesSynced = 0;
  heardAtMs = Number.NEGATIVE_INFINITY;
  /** Where the leader's log ended at the pull before the last one, and at the last one. */
  private endBefore: Position = Number.POSITIVE_INFINITY;
  private endAtLast: Position = Number.POSITIVE_INFINITY;
  /** What it is measured by: it had to have this since then. */
  private due: { readonly end: Position; readonly changes: number; readonly sinceMs: number } | null = null;
  private goneAtMs: number | null = null;
  private lapses = 0;
  private mayJoinAtMs = Number.NEGATIVE_INFINITY;
  private joinedAtMs = Number.NEGATIVE_INFINITY;

  constructor(id: DataId) {
    this.id = id;
  }

  /** False: the pull is of a conversation that is over. */
  heard(pull: Pull, end: Position, nowMs: number): boolean {
    const { session, link, number } = pull;
    const isOver = session < this.session || (session === this.session && link < this.link);
    const isNew = session > this.session || link > this.link;
    if (isOver || (isNew && pull.opening === null) || (!isNew && number <= this.number)) return false;
    [this.session, this.link, this.number, this.heardAtMs] = [session, link, number, nowMs];
    if (isNew) this.begins();
    [this.endBefore, this.endAtLast] = [this.endAtLast, end];
    this.synced = Math.max(this.synced, pull.synced);
    this.changesSynced = Math.max(this.changesSynced, pull.changesSynced);
    return true;
  }

  /** Another process may have the disk now, or the copy be another: what was heard before is the past, and what still holds is said again. */
  private begins(): void {
    this.endAtLast = Number.POSITIVE_INFINITY;
    this.synced = this.changesSynced = 0;
  }

  /** It had everything that the leader had one round before, which is as close as a follower comes while traffic runs. */
  isCaughtUp(): boolean {
    return this.synced >= this.endBefore;
  }

  mayJoin(nowMs: number, { lateMs }: FollowerPatience): boolean {
    return nowMs >= this.mayJoinAtMs && nowMs - this.heardAtMs < lateMs && this.isCaughtUp();
  }

  joined(nowMs: number): void {
    if (this.joinedAtMs === Number.NEGATIVE_INFINITY) this.joinedAtMs = nowMs;
  }

  left(nowMs: number, { backOffMs, backOffMaxMs, steadyMs }: FollowerPatience): void {
    this.lapses = nowMs - this.joinedAtMs >= steadyMs ? 1 : this.lapses + 1;
    this.mayJoinAtMs = nowMs + Math.min(backOffMs * 2 ** (this.lapses - 1), backOffMaxMs);
    this.joinedAtMs = Number.NEGATIVE_INFINITY;
    this.due = null;
  }

  /** How long something has been waiting for this member. Milliseconds; called now and then, with what the leader has. */
  owesSinceMs(end: Position, changes: number, nowMs: number): number {
    const { due } = this;
    if (due === null || (this.synced >= due.end && this.changesSynced >= due.changes)) {
      const owes = this.synced < end || this.changesSynced < changes;
      this.due = owes ? { end, changes, sinceMs: nowMs } : null;
    }
    return this.due === null ? 0 : nowMs - this.due.sinceMs;
  }

  /** For how long it has not been registered. Milliseconds; called now and then. */
  awaySinceMs(isRegistered: boolean, nowMs: number): number {
    if (isRegistered) this.goneAtMs = null;
    else this.goneAtMs ??= nowMs;
    return this.goneAtMs === null ? 0 : nowMs - this.goneAtMs;
  }

  get owes(): boolean {
    return this.due !== null;
  }
}
