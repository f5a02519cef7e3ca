import type {
  Epoch,
  EpochStart,
  Incarnation,
  KeptAside,
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
import { ENTRY_COMMIT, ENTRY_CUT, ENTRY_PASS } from './entry.js';
import type { Gathering } from './gathering.js';
import type { Generations } from './generation.js';
import type { LiveEntries, Wanted } from './live.js';
import { type LogWriter, NumberedLog } from './numbered-log.js';
import type { WalQueueLog } from './queue-log.js';
import type { Decode } from './read-back.js';
import { RecentEntries, type RecentShelf } from './recent-entries.js';
import {
  EMPTIED,
  epochEntry,
  forgetEntry,
  NOT_WHOLE,
  originsEntry,
  positionEntry,
  replicaEntry,
  restateEntry,
  timeEntry,
  WHOLE,
  wholeEntry,
} from './replica-entries.js';
import { formEntryBytes, formOfEntry, messageOfForm, publishProvenance, readFormHead } from './replica-form.js';
import { ReplicaState } from './replica-state.js';

/** What an entry costs beside the bytes of its message where it is counted how much is read. Bytes. */
const entryOverheadBytes = 256;

/** What a replica asks of the write-ahead log that it is a part of. */
export interface ReplicaWriter extends LogWriter {
  /**
   * The group that takes the replica's next entry, which says there already what it has come to. `isUrgent`: it is synced as soon as
   * it can be; else a little later, when nothing takes it along.
   */
  groupFor(replica: WalReplica, isUrgent: boolean): Gathering;
  /** Writes the settlements that gathered before anything else is written. */
  writeSettled(replica: WalReplica): void;
  keepAside(replica: WalReplica, ranges: readonly Range[]): Promise<KeptAside>;
  /** An entry has this time in it, by the node's clock. Milliseconds since 1970. */
  stamped(ms: number): void;
  readEntries(
    replica: WalReplica,
    wanted: () => Wanted,
    decode: Decode<ReplicaEntry>,
    done: (entries: readonly ReplicaEntry[], upTo: Position, unreadable: readonly Position[]) => void,
  ): void;
}

/**
 * A copy of a mirrored queue's log. Each call takes effect here at once and is an entry in the group that gathers; settlements of a turn
 * gather into ranges, and are written before anything that could bring a message back which they name.
 */
export class WalReplica extends NumberedLog implements StoredReplica {
  readonly told: ReplicaState;
  operations = 0;
  onSynced: ((operation: number) => void) | null = null;
  onSpoiled: (() => void) | null = null;
  passesOver = false;
  /** Has something in the group that gathers. */
  private isTouched = false;
  /** Operations in the group on its way and in those before it, and in those that are written. */
  private sealedOperations = 0;
  private writtenOperations = 0;
  /** How often something was taken back. */
  private cuts = 0;
  private readonly recent: RecentEntries;
  private readonly writer: ReplicaWriter;

  constructor(
    writer: ReplicaWriter,
    generations: Generations,
    number: number,
    incarnation: Incarnation,
    shelf: RecentShelf,
    live?: LiveEntries,
  ) {
    super(writer, generations, number, incarnation, live);
    this.writer = writer;
    this.told = new ReplicaState(this.live);
    this.marks = this.told.marks;
    this.recent = new RecentEntries(shelf);
  }

  /** The queue lived on this node alone, in this log: what it came to is committed, by no leader and in no epoch. */
  takeOver({ next, marks, mayExpire }: WalQueueLog): void {
    const { told } = this;
    this.mayExpire = mayExpire;
    told.pass(next - 1);
    told.commit(next - 1);
    for (const { position, reason, atMs } of marks?.pending ?? []) told.marks.pend(position, reason, atMs);
    for (const { position, count } of marks?.returns ?? []) told.marks.returned(position, count);
  }

  /** Says so in the group that gathers. */
  sayTakenOver(): void {
    this.group(true);
  }

  get end(): Position {
    return this.told.end;
  }

  get committed(): Position {
    return this.told.committed;
  }

  get starts(): readonly EpochStart[] {
    return this.told.starts;
  }

  get liveCount(): number {
    return this.live.count;
  }

  get liveBytes(): number {
    return this.live.bytes;
  }

  liveIn(first: Position, last: Position): readonly Range[] {
    return this.live.rangesIn(first, last);
  }

  marksIn(first: Position, last: Position): readonly ReplicaMark[] {
    return this.told.marksIn(first, last);
  }

  originRows(): readonly OriginRow[] {
    return this.told.originRows();
  }

  allOriginRows(): readonly OriginRow[] {
    return this.told.allOriginRows();
  }

  // -- what writes -------------------------------------------------------------------------------------------------

  begin(epoch: Epoch, first: Position): void {
    this.group(true)?.add(epochEntry(this.number, { epoch, first }));
    this.told.begin(epoch, first);
  }

  publish(message: Message, provenance: Provenance | null): Position {
    const position = this.told.end + 1;
    const group = this.group(true);
    const form = this.recent.add(position, message, provenance);
    if (group !== null) {
      const bytes = group.publishForm(this.number, position, provenance, form);
      const { generation, entryOffset } = group;
      this.live.add(position, bytes, message.bodyBytes, Math.max(message.priority, 0), generation, entryOffset);
      this.stamped(message.receivedAtMs);
    }
    if (message.expirationMs >= 0) this.mayExpire = true;
    this.told.appended(position, provenance);
    return position;
  }

  append({ position, provenance, bytes }: ReplicaEntry): void {
    const form = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    const head = readFormHead(form);
    // Throws for what cannot be written before anything is.
    formEntryBytes(form, provenance);
    if (position <= this.told.end) this.replaced(position);
    const group = this.group(true);
    if (group !== null) {
      const entryBytes = group.publishForm(this.number, position, provenance, form);
      this.live.add(position, entryBytes, head.bodyBytes, head.priority, group.generation, group.entryOffset);
      this.stamped(head.receivedAtMs);
    }
    if (head.expires) this.mayExpire = true;
    this.told.appended(position, provenance);
  }

  /** Another message comes to stand at `position`, or the same one again: what is said of the one before goes first. */
  private replaced(position: Position): void {
    this.writeSettled();
    this.recent.forget(position);
  }

  pass(upTo: Position): void {
    this.group(true)?.add(positionEntry(ENTRY_PASS, this.number, upTo));
    this.told.pass(upTo);
  }

  cut(after: Position): void {
    this.writeSettled();
    this.group(true)?.add(positionEntry(ENTRY_CUT, this.number, after));
    this.told.cut(after);
    this.recent.cut(after);
    this.cuts++;
  }

  change(change: ReplicaChange): void {
    if (change.kind === 'settle') this.settle(change.first, change.last);
    else if (change.kind === 'forget') {
      this.group(false)?.add(forgetEntry(this.number, change.origin));
      this.told.forget(change.origin);
    } else this.mark(change);
  }

  /** What does not live needs no settlement, and what is still to come gets none. */
  private settle(first: Position, last: Position): void {
    if (this.isDetached || this.told.settle(first, last) === 0) {
      this.nothing();
      return;
    }
    this.operations++;
    this.noteSettled(first, Math.min(last, this.told.end));
  }

  private mark(mark: ReplicaMark): void {
    if (!this.told.mark(mark)) {
      this.nothing();
      return;
    }
    const group = this.group(false);
    if (group === null) return;
    if (mark.kind === 'pend') {
      group.pend(this.number, mark);
      this.stamped(mark.atMs);
    } else group.returned(this.number, this.told.marks.returnsAt(mark.position)!);
  }

  restate(upTo: Position, live: readonly Range[], marks: readonly ReplicaMark[]): void {
    this.writeSettled();
    this.group(true)?.add(restateEntry(this.number, { upTo, live, marks }));
    this.told.restate(upTo, live, marks);
    for (const mark of marks) if (mark.kind === 'pend') this.stamped(mark.atMs);
  }

  merge(origins: readonly OriginRow[]): void {
    this.group(false)?.add(originsEntry(this.number, origins));
    this.told.merge(origins);
  }

  commit(position: Position): void {
    this.group(false)?.add(positionEntry(ENTRY_COMMIT, this.number, position));
    this.told.commit(position);
  }

  get aheadMs(): number | null {
    return this.told.aheadMs;
  }

  keepTime(aheadMs: number): void {
    this.group(false)?.add(timeEntry(this.number, aheadMs));
    this.told.aheadMs = aheadMs;
  }

  get isWhole(): boolean {
    return this.told.isWhole;
  }

  setWhole(isWhole: boolean): void {
    this.group(true)?.add(wholeEntry(this.number, isWhole ? WHOLE : NOT_WHOLE));
    this.told.isWhole = isWhole;
  }

  empty(): void {
    this.writeSettled();
    this.group(true)?.add(wholeEntry(this.number, EMPTIED));
    this.told.empty();
    this.recent.clear();
    this.cuts++;
  }

  /** Messages cannot be read back. */
  override spoiled(): void {
    this.onSpoiled?.();
  }

  /** The node's time does not go back behind it over a restart; what other clocks say is nothing to that. */
  private stamped(queueMs: number): void {
    this.writer.stamped(this.told.nodeMs(queueMs));
  }

  /** Counts one more operation. The group that takes its entry; null: nothing is written any more. */
  private group(isUrgent: boolean): Gathering | null {
    this.operations++;
    return this.isDetached ? null : this.writer.groupFor(this, isUrgent);
  }

  /** An operation that changes nothing is on the disk when those before it are; something has to tell so. */
  private nothing(): void {
    if (this.isTouched || this.hasSettled) this.operations++;
    else this.commit(this.told.committed);
  }

  private writeSettled(): void {
    if (this.hasSettled && !this.isDetached) this.writer.writeSettled(this);
  }

  // -- what the groups say -----------------------------------------------------------------------------------------

  open(group: Gathering): void {
    group.add(replicaEntry(this.number, this.incarnation, this.told));
    const { aheadMs, isWhole } = this.told;
    if (aheadMs !== null) group.add(timeEntry(this.number, aheadMs));
    if (!isWhole) group.add(wholeEntry(this.number, NOT_WHOLE));
  }

  touch(group: Gathering): void {
    if (this.isTouched) return;
    this.isTouched = true;
    group.replicas.push(this);
  }

  settlementsWritten(group: Gathering): void {
    this.touch(group);
  }

  /** The group with everything up to here is on its way. */
  seal(): void {
    this.isTouched = false;
    this.sealedOperations = this.operations;
  }

  written(): void {
    this.writtenOperations = this.sealedOperations;
  }

  synced(): void {
    if (!this.isDetached) this.onSynced?.(this.writtenOperations);
  }

  silence(): void {
    this.onSynced = this.onSpoiled = null;
    this.recent.clear();
  }

  // -- reading -----------------------------------------------------------------------------------------------------

  entries(
    ranges: readonly Range[],
    bytesMax: number,
    done: (entries: readonly ReplicaEntry[], upTo: Position) => void,
  ): void {
    if (ranges.length === 0) {
      done([], 0);
      return;
    }
    const found: ReplicaEntry[] = [];
    const upTo = this.recentIn(ranges, bytesMax, found);
    if (upTo === 0) this.readEntries(ranges, bytesMax, done);
    else done(found, upTo);
  }

  /** Finds what is in memory, from the beginning on; returns how far that went. 0: the first one has to be read. */
  private recentIn(ranges: readonly Range[], bytesMax: number, found: ReplicaEntry[]): Position {
    let bytes = 0;
    for (const { first, last } of ranges) {
      for (let position = first; position <= last; position++) {
        if (!this.live.has(position)) continue;
        const entry = bytes < bytesMax ? this.recent.get(position) : null;
        if (entry === null) return found.at(-1)?.position ?? 0;
        found.push(entry);
        bytes += entry.bytes.length + entryOverheadBytes;
      }
    }
    return ranges.at(-1)!.last;
  }

  private readEntries(
    ranges: readonly Range[],
    bytesMax: number,
    done: (entries: readonly ReplicaEntry[], upTo: Position) => void,
  ): void {
    const { cuts } = this;
    const wanted = () => this.live.placesIn(ranges, bytesMax);
    this.writer.readEntries(this, wanted, asEntry, (entries, upTo, unreadable) => {
      // Other messages may stand there by now.
      if (cuts !== this.cuts) this.entries(ranges, bytesMax, done);
      else if (unreadable.length === 0 || this.passesOver) done(entries, upTo);
      else done(before(entries, unreadable[0]!), unreadable[0]! - 1);
    });
  }

  keepAside(ranges: readonly Range[]): Promise<KeptAside> {
    return this.writer.keepAside(this, ranges);
  }

  messageOf({ bytes }: ReplicaEntry): Message {
    return messageOfForm(Buffer.from(bytes));
  }

  state(): RecoveredQueue {
    const { incarnation, live, mayExpire } = this;
    const { committed, marks } = this.told;
    let [count, bytes] = [live.count, live.bodyBytes];
    // What is not committed yet may still be cut: the queue does not know of it.
    for (const { first, last } of live.rangesIn(committed + 1, this.end)) {
      count -= last - first + 1;
      for (let position = first; position <= last; position++) bytes -= live.bodyBytesOf(position);
    }
    const first = count === 0 ? 0 : live.edges[0];
    const last = count === 0 ? 0 : live.lastUpTo(committed);
    return {
      incarnation,
      count,
      bytes,
      first,
      last,
      deliveredUpTo: committed,
      deliveredByLevel: [],
      mayExpire,
      pending: marks.pendingIn(1, committed),
      returns: marks.returnsIn(1, committed),
      visit: (visitor) =>
        live.visit((position, priority, bodyBytes) => {
          if (position <= committed) visitor(position, priority, bodyBytes);
        }),
    };
  }
}

function before(entries: readonly ReplicaEntry[], position: Position): readonly ReplicaEntry[] {
  return entries.filter((entry) => entry.position < position);
}

const asEntry: Decode<ReplicaEntry> = (position, buf, at, end) => {
  return { position, provenance: publishProvenance(buf, at), bytes: formOfEntry(buf, at, end) };
};
