import type { Range } from './replica-log.js';

/** A set of whole numbers, kept as ascending ranges that do not touch each other. */
export class Ranges implements Iterable<Range> {
  /** First and last of each range, in turn. */
  private edges: number[] = [];

  static of(ranges: Iterable<Range>): Ranges {
    const set = new Ranges();
    for (const { first, last } of ranges) set.add(first, last);
    return set;
  }

  get isEmpty(): boolean {
    return this.edges.length === 0;
  }

  /** Of ranges. */
  get size(): number {
    return this.edges.length / 2;
  }

  /** The largest number; 0 when there is none. */
  get last(): number {
    return this.edges.at(-1) ?? 0;
  }

  *[Symbol.iterator](): Iterator<Range> {
    for (let i = 0; i < this.edges.length; i += 2) yield { first: this.edges[i]!, last: this.edges[i + 1]! };
  }

  has(value: number): boolean {
    const at = this.indexOf(value);
    return at < this.edges.length && this.edges[at]! <= value;
  }

  add(first: number, last: number): void {
    if (last < first) return;
    const { edges } = this;
    const end = edges.length - 1;
    // Mostly one number after the other.
    if (end > 0 && first === edges[end]! + 1) {
      edges[end] = last;
      return;
    }
    // Neighbours join: a range that ends right before this one is a part of it.
    const from = this.indexOf(first - 1);
    let to = from;
    let [low, high] = [first, last];
    while (to < edges.length && edges[to]! <= last + 1) {
      low = Math.min(low, edges[to]!);
      high = Math.max(high, edges[to + 1]!);
      to += 2;
    }
    edges.splice(from, to - from, low, high);
  }

  remove(first: number, last: number): void {
    if (last < first) return;
    const { edges } = this;
    const from = this.indexOf(first);
    const kept: number[] = [];
    let to = from;
    while (to < edges.length && edges[to]! <= last) {
      if (edges[to]! < first) kept.push(edges[to]!, first - 1);
      if (edges[to + 1]! > last) kept.push(last + 1, edges[to + 1]!);
      to += 2;
    }
    edges.splice(from, to - from, ...kept);
  }

  /** What of it lies in `first..last`. */
  within(first: number, last: number): Ranges {
    const part = new Ranges();
    for (let i = this.indexOf(first); i < this.edges.length && this.edges[i]! <= last; i += 2)
      part.edges.push(Math.max(this.edges[i]!, first), Math.min(this.edges[i + 1]!, last));
    return part;
  }

  /** What of it is not in `others`. */
  minus(others: Iterable<Range>): Ranges {
    if (others instanceof Ranges) return this.without(others.edges);
    const rest = this.copy();
    for (const { first, last } of others) rest.remove(first, last);
    return rest;
  }

  /** In one walk over both: either may have a hundred thousand ranges. */
  private without(gone: readonly number[]): Ranges {
    const rest = new Ranges();
    let at = 0;
    for (let i = 0; i < this.edges.length; i += 2) {
      let from = this.edges[i]!;
      const last = this.edges[i + 1]!;
      while (at < gone.length && gone[at + 1]! < from) at += 2;
      for (let j = at; j < gone.length && gone[j]! <= last; j += 2) {
        if (gone[j]! > from) rest.edges.push(from, gone[j]! - 1);
        from = gone[j + 1]! + 1;
      }
      if (from <= last) rest.edges.push(from, last);
    }
    return rest;
  }

  copy(): Ranges {
    const copy = new Ranges();
    copy.edges = [...this.edges];
    return copy;
  }

  toJSON(): Range[] {
    return [...this];
  }

  /** Index of the first range that ends at or behind `value`. */
  private indexOf(value: number): number {
    let [low, high] = [0, this.edges.length / 2];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.edges[2 * middle + 1]! < value) low = middle + 1;
      else high = middle;
    }
    return 2 * low;
  }
}
