import type { Clock } from '@chapar/platform';

/** How long administration may hold the event loop before routing gets its turn, milliseconds. */
const sliceMs = 5;

/** Cuts long work into slices. `if (pace.isDue) await pace.rest();` in every loop that grows with the number of objects. */
export class Pace {
  private readonly clock: Clock;
  private untilMs: number;

  constructor(clock: Clock) {
    this.clock = clock;
    this.untilMs = clock.monotonicMs() + sliceMs;
  }

  get isDue(): boolean {
    return this.clock.monotonicMs() >= this.untilMs;
  }

  async rest(): Promise<void> {
    await new Promise<void>((resolve) => this.clock.endOfTurn(resolve));
    this.untilMs = this.clock.monotonicMs() + sliceMs;
  }
}
