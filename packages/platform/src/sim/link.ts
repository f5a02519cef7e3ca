import type { SimScheduler } from './scheduler.js';

/** The cable in one direction: delays, keeps the order, and holds everything back while it is broken (TCP sends again until it gets through). */
export class SimLink {
  readonly scheduler: SimScheduler;
  readonly from: string;
  readonly to: string;
  private readonly delayMs: () => number;
  private lastDueMs = 0;
  private isHeld = false;
  private readonly held: (() => void)[] = [];

  constructor(scheduler: SimScheduler, from: string, to: string, delayMs: () => number) {
    this.scheduler = scheduler;
    this.from = from;
    this.to = to;
    this.delayMs = delayMs;
  }

  carry(arrive: () => void): void {
    const { nowMs } = this.scheduler;
    this.lastDueMs = Math.max(this.lastDueMs, nowMs + this.delayMs());
    this.scheduler.work(this.lastDueMs - nowMs, () => {
      if (this.isHeld) this.held.push(arrive);
      else arrive();
    });
  }

  hold(): void {
    this.isHeld = true;
  }

  release(): void {
    this.isHeld = false;
    for (const arrive of this.held.splice(0)) arrive();
  }
}
