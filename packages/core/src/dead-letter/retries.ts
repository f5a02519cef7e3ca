import type { Clock, Timer } from '@chapar/platform';

/** Somebody who tries again later. */
export interface Retrying {
  /** Called once per `Retries.after`. */
  retry(): void;
}

/** When whom to try again: one timer for the node. */
export class Retries {
  private readonly clock: Clock;
  private readonly due = new Map<Retrying, number>();
  private timer: Timer | null = null;
  private timerAtMs = Number.POSITIVE_INFINITY;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** A second call for the same takes the place of the first. */
  after(delayMs: number, who: Retrying): void {
    const atMs = this.clock.monotonicMs() + delayMs;
    this.due.set(who, atMs);
    if (atMs < this.timerAtMs) this.arm(atMs);
  }

  forget(who: Retrying): void {
    this.due.delete(who);
  }

  /** Nothing is tried any more. */
  stop(): void {
    this.due.clear();
    this.timer?.cancel();
    this.timer = null;
    this.timerAtMs = Number.POSITIVE_INFINITY;
  }

  private arm(atMs: number): void {
    this.timer?.cancel();
    this.timerAtMs = atMs;
    this.timer = this.clock.after(Math.max(0, atMs - this.clock.monotonicMs()), () => this.ring());
  }

  private ring(): void {
    this.timer = null;
    this.timerAtMs = Number.POSITIVE_INFINITY;
    const nowMs = this.clock.monotonicMs();
    let next = Number.POSITIVE_INFINITY;
    for (const [who, atMs] of [...this.due]) {
      if (atMs > nowMs) {
        next = Math.min(next, atMs);
        continue;
      }
      this.due.delete(who);
      who.retry();
    }
    if (next < this.timerAtMs) this.arm(next);
  }
}
