import type { Position } from '@chapar/core';

/** Entries that say that a key ended and still stand in the log: few, because they go when what they ended is out of all logs. */
export class Tombstones {
  private readonly keys = new Map<Position, string>();
  private readonly positions = new Map<string, Position>();

  add(key: string, position: Position): void {
    this.keys.set(position, key);
    this.positions.set(key, Math.max(position, this.positions.get(key) ?? 0));
  }

  /** The last one of the key; 0: none. */
  of(key: string): Position {
    return this.positions.get(key) ?? 0;
  }

  all(): Position[] {
    return [...this.keys.keys()];
  }

  /** Those in `first..last` are settled. */
  take(first: Position, last: Position): Position[] {
    if (this.keys.size === 0) return [];
    if (first === last) return this.keys.has(first) ? this.forget([first]) : [];
    return this.forget(this.all().filter((position) => position >= first && position <= last));
  }

  private forget(positions: Position[]): Position[] {
    for (const position of positions) {
      const key = this.keys.get(position)!;
      this.keys.delete(position);
      if (this.positions.get(key) === position) this.positions.delete(key);
    }
    return positions;
  }
}
