import type { Position } from '../ports.js';

const entriesMin = 64;

/** Positions by the time at which they are due, those of the same time in their own order. Two numbers each and no object. */
export class DueHeap {
  length = 0;
  private dues = new Float64Array(0);
  private positions = new Float64Array(0);

  /** When the first is due; Infinity: there is none. */
  get dueMs(): number {
    return this.length === 0 ? Number.POSITIVE_INFINITY : this.dues[0]!;
  }

  /** The first; 0: there is none. */
  get position(): Position {
    return this.length === 0 ? 0 : this.positions[0]!;
  }

  push(dueMs: number, position: Position): void {
    if (this.length === this.dues.length) this.resize(Math.max(entriesMin, 2 * this.length));
    const { dues, positions } = this;
    let at = this.length++;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.isBefore(dueMs, position, parent)) break;
      dues[at] = dues[parent]!;
      positions[at] = positions[parent]!;
      at = parent;
    }
    dues[at] = dueMs;
    positions[at] = position;
  }

  /** Takes the first out. Only when there is one. */
  shift(): void {
    const end = --this.length;
    const dueMs = this.dues[end]!;
    const position = this.positions[end]!;
    if (end > 0) this.sink(dueMs, position);
    if (4 * end < this.dues.length && this.dues.length > entriesMin) this.resize(2 * end);
  }

  clear(): void {
    this.length = 0;
    this.resize(0);
  }

  /** Puts an entry where the first was. */
  private sink(dueMs: number, position: Position): void {
    const { dues, positions, length } = this;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= length) break;
      if (child + 1 < length && this.isBefore(dues[child + 1]!, positions[child + 1]!, child)) child++;
      if (this.isBefore(dueMs, position, child)) break;
      dues[at] = dues[child]!;
      positions[at] = positions[child]!;
      at = child;
    }
    dues[at] = dueMs;
    positions[at] = position;
  }

  private isBefore(dueMs: number, position: Position, other: number): boolean {
    const otherMs = this.dues[other]!;
    return dueMs < otherMs || (dueMs === otherMs && position < this.positions[other]!);
  }

  private resize(entries: number): void {
    const dues = new Float64Array(entries);
    const positions = new Float64Array(entries);
    dues.set(this.dues.subarray(0, this.length));
    positions.set(this.positions.subarray(0, this.length));
    this.dues = dues;
    this.positions = positions;
  }
}
