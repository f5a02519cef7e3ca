import { type LogRead, type Message, type Position, type QueuePages, type Range, Ranges } from '@chapar/core';

/** Entries are read in pieces of this size. Bytes. */
const readBytes = 1024 * 1024;

/** A log as far as it is read. */
export interface ReadLog extends Pick<QueuePages, 'read'> {
  readonly end: Position;
  readonly committed: Position;
}

interface ReadingSink {
  read(position: Position, message: Message): void;
  /** Everything up to here was read. */
  upTo(position: Position): void;
}

/** Reads a copy from its beginning up to where it ends when the reading begins, while more is appended to it, settled and cut. */
export class FoldReading {
  private readonly log: ReadLog;
  private readonly sink: ReadingSink;
  private readonly done: () => void;
  private from: Position = 1;
  private to: Position;
  /** What is being read may not be what stands there any more. */
  private changes = 0;
  /** What was settled while it was being read. */
  private readonly gone = new Ranges();
  private isStopped = false;

  constructor(log: ReadLog, sink: ReadingSink, done: () => void) {
    this.log = log;
    this.sink = sink;
    this.done = done;
    this.to = log.end;
  }

  /** Something came to stand there; false: it will not be read. */
  appended(position: Position): boolean {
    if (position < this.from || position > this.to) return false;
    this.gone.remove(position, position);
    this.changes++;
    return true;
  }

  settled({ first, last }: Range): void {
    this.gone.add(Math.max(first, this.from), Math.min(last, this.to));
  }

  get readUpTo(): Position {
    return this.from - 1;
  }

  /** What stood behind is another's now, who says it. */
  cut(after: Position): void {
    if (after >= this.to) return;
    this.to = after;
    this.changes++;
  }

  stop(): void {
    this.isStopped = true;
  }

  goOn(): void {
    if (this.from > this.to) {
      this.done();
      return;
    }
    const { changes } = this;
    this.log.read(this.from, this.to, readBytes, (read) => {
      if (this.isStopped) return;
      if (changes === this.changes) this.take(read);
      this.goOn();
    });
  }

  private take({ messages, upTo }: LogRead): void {
    for (const { position, message } of messages) if (!this.gone.has(position)) this.sink.read(position, message);
    this.from = upTo + 1;
    this.gone.remove(1, upTo);
    this.sink.upTo(upTo);
  }
}
