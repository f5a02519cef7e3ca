/** A pending call that can still be called off. Cancelling twice, or after it ran, does nothing. */
export interface Timer {
  cancel(): void;
}

/** Time as the broker sees it. Everything that waits or stamps takes one, so that a simulated clock can stand in. */
export interface Clock {
  /** Wall clock, milliseconds since 1970-01-01T00:00Z. May jump; only for stamps that people or other programs read. */
  wallMs(): number;
  /** Monotonic milliseconds (fractions allowed) from an arbitrary origin. Deadlines and intervals use this one. */
  monotonicMs(): number;
  /** Calls `run` once, not before `delayMs` from now. Does not keep the process alive by itself. */
  after(delayMs: number, run: () => void): Timer;
  /** Calls `run` every `intervalMs` until cancelled. Does not keep the process alive by itself. */
  every(intervalMs: number, run: () => void): Timer;
  /** Calls `run` once after the events of the present turn of the event loop (`setImmediate`). */
  endOfTurn(run: () => void): void;
}
