import {
  type Epoch,
  type EpochStart,
  type OriginRow,
  Origins,
  type Position,
  type Provenance,
  type Range,
  type ReplicaMark,
} from '@chapar/core';
import type { LiveEntries } from './live.js';
import { Marks } from './marks.js';
import { Uncommitted } from './uncommitted.js';
import type { VarintReader, VarintWriter } from './varint-form.js';

/** Epochs that are remembered. One that lags by more agrees only on what it knows to be committed. */
const startsMax = 1000;

/** What the entries of a replica come to, whether they are made now or read from the files. */
export class ReplicaState {
  /** The last position, be it a message or a hole; 0: empty. */
  end: Position = 0;
  committed: Position = 0;
  /** Ascending. */
  starts: readonly EpochStart[] = [];
  /** See `StoredReplica.aheadMs`. */
  aheadMs: number | null = null;
  readonly live: LiveEntries;
  readonly marks = new Marks();
  /** Of entries that are committed. */
  private origins = new Origins();
  /** Of the others. */
  private readonly uncommitted = new Uncommitted();

  constructor(live: LiveEntries) {
    this.live = live;
  }

  begin(epoch: Epoch, first: Position): void {
    this.starts = [...this.starts, { epoch, first }];
    this.end = Math.max(this.end, first);
  }

  /** A message at `position`, which is noted in `live` by whoever knows where it stands. */
  appended(position: Position, provenance: Provenance | null): void {
    this.end = Math.max(this.end, position);
    if (provenance === null) return;
    if (position > this.committed) this.uncommitted.set(position, provenance);
    else this.origins.add(provenance);
  }

  pass(upTo: Position): void {
    this.end = Math.max(this.end, upTo);
  }

  cut(after: Position): void {
    this.live.remove(after + 1, Number.POSITIVE_INFINITY);
    this.marks.remove(after + 1, Number.POSITIVE_INFINITY);
    this.uncommitted.cut(after);
    this.starts = this.starts.filter(({ first }) => first <= after);
    this.end = Math.min(this.end, after);
    if (after >= this.committed) return;
    // Not known which of them are among what was cut: to have none is right until the leader says what it holds.
    this.committed = after;
    this.origins = new Origins();
  }

  /** Returns how many of them lived. */
  settle(first: Position, last: Position): number {
    const count = this.live.remove(first, last);
    if (count > 0) this.marks.remove(first, last);
    return count;
  }

  /** False: the message is not there. */
  mark(mark: ReplicaMark): boolean {
    const { position } = mark;
    if (this.live.generationOf(position) === 0) return false;
    if (mark.kind === 'pend') this.marks.pend(position, mark.reason, mark.atMs);
    else this.marks.returned(position, Math.max(mark.count, this.marks.returnsAt(position)?.count ?? 0));
    return true;
  }

  restate(upTo: Position, live: readonly Range[], marks: readonly ReplicaMark[]): void {
    let from = 1;
    for (const { first, last } of live) {
      if (first > from) this.live.remove(from, Math.min(first - 1, upTo));
      from = last + 1;
    }
    if (from <= upTo) this.live.remove(from, upTo);
    this.marks.remove(1, upTo);
    for (const mark of marks) this.mark(mark);
  }

  merge(rows: readonly OriginRow[]): void {
    this.origins.merge(rows);
  }

  forget(origin: string): void {
    this.origins.forget(origin);
  }

  commit(position: Position): void {
    this.committed = Math.max(this.committed, position);
    this.uncommitted.take(this.committed, (provenance) => this.origins.add(provenance));
    // Those before what is committed, too: whoever lags is told of them, and would take the entries between for those of its own last epoch.
    if (this.starts.length > startsMax) this.starts = this.starts.slice(-startsMax);
  }

  /** By position, those in the outbox first. */
  marksIn(first: Position, last: Position): ReplicaMark[] {
    return [
      ...this.marks.pendingIn(first, last).map((pending) => ({ kind: 'pend' as const, ...pending })),
      ...this.marks.returnsIn(first, last).map((returned) => ({ kind: 'returned' as const, ...returned })),
    ];
  }

  originRows(): OriginRow[] {
    return this.origins.table();
  }

  allOriginRows(): OriginRow[] {
    const all = new Origins();
    all.merge(this.origins.table());
    for (const [, provenance] of this.uncommitted) all.add(provenance);
    return all.table();
  }

  /** A time of the queue's by the node's time; 0: none. */
  nodeMs(queueMs: number): number {
    return queueMs === 0 ? 0 : queueMs - (this.aheadMs ?? 0);
  }

  /** Everything but the messages, their marks and `aheadMs`. */
  write(out: VarintWriter): void {
    out.varint(this.end);
    out.varint(this.committed);
    out.varint(this.starts.length);
    for (const { epoch, first } of this.starts) {
      out.varint(epoch);
      out.varint(first);
    }
    writeOriginRows(out, this.originRows());
    this.writeUncommitted(out);
  }

  private writeUncommitted(out: VarintWriter): void {
    const names = new Map<string, number>();
    for (const [, { origin }] of this.uncommitted) if (!names.has(origin)) names.set(origin, names.size);
    out.varint(names.size);
    for (const name of names.keys()) out.name(name);
    out.varint(this.uncommitted.count);
    let edge = 0;
    for (const [position, { origin, sequence, low }] of this.uncommitted) {
      for (const value of [position - edge, names.get(origin)!, sequence, low]) out.varint(value);
      edge = position;
    }
  }

  /** Takes the place of what was known, but for the messages, their marks and `aheadMs`. */
  read(from: VarintReader): void {
    this.end = from.varint();
    this.committed = from.varint();
    const starts: EpochStart[] = [];
    for (let left = from.varint(); left > 0; left--) starts.push({ epoch: from.varint(), first: from.varint() });
    this.starts = starts;
    this.origins = new Origins();
    this.origins.merge(readOriginRows(from));
    this.uncommitted.clear();
    const names: string[] = [];
    for (let left = from.varint(); left > 0; left--) names.push(from.name());
    let position = 0;
    for (let left = from.varint(); left > 0; left--) {
      position += from.varint();
      const origin = names[from.varint()];
      if (origin === undefined) throw new RangeError('an origin without a name');
      this.uncommitted.set(position, { origin, sequence: from.varint(), low: from.varint() });
    }
  }
}

export function writeOriginRows(out: VarintWriter, rows: readonly OriginRow[]): void {
  out.varint(rows.length);
  for (const { origin, low, held } of rows) {
    out.name(origin);
    out.varint(low);
    out.ranges(held);
  }
}

export function readOriginRows(from: VarintReader): OriginRow[] {
  const rows: OriginRow[] = [];
  for (let left = from.varint(); left > 0; left--)
    rows.push({ origin: from.name(), low: from.varint(), held: from.ranges() });
  return rows;
}
