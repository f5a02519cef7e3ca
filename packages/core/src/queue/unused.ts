import { Deadline } from '../deadlines.js';
import type { Turn } from '../turn.js';
import type { QueueConsumer } from './consumer.js';
import type { QueueRules } from './rules.js';

/** What this sees of its queue. */
export interface UnusableQueue {
  readonly rules: QueueRules;
  /** Its consumers may not be back yet. */
  readonly isHeld: boolean;
  readonly consumers: ReadonlySet<QueueConsumer>;
  /** Its time is over. Called again after the same time if it is still there: what should have removed it may have failed. */
  onExpired: (() => void) | null;
}

/**
 * The end of a queue that nobody uses (`x-expires`): for so long it had no consumer, and nobody declared it again or took from it with
 * basic.get. Publishing is no use. Made for queues that are, or were, told so.
 */
export class Unused {
  private readonly turn: Turn;
  private readonly queue: UnusableQueue;
  private readonly deadline: Deadline;
  private usedAtMs: number;

  constructor(turn: Turn, queue: UnusableQueue) {
    this.turn = turn;
    this.queue = queue;
    this.usedAtMs = turn.nowMs;
    this.deadline = new Deadline(turn.deadlines, () => this.due());
  }

  /** Somebody uses the queue, or has just ceased to. */
  used(): void {
    this.usedAtMs = this.turn.nowMs;
    this.watch();
  }

  /** The time counts from when it was used last; a deadline that comes too early is found to. */
  private watch(): void {
    const atMs = this.queue.consumers.size > 0 ? Number.POSITIVE_INFINITY : this.usedAtMs + this.queue.rules.expiresMs;
    if (atMs < this.deadline.atMs) this.deadline.set(atMs);
  }

  private due(): void {
    const { consumers, rules } = this.queue;
    if (this.queue.isHeld) this.usedAtMs = this.turn.nowMs;
    const isOver = consumers.size === 0 && this.usedAtMs + rules.expiresMs <= this.turn.nowMs;
    if (isOver) this.usedAtMs = this.turn.nowMs;
    this.watch();
    // Last: the queue may be gone afterwards.
    if (isOver) this.queue.onExpired?.();
  }

  /** The queue is gone. */
  stop(): void {
    this.deadline.set(Number.POSITIVE_INFINITY);
  }
}
