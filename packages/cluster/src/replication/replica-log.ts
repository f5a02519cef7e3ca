import type { OriginRow, Position, ReplicaEntry } from '@chapar/core';
import type { Change, Mark } from './changes.js';
import type { EpochHistory } from './epoch-history.js';
import type { Ranges } from './ranges.js';
import type { Epoch } from './record.js';

export type { ReplicaEntry };

/**
 * What a replica asks of the log on its disk. Everything that writes is one operation more in `operations`, takes effect at once for who
 * asks, and reaches the disk in its order: what is known to be synced up to an operation holds all before it.
 */
export interface ReplicaLog {
  /** The last position, be it a message or a hole. */
  readonly end: Position;
  readonly history: EpochHistory;
  /** What is known to be committed; the fold of origins has come so far. */
  readonly committed: Position;
  readonly operations: number;
  /** False: it lacks what it had, or should have; it neither leads nor counts. */
  readonly isWhole: boolean;
  liveIn(first: Position, last: Position): Ranges;
  /** Of the live ones. */
  marksIn(first: Position, last: Position): readonly Mark[];
  /** Of entries that are committed. */
  originRows(): readonly OriginRow[];
  /** Of all entries, committed or not. */
  allOriginRows(): readonly OriginRow[];

  /** An epoch begins at `first`, which is a position of its own. */
  begin(epoch: Epoch, first: Position): void;
  /** Behind the end, or in place of one that was let go of too early. */
  append(entry: ReplicaEntry): void;
  /** Positions up to here that did not come were settled before they could. */
  pass(upTo: Position): void;
  /** Forgets what stands behind `after`. */
  cut(after: Position): void;
  /** Of messages that are not there nothing is noted. */
  change(change: Change): void;
  /** What lives up to `upTo` is at most `live`, marked so and not otherwise. */
  restate(upTo: Position, live: Ranges, marks: readonly Mark[]): void;
  merge(origins: readonly OriginRow[]): void;
  /** It has everything again. */
  mended(): void;
  commit(position: Position): void;
}

/** Values that count when an operation is on the disk. */
export class SyncMarks {
  /** Known to be on the disk. */
  synced = 0;
  /** Operations, and what counts when they are there. */
  private operations: number[] = [];
  private values: number[] = [];
  /** Of those that wait. */
  private first = 0;

  /** `value` counts from when `operation` is synced. */
  note(operation: number, value: number): void {
    const { operations, values } = this;
    const { length } = values;
    if (length > 0 && values[length - 1]! >= value) return;
    operations.push(operation);
    values.push(value);
  }

  /** Everything up to this operation is on the disk. */
  reached(operation: number): void {
    const { operations, values } = this;
    while (this.first < operations.length && operations[this.first]! <= operation)
      this.synced = Math.max(this.synced, values[this.first++]!);
    if (this.first < operations.length && this.first < 1024) return;
    this.operations = operations.slice(this.first);
    this.values = values.slice(this.first);
    this.first = 0;
  }
}
