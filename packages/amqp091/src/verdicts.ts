import type { PublishTag } from '@chapar/core';
import type { Channel } from './channel.js';
import { METHOD } from './codec/index.js';
import { writeVerdict } from './delivery-frames.js';

/** What a channel in confirm mode says of the messages published on it: basic.ack and basic.nack. */
export class Verdicts {
  private readonly channel: Channel;
  private toldUpTo: PublishTag = 0;
  /** Above `toldUpTo`. */
  private refusedTags: PublishTag[] = [];

  constructor(channel: Channel) {
    this.channel = channel;
  }

  /** All up to this one, but for those that were refused. */
  confirmed(upTo: PublishTag): void {
    const count = upTo - this.toldUpTo;
    this.toldUpTo = upTo;
    if (count > this.takeRefused(upTo)) this.say(METHOD.BASIC_ACK, upTo, count > 1);
  }

  confirmedAlone(tag: PublishTag): void {
    this.say(METHOD.BASIC_ACK, tag, false);
  }

  refused(tag: PublishTag): void {
    this.refusedTags.push(tag);
    this.say(METHOD.BASIC_NACK, tag, false);
  }

  /** How many up to this one were refused. */
  private takeRefused(upTo: PublishTag): number {
    const before = this.refusedTags.length;
    if (before > 0) this.refusedTags = this.refusedTags.filter((tag) => tag > upTo);
    return before - this.refusedTags.length;
  }

  private say(method: number, tag: PublishTag, multiple: boolean): void {
    const { connection, number, isClosing } = this.channel;
    if (!isClosing) writeVerdict(connection.output, number, method, tag, multiple);
  }
}
