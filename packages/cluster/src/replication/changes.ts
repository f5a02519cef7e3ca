import type { ReplicaChange as Change, ReplicaMark as Mark } from '@chapar/core';

export type { Change, Mark };

/** The changes of one reign, numbered from 1 by their leader and kept for followers that lag; those before are in what lives. */
export class Ledger {
  /** Of the last change. */
  number = 0;
  private readonly kept: Change[] = [];
  private readonly keptMax: number;

  constructor(keptMax: number) {
    this.keptMax = keptMax;
  }

  /** Returns its number. */
  add(change: Change): number {
    this.kept.push(change);
    // Half at once: to shift one at a time would cost as much for each.
    if (this.kept.length > this.keptMax) this.kept.splice(0, this.kept.length - Math.ceil(this.keptMax / 2));
    return ++this.number;
  }

  /** At most `countMax` of those behind `number`; null: they are kept no more. */
  after(number: number, countMax = Number.POSITIVE_INFINITY): readonly Change[] | null {
    const from = number - (this.number - this.kept.length);
    if (from < 0 || number > this.number) return null;
    return this.kept.slice(from, from + countMax);
  }
}
