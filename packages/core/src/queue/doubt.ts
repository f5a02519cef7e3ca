import type { QueueLog } from '../ports.js';
import { Beginning } from './beginning.js';

/**
 * Whether another node may lead a mirrored queue by now. It is asked whenever something is about to be handed out, by the clock and not by
 * a timer, which may be late; while there is doubt nothing is. Of other queues there is none, ever.
 */
export class Doubt {
  /** As it was when it was asked last. */
  isOn = false;
  private log: QueueLog | null;
  /** Called when messages may be handed out again. */
  private readonly onOver: () => void;
  private waiting: Beginning | null = null;

  constructor(log: QueueLog | null, onOver: () => void) {
    this.log = log?.mayHandOut === undefined ? null : log;
    this.onOver = onOver;
  }

  /** True: nothing may be handed out before it is over. */
  arises(): boolean {
    if (this.log === null) return false;
    this.isOn = !this.log.mayHandOut!();
    return this.isOn;
  }

  /** There may be none any more. */
  ask(): void {
    if (this.isOn && !this.arises()) this.end();
  }

  /** Resolves when it is over, or the queue is led elsewhere. */
  over(): Promise<void> {
    this.waiting ??= new Beginning();
    return this.waiting.past();
  }

  /** The queue is led elsewhere, or gone: whoever waits finds that out. */
  stop(): void {
    this.log = null;
    this.end();
  }

  private end(): void {
    this.isOn = false;
    const { waiting } = this;
    this.waiting = null;
    this.onOver();
    waiting?.pass();
  }
}
