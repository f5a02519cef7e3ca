import type { Clock, Timer } from '@chapar/platform';

/** Of those that are due, so many have their turn before others have theirs. */
const dueMax = 64;

/** The node's time, see `Turn.nowMs`. */
interface NodeTime {
  readonly nowMs: number;
}

/** Something that happens at a time of the node. At most once for each `set`. */
export class Deadline {
  /** When it is due, by the node's time; Infinity: it is not. Milliseconds since 1970. */
  atMs = Number.POSITIVE_INFINITY;
  /** Its place in the heap; -1: none. Owned by `Deadlines`. */
  index = -1;
  readonly run: () => void;
  private readonly deadlines: Deadlines;

  constructor(deadlines: Deadlines, run: () => void) {
    this.deadlines = deadlines;
    this.run = run;
  }

  /** Infinity: it is called off. */
  set(atMs: number): void {
    if (atMs === this.atMs) return;
    this.atMs = atMs;
    this.deadlines.place(this);
  }
}

/**
 * The deadlines of a node: a heap and one timer. Who has a million messages that will expire has one deadline here, that of the
 * first.
 */
export class Deadlines {
  private readonly clock: Clock;
  private readonly time: NodeTime;
  private readonly heap: Deadline[] = [];
  private timer: Timer | null = null;
  private timerAtMs = Number.POSITIVE_INFINITY;
  private isStopped = false;
  private readonly elapsed = (): void => this.runDue();

  constructor(clock: Clock, time: NodeTime) {
    this.clock = clock;
    this.time = time;
  }

  /** Those that are set. */
  get count(): number {
    return this.heap.length;
  }

  /** Called by a deadline that was moved. */
  place(deadline: Deadline): void {
    const { heap } = this;
    if (deadline.atMs === Number.POSITIVE_INFINITY) {
      if (deadline.index !== -1) this.remove(deadline);
      if (this.heap.length === 0) this.disarm();
      return;
    }
    if (deadline.index === -1) {
      deadline.index = heap.length;
      heap.push(deadline);
    }
    this.settle(deadline);
    this.arm();
  }

  /** A timer that is early does no harm; one that is late does. */
  private arm(): void {
    const first = this.heap[0];
    if (first === undefined || first.atMs >= this.timerAtMs || this.isStopped) return;
    this.disarm();
    this.timerAtMs = first.atMs;
    this.timer = this.clock.after(Math.max(0, first.atMs - this.time.nowMs), this.elapsed);
  }

  /** Nothing is due any more. */
  stop(): void {
    this.isStopped = true;
    this.disarm();
  }

  private disarm(): void {
    this.timer?.cancel();
    this.timer = null;
    this.timerAtMs = Number.POSITIVE_INFINITY;
  }

  private runDue(): void {
    this.disarm();
    for (let i = 0; i < dueMax; i++) {
      const first = this.heap[0];
      if (first === undefined || first.atMs > this.time.nowMs) break;
      this.remove(first);
      first.atMs = Number.POSITIVE_INFINITY;
      first.run();
    }
    this.arm();
  }

  // ---- the heap ------------------------------------------------------------------------------------------------

  private remove(deadline: Deadline): void {
    const last = this.heap.pop()!;
    if (last !== deadline) {
      this.put(last, deadline.index);
      this.settle(last);
    }
    deadline.index = -1;
  }

  private settle(deadline: Deadline): void {
    this.rise(deadline);
    this.sink(deadline);
  }

  private rise(deadline: Deadline): void {
    for (let at = deadline.index; at > 0; at = deadline.index) {
      const parent = this.heap[(at - 1) >> 1]!;
      if (parent.atMs <= deadline.atMs) return;
      this.put(deadline, parent.index);
      this.put(parent, at);
    }
  }

  private sink(deadline: Deadline): void {
    const { heap } = this;
    for (;;) {
      const at = deadline.index;
      let child = heap[at * 2 + 1];
      if (child === undefined) return;
      const other = heap[at * 2 + 2];
      if (other !== undefined && other.atMs < child.atMs) child = other;
      if (deadline.atMs <= child.atMs) return;
      this.put(deadline, child.index);
      this.put(child, at);
    }
  }

  private put(deadline: Deadline, at: number): void {
    this.heap[at] = deadline;
    deadline.index = at;
  }
}
