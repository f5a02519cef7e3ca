import type { Position, StoredReplica } from '@chapar/core';

/** Positions that are looked at in one go. */
const stride = 256;

/**
 * Up to where all of a led queue's messages have left for good: none of these will be a dead letter again, whoever leads next, so that
 * those who take its dead letters need not remember them. It lags a little, which harms nobody.
 */
export class SettledEdge {
  private readonly log: Pick<StoredReplica, 'liveIn'>;
  private upTo: Position = 0;
  /** Nothing lives up to here, and all that made it so is for good with this mark. */
  private seen: Position = 0;
  private mark = -1;

  constructor(log: Pick<StoredReplica, 'liveIn'>) {
    this.log = log;
  }

  /** `mark`: stands for all that was settled so far; `forGood`: the mark up to which that is on the disks of all that count. */
  look(mark: number, forGood: number, committed: Position): Position {
    if (forGood < this.mark) return this.upTo;
    this.upTo = this.seen;
    const last = Math.min(committed, this.seen + stride);
    const [first] = this.log.liveIn(this.seen + 1, last);
    this.seen = first === undefined ? last : first.first - 1;
    this.mark = mark;
    return this.upTo;
  }
}
