import type { Clock, Timer } from '@chapar/platform';
import type { NumberedIntake } from './verdicts.js';

/** Told at the latest after so long. Milliseconds. */
const patienceMs = 20;
/** Or when so many have gathered. */
const gatheredMax = 1024;

/**
 * What a peer is to know some time, so that it need not keep things for a broken link: verdicts on publishes that nobody waits for, and up
 * to where settlements were carried out. A message to a peer costs as much as ten publishes, so these go together.
 */
export class LazyNews {
  private readonly clock: Clock;
  private readonly tell: (verdicts: Iterable<readonly [intake: NumberedIntake, upTo: number]>) => void;
  private verdicts = new Map<NumberedIntake, number>();
  private gathered = 0;
  private timer: Timer | null = null;

  constructor(clock: Clock, tell: (verdicts: Iterable<readonly [intake: NumberedIntake, upTo: number]>) => void) {
    this.clock = clock;
    this.tell = tell;
  }

  verdict(intake: NumberedIntake, upTo: number): void {
    this.verdicts.set(intake, upTo);
    this.count();
  }

  settled(): void {
    this.count();
  }

  /** It was told more. */
  forget(intake: NumberedIntake): void {
    if (this.verdicts.size > 0) this.verdicts.delete(intake);
  }

  clear(): void {
    this.timer?.cancel();
    this.timer = null;
    this.verdicts = new Map();
    this.gathered = 0;
  }

  private count(): void {
    if (++this.gathered >= gatheredMax) this.flush();
    else this.timer ??= this.clock.after(patienceMs, () => this.flush());
  }

  private flush(): void {
    const { verdicts } = this;
    this.clear();
    this.tell(verdicts);
  }
}
