import type { DropReason, Incarnation, LogRead, Message, Position, QueueLog, QueuePages } from '@chapar/core';
import type { Generations } from './generation.js';
import { LiveEntries, type Wanted } from './live.js';
import { Marks } from './marks.js';

/** What a queue's log asks of the write-ahead log that it is a part of. */
export interface QueueLogWriter {
  append(log: WalQueueLog, position: Position, message: Message): void;
  /** The log has settlements to write; called once until they are taken. */
  settling(log: WalQueueLog): void;
  /** Writes what the log's marks say of this message. */
  mark(log: WalQueueLog, position: Position): void;
  /** The node's time, milliseconds since 1970. */
  readonly nowMs: number;
  read(log: WalQueueLog, wanted: () => Wanted, done: (read: LogRead) => void): void;
  /** Where what is not logged goes to when it leaves memory. */
  pages(): QueuePages;
}

const gapMax = 16;

/** One queue's entries in the node's write-ahead log. */
export class WalQueueLog implements QueueLog {
  readonly isMirrored = false;
  readonly incarnation: Incarnation;
  /** Stands for the incarnation in the files. Never used twice in a data directory. */
  readonly number: number;
  committed: Position = 0;
  onCommitted: ((committed: Position) => void) | null = null;
  onFailed: ((error: Error) => void) | null = null;
  /** The position that the next entry gets. */
  next: Position = 1;
  /** Up to here, entries are in the group that is being written. */
  sealed: Position = 0;
  /** Has a publish in the group that gathers. */
  isTouched = false;
  /** Removed, or the write-ahead log has failed: nothing is written any more. */
  isDetached = false;
  /** Number of the newest file that says which incarnation `number` stands for; 0: none. */
  openedIn = 0;
  /** As told for a clean stop; -1: nothing was told. */
  deliveredUpTo: Position = -1;
  /** There was a message with a time to live of its own, be it live or not. */
  mayExpire = false;
  deliveredByLevel: readonly Position[] = [];
  readonly live: LiveEntries;
  /** Null until there is something to say. */
  marks: Marks | null = null;
  /** Settled and not yet in a group: first and last position of each range, in turn. */
  private ranges: number[] = [];
  private readonly writer: QueueLogWriter;
  /** Of messages that are not logged; null until there is one. */
  private pages: QueuePages | null = null;

  constructor(writer: QueueLogWriter, generations: Generations, number: number, incarnation: Incarnation) {
    this.writer = writer;
    this.number = number;
    this.incarnation = incarnation;
    this.live = new LiveEntries(generations);
  }

  publish(message: Message): Position {
    const position = this.next++;
    this.writer.append(this, position, message);
    return position;
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
    const ranges = this.ranges;
    const end = ranges.length - 1;
    if (end > 0 && this.isGap(ranges[end]! + 1, first)) {
      ranges[end] = last;
      return;
    }
    ranges.push(first, last);
    if (ranges.length === 2) this.writer.settling(this);
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

  page(position: Position, message: Message): void {
    this.pages ??= this.writer.pages();
    this.pages.page(position, message);
  }

  forget(first: Position, last: Position): void {
    this.pages?.forget(first, last);
  }

  read(from: Position, to: Position, bytesMax: number, done: (read: LogRead) => void): void {
    const { pages } = this;
    const wanted = () => this.live.places(from, to, bytesMax);
    if (pages === null) {
      this.writer.read(this, wanted, done);
      return;
    }
    // First what is logged: paged messages are gone from their file once they were read.
    this.writer.read(this, wanted, (logged) => {
      pages.read(from, logged.upTo, bytesMax, (paged) => done(merged(logged, paged)));
    });
  }

  readAt(positions: readonly Position[], bytesMax: number, done: (read: LogRead) => void): void {
    const { pages } = this;
    const wanted = () => this.live.placesAt(positions, bytesMax);
    if (pages === null) {
      this.writer.read(this, wanted, done);
      return;
    }
    this.writer.read(this, wanted, (logged) => {
      const inReach = positions.filter((position) => position <= logged.upTo);
      pages.readAt(inReach, bytesMax, (paged) => done(merged(logged, paged)));
    });
  }

  /** Whether nothing lives in [from, to), so that one range may span it: transient messages between persistent ones leave holes. */
  private isGap(from: Position, to: Position): boolean {
    if (to < from || to - from > gapMax) return false;
    for (let position = from; position < to; position++) if (this.live.generationOf(position) !== 0) return false;
    return true;
  }

  /** The group with what was sealed is on the disk. */
  commit(): void {
    // Holes behind what was written wait for nothing, unless a message before them does.
    this.committed = this.isTouched ? this.sealed : this.next - 1;
    this.onCommitted?.(this.committed);
  }

  /** Takes the settlements that gathered, as ascending ranges that do not touch each other. */
  takeSettled(): SettledRanges {
    const count = this.ranges.length / 2;
    const firsts = new Float64Array(count);
    const lasts = new Float64Array(count);
    for (let i = 0; i < count; i++) {
      firsts[i] = this.ranges[2 * i]!;
      lasts[i] = this.ranges[2 * i + 1]!;
    }
    this.ranges.length = 0;
    // The union of ranges stays the same when both ends are sorted on their own.
    firsts.sort();
    lasts.sort();
    return { firsts, lasts, count: merge(firsts, lasts, count) };
  }

  /** What lives in a file is lost; returns how many messages that were. */
  forgetFile(generation: number): number {
    const lost = this.live.forget(generation);
    this.marks?.keepWhere((position) => this.live.generationOf(position) !== 0);
    return lost;
  }

  detach(): void {
    this.isDetached = true;
    this.ranges.length = 0;
  }
}

/** Both by position; what is logged behind the end of what is paged is left to the next read. */
function merged(logged: LogRead, paged: LogRead): LogRead {
  const { upTo } = paged;
  const inReach = upTo < logged.upTo ? logged.messages.filter(({ position }) => position <= upTo) : logged.messages;
  const messages = [...inReach, ...paged.messages].sort((a, b) => a.position - b.position);
  const unreadable = [...logged.unreadable.filter((position) => position <= upTo), ...paged.unreadable];
  return { messages, upTo, unreadable: unreadable.sort((a, b) => a - b) };
}

export interface SettledRanges {
  readonly firsts: Float64Array;
  readonly lasts: Float64Array;
  readonly count: number;
}

/** Joins ranges that touch, in place; returns how many are left. */
function merge(firsts: Float64Array, lasts: Float64Array, count: number): number {
  let kept = 0;
  for (let i = 1; i < count; i++) {
    if (firsts[i]! <= lasts[kept]! + 1) {
      lasts[kept] = Math.max(lasts[kept]!, lasts[i]!);
    } else {
      kept++;
      firsts[kept] = firsts[i]!;
      lasts[kept] = lasts[i]!;
    }
  }
  return count === 0 ? 0 : kept + 1;
}
