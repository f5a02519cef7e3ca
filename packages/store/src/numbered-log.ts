import type { Incarnation, LogRead, Message, Position, QueuePages } from '@chapar/core';
import type { Gathering } from './gathering.js';
import type { Generations } from './generation.js';
import { LiveEntries, type Wanted } from './live.js';
import type { Marks } from './marks.js';
import type { WalQueueLog } from './queue-log.js';
import type { WalReplica } from './replica.js';

/** What each log asks of the write-ahead log that it is a part of. */
export interface LogWriter {
  /** The log has settlements to write; called once until they are taken. */
  settling(log: NumberedLog): void;
  read(log: NumberedLog, wanted: () => Wanted, done: (read: LogRead) => void): void;
  /** Where what is not logged goes to when it leaves memory. */
  pages(): QueuePages;
}

const gapMax = 16;

/** Makes the logs that are found in the files. */
export interface LogOpener {
  queue(number: number, incarnation: Incarnation): WalQueueLog;
  /** `from`: the queue's own log, which it goes on with under the same number. */
  replica(number: number, incarnation: Incarnation, from?: WalQueueLog): WalReplica;
}

/** One log among those that share the write-ahead log: what lives under its number, what is said of it, and how it is read. */
export abstract class NumberedLog {
  readonly incarnation: Incarnation;
  /** Stands for the incarnation in the files. Never used twice in a data directory. */
  readonly number: number;
  onFailed: ((error: Error) => void) | null = null;
  /** Removed, or the write-ahead log has failed: nothing is written any more. */
  isDetached = false;
  /** Number of the newest file that says which incarnation `number` stands for; 0: none. */
  openedIn = 0;
  /** There was a message with a time to live of its own, be it live or not. */
  mayExpire = false;
  readonly live: LiveEntries;
  /** Null until there is something to say. */
  marks: Marks | null = null;
  /** Settled and not yet in a group: first and last position of each range, in turn. */
  private ranges: number[] = [];
  private readonly logWriter: LogWriter;
  /** Of messages that are not logged; null until there is one. */
  private paged: QueuePages | null = null;

  /** `live`: what lives under the number already. */
  constructor(
    writer: LogWriter,
    generations: Generations,
    number: number,
    incarnation: Incarnation,
    live = new LiveEntries(generations),
  ) {
    this.logWriter = writer;
    this.number = number;
    this.incarnation = incarnation;
    this.live = live;
  }

  /** Writes into a file that does not do so yet what the number stands for. */
  abstract open(group: Gathering): void;
  /** Hears that its last settlements are in a group. */
  abstract settlementsWritten(group: Gathering): void;
  /** Nobody listens any more. */
  abstract silence(): void;

  page(position: Position, message: Message): void {
    this.paged ??= this.logWriter.pages();
    this.paged.page(position, message);
  }

  forget(first: Position, last: Position): void {
    this.paged?.forget(first, last);
  }

  read(from: Position, to: Position, bytesMax: number, done: (read: LogRead) => void): void {
    const pages = this.paged;
    const wanted = () => this.live.places(from, to, bytesMax);
    if (pages === null) {
      this.logWriter.read(this, wanted, done);
      return;
    }
    // First what is logged: paged messages are gone from their file once they were read.
    this.logWriter.read(this, wanted, (logged) => {
      pages.read(from, logged.upTo, bytesMax, (paged) => done(merged(logged, paged)));
    });
  }

  readAt(positions: readonly Position[], bytesMax: number, done: (read: LogRead) => void): void {
    const pages = this.paged;
    const wanted = () => this.live.placesAt(positions, bytesMax);
    if (pages === null) {
      this.logWriter.read(this, wanted, done);
      return;
    }
    this.logWriter.read(this, wanted, (logged) => {
      const inReach = positions.filter((position) => position <= logged.upTo);
      pages.readAt(inReach, bytesMax, (paged) => done(merged(logged, paged)));
    });
  }

  /** Notes a settlement that is written with the group that gathers. */
  protected noteSettled(first: Position, last: Position): void {
    const ranges = this.ranges;
    const end = ranges.length - 1;
    if (end > 0 && this.isGap(ranges[end]! + 1, first)) {
      ranges[end] = last;
      return;
    }
    ranges.push(first, last);
    if (ranges.length === 2) this.logWriter.settling(this);
  }

  get hasSettled(): boolean {
    return this.ranges.length > 0;
  }

  /** Whether nothing lives in [from, to), so that one range may span it: transient messages between persistent ones leave holes. */
  private isGap(from: Position, to: Position): boolean {
    if (to < from || to - from > gapMax) return false;
    for (let position = from; position < to; position++) if (this.live.generationOf(position) !== 0) return false;
    return true;
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
