import type { Message, Position } from '@chapar/core';
import { FRAME_DELIVERIES } from '../peer/frames.js';
import { AddressBook, writeMessage } from '../peer/message-form.js';
import type { Outgoing } from '../peer/outgoing.js';

/** Entries of a FRAME_DELIVERIES, beside flags. */
export const DELIVERY_MESSAGE = 1;
export const DELIVERY_SAME = 2;
export const DELIVERY_REDELIVERED = 4;

/** Messages on their way to consumers of a peer. */
export class DeliveryStream {
  private readonly out: Outgoing;
  private readonly book = new AddressBook();
  private lastMessage: Message | null = null;

  constructor(out: Outgoing) {
    this.out = out;
  }

  write(consumer: number, position: Position, redelivered: boolean, message: Message): void {
    const { out } = this;
    if (!out.isWriting(FRAME_DELIVERIES)) {
      this.book.clear();
      this.lastMessage = null;
      out.begin(FRAME_DELIVERIES);
    }
    const isSame = message === this.lastMessage;
    this.lastMessage = message;
    out.byte((isSame ? DELIVERY_SAME : DELIVERY_MESSAGE) | (redelivered ? DELIVERY_REDELIVERED : 0));
    out.varint(consumer);
    out.varint(position);
    if (!isSame) writeMessage(out, this.book, message);
  }
}
