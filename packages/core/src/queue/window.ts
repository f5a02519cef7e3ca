import type { QueueConsumer } from './consumer.js';

/**
 * Credit that several consumers share (0-9-1's `basic.qos` with global=true: a limit on what the whole channel holds).
 * Those that ran into an empty window wait here and are woken in turn.
 */
export class Window {
  private left: number;
  private waiting: QueueConsumer[] = [];

  /** Deliveries that may be held at once; Infinity: no limit. */
  constructor(credit: number) {
    this.left = credit;
  }

  get isOpen(): boolean {
    return this.left > 0;
  }

  take(): void {
    this.left--;
  }

  waitFor(consumer: QueueConsumer): void {
    this.waiting.push(consumer);
  }

  /** Gives credit back (or, negative, takes it: the limit was lowered) and wakes who waits. */
  give(credit: number): void {
    this.left += credit;
    while (this.left > 0 && this.waiting.length > 0) this.waiting.shift()!.wake();
  }
}
