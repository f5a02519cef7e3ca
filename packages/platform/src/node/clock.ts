import type { Clock, Timer } from '../clock.js';

/** The machine's clock. Timers are unref'ed: a broker lives by its listeners, never by a pending timeout. */
export class NodeClock implements Clock {
  wallMs(): number {
    return Date.now();
  }

  monotonicMs(): number {
    return performance.now();
  }

  after(delayMs: number, run: () => void): Timer {
    return new Timeout(delayMs, run);
  }

  every(intervalMs: number, run: () => void): Timer {
    const timer = setInterval(run, intervalMs).unref();
    return { cancel: () => clearInterval(timer) };
  }

  endOfTurn(run: () => void): void {
    setImmediate(run);
  }
}

/** setTimeout fires at once beyond this many milliseconds (about 24.8 days), so longer waits go in steps. */
const stepMsMax = 0x7fffffff;

class Timeout implements Timer {
  private readonly run: () => void;
  private remainingMs: number;
  private timer: NodeJS.Timeout | null = null;

  constructor(delayMs: number, run: () => void) {
    this.remainingMs = delayMs;
    this.run = run;
    this.step();
  }

  cancel(): void {
    if (this.timer === null) return;
    clearTimeout(this.timer);
    this.timer = null;
  }

  private step(): void {
    // Rounded up: setTimeout cuts fractions off, and "not before delayMs" is what callers count on.
    const stepMs = Math.min(Math.ceil(this.remainingMs), stepMsMax);
    this.remainingMs -= stepMs;
    this.timer = setTimeout(elapsed, stepMs, this).unref();
  }

  elapsed(): void {
    if (this.remainingMs > 0) {
      this.step();
      return;
    }
    this.timer = null;
    this.run();
  }
}

function elapsed(timeout: Timeout): void {
  timeout.elapsed();
}
