import type { Epoch, EpochStart, OriginRow, Position, ReplicaEntry, StoredReplica } from '@chapar/core';
import type { Change, Mark } from './changes.js';
import { EpochHistory } from './epoch-history.js';
import { Ranges } from './ranges.js';
import type { ReplicaLog } from './replica-log.js';

/** A copy on this node's disk, as replicas want to have it. */
export class StoredLog implements ReplicaLog {
  readonly history: EpochHistory;
  private readonly stored: StoredReplica;

  constructor(stored: StoredReplica) {
    this.stored = stored;
    this.history = new EpochHistory(stored.isWhole ? stored.starts : ascending(stored.starts));
  }

  get end(): Position {
    return this.stored.end;
  }

  get committed(): Position {
    return this.stored.committed;
  }

  get operations(): number {
    return this.stored.operations;
  }

  get isWhole(): boolean {
    return this.stored.isWhole;
  }

  mended(): void {
    this.stored.setWhole(true);
  }

  /** As if it had never had anything. */
  empty(): void {
    this.history.cut(0);
    this.stored.empty();
  }

  liveIn(first: Position, last: Position): Ranges {
    return Ranges.of(this.stored.liveIn(first, last));
  }

  marksIn(first: Position, last: Position): readonly Mark[] {
    return this.stored.marksIn(first, last);
  }

  originRows(): readonly OriginRow[] {
    return this.stored.originRows();
  }

  allOriginRows(): readonly OriginRow[] {
    return this.stored.allOriginRows();
  }

  begin(epoch: Epoch, first: Position): void {
    // First, for it knows what may follow what.
    this.history.begin(epoch, first);
    this.stored.begin(epoch, first);
  }

  append(entry: ReplicaEntry): void {
    this.stored.append(entry);
  }

  pass(upTo: Position): void {
    this.stored.pass(upTo);
  }

  cut(after: Position): void {
    this.history.cut(after);
    this.stored.cut(after);
  }

  change(change: Change): void {
    this.stored.change(change);
  }

  restate(upTo: Position, live: Ranges, marks: readonly Mark[]): void {
    this.stored.restate(upTo, [...live], marks);
  }

  merge(origins: readonly OriginRow[]): void {
    this.stored.merge(origins);
  }

  commit(position: Position): void {
    this.stored.commit(position);
  }
}

/** Where a cut was lost to damage, what it cut may be there still: what came later counts. */
function ascending(starts: readonly EpochStart[]): EpochStart[] {
  const kept: EpochStart[] = [];
  for (const start of starts) {
    while (kept.length > 0 && (kept.at(-1)!.first >= start.first || kept.at(-1)!.epoch >= start.epoch)) kept.pop();
    kept.push(start);
  }
  return kept;
}
