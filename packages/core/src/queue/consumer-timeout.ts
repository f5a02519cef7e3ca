import { Deadline } from '../deadlines.js';
import type { Turn } from '../turn.js';
import type { QueueConsumer } from './consumer.js';
import type { QueueRules } from './rules.js';

/**
 * Takes back what consumers of one queue hold longer than they may (`x-consumer-timeout` of the consumer, or else of the queue). Made
 * for queues that have, or had, such a limit. Who holds with basic.get is among them.
 */
export class ConsumerTimeout {
  private readonly turn: Turn;
  private readonly queue: { readonly rules: QueueRules };
  /** Those who may hold something with a limit, whether they are consumers still or not. */
  private readonly holders = new Set<QueueConsumer>();
  private readonly deadline: Deadline;

  constructor(turn: Turn, queue: { readonly rules: QueueRules }) {
    this.turn = turn;
    this.queue = queue;
    this.deadline = new Deadline(turn.deadlines, () => this.due());
  }

  /** Holds something now, perhaps beside what it held before. */
  holds(consumer: QueueConsumer): void {
    const atMs = this.limitMs(consumer);
    if (atMs === Number.POSITIVE_INFINITY) return;
    this.holders.add(consumer);
    if (atMs < this.deadline.atMs) this.deadline.set(atMs);
  }

  /** When the oldest that it holds is to be taken back, by the node's time; Infinity: never. */
  private limitMs(consumer: QueueConsumer): number {
    const { oldestHeldSince } = consumer;
    if (oldestHeldSince === -1) return Number.POSITIVE_INFINITY;
    return this.turn.timeOf(oldestHeldSince) + this.timeoutMs(consumer);
  }

  private timeoutMs({ timeoutMs }: QueueConsumer): number {
    return timeoutMs ?? this.queue.rules.consumerTimeoutMs;
  }

  private due(): void {
    const { nowMs } = this.turn;
    for (const consumer of [...this.holders]) {
      if (this.limitMs(consumer) <= nowMs) {
        const timeoutMs = this.timeoutMs(consumer);
        consumer.timeOut((since) => this.turn.timeOf(since) + timeoutMs <= nowMs);
      }
      if (consumer.heldCount === 0) this.holders.delete(consumer);
      else this.holds(consumer);
    }
  }

  /** The queue is gone. */
  stop(): void {
    this.holders.clear();
    this.deadline.set(Number.POSITIVE_INFINITY);
  }
}
