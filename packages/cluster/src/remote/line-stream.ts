import type { Message, Provenance } from '@chapar/core';
import { FRAME_LINE_PUBLISHES } from '../peer/frames.js';
import { AddressBook, writeMessage } from '../peer/message-form.js';
import type { Outgoing } from '../peer/outgoing.js';
import type { FaceLine } from './face-line.js';
import { PUBLISH_LETTER, PUBLISH_MESSAGE, PUBLISH_SAME, PUBLISH_USE } from './publish-stream.js';

/** Publishes to the mirrored queues that one node leads, as they stand in frames; who keeps them is the face of each queue. */
export class LineStream {
  private readonly out: Outgoing;
  private readonly book = new AddressBook();
  /** Counts frames. */
  private frame = 0;
  private isOpen = false;
  private lastMessage: Message | null = null;

  constructor(out: Outgoing) {
    this.out = out;
  }

  publish(
    line: FaceLine,
    sequence: number,
    known: number,
    message: Message,
    isAwaited: boolean,
    from: Provenance | undefined,
  ): void {
    const { out } = this;
    if (!this.isOpen || !out.isWriting(FRAME_LINE_PUBLISHES)) this.begin();
    if (line.frame !== this.frame || line.nextSequence !== sequence) {
      line.frame = this.frame;
      out.byte(PUBLISH_USE);
      out.varint(line.number);
      out.varint(sequence);
      out.varint(known);
    }
    line.nextSequence = sequence + 1;
    // In one frame with its message, or a link that breaks between would leave it to another.
    if (from !== undefined) this.letter(line, from);
    const isSame = message === this.lastMessage;
    this.lastMessage = message;
    out.byte(isSame ? PUBLISH_SAME : PUBLISH_MESSAGE);
    out.varint(line.number);
    out.byte(isAwaited ? 1 : 0);
    if (!isSame) writeMessage(out, this.book, message);
  }

  private letter(line: FaceLine, { origin, sequence, low }: Provenance): void {
    const { out } = this;
    out.byte(PUBLISH_LETTER);
    out.varint(line.number);
    out.text(origin);
    out.varint(sequence);
    out.varint(low);
  }

  private begin(): void {
    this.out.begin(FRAME_LINE_PUBLISHES, () => {
      this.isOpen = false;
    });
    // Behind `begin`, which ends a frame of ours that was being written.
    this.isOpen = true;
    this.frame++;
    this.book.clear();
    this.lastMessage = null;
  }
}
