import type { Message } from '@chapar/core';
import { FRAME_ENDS } from '../peer/frames.js';
import { AddressBook, writeMessage } from '../peer/message-form.js';
import type { Outgoing } from '../peer/outgoing.js';
import type { RemoteEnds } from './remote-ends.js';

/** With more than this on its way to a node that does not take it, messages without a promise are dropped. Bytes. */
const waitingBytesMax = 8 * 1024 * 1024;
/** The log is told of what was dropped so often at most. Milliseconds. */
const tellEveryMs = 10_000;

/** Messages for the buffer-less ends of one peer, each sent once or not at all. */
export class EndStream {
  private readonly out: Outgoing;
  private readonly book = new AddressBook();
  /** Whose frame is being written. */
  private current: RemoteEnds | null = null;
  sentCount = 0;
  /** There was no link, or it took too little. */
  droppedCount = 0;

  private toldCount = 0;
  private toldAtMs = Number.NEGATIVE_INFINITY;

  constructor(out: Outgoing) {
    this.out = out;
  }

  send(ends: RemoteEnds, message: Message): void {
    const { out } = this;
    if (!out.isOpen || out.waitingBytes > waitingBytesMax) {
      this.droppedCount++;
      return;
    }
    if (ends !== this.current || !out.isWriting(FRAME_ENDS)) this.begin(ends);
    this.sentCount++;
    writeMessage(out, this.book, message);
  }

  /** How many were dropped that nobody was told of; 0: none, or somebody was told a moment ago. */
  takeDropped(nowMs: number): number {
    const count = this.droppedCount - this.toldCount;
    if (count === 0 || nowMs - this.toldAtMs < tellEveryMs) return 0;
    this.toldCount = this.droppedCount;
    this.toldAtMs = nowMs;
    return count;
  }

  private begin(ends: RemoteEnds): void {
    const { out } = this;
    this.current = ends;
    this.book.clear();
    out.begin(FRAME_ENDS);
    out.text(ends.properties.vhost);
    out.text(ends.exchange);
  }
}
