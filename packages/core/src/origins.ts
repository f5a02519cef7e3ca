import type { Incarnation } from './ports.js';
import { Ranges } from './ranges.js';
import type { Origin, OriginRow, Provenance } from './replica-log.js';

/**
 * Ranges of dead letters of one queue that are known. With more the lowest are forgotten, and would be taken for new: a queue keeps so
 * many only while its consumers sit on a message before them, and of the lowest ones hardly any is still on its way.
 */
const letterRangesMax = 1024;
const lettersPrefix = 'letters/';

/** Names a queue as the origin of its dead letters: whoever leads it, they are numbered by their positions in it. */
export function letterOrigin(source: Incarnation): Origin {
  return lettersPrefix + source;
}

/** The queue whose dead letters come from this origin; null: it is something else. */
export function sourceOfLetters(origin: Origin): Incarnation | null {
  return origin.startsWith(lettersPrefix) ? origin.slice(lettersPrefix.length) : null;
}

interface Row {
  low: number;
  readonly held: Ranges;
  /** Of dead letters: they come in any order, and what is missing may come. */
  readonly isOfLetters: boolean;
}

/**
 * Which publishes a log holds, by their origins: the ranges above the mark that the origin has moved. A highest number alone would not
 * do: when 5 was refused, 6 taken and the refusal lost, "up to 6" would say that 5 is stored.
 */
export class Origins {
  private readonly rows = new Map<Origin, Row>();

  add({ origin, sequence, low }: Provenance): void {
    const row = this.row(origin);
    if (sequence > row.low) row.held.add(sequence, sequence);
    if (low > row.low) this.raise(row, low);
    if (row.isOfLetters) bound(row.held);
  }

  /**
   * What became of a publish. An origin's publishes are taken in their order and a cut takes the last ones, so what is missing before one
   * that is held was refused; it stays so, or it would come behind those that were published after it. Not so of dead letters, which come
   * as they die, and again when they were refused. `over`: the origin knows already.
   */
  verdict(origin: Origin, sequence: number): 'new' | 'held' | 'refused' | 'over' {
    const row = this.rows.get(origin);
    if (row === undefined) return 'new';
    if (sequence <= row.low) return 'over';
    if (row.held.has(sequence)) return 'held';
    return sequence < row.held.last && !row.isOfLetters ? 'refused' : 'new';
  }

  /** What is held of an origin above its mark. */
  held(origin: Origin): Ranges {
    return this.rows.get(origin)?.held.copy() ?? new Ranges();
  }

  /** What was refused of an origin, as far as what is held tells. */
  refused(origin: Origin): Ranges {
    const refused = new Ranges();
    const row = this.rows.get(origin);
    if (row === undefined || row.isOfLetters) return refused;
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
      if (row.isOfLetters) bound(row.held);
    }
  }

  table(): OriginRow[] {
    return [...this.rows].map(([origin, { low, held }]) => ({ origin, low, held: [...held] }));
  }

  private row(origin: Origin): Row {
    let row = this.rows.get(origin);
    if (row === undefined) {
      row = { low: 0, held: new Ranges(), isOfLetters: sourceOfLetters(origin) !== null };
      this.rows.set(origin, row);
    }
    return row;
  }

  private raise(row: Row, low: number): void {
    row.low = Math.max(row.low, low);
    row.held.remove(1, row.low);
  }
}

function bound(held: Ranges): void {
  while (held.size > letterRangesMax) {
    const [lowest] = held;
    held.remove(lowest!.first, lowest!.last);
  }
}
