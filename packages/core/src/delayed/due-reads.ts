import type { Message } from '../message.js';
import type { LogRead, Position, QueuePages } from '../ports.js';

/** Read in one go, unless one message is larger. Bytes. */
const readBytesMax = 1024 * 1024;

/** Reads back messages that lie here and there. */
export class DueReads {
  private readonly pages: QueuePages;
  private readonly done: (found: ReadonlyMap<Position, Message>) => void;
  private readonly found = new Map<Position, Message>();
  private open = 0;

  /** `done` is called once, with all that can be read, and not within `start`. */
  constructor(pages: QueuePages, done: (found: ReadonlyMap<Position, Message>) => void) {
    this.pages = pages;
    this.done = done;
  }

  /** `positions`: ascending, one at least. Those that follow each other are read together: nothing else lives between them. */
  start(positions: readonly Position[]): void {
    let first = positions[0]!;
    let last = first;
    for (const position of positions) {
      if (position > last + 1) {
        this.read(first, last);
        first = position;
      }
      last = position;
    }
    this.read(first, last);
  }

  private read(first: Position, last: Position): void {
    this.open++;
    this.pages.read(first, last, readBytesMax, (read) => this.arrived(read, last));
  }

  private arrived({ messages, upTo }: LogRead, last: Position): void {
    this.open--;
    for (const { position, message } of messages) this.found.set(position, message);
    if (upTo < last) this.read(upTo + 1, last);
    else if (this.open === 0) this.done(this.found);
  }
}
