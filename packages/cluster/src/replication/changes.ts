import type { DropReason, Position } from '@chapar/core';
import type { Origin } from './origins.js';

/**
 * What happens to messages after they were committed, and to what is known of origins. None takes a position: each may be said again
 * without harm, none names what is not committed, and so none ever has to be undone by a cut.
 */
export type Change =
  | { readonly kind: 'settle'; readonly first: Position; readonly last: Position }
  | Mark
  | { readonly kind: 'forget'; readonly origin: Origin };

/** Said of one message that stays. */
export type Mark =
  | { readonly kind: 'pend'; readonly position: Position; readonly reason: DropReason; readonly atMs: number }
  | { readonly kind: 'returned'; readonly position: Position; readonly count: number };

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
