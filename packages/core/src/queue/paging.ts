import type { Message } from '../message.js';
import type { LogRead, Position, QueueLog, QueuePages } from '../ports.js';
import type { Persist } from './persist.js';
import type { ReadyMessages } from './ready-messages.js';

/** Read at once to be logged. Bytes. */
const logBytes = 1024 * 1024;

/** The way of a queue's waiting messages to the disk and back. Reads are asked for and never waited for. */
export class Paging {
  private readonly ready: ReadyMessages;
  private readonly log: QueueLog | null;
  private readonly persist: Persist;
  /** Called when messages were read, with the oldest in memory as a rule. */
  private readonly onRead: () => void;
  /** Where messages beyond the window lie: the log, or pages from the first time on that a queue without a log needs them. */
  private pages: QueuePages | null;
  /** Counts what makes a read under way void. */
  private readEpoch = 0;
  private isReading = false;
  /** Messages that the log does not have lie beside it. */
  private hasUnlogged = false;
  /** Those are being logged from this position on, and whoever waits for it; null: they are not. */
  private logging: { from: Position; readonly to: Position; readonly done: () => void } | null = null;
  /** Who waits for the oldest message to be in memory. */
  private readers: (() => void)[] = [];

  constructor(ready: ReadyMessages, log: QueueLog | null, persist: Persist, onRead: () => void) {
    this.ready = ready;
    this.log = log;
    this.pages = log;
    this.persist = persist;
    this.onRead = onRead;
  }

  /** The message leaves memory. */
  pageOut(position: Position, message: Message): void {
    // What was logged is found there.
    if (this.log !== null && (message.persistent || this.log.logsAll)) return;
    this.pages ??= this.persist.pages();
    this.hasUnlogged = this.log !== null;
    this.pages.page(position, message);
    this.persist.touch();
  }

  /** Reads on when that is due. */
  fill(): void {
    if (this.ready.isLow) this.readOn();
  }

  /** Reads about so many bytes of what is paged, or what there is room for, and one message at least. Only when something is. */
  readOn(bytesMax?: number): void {
    const { pages } = this;
    if (this.isReading || pages === null) return;
    this.isReading = true;
    const epoch = this.readEpoch;
    const arrived = (read: LogRead): void => {
      if (epoch === this.readEpoch) this.arrived(read);
    };
    this.ready.read(pages, arrived, bytesMax);
  }

  /** Resolves when the oldest message is in memory, or nothing waits any more. Only when the oldest is paged. */
  head(): Promise<void> {
    const read = new Promise<void>((resolve) => this.readers.push(resolve));
    this.readOn();
    return read;
  }

  private arrived(read: LogRead): void {
    this.isReading = false;
    const { ready } = this;
    if (this.logging !== null) this.logRead(read);
    ready.take(read);
    this.onRead();
    this.logOn();
    // A chunk in which nothing could be read, or that nobody took.
    if (!ready.hasHead) this.fill();
    if (ready.hasHead || ready.isEmpty) this.wakeReaders();
  }

  /** Logs all that lies beside the log; what leaves memory from now on is logged already. `done` is called perhaps within this call. */
  logAll(lastPosition: Position, done: () => void): void {
    if (!this.hasUnlogged) {
      done();
      return;
    }
    this.logging = { from: 1, to: lastPosition, done };
    this.logOn();
  }

  /** Between the reads of what is next: a message that is read from beside the log is nowhere until it is taken. */
  private logOn(): void {
    const { logging, pages } = this;
    if (logging === null || this.isReading || pages === null) return;
    if (logging.from > logging.to) {
      this.logging = null;
      this.hasUnlogged = false;
      logging.done();
      return;
    }
    this.isReading = true;
    const epoch = this.readEpoch;
    pages.read(logging.from, logging.to, logBytes, (read) => {
      if (epoch !== this.readEpoch) return;
      this.isReading = false;
      this.logRead(read);
      logging.from = read.upTo + 1;
      this.fill();
      // What is next goes first.
      if (this.readers.length > 0) this.readOn();
      this.logOn();
    });
  }

  private logRead({ messages }: LogRead): void {
    for (const { position, message } of messages) if (!message.persistent) this.log!.publishAt(position, message);
    this.persist.touch();
  }

  /** Reads messages that may be anywhere, by ascending position. */
  readAt(positions: readonly Position[], bytesMax: number, done: (read: LogRead) => void): void {
    this.pages?.readAt(positions, bytesMax, done);
  }

  /** Reads a message that is not among those that wait; null: it cannot be read. */
  readOne(position: Position, done: (message: Message | null) => void): void {
    if (this.pages === null) done(null);
    else this.pages.read(position, position, 1, ({ messages }) => done(messages[0]?.message ?? null));
  }

  private wakeReaders(): void {
    if (this.readers.length === 0) return;
    const { readers } = this;
    this.readers = [];
    for (const reader of readers) reader();
  }

  /**
   * Forgets what is on disk alone, and calls `forgotten` with its positions; a read under way comes to nothing. The caller empties the
   * rest, then calls `emptied`.
   */
  forget(forgotten: (first: Position, last: Position) => void): void {
    const { log, pages } = this;
    this.readEpoch++;
    this.isReading = false;
    // Of what is let go of nothing remains.
    if (this.logging !== null) this.logging.from = this.logging.to + 1;
    this.ready.forgetPaged((first, last) => {
      pages?.forget(first, last);
      forgotten(first, last);
      if (log === null) return;
      log.settle(first, last);
      this.persist.touch();
    });
  }

  /** Nothing waits any more. */
  emptied(): void {
    this.wakeReaders();
    this.logOn();
  }

  /** The queue is gone; of its log the store forgets everything. `lastPosition`: the last one given. */
  end(lastPosition: Position): void {
    this.readEpoch++;
    if (this.log === null) this.pages?.forget(1, lastPosition);
    this.pages = null;
    this.ready.clear();
    this.wakeReaders();
  }
}
