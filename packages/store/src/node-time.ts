import type { Clock } from '@chapar/platform';

/** The node's time as the core counts it (`Turn.nowMs`), for what the store itself stamps: no jump of the wall clock moves it. */
export class NodeTime {
  private readonly clock: Clock;
  /** What is added to the monotonic clock. */
  private startMs: number;

  constructor(clock: Clock) {
    this.clock = clock;
    this.startMs = clock.wallMs() - clock.monotonicMs();
  }

  /** Milliseconds since 1970, whole. */
  get nowMs(): number {
    return Math.floor(this.startMs + this.clock.monotonicMs());
  }

  /** It goes on from here when the wall clock stands before it. */
  startNotBefore(ms: number): void {
    this.startMs = Math.max(this.startMs, ms - this.clock.monotonicMs());
  }
}
