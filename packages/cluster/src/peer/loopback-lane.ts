import type { Flushable, Turn } from '@chapar/core';
import type { Carried, Lane, LaneSink } from './lane.js';

/** Batches that wait to be read before their sender is told to wait. Bytes. */
const waitingBytesMax = 1024 * 1024;

interface Sent {
  readonly batch: Buffer;
  readonly carried: Carried | null;
}

/**
 * One end of a lane that leads back to this node: what is sent is read in a later step of the event loop, never within the call. Messages
 * cross it as they are.
 */
export class LoopbackLane implements Lane, Flushable {
  private readonly turn: Turn;
  private other: LoopbackLane = this;
  private sink: LaneSink | null = null;
  private waiting: Sent[] = [];
  private waitingBytes = 0;
  /** Why it ended; null: it has not. */
  private ending: string | null = null;
  private isScheduled = false;
  /** The other end was told to wait. */
  private isFull = false;

  private readonly onEnded: () => void;

  private constructor(turn: Turn, onEnded: () => void) {
    this.turn = turn;
    this.onEnded = onEnded;
  }

  /** Both ends of one lane. `onEnded`: it was closed. */
  static pair(turn: Turn, onEnded: () => void): readonly [LoopbackLane, LoopbackLane] {
    const [one, other] = [new LoopbackLane(turn, onEnded), new LoopbackLane(turn, () => undefined)];
    one.other = other;
    other.other = one;
    return [one, other];
  }

  open(sink: LaneSink): void {
    this.sink = sink;
    if (this.waiting.length > 0) this.schedule();
  }

  send(batch: Buffer, carried: Carried | null = null): boolean {
    return this.ending === null && this.other.take({ batch, carried });
  }

  close(reason: string): void {
    for (const end of [this, this.other]) {
      if (end.ending !== null) continue;
      end.ending = reason;
      end.waiting = [];
      end.schedule();
    }
  }

  private take(sent: Sent): boolean {
    this.waiting.push(sent);
    this.waitingBytes += sent.batch.length + (sent.carried?.bytes ?? 0);
    if (this.sink !== null) this.schedule();
    this.isFull = this.waitingBytes > waitingBytesMax;
    return !this.isFull;
  }

  private schedule(): void {
    if (this.isScheduled) return;
    this.isScheduled = true;
    this.turn.postpone(this);
  }

  endOfTurn(): void {
    this.isScheduled = false;
    const { waiting, sink } = this;
    this.waiting = [];
    this.waitingBytes = 0;
    for (const { batch, carried } of waiting) if (this.ending === null) sink?.received(batch, carried);
    if (this.ending !== null) {
      this.sink = null;
      sink?.closed(this.ending);
      this.onEnded();
      return;
    }
    if (!this.isFull) return;
    this.isFull = false;
    this.other.sink?.drained();
  }
}
