import type { LogRead, Position } from '../ports.js';

/** Messages that stand among what waits on disk and are no part of it: dead letters that recovery found, and what consumers have claimed. */
export class Strays {
  private readonly positions: Set<Position>;

  constructor(positions: Iterable<Position> = []) {
    this.positions = new Set(positions);
  }

  add(position: Position): void {
    this.positions.add(position);
  }

  has(position: Position): boolean {
    return this.positions.has(position);
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
    for (const position of [...this.positions].sort((a, b) => a - b)) {
      if (position < from || position > last) continue;
      if (position > from) range(from, position - 1);
      from = position + 1;
    }
    if (from <= last) range(from, last);
  }
}
