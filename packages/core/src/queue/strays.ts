import type { LogRead, PendingDrop, Position } from '../ports.js';

/** Dead letters that recovery found: they stand among what waits on disk, and are no part of it. */
export class Strays {
  /** Ascending. */
  private readonly positions: readonly Position[];
  private readonly known: ReadonlySet<Position>;

  constructor(found: readonly PendingDrop[]) {
    this.positions = found.map(({ position }) => position);
    this.known = new Set(this.positions);
  }

  has(position: Position): boolean {
    return this.known.has(position);
  }

  /** What was read, without them. */
  without({ messages, unreadable, upTo }: LogRead): LogRead {
    return {
      messages: messages.filter(({ position }) => !this.has(position)),
      unreadable: unreadable.filter((position) => !this.has(position)),
      upTo,
    };
  }

  /** Calls `range` with what of `first..last` is between them. */
  between(first: Position, last: Position, range: (first: Position, last: Position) => void): void {
    let from = first;
    for (const position of this.positions) {
      if (position < from || position > last) continue;
      if (position > from) range(from, position - 1);
      from = position + 1;
    }
    if (from <= last) range(from, last);
  }
}
