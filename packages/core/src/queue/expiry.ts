import { Deadline } from '../deadlines.js';
import type { Message } from '../message.js';
import type { Turn } from '../turn.js';
import type { ReadyMessages } from './ready-messages.js';
import type { QueueRules } from './rules.js';

/** Expired messages of one queue that go in one go; the rest a moment later, so that others have theirs between. */
const expiredMax = 1024;

/** When the message's time in a queue with these rules is over: the queue's time to live counts, or its own where that is lower. Node time; Infinity: never. */
export function expiresAtMs({ receivedAtMs, expirationMs }: Message, { ttlMs }: QueueRules): number {
  return receivedAtMs + (expirationMs >= 0 && expirationMs < ttlMs ? expirationMs : ttlMs);
}

/** What expiry sees of its queue. */
export interface ExpiringQueue {
  readonly rules: QueueRules;
  /** Nothing leaves it yet; `headChanged` is called when it may. */
  readonly isHeld: boolean;
  /** The oldest, which is in memory, leaves. */
  expireHead(): void;
}

/**
 * The end of messages' time to live. Only the oldest message of a queue is looked at: when its deadline comes, and before it is
 * delivered. What expired behind it goes when it is the oldest. Made for queues that have, or had, something that can expire.
 */
export class Expiry {
  private readonly turn: Turn;
  private readonly ready: ReadyMessages;
  private readonly queue: ExpiringQueue;
  /** Never later than that of the oldest; a message that leaves before its time is found to have left when it is due. */
  private readonly deadline: Deadline;

  constructor(turn: Turn, ready: ReadyMessages, queue: ExpiringQueue) {
    this.turn = turn;
    this.ready = ready;
    this.queue = queue;
    this.deadline = new Deadline(turn.deadlines, () => this.due());
  }

  /** The oldest is in memory, and its time is over. */
  get isHeadDue(): boolean {
    const { ready } = this;
    return !this.queue.isHeld && ready.hasHead && expiresAtMs(ready.head, this.queue.rules) <= this.turn.nowMs;
  }

  /** Perhaps another message is the oldest now. */
  headChanged(): void {
    const { ready } = this;
    if (!ready.hasHead || this.queue.isHeld) return;
    const atMs = expiresAtMs(ready.head, this.queue.rules);
    if (atMs < this.deadline.atMs) this.deadline.set(atMs);
  }

  /** A message came to those that wait. With a time to live of 0 it goes at once, unless it has to wait for others to go. */
  arrived(): void {
    if (this.ready.length === 1) this.expireDue(1);
    this.headChanged();
  }

  /** Removes what has expired up to the first that has not, or that is not in memory. */
  expireDue(max: number): void {
    for (let left = max; left > 0 && this.isHeadDue; left--) this.queue.expireHead();
  }

  /** As `expireDue`, all of it: whoever gets a message is told how many wait without counting those. */
  takeDue(): void {
    this.expireDue(Number.POSITIVE_INFINITY);
    this.headChanged();
  }

  private due(): void {
    this.expireDue(expiredMax);
    this.headChanged();
  }

  /** The queue is gone. */
  stop(): void {
    this.deadline.set(Number.POSITIVE_INFINITY);
  }
}
