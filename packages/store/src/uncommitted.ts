import type { Position, Provenance } from '@chapar/core';

/** Publishes behind what is committed, by position: whose they are, until they are committed or cut. */
export class Uncommitted {
  private positions: Position[] = [];
  private provenances: Provenance[] = [];
  /** What lies before it was taken. */
  private head = 0;

  get count(): number {
    return this.positions.length - this.head;
  }

  set(position: Position, provenance: Provenance): void {
    const { positions, provenances } = this;
    const last = positions.length - 1;
    if (last < this.head || positions[last]! < position) {
      positions.push(position);
      provenances.push(provenance);
      return;
    }
    // In place of one that was let go of too early.
    const at = this.indexOf(position);
    const isThere = positions[at] === position;
    positions.splice(at, isThere ? 1 : 0, position);
    provenances.splice(at, isThere ? 1 : 0, provenance);
  }

  /** Hands over those up to `position`, in their order. */
  take(position: Position, taken: (provenance: Provenance) => void): void {
    while (this.head < this.positions.length && this.positions[this.head]! <= position)
      taken(this.provenances[this.head++]!);
    // Not one at a time: that would cost as much for each.
    if (this.head === 0 || this.head < this.positions.length / 2) return;
    this.positions = this.positions.slice(this.head);
    this.provenances = this.provenances.slice(this.head);
    this.head = 0;
  }

  /** Forgets those behind `position`. */
  cut(position: Position): void {
    const length = this.indexOf(position + 1);
    this.positions.length = length;
    this.provenances.length = length;
  }

  clear(): void {
    this.positions = [];
    this.provenances = [];
    this.head = 0;
  }

  *[Symbol.iterator](): Iterator<readonly [Position, Provenance]> {
    for (let i = this.head; i < this.positions.length; i++) yield [this.positions[i]!, this.provenances[i]!];
  }

  /** Of the first at or behind `position`. */
  private indexOf(position: Position): number {
    let [low, high] = [this.head, this.positions.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.positions[middle]! < position) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
