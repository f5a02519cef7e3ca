import { Ranges } from './ranges.js';
import type { Origin, OriginRow, Provenance } from './replica-log.js';

/**
 * Which publishes a log holds, by their origins: the ranges above the mark that the origin has moved. A highest number alone would not
 * do: when 5 was refused, 6 taken and the refusal lost, "up to 6" would say that 5 is stored.
 */
export class Origins {
  private readonly rows = new Map<Origin, { low: number; held: Ranges }>();

  add({ origin, sequence, low }: Provenance): void {
    const row = this.row(origin);
    if (sequence > row.low) row.held.add(sequence, sequence);
    if (low > row.low) this.raise(row, low);
  }

  /**
   * What became of a publish. An origin's publishes are taken in their order and a cut takes the last ones, so what is missing before one
   * that is held was refused; it stays so, or it would come behind those that were published after it. `over`: the origin knows already.
   */
  verdict(origin: Origin, sequence: number): 'new' | 'held' | 'refused' | 'over' {
    const row = this.rows.get(origin);
    if (row === undefined) return 'new';
    if (sequence <= row.low) return 'over';
    if (row.held.has(sequence)) return 'held';
    return sequence < row.held.last ? 'refused' : 'new';
  }

  /** What is held of an origin above its mark. */
  held(origin: Origin): Ranges {
    return this.rows.get(origin)?.held.copy() ?? new Ranges();
  }

  /** What was refused of an origin, as far as what is held tells. */
  refused(origin: Origin): Ranges {
    const refused = new Ranges();
    const row = this.rows.get(origin);
    if (row === undefined) return refused;
    refused.add(row.low + 1, row.held.last);
    return refused.minus(row.held);
  }

  /** Its session has ended: it sends nothing more. */
  forget(origin: Origin): void {
    this.rows.delete(origin);
  }

  /** Takes over what another log holds; both are right, and only grow. */
  merge(rows: Iterable<OriginRow>): void {
    for (const { origin, low, held } of rows) {
      const row = this.row(origin);
      for (const { first, last } of held) row.held.add(first, last);
      this.raise(row, low);
    }
  }

  table(): OriginRow[] {
    return [...this.rows].map(([origin, { low, held }]) => ({ origin, low, held: [...held] }));
  }

  private row(origin: Origin): { low: number; held: Ranges } {
    let row = this.rows.get(origin);
    if (row === undefined) {
      row = { low: 0, held: new Ranges() };
      this.rows.set(origin, row);
    }
    return row;
  }

  private raise(row: { low: number; held: Ranges }, low: number): void {
    row.low = Math.max(row.low, low);
    row.held.remove(1, row.low);
  }
}
