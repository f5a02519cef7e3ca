import type { PublishTag } from '@chapar/core';
import type { Channel } from './channel.js';
import { METHOD } from './codec/index.js';
import { writeVerdict } from './delivery-frames.js';

/** What a channel in confirm mode says of the messages published on it: basic.ack and basic.nack. */
export class Verdicts {
  private readonly channel: Channel;
  private toldUpTo: PublishTag = 0;

  constructor(channel: Channel) {
    this.channel = channel;
  }

  /** All up to this one that are not told yet; 0: nothing new. No refused one is among them (see ConfirmSink). */
  confirmed(newest: PublishTag): void {
    if (newest === 0) return;
    this.say(METHOD.BASIC_ACK, newest, newest > this.toldUpTo + 1);
    this.toldUpTo = newest;
  }

  confirmedAlone(tag: PublishTag): void {
    this.say(METHOD.BASIC_ACK, tag, false);
  }

  refused(tag: PublishTag): void {
    this.say(METHOD.BASIC_NACK, tag, false);
  }

  private say(method: number, tag: PublishTag, multiple: boolean): void {
    const { connection, number, isClosing } = this.channel;
    if (!isClosing) writeVerdict(connection.output, number, method, tag, multiple);
  }
}
