import type { DropReason, Incarnation, Message, Position, QueueLog, RecoveredQueue } from '@chapar/core';
import type { Gathering } from './gathering.js';
import type { Generations } from './generation.js';
import { Marks } from './marks.js';
import { type LogWriter, NumberedLog } from './numbered-log.js';

/** What a queue's log asks of the write-ahead log that it is a part of. */
export interface QueueLogWriter extends LogWriter {
  append(log: WalQueueLog, position: Position, message: Message): void;
  /** Writes what the log's marks say of this message. */
  mark(log: WalQueueLog, position: Position): void;
  /** The node's time, milliseconds since 1970. */
  readonly nowMs: number;
}

/** One queue's entries in the node's write-ahead log. */
export class WalQueueLog extends NumberedLog implements QueueLog {
  readonly isMirrored = false;
  logsAll = false;
  committed: Position = 0;
  onCommitted: ((committed: Position) => void) | null = null;
  /** The position that the next entry gets. */
  next: Position = 1;
  /** Up to here, entries are in the group that is being written. */
  sealed: Position = 0;
  /** Has a publish in the group that gathers. */
  isTouched = false;
  /** As told for a clean stop; -1: nothing was told. */
  deliveredUpTo: Position = -1;
  deliveredByLevel: readonly Position[] = [];
  private readonly writer: QueueLogWriter;

  constructor(writer: QueueLogWriter, generations: Generations, number: number, incarnation: Incarnation) {
    super(writer, generations, number, incarnation);
    this.writer = writer;
  }

  publish(message: Message): Position {
    const position = this.next++;
    this.writer.append(this, position, message);
    return position;
  }

  publishAt(position: Position, message: Message): void {
    this.writer.append(this, position, message);
  }

  skip(): Position {
    const position = this.next++;
    // A hole has nothing to wait for but what stands before it.
    if (this.committed === position - 1) this.committed = position;
    return position;
  }

  settle(first: Position, last: Position): void {
    // What was never logged needs no settlement.
    if (this.live.remove(first, last) === 0 || this.isDetached) return;
    this.marks?.remove(first, last);
    this.noteSettled(first, last);
  }

  pend(position: Position, reason: DropReason): void {
    if (!this.isLive(position)) return;
    this.marks ??= new Marks();
    this.marks.pend(position, reason, this.writer.nowMs);
    this.writer.mark(this, position);
  }

  returned(position: Position, count: number): void {
    if (!this.isLive(position)) return;
    this.marks ??= new Marks();
    this.marks.returned(position, count);
    this.writer.mark(this, position);
  }

  private isLive(position: Position): boolean {
    return !this.isDetached && this.live.generationOf(position) !== 0;
  }

  /** The group with what was sealed is on the disk. */
  commit(): void {
    // Holes behind what was written wait for nothing, unless a message before them does.
    this.committed = this.isTouched ? this.sealed : this.next - 1;
    this.onCommitted?.(this.committed);
  }

  /** What a queue over this log begins with, but for what was delivered. */
  recovered(): Omit<RecoveredQueue, 'deliveredUpTo' | 'deliveredByLevel'> {
    const { incarnation, live, marks, mayExpire } = this;
    const { count, bodyBytes: bytes } = live;
    const [first, last] = live.edges;
    const [pending, returns] = [marks?.pending ?? [], marks?.returns ?? []];
    return {
      incarnation,
      count,
      bytes,
      first,
      last,
      mayExpire,
      pending,
      returns,
      visit: (visitor) => live.visit(visitor),
    };
  }

  open(group: Gathering): void {
    group.queueOpen(this);
  }

  settlementsWritten(): void {}

  silence(): void {
    this.onCommitted = null;
  }
}
