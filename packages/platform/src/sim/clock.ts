import type { Clock, Timer } from '../clock.js';
import { SimGate } from './gate.js';
import { SimScheduler } from './scheduler.js';

/** 2026-01-01T00:00Z: where simulated wall clocks begin. */
const wallStartMs = 1_767_225_600_000;

/** One machine's clock in simulated time. */
export class SimClock implements Clock {
  readonly scheduler: SimScheduler;
  private readonly gate: SimGate;
  /** Milliseconds of this clock for each of the simulation's, and what is added. */
  private rate = 1;
  private offsetMs = 0;
  private wallOffsetMs: number;
  private readonly pending = new Set<SimTimer>();
  /** Counts the machine's lives: what an earlier one asked for at the end of a turn does not happen. */
  private life = 0;

  constructor(scheduler: SimScheduler = new SimScheduler(), gate: SimGate = new SimGate(scheduler)) {
    this.scheduler = scheduler;
    this.gate = gate;
    this.wallOffsetMs = wallStartMs - scheduler.nowMs;
  }

  wallMs(): number {
    return Math.floor(this.monotonicMs() + this.wallOffsetMs);
  }

  monotonicMs(): number {
    return this.scheduler.nowMs * this.rate + this.offsetMs;
  }

  after(delayMs: number, run: () => void): Timer {
    return new SimTimer(this, this.pending, delayMs, null, run);
  }

  every(intervalMs: number, run: () => void): Timer {
    // setInterval takes no less than a millisecond either; with 0 simulated time would never pass.
    const atLeastMs = Math.max(1, intervalMs);
    return new SimTimer(this, this.pending, atLeastMs, atLeastMs, run);
  }

  endOfTurn(run: () => void): void {
    const { life } = this;
    this.scheduler.endOfTurn(() => {
      if (life === this.life) this.gate.pass(run);
    });
  }

  /** See SimScheduler.advance. */
  advance(ms: number): Promise<void> {
    return this.scheduler.advance(ms);
  }

  /** See SimScheduler.advanceSync. */
  advanceSync(ms: number): void {
    this.scheduler.advanceSync(ms);
  }

  /** See SimScheduler.runUntilIdle. */
  runUntilIdle(): Promise<void> {
    return this.scheduler.runUntilIdle();
  }

  /** Somebody sets the wall clock; the monotonic one does not notice. */
  jumpWall(ms: number): void {
    this.wallOffsetMs += ms;
  }

  /** From now on this machine's clock runs faster (above 1) or slower than true time; what is due already stays due when it was. */
  drift(rate: number): void {
    this.offsetMs += this.scheduler.nowMs * (this.rate - rate);
    this.rate = rate;
  }

  /** For the timers of this clock. */
  wait(delayMs: number, run: () => void): Timer {
    return this.scheduler.timer(delayMs / this.rate, () => this.gate.pass(run));
  }

  /** Timers that have neither run nor been cancelled: leaks show here. */
  get pendingTimers(): number {
    return this.pending.size;
  }

  /** The process died: nothing that it waited for happens. */
  stop(): void {
    this.life++;
    for (const timer of [...this.pending]) timer.cancel();
  }
}

class SimTimer implements Timer {
  private readonly clock: SimClock;
  private readonly pending: Set<SimTimer>;
  private readonly intervalMs: number | null;
  private readonly run: () => void;
  private event: Timer;

  constructor(clock: SimClock, pending: Set<SimTimer>, delayMs: number, intervalMs: number | null, run: () => void) {
    this.clock = clock;
    this.pending = pending;
    this.intervalMs = intervalMs;
    this.run = run;
    pending.add(this);
    this.event = clock.wait(delayMs, () => this.elapsed());
  }

  cancel(): void {
    this.pending.delete(this);
    this.event.cancel();
  }

  private elapsed(): void {
    // It may have been cancelled while the process was stopped.
    if (!this.pending.has(this)) return;
    if (this.intervalMs === null) this.pending.delete(this);
    else this.event = this.clock.wait(this.intervalMs, () => this.elapsed());
    this.run();
  }
}
