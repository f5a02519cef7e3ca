import type { Clock } from '@chapar/platform';

/** How many clients are let in: a bucket that fills with so many a second and holds a second's worth. A storm of reconnects drains it and is told to come again. */
export class Admission {
  private readonly clock: Clock;
  private readonly perSecond: number;
  private tokens: number;
  private filledAtMs: number;
  refusedCount = 0;

  /** `perSecond` 0: all are. */
  constructor(clock: Clock, perSecond: number) {
    this.clock = clock;
    this.perSecond = perSecond;
    this.tokens = perSecond;
    this.filledAtMs = clock.monotonicMs();
  }

  admits(): boolean {
    if (this.perSecond === 0) return true;
    const nowMs = this.clock.monotonicMs();
    this.tokens = Math.min(this.perSecond, this.tokens + ((nowMs - this.filledAtMs) * this.perSecond) / 1000);
    this.filledAtMs = nowMs;
    if (this.tokens < 1) {
      this.refusedCount++;
      return false;
    }
    this.tokens--;
    return true;
  }
}
