/** Somebody whose deliveries count in a window. */
export interface WindowMember {
  readonly spec: { readonly priority: number };
  /** The window may have room for it: it takes what it can. */
  wake(): void;
}

/**
 * A limit on what several consumers hold together (0-9-1's `basic.qos` with global=true: what the whole channel holds).
 * Those that found it full wait here and are woken in turn.
 */
export class Window {
  private held = 0;
  private limit: number;
  /** In the order in which they came. Each once, however often its credit grows meanwhile. */
  private readonly waiting = new Set<WindowMember>();
  /** Some of them may be of another priority than the others. */
  private hasRanks = false;

  /** Deliveries that may be held at once; Infinity: no limit. */
  constructor(limit: number) {
    this.limit = limit;
  }

  get isOpen(): boolean {
    return this.held < this.limit;
  }

  /** What may be taken before it is full. */
  get room(): number {
    return Math.max(0, this.limit - this.held);
  }

  get limitCount(): number {
    return this.limit;
  }

  take(): void {
    this.held++;
  }

  give(): void {
    this.held--;
    if (this.waiting.size > 0) this.wake();
  }

  /** Holds for what comes; what is held beyond a lower limit is settled in its time. */
  setLimit(limit: number): void {
    this.limit = limit;
    this.wake();
  }

  waitFor(consumer: WindowMember): void {
    this.waiting.add(consumer);
    if (consumer.spec.priority !== 0) this.hasRanks = true;
  }

  /** The consumer ended. */
  forget(consumer: WindowMember): void {
    this.waiting.delete(consumer);
  }

  private wake(): void {
    for (let next = this.next(); this.isOpen && next !== null; next = this.next()) {
      this.waiting.delete(next);
      next.wake();
    }
  }

  /** Of the highest priority, who came first: a queue delivers at once to whoever wakes. */
  private next(): WindowMember | null {
    let best: WindowMember | null = null;
    for (const consumer of this.waiting) {
      if (best === null || consumer.spec.priority > best.spec.priority) best = consumer;
      if (!this.hasRanks) return best;
    }
    return best;
  }
}
