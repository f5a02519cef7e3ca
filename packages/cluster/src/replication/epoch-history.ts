import type { Epoch, EpochStart, Position } from '@chapar/core';

export type { EpochStart };

/** Two logs say different things about what was agreed on: nothing that follows a rule makes them so. */
export class HistoryContradictionError extends Error {}

/** Which epoch each position of one log was written in. */
export class EpochHistory {
  private readonly begun: EpochStart[] = [];

  constructor(starts: Iterable<EpochStart> = []) {
    for (const start of starts) this.begin(start.epoch, start.first);
  }

  get starts(): readonly EpochStart[] {
    return this.begun;
  }

  /** 0: none. */
  get latest(): Epoch {
    return this.begun.at(-1)?.epoch ?? 0;
  }

  begin(epoch: Epoch, first: Position): void {
    const last = this.begun.at(-1);
    if (last !== undefined && (last.epoch >= epoch || last.first >= first))
      throw new HistoryContradictionError(`epoch ${epoch} at ${first} cannot follow ${last.epoch} at ${last.first}`);
    this.begun.push({ epoch, first });
  }

  /** Of a log that ends at `end`. */
  upTo(end: Position): EpochHistory {
    return new EpochHistory(this.begun.filter(({ first }) => first <= end));
  }

  cut(end: Position): void {
    while (this.begun.length > 0 && this.begun.at(-1)!.first > end) this.begun.pop();
  }

  /** The last position of an epoch in a log that ends at `end`; null when the epoch is none of this log's. */
  endOf(epoch: Epoch, end: Position): Position | null {
    const index = this.begun.findIndex((start) => start.epoch === epoch);
    if (index < 0) return null;
    const next = this.begun[index + 1];
    return next === undefined ? end : next.first - 1;
  }
}

/** Whether a log with this history is from before a reign that an operator made begin outside the set: what it has may be cut then, committed or not. */
export function predates(starts: readonly EpochStart[], forced: Epoch): boolean {
  return (starts.at(-1)?.epoch ?? 0) < forced;
}

/** A log for comparison. */
export interface Told {
  readonly starts: readonly EpochStart[];
  readonly end: Position;
}

/**
 * Where `follower` has to be cut so that it says what `leader` says: at the end of the largest epoch that both have, whichever of the
 * two has less of it. Since whole histories are compared, one round agrees. Without a common epoch only what is known to be committed
 * is beyond doubt; below that a cut would lose what was confirmed, and is refused.
 */
export function agreedEnd(leader: Told, follower: Told, committed: Position): Position {
  const ours = new EpochHistory(leader.starts);
  const theirs = new EpochHistory(follower.starts);
  const common = follower.starts.findLast(({ epoch }) => ours.endOf(epoch, leader.end) !== null);
  if (common === undefined) return Math.min(committed, follower.end);
  checkStart(leader, common);
  const cut = Math.min(ours.endOf(common.epoch, leader.end)!, theirs.endOf(common.epoch, follower.end)!);
  if (cut < committed)
    throw new HistoryContradictionError(`a cut to ${cut} would lose what is committed up to ${committed}`);
  return cut;
}

function checkStart({ starts }: Told, { epoch, first }: EpochStart): void {
  const ours = starts.find((start) => start.epoch === epoch)!;
  if (ours.first !== first)
    throw new HistoryContradictionError(`epoch ${epoch} begins at ${ours.first} here and at ${first} there`);
}
