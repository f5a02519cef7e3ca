import type { Clock } from '@chapar/platform';
import { Deadlines } from './deadlines.js';

/** Work that is done once at the end of a turn of the event loop, however often it was asked for. */
export interface Flushable {
  /** Called once per `Turn.add`; may add others, also of its own phase. */
  endOfTurn(): void;
}

/**
 * The order of things at the end of a turn: queues decide (dispatch what was given back), then the log takes what was gathered, then
 * confirms are told, then connections write. Each phase sees what the earlier ones did, so a turn costs one write per socket.
 */
export const PHASE_DECIDE = 0;
export const PHASE_PERSIST = 1;
export const PHASE_CONFIRM = 2;
export const PHASE_WRITE = 3;
const phases = 4;

/** One flush per turn of the event loop: the only batching there is, with no window to tune. */
export class Turn {
  /** What is due at a time of the node. */
  readonly deadlines: Deadlines;
  private readonly clock: Clock;
  private readonly gathered: Flushable[][] = Array.from({ length: phases }, () => []);
  private postponed: Flushable[] = [];
  private scheduled = false;
  /** See `stop`. */
  isStopped = false;
  private readonly run = (): void => this.flush();
  /** What is added to the monotonic clock to get the node's time. */
  private startMs: number;
  /** The node's time in this turn; -1: nobody has asked yet. */
  private timeMs = -1;
  /** Of `tenths`: when they began, by the node's time, and how many it is in this turn; -1: nobody has asked yet. */
  private bornMs: number;
  private timeTenths = -1;

  constructor(clock: Clock) {
    this.clock = clock;
    this.deadlines = new Deadlines(clock, this);
    this.startMs = clock.wallMs() - clock.monotonicMs();
    this.bornMs = Math.floor(this.startMs + this.clock.monotonicMs());
  }

  /**
   * The node's time, the same for all of a turn: wall-clock time as it was when the node started, and from there on the monotonic
   * clock, so that nothing expires because somebody set the clock. Milliseconds since 1970, whole.
   */
  get nowMs(): number {
    if (this.timeMs < 0) {
      this.timeMs = Math.floor(this.startMs + this.clock.monotonicMs());
      if (!this.scheduled) this.schedule();
    }
    return this.timeMs;
  }

  /** The node's time at this moment, which may be later in a turn than `nowMs`. */
  get exactMs(): number {
    return Math.floor(this.startMs + this.clock.monotonicMs());
  }

  /** Tenths of a second of the node's life, rounded up: a small integer, so that it costs nothing to keep one with each delivery. */
  get tenths(): number {
    if (this.timeTenths < 0) this.timeTenths = Math.ceil((this.nowMs - this.bornMs) / 100) | 0;
    return this.timeTenths;
  }

  /** The node's time at these `tenths`. */
  timeOf(tenths: number): number {
    return this.bornMs + tenths * 100;
  }

  /** The node's time goes on from here when the wall clock stands before it: it never goes back over a restart. */
  startNotBefore(ms: number): void {
    this.startMs = Math.max(this.startMs, ms - this.clock.monotonicMs());
    this.timeMs = this.timeTenths = -1;
    this.bornMs = Math.floor(this.startMs + this.clock.monotonicMs());
  }

  /** The caller remembers that it was added until its `endOfTurn` is called. */
  add(phase: number, work: Flushable): void {
    this.gathered[phase]!.push(work);
    if (!this.scheduled) this.schedule();
  }

  /** As `add` to the first phase; at the end of a turn, of the next one: for what would go on and on while others wait. */
  postpone(work: Flushable): void {
    this.postponed.push(work);
    if (!this.scheduled) this.schedule();
  }

  /** The node stops: nothing is due any more, and nothing sets out that can as well do so after the next start. What is under way arrives. */
  stop(): void {
    this.isStopped = true;
    this.deadlines.stop();
  }

  private schedule(): void {
    this.scheduled = true;
    this.clock.endOfTurn(this.run);
  }

  /** Runs everything gathered, also what is added meanwhile to this or a later phase; what goes to an earlier phase waits a turn. */
  flush(): void {
    this.scheduled = false;
    this.timeMs = this.timeTenths = -1;
    if (this.postponed.length > 0) {
      const { postponed } = this;
      this.postponed = [];
      for (const work of postponed) this.gathered[PHASE_DECIDE]!.push(work);
    }
    for (let phase = 0; phase < phases; phase++) {
      const work = this.gathered[phase]!;
      for (let i = 0; i < work.length; i++) work[i]!.endOfTurn();
      work.length = 0;
    }
  }
}
