import type { ConfirmSlot, Message } from '@chapar/core';
import { FRAME_DIRECT, FRAME_PUBLISHES } from '../peer/frames.js';
import { AddressBook, writeMessage } from '../peer/message-form.js';
import type { Outgoing, SentFrame } from '../peer/outgoing.js';
import { Unanswered } from './unanswered.js';

/** Entries of a FRAME_PUBLISHES and a FRAME_LINE_PUBLISHES. */
export const PUBLISH_QUEUE = 1;
export const PUBLISH_USE = 2;
export const PUBLISH_MESSAGE = 3;
export const PUBLISH_SAME = 4;
/** The next one is a dead letter, and this is what it is known by. */
export const PUBLISH_LETTER = 5;

/** Publishes that were written into one frame, until each has its verdict. */
interface Parcel {
  frame: SentFrame | null;
  left: number;
}

/** A queue at the other end, as publishes to it are numbered in this pair of sessions and await their verdicts. */
export class PublishLine extends Unanswered<Parcel> {
  /** Names the queue between these two sessions. */
  readonly number: number;
  isIntroduced = false;
  parcel: Parcel | null = null;

  constructor(number: number) {
    super();
    this.number = number;
  }

  push(slot: ConfirmSlot | null, parcel: Parcel): void {
    this.add(parcel, slot);
    parcel.left++;
  }

  protected letGo(parcel: Parcel): void {
    parcel.left--;
  }

  /** Another pair of sessions begins. */
  renew(): void {
    this.sequence = this.known = 0;
    this.isIntroduced = false;
    this.parcel = null;
  }
}

/** How a queue is introduced to its home, before the first publish to it. */
export interface Introduction {
  readonly vhost: string;
  readonly name: string;
  readonly incarnation: string;
  /** The revision of its record; 0: there is none. */
  readonly revision: number;
}

/**
 * The publishes to the queues of one peer, numbered per queue and kept in the form they were sent in until their verdict is known: when
 * the link breaks, those go again, in their order and before anything new, and the peer takes each once.
 */
export class PublishStream {
  private readonly out: Outgoing;
  private readonly book = new AddressBook();
  private parcel: Parcel | null = null;
  private parcels: Parcel[] = [];
  private lastMessage: Message | null = null;
  /** Of frames whose publishes do not all have their verdict. */
  keptBytes = 0;

  constructor(out: Outgoing) {
    this.out = out;
  }

  publish(line: PublishLine, introduction: () => Introduction, message: Message, slot: ConfirmSlot | null): void {
    const { out } = this;
    const parcel = this.open();
    if (line.parcel !== parcel) this.use(line, parcel, introduction);
    line.push(slot, parcel);
    const wants = slot === null ? 0 : 1;
    if (message === this.lastMessage) {
      out.byte(PUBLISH_SAME);
      out.varint(line.number);
      out.byte(wants);
      return;
    }
    this.lastMessage = message;
    out.byte(PUBLISH_MESSAGE);
    out.varint(line.number);
    out.byte(wants);
    writeMessage(out, this.book, message);
  }

  private open(): Parcel {
    if (this.parcel !== null && this.out.isWriting(FRAME_PUBLISHES)) return this.parcel;
    const parcel: Parcel = { frame: null, left: 0 };
    this.parcel = parcel;
    this.book.clear();
    this.lastMessage = null;
    this.parcels.push(parcel);
    this.out.begin(FRAME_PUBLISHES, (frame) => {
      parcel.frame = frame;
      this.keptBytes += frame.bytes.length;
      if (this.parcel === parcel) {
        this.parcel = null;
        this.lastMessage = null;
      }
    });
    return parcel;
  }

  private use(line: PublishLine, parcel: Parcel, introduction: () => Introduction): void {
    const { out } = this;
    line.parcel = parcel;
    if (!line.isIntroduced) {
      const { vhost, name, incarnation, revision } = introduction();
      line.isIntroduced = true;
      out.need(revision);
      out.byte(PUBLISH_QUEUE);
      out.varint(line.number);
      out.text(vhost);
      out.text(name);
      out.text(incarnation);
    }
    out.byte(PUBLISH_USE);
    out.varint(line.number);
    out.varint(line.sequence + 1);
    out.varint(line.known);
  }

  /** To a buffer-less end: at most once, and nothing is kept. */
  direct(vhost: string, message: Message): void {
    const { out } = this;
    out.begin(FRAME_DIRECT);
    out.text(vhost);
    this.book.clear();
    writeMessage(out, this.book, message);
    out.endFrame();
  }

  /** Verdicts came: frames that are no longer needed are let go. */
  tidy(): void {
    const { parcels } = this;
    let gone = 0;
    while (gone < parcels.length && parcels[gone]!.left === 0 && parcels[gone]!.frame !== null) {
      this.keptBytes -= parcels[gone]!.frame!.bytes.length;
      gone++;
    }
    if (gone > 0) this.parcels = parcels.slice(gone);
  }

  /** The link is there again. */
  resend(): void {
    for (const { frame, left } of this.parcels) if (left > 0 && frame !== null) this.out.again(frame);
  }
}
