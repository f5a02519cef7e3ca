import type { SessionTable } from './session-table.js';

/** So many are looked at in one go: those that other nodes see to are passed over. Some 20 ms. */
const looksMax = 50_000;

/** Goes round the sessions that nobody sees to, a part at a time, however many there are. */
export class Orphans {
  private readonly table: SessionTable;
  private readonly isThere: (process: string) => boolean;
  private round: Iterator<string> | null = null;

  constructor(table: SessionTable, isThere: (process: string) => boolean) {
    this.table = table;
    this.isThere = isThere;
  }

  /** The next ones that are wanted, so many at most; each once in a round. */
  next(max: number, isWanted: (name: string) => boolean): string[] {
    const found: string[] = [];
    for (let looked = 0; looked < looksMax && found.length < max; looked++) {
      this.round ??= this.all();
      const { value: name, done } = this.round.next();
      if (done === true) {
        this.round = null;
        break;
      }
      if (isWanted(name)) found.push(name);
    }
    return found;
  }

  /** All of them. */
  *all(): IterableIterator<string> {
    const { table } = this;
    for (const process of [...table.owners()]) if (!this.isThere(process)) yield* table.namesOf(process);
    yield* table.namesOf(null);
  }
}
