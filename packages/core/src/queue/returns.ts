import type { Position, ReturnCount } from '../ports.js';

/** How often messages were given back, where that is limited. */
export class Returns {
  /** Given back more often than this, a message is not delivered any more. */
  limit: number;
  private readonly counts = new Map<Position, number>();

  constructor(limit: number) {
    this.limit = limit;
  }

  recover(found: readonly ReturnCount[]): void {
    for (const { position, count } of found) this.counts.set(position, count);
  }

  /** How often so far. */
  of(position: Position): number {
    return this.counts.get(position) ?? 0;
  }

  /** Given back once more; returns how often that makes. */
  count(position: Position): number {
    const count = this.of(position) + 1;
    this.counts.set(position, count);
    return count;
  }

  forget(first: Position, last: Position): void {
    if (first === last) this.counts.delete(first);
    else
      for (const position of this.counts.keys())
        if (position >= first && position <= last) this.counts.delete(position);
  }
}
