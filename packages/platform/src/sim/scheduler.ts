import type { Timer } from '../clock.js';
import { EventQueue, type SimEvent } from './event-queue.js';

/** So many turns without time passing are a loop that would never end. */
const idleTurnsMax = 1_000_000;

/**
 * Simulated time and everything that happens in it; machines of one simulation share one.
 *
 * A turn is modelled on the event loop's: all events due by now run first, then what asked for the end of the turn;
 * what either of them starts belongs to the next turn. After each call promises run on, as they do in Node.
 */
export class SimScheduler {
  /** Simulated monotonic milliseconds. Begins above zero, so that a forgotten initial 0 does not pass for a time. */
  nowMs = 1_000;
  private readonly events = new EventQueue();
  private turnEnd: (() => void)[] = [];
  private sequence = 0;
  private workCount = 0;
  private turnsAtNow = 0;

  /** Input or output that will be done by then: `runUntilIdle` waits for it. */
  work(delayMs: number, run: () => void): Timer {
    return this.schedule(delayMs, run, true);
  }

  /** A timer: `runUntilIdle` does not wait for it. */
  timer(delayMs: number, run: () => void): Timer {
    return this.schedule(delayMs, run, false);
  }

  endOfTurn(run: () => void): void {
    this.turnEnd.push(run);
  }

  /** Lets `ms` pass. Sub-millisecond steps are fine. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.nowMs + ms;
    await settlePromises();
    while (this.hasEventBy(untilMs)) await this.turn();
    this.nowMs = untilMs;
  }

  /** As `advance`, in one go: promises do not run in between. For code that has none. */
  advanceSync(ms: number): void {
    const untilMs = this.nowMs + ms;
    while (this.hasEventBy(untilMs)) {
      for (const run of this.takeEvents()) run();
      for (const run of this.takeTurnEnd()) run();
    }
    this.nowMs = untilMs;
  }

  /** Runs until no input or output is under way and no turn's end is waited for; time passes as that takes. Timers run when they come due on the way. */
  async runUntilIdle(): Promise<void> {
    await settlePromises();
    while (this.workCount > 0 || this.turnEnd.length > 0) await this.turn();
  }

  /** As `runUntilIdle`, for code without promises. */
  runUntilIdleSync(): void {
    while (this.workCount > 0 || this.turnEnd.length > 0) {
      for (const run of this.takeEvents()) run();
      for (const run of this.takeTurnEnd()) run();
    }
  }

  /** Drives time until `promise` settles, and returns what it gives. Throws when it has not settled within `limitMs` or nothing is left that could settle it. */
  async settle<T>(promise: Promise<T>, limitMs = 600_000): Promise<T> {
    let isSettled = false;
    const note = () => {
      isSettled = true;
    };
    promise.then(note, note);
    const untilMs = this.nowMs + limitMs;
    await settlePromises();
    while (!isSettled && this.hasEventBy(untilMs)) await this.turn();
    if (!isSettled) throw new Error(`simulation: the promise is still open at ${this.nowMs} ms`);
    return promise;
  }

  private schedule(delayMs: number, run: () => void, isWork: boolean): Timer {
    const event: SimEvent = { dueMs: this.nowMs + Math.max(0, delayMs), sequence: this.sequence++, isWork, run };
    this.events.push(event);
    if (isWork) this.workCount++;
    return {
      cancel: () => {
        if (event.run === null) return;
        event.run = null;
        if (isWork) this.workCount--;
      },
    };
  }

  private hasEventBy(untilMs: number): boolean {
    if (this.turnEnd.length > 0) return true;
    this.dropCancelled();
    const next = this.events.peek();
    return next !== undefined && next.dueMs <= untilMs;
  }

  private async turn(): Promise<void> {
    for (const run of this.takeEvents()) {
      run();
      await settlePromises();
    }
    for (const run of this.takeTurnEnd()) {
      run();
      await settlePromises();
    }
  }

  /** The events of this turn. While something waits for the turn's end, time stands still. */
  private *takeEvents(): Generator<() => void> {
    const sequenceEnd = this.sequence;
    this.dropCancelled();
    const first = this.events.peek();
    if (first !== undefined && first.dueMs > this.nowMs && this.turnEnd.length === 0) {
      this.nowMs = first.dueMs;
      this.turnsAtNow = 0;
    }
    if (this.turnsAtNow++ > idleTurnsMax) throw new Error(`simulation: time stands still at ${this.nowMs} ms`);
    for (;;) {
      this.dropCancelled();
      const event = this.events.peek();
      if (event === undefined || event.dueMs > this.nowMs || event.sequence >= sequenceEnd) return;
      this.events.pop();
      const { run } = event;
      if (run === null) continue;
      event.run = null;
      if (event.isWork) this.workCount--;
      yield run;
    }
  }

  private takeTurnEnd(): (() => void)[] {
    const { turnEnd } = this;
    this.turnEnd = [];
    return turnEnd;
  }

  private dropCancelled(): void {
    for (let next = this.events.peek(); next !== undefined && next.run === null; next = this.events.peek()) {
      this.events.pop();
    }
  }
}

/** A turn of the real event loop: every promise that can run on has done so when it returns. */
function settlePromises(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
