import type { DropReason, PendingDrop, Position, ReturnCount } from '@chapar/core';

/** What is known of single live messages of one queue beside that they live: which are in the outbox, and how often some were given back. */
export class Marks {
  private readonly pendingByPosition = new Map<Position, PendingDrop>();
  private readonly returnsByPosition = new Map<Position, ReturnCount>();

  pend(position: Position, reason: DropReason, atMs: number): void {
    this.pendingByPosition.set(position, { position, reason, atMs });
  }

  returned(position: Position, count: number): void {
    this.returnsByPosition.set(position, { position, count });
  }

  get isEmpty(): boolean {
    return this.pendingByPosition.size === 0 && this.returnsByPosition.size === 0;
  }

  pendingAt(position: Position): PendingDrop | undefined {
    return this.pendingByPosition.get(position);
  }

  returnsAt(position: Position): ReturnCount | undefined {
    return this.returnsByPosition.get(position);
  }

  /** By position. */
  get pending(): PendingDrop[] {
    return sorted(this.pendingByPosition);
  }

  /** By position. */
  get returns(): ReturnCount[] {
    return sorted(this.returnsByPosition);
  }

  /** Of messages in `first..last`, by position. */
  pendingIn(first: Position, last: Position): PendingDrop[] {
    return inRange(this.pendingByPosition, first, last);
  }

  returnsIn(first: Position, last: Position): ReturnCount[] {
    return inRange(this.returnsByPosition, first, last);
  }

  /** Messages in `first..last` are settled. */
  remove(first: Position, last: Position): void {
    removeRange(this.pendingByPosition, first, last);
    removeRange(this.returnsByPosition, first, last);
  }

  /** Forgets what is said of messages that do not live. */
  keepWhere(lives: (position: Position) => boolean): void {
    for (const map of [this.pendingByPosition, this.returnsByPosition]) {
      for (const position of map.keys()) if (!lives(position)) map.delete(position);
    }
  }
}

function sorted<T extends { readonly position: Position }>(map: ReadonlyMap<Position, T>): T[] {
  return [...map.values()].sort((a, b) => a.position - b.position);
}

function inRange<T extends { readonly position: Position }>(
  map: ReadonlyMap<Position, T>,
  first: Position,
  last: Position,
): T[] {
  if (last - first >= map.size) return sorted(map).filter(({ position }) => position >= first && position <= last);
  const found: T[] = [];
  for (let position = first; position <= last; position++) {
    const mark = map.get(position);
    if (mark !== undefined) found.push(mark);
  }
  return found;
}

function removeRange(map: Map<Position, unknown>, first: Position, last: Position): void {
  if (last - first < map.size) {
    for (let position = first; position <= last; position++) map.delete(position);
    return;
  }
  for (const position of map.keys()) if (position >= first && position <= last) map.delete(position);
}
