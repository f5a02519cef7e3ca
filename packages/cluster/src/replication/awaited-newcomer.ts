import type { Revision } from '@chapar/core';
import type { DataId } from './record.js';

/** What is published waits so long at most for somebody who is not in the set. Milliseconds. */
const waitMs = 1000;
/** Whoever did not make it is waited for again after so long. Milliseconds. */
const pauseMs = 10_000;

/**
 * A member outside the set that is as close to its leader as a follower comes while traffic runs, and is counted with the set for a moment:
 * what is committed stands still until it has it, and then it may join. Without that a set of one would stay alone for as long as messages
 * flow, because what it commits is always a round ahead of everybody else. To count more members is always safe.
 */
export class AwaitedNewcomer {
  /** Null: nobody is waited for. */
  id: DataId | null = null;
  private session: Revision = 0;
  private untilMs = 0;
  private readonly mayAgainAtMs = new Map<DataId, number>();

  begin(id: DataId, session: Revision, nowMs: number): void {
    if (this.id !== null || nowMs < (this.mayAgainAtMs.get(id) ?? 0)) return;
    this.id = id;
    this.session = session;
    this.untilMs = nowMs + waitMs;
    this.mayAgainAtMs.set(id, this.untilMs + pauseMs);
  }

  /** Called now and then. True: it is waited for no more. */
  isLost(nowMs: number, sessions: ReadonlyMap<DataId, Revision>): boolean {
    if (this.id === null || (nowMs < this.untilMs && sessions.get(this.id) === this.session)) return false;
    this.id = null;
    return true;
  }

  /** The record changes, or is asked to: whoever joins is counted by that. */
  end(): void {
    this.id = null;
  }
}
