import type { Change, EpochStart, Mark, OriginRow, Provenance, ReplicaEntry, ReplicaLog } from '@chapar/cluster';
import { EpochHistory, Origins, Ranges } from '@chapar/cluster';
import { Violation } from './checks.js';

export type Operation =
  | { readonly op: 'begin'; readonly start: EpochStart }
  | { readonly op: 'append'; readonly entry: ReplicaEntry }
  | { readonly op: 'pass' | 'cut' | 'commit'; readonly position: number }
  | { readonly op: 'change'; readonly change: Change }
  | { readonly op: 'restate'; readonly upTo: number; readonly live: Ranges; readonly marks: readonly Mark[] }
  | { readonly op: 'merge'; readonly rows: readonly OriginRow[] };

/** What a log's operations come to. Compaction is at its most eager: what is settled leaves nothing behind. */
export class LogState {
  end = 0;
  committed = 0;
  history = new EpochHistory();
  readonly entries = new Map<number, ReplicaEntry>();
  /** Marks of live entries. */
  readonly pending = new Map<number, Mark>();
  readonly returns = new Map<number, Mark & { kind: 'returned' }>();
  /** Of committed entries, and of each of the others. */
  origins = new Origins();
  readonly tail = new Map<number, Provenance>();

  copy(): LogState {
    const copy = new LogState();
    copy.end = this.end;
    copy.committed = this.committed;
    copy.history = new EpochHistory(this.history.starts);
    for (const [position, entry] of this.entries) copy.entries.set(position, entry);
    for (const [position, mark] of this.pending) copy.pending.set(position, mark);
    for (const [position, mark] of this.returns) copy.returns.set(position, mark);
    for (const [position, provenance] of this.tail) copy.tail.set(position, provenance);
    copy.mayCutBelowCommitted = this.mayCutBelowCommitted;
    copy.origins.merge(this.origins.table());
    return copy;
  }

  apply(operation: Operation): void {
    switch (operation.op) {
      case 'begin':
        this.history.begin(operation.start.epoch, operation.start.first);
        this.end = Math.max(this.end, operation.start.first);
        return;
      case 'append':
        this.append(operation.entry);
        return;
      case 'pass':
        this.end = Math.max(this.end, operation.position);
        return;
      case 'cut':
        this.cut(operation.position);
        return;
      case 'commit':
        this.commit(operation.position);
        return;
      case 'change':
        this.change(operation.change);
        return;
      case 'merge':
        this.origins.merge(operation.rows);
        return;
      case 'restate':
        this.restate(operation.upTo, operation.live, operation.marks);
        return;
    }
  }

  private append(entry: ReplicaEntry): void {
    const { position, provenance } = entry;
    this.entries.set(position, entry);
    this.end = Math.max(this.end, position);
    if (provenance === null) return;
    if (position > this.committed) this.tail.set(position, provenance);
    else this.origins.add(provenance);
  }

  private cut(after: number): void {
    if (after < this.committed) this.cutBelowCommitted(after);
    for (const position of this.entries.keys()) if (position > after) this.remove(position);
    for (const position of this.tail.keys()) if (position > after) this.tail.delete(position);
    this.history.cut(after);
    this.end = after;
  }

  /** As the store does it. Only a test in which an operator makes a copy lead allows for it. */
  mayCutBelowCommitted = false;

  private cutBelowCommitted(after: number): void {
    if (!this.mayCutBelowCommitted) throw new Violation(`cut to ${after}, below the committed ${this.committed}`);
    this.committed = after;
    this.origins = new Origins();
  }

  private commit(position: number): void {
    this.committed = position;
    for (const [at, provenance] of this.tail) {
      if (at > position) continue;
      this.origins.add(provenance);
      this.tail.delete(at);
    }
  }

  private change(change: Change): void {
    if (change.kind === 'settle') {
      for (let position = change.first; position <= change.last; position++) this.remove(position);
    } else if (change.kind === 'forget') this.origins.forget(change.origin);
    else if (this.entries.has(change.position)) this.mark(change);
  }

  private mark(mark: Mark): void {
    if (mark.kind === 'pend') {
      this.pending.set(mark.position, mark);
      return;
    }
    const count = Math.max(mark.count, this.returns.get(mark.position)?.count ?? 0);
    this.returns.set(mark.position, { ...mark, count });
  }

  private restate(upTo: number, live: Ranges, marks: readonly Mark[]): void {
    for (const position of this.entries.keys()) {
      if (position > upTo) continue;
      if (!live.has(position)) this.remove(position);
      this.pending.delete(position);
      this.returns.delete(position);
    }
    for (const mark of marks) this.change(mark);
  }

  private remove(position: number): void {
    this.entries.delete(position);
    this.pending.delete(position);
    this.returns.delete(position);
  }
}

/** A replica's log on a disk that forgets what was not synced: all of it, or what came behind some operation. */
export class SimReplicaLog implements ReplicaLog {
  state = new LogState();
  operations = 0;
  syncedOperations = 0;
  protected durable = new LogState();
  private unsynced: Operation[] = [];

  get end(): number {
    return this.state.end;
  }

  get committed(): number {
    return this.state.committed;
  }

  get history(): EpochHistory {
    return this.state.history;
  }

  liveIn(first: number, last: number): Ranges {
    const live = new Ranges();
    for (const position of this.state.entries.keys())
      if (position >= first && position <= last) live.add(position, position);
    return live;
  }

  marksIn(first: number, last: number): Mark[] {
    const marks = [...this.state.pending.values(), ...this.state.returns.values()];
    return marks.filter(({ position }) => position >= first && position <= last);
  }

  originRows(): readonly OriginRow[] {
    return this.state.origins.table();
  }

  allOriginRows(): readonly OriginRow[] {
    const all = new Origins();
    all.merge(this.state.origins.table());
    for (const [, provenance] of [...this.state.tail].sort(([a], [b]) => a - b)) all.add(provenance);
    return all.table();
  }

  entry(position: number): ReplicaEntry | undefined {
    return this.state.entries.get(position);
  }

  /** The epoch that a position was written in, by this log's word. */
  epochOf(position: number): number {
    return this.history.starts.findLast(({ first }) => first <= position)?.epoch ?? 0;
  }

  /** A copy would be there after a power cut. */
  isDurable(position: number): boolean {
    return this.durable.end >= position;
  }

  begin(epoch: number, first: number): void {
    this.do({ op: 'begin', start: { epoch, first } });
  }

  append(entry: ReplicaEntry): void {
    this.do({ op: 'append', entry });
  }

  pass(position: number): void {
    this.do({ op: 'pass', position });
  }

  cut(position: number): void {
    this.do({ op: 'cut', position });
  }

  change(change: Change): void {
    this.do({ op: 'change', change });
  }

  restate(upTo: number, live: Ranges, marks: readonly Mark[]): void {
    this.do({ op: 'restate', upTo, live, marks });
  }

  merge(rows: readonly OriginRow[]): void {
    this.do({ op: 'merge', rows });
  }

  commit(position: number): void {
    this.do({ op: 'commit', position });
  }

  protected do(operation: Operation): void {
    this.state.apply(operation);
    this.unsynced.push(operation);
    this.operations++;
  }

  /** The disk has it up to this operation. */
  sync(operation: number): void {
    const count = operation - this.syncedOperations;
    if (count <= 0) return;
    for (const each of this.unsynced.splice(0, count)) this.durable.apply(each);
    this.syncedOperations = operation;
  }

  /** The process has gone, and with it all but the first `kept` of the operations that were not synced; what is found is synced by the next one. */
  crash(kept: number): void {
    this.sync(this.syncedOperations + Math.min(kept, this.unsynced.length));
    this.unsynced = [];
    this.state = this.durable.copy();
    this.operations = this.syncedOperations;
  }

  copy(): SimReplicaLog {
    const copy = new SimReplicaLog();
    copy.state = this.state.copy();
    copy.durable = this.durable.copy();
    copy.unsynced = [...this.unsynced];
    [copy.operations, copy.syncedOperations] = [this.operations, this.syncedOperations];
    return copy;
  }

  get unsyncedCount(): number {
    return this.unsynced.length;
  }
}
