import type { QueueConsumer } from './consumer.js';

/**
 * A limit on what several consumers hold together (0-9-1's `basic.qos` with global=true: what the whole channel holds).
 * Those that found it full wait here and are woken in turn.
 */
export class Window {
  private held = 0;
  private limit: number;
  /** In the order in which they came. Each once, however often its credit grows meanwhile. */
  private readonly waiting = new Set<QueueConsumer>();

  /** Deliveries that may be held at once; Infinity: no limit. */
  constructor(limit: number) {
    this.limit = limit;
  }

  get isOpen(): boolean {
    return this.held < this.limit;
  }

  get limitCount(): number {
    return this.limit;
  }

  take(): void {
    this.held++;
  }

  give(): void {
    this.held--;
    if (this.waiting.size > 0) this.wake();
  }

  /** Holds for what comes; what is held beyond a lower limit is settled in its time. */
  setLimit(limit: number): void {
    this.limit = limit;
    this.wake();
  }

  waitFor(consumer: QueueConsumer): void {
    this.waiting.add(consumer);
  }

  /** The consumer ended. */
  forget(consumer: QueueConsumer): void {
    this.waiting.delete(consumer);
  }

  private wake(): void {
    for (const consumer of this.waiting) {
      if (!this.isOpen) return;
      this.waiting.delete(consumer);
      consumer.wake();
    }
  }
}
