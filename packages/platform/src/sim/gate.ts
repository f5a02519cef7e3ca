import type { SimScheduler } from './scheduler.js';

/**
 * Between one machine's process and the world. While the process is stopped (SIGSTOP), its timers, what the disk has done and what
 * the kernel has received for it wait here in their order, and happen when it goes on.
 */
export class SimGate {
  private readonly scheduler: SimScheduler;
  private shut = false;
  private waiting: (() => void)[] = [];
  /** Counts the process's lives: what waited for an earlier one does not happen. */
  private life = 0;

  constructor(scheduler: SimScheduler) {
    this.scheduler = scheduler;
  }

  get isShut(): boolean {
    return this.shut;
  }

  /** Something happens to the process: now, or when it goes on. */
  pass(run: () => void): void {
    if (this.shut) this.waiting.push(run);
    else run();
  }

  close(): void {
    this.shut = true;
  }

  /** The process goes on: what waited happens in this turn, one after the other, each with the promises that it settles. */
  open(): void {
    this.shut = false;
    const { waiting, life } = this;
    this.waiting = [];
    for (const run of waiting) {
      this.scheduler.work(0, () => {
        if (life === this.life) this.pass(run);
      });
    }
  }

  /** The process died: nothing waits for it any more, and the next one is not stopped. */
  clear(): void {
    this.life++;
    this.shut = false;
    this.waiting = [];
  }
}
