/** What happens when: a heap by time, and by the order of asking within a millisecond. */
export class Timeline {
  nowMs = 0;
  private readonly heap: { readonly atMs: number; readonly order: number; readonly run: () => void }[] = [];
  private order = 0;

  after(delayMs: number, run: () => void): void {
    const item = { atMs: this.nowMs + delayMs, order: this.order++, run };
    const { heap } = this;
    let at = heap.push(item) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.isBefore(at, parent)) break;
      [heap[at], heap[parent]] = [heap[parent]!, heap[at]!];
      at = parent;
    }
  }

  /** Runs the next thing, if it is due before `untilMs`; false: nothing is. */
  step(untilMs: number): boolean {
    const first = this.heap[0];
    if (first === undefined || first.atMs > untilMs) {
      this.nowMs = untilMs;
      return false;
    }
    const last = this.heap.pop()!;
    if (this.heap.length > 0) {
      this.heap[0] = last;
      this.sink();
    }
    this.nowMs = first.atMs;
    first.run();
    return true;
  }

  private sink(): void {
    const { heap } = this;
    let at = 0;
    for (;;) {
      let least = at;
      for (const child of [2 * at + 1, 2 * at + 2])
        if (child < heap.length && this.isBefore(child, least)) least = child;
      if (least === at) return;
      [heap[at], heap[least]] = [heap[least]!, heap[at]!];
      at = least;
    }
  }

  private isBefore(a: number, b: number): boolean {
    const [first, second] = [this.heap[a]!, this.heap[b]!];
    return first.atMs < second.atMs || (first.atMs === second.atMs && first.order < second.order);
  }
}
