import type {
  Epoch,
  EpochStart,
  Incarnation,
  KeptAside,
  LogRead,
  Message,
  OriginRow,
  Position,
  Provenance,
  Range,
  RecoveredQueue,
  ReplicaChange,
  ReplicaEntry,
  ReplicaMark,
  StoredReplica,
} from '@chapar/core';
import { Ranges } from '@chapar/core';
import type { ShardFold } from './shard-fold.js';

/** A copy of a shard's log, which tells the shard's fold of all that happens to it. */
export class FoldedReplica implements StoredReplica {
  readonly fold: ShardFold;
  private readonly stored: StoredReplica;

  /** `fold`: made for this log. */
  constructor(stored: StoredReplica, fold: ShardFold) {
    this.stored = stored;
    this.fold = fold;
  }

  // ---- what the fold is told of ------------------------------------------------------------------------------------

  publish(message: Message, provenance: Provenance | null): Position {
    const position = this.stored.publish(message, provenance);
    if (!this.fold.isOpen) return position;
    message.keep();
    this.fold.appended(position, message);
    return position;
  }

  append(entry: ReplicaEntry): void {
    this.stored.append(entry);
    if (this.fold.isOpen) this.fold.appended(entry.position, this.stored.messageOf(entry));
  }

  cut(after: Position): void {
    this.stored.cut(after);
    this.fold.cut(after);
  }

  change(change: ReplicaChange): void {
    if (change.kind !== 'settle') {
      this.stored.change(change);
      return;
    }
    const living = this.stored.liveIn(change.first, change.last);
    this.stored.change(change);
    this.fold.settled(living);
  }

  restate(upTo: Position, live: readonly Range[], marks: readonly ReplicaMark[]): void {
    const living = Ranges.of(this.stored.liveIn(1, upTo));
    this.stored.restate(upTo, live, marks);
    this.fold.settled(living.minus(Ranges.of(live)));
  }

  commit(position: Position): void {
    this.stored.commit(position);
    this.fold.committed();
  }

  // ---- the rest ----------------------------------------------------------------------------------------------------

  get incarnation(): Incarnation {
    return this.stored.incarnation;
  }

  get end(): Position {
    return this.stored.end;
  }

  get starts(): readonly EpochStart[] {
    return this.stored.starts;
  }

  get committed(): Position {
    return this.stored.committed;
  }

  get operations(): number {
    return this.stored.operations;
  }

  get aheadMs(): number | null {
    return this.stored.aheadMs;
  }

  keepTime(aheadMs: number): void {
    this.stored.keepTime(aheadMs);
  }

  get onSynced(): ((operation: number) => void) | null {
    return this.stored.onSynced;
  }

  set onSynced(listener: ((operation: number) => void) | null) {
    this.stored.onSynced = listener;
  }

  get onFailed(): ((error: Error) => void) | null {
    return this.stored.onFailed;
  }

  set onFailed(listener: ((error: Error) => void) | null) {
    this.stored.onFailed = listener;
  }

  liveIn(first: Position, last: Position): readonly Range[] {
    return this.stored.liveIn(first, last);
  }

  get liveCount(): number {
    return this.stored.liveCount;
  }

  get liveBytes(): number {
    return this.stored.liveBytes;
  }

  marksIn(first: Position, last: Position): readonly ReplicaMark[] {
    return this.stored.marksIn(first, last);
  }

  originRows(): readonly OriginRow[] {
    return this.stored.originRows();
  }

  allOriginRows(): readonly OriginRow[] {
    return this.stored.allOriginRows();
  }

  begin(epoch: Epoch, first: Position): void {
    this.stored.begin(epoch, first);
  }

  pass(upTo: Position): void {
    this.stored.pass(upTo);
  }

  merge(origins: readonly OriginRow[]): void {
    this.stored.merge(origins);
  }

  entries(
    ranges: readonly Range[],
    bytesMax: number,
    done: (entries: readonly ReplicaEntry[], upTo: Position) => void,
  ): void {
    this.stored.entries(ranges, bytesMax, done);
  }

  keepAside(ranges: readonly Range[]): Promise<KeptAside> {
    return this.stored.keepAside(ranges);
  }

  messageOf(entry: ReplicaEntry): Message {
    return this.stored.messageOf(entry);
  }

  state(): RecoveredQueue {
    return this.stored.state();
  }

  page(position: Position, message: Message): void {
    this.stored.page(position, message);
  }

  read(from: Position, to: Position, bytesMax: number, done: (read: LogRead) => void): void {
    this.stored.read(from, to, bytesMax, done);
  }

  readAt(positions: readonly Position[], bytesMax: number, done: (read: LogRead) => void): void {
    this.stored.readAt(positions, bytesMax, done);
  }

  forget(first: Position, last: Position): void {
    this.stored.forget(first, last);
  }
}
