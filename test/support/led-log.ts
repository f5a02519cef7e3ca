import type { DropReason, Message, Position, Provenance, RecoveredQueue } from '@chapar/core';
import { ControlledLog } from './controlled-logs.js';

/**
 * The log of a mirrored queue on the node that leads it: commits lag behind, and what is not committed may be cut by the next leader. It
 * minds the port's rules: nothing is said of a message before it is committed, and nothing at all once another node leads.
 */
export class LedLog extends ControlledLog {
  override readonly isMirrored = true;
  override logsAll = true;
  /** Another node leads. */
  isOver = false;
  /** Nobody else leads. */
  isSure = true;
  private asked: (() => void)[] = [];
  provenanceOf?: (position: Position) => Provenance;

  mayHandOut(): boolean {
    return this.isSure;
  }

  whenSafe(done: () => void): void {
    this.assertLeads();
    this.asked.push(done);
  }

  /** Everything that was said so far is on the disks of all that count. */
  makeSafe(): void {
    const { asked } = this;
    this.asked = [];
    for (const done of asked) done();
  }

  override publish(message: Message): Position {
    this.assertLeads();
    return super.publish(message);
  }

  override skip(): Position {
    throw new Error('a message of a mirrored queue is not logged');
  }

  override page(): void {
    throw new Error('what is logged is paged');
  }

  override settle(first: Position, last: Position): void {
    this.assertCommitted(last);
    super.settle(first, last);
  }

  override pend(position: Position, reason: DropReason): void {
    this.assertCommitted(position);
    super.pend(position, reason);
  }

  override returned(position: Position, count: number): void {
    this.assertCommitted(position);
    super.returned(position, count);
  }

  override commit(upTo: Position = this.last): void {
    this.assertLeads();
    if (upTo > this.committed) super.commit(upTo);
  }

  /** The log of the next leader: what is committed and perhaps more, as far as `upTo`, committed with the first entry of its reign. */
  succeed(upTo: Position = this.committed): LedLog {
    this.isOver = true;
    const live = new Map([...this.live].filter(([position]) => position <= Math.max(upTo, this.committed)));
    const next = new LedLog(Math.max(upTo, this.committed) + 1, live);
    next.nowMs = this.nowMs;
    next.pages.isHeld = this.pages.isHeld;
    for (const [position, drop] of this.pending) if (live.has(position)) next.pending.set(position, drop);
    for (const [position, count] of this.returns) if (live.has(position)) next.returns.set(position, count);
    return next;
  }

  /** What a queue over it begins with. */
  state(): RecoveredQueue {
    const live = [...this.live].sort(([a], [b]) => a - b);
    const bodies = live.map(([, { bodyBytes }]) => bodyBytes);
    return {
      incarnation: 'q #1',
      count: live.length,
      bytes: bodies.reduce((sum, bytes) => sum + bytes, 0),
      first: live[0]?.[0] ?? 0,
      last: live.at(-1)?.[0] ?? 0,
      deliveredUpTo: Number.POSITIVE_INFINITY,
      mayExpire: live.some(([, { expirationMs }]) => expirationMs >= 0),
      deliveredByLevel: [],
      pending: [...this.pending.values()].sort((a, b) => a.position - b.position),
      returns: [...this.returns]
        .map(([position, count]) => ({ position, count }))
        .sort((a, b) => a.position - b.position),
      visit: (visitor) => {
        for (const [position, { priority, bodyBytes }] of live) visitor(position, Math.max(priority, 0), bodyBytes);
      },
    };
  }

  private assertLeads(): void {
    if (this.isOver) throw new Error('a log that another node leads is written to');
  }

  private assertCommitted(position: Position): void {
    this.assertLeads();
    if (position > this.committed)
      throw new Error(`something is said of ${position} while ${this.committed} is committed`);
  }
}
