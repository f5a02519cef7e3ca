import type { PublishTag } from '@chapar/core';

const idBits = 0xffff;
const exactlyOnceBit = 0x1_0000;
const reasonShift = 17;

/**
 * What is owed to a client for its publishes, in their order: a number for each tag of its `Publisher`, with packet identifier, QoS and
 * reason code in it. Answers go out in the order in which the messages came. [MQTT-4.6.0-2]
 */
export class Acknowledgements {
  private owed: number[] = [];
  private first = 0;
  /** The tag of `owed[first]`. */
  private firstTag: PublishTag = 1;

  /** Of the next tag. `packetId` 0: nothing is said for it. */
  push(packetId: number, exactlyOnce: boolean, reason: number): void {
    this.owed.push(packetId | (exactlyOnce ? exactlyOnceBit : 0) | (reason << reasonShift));
  }

  /** What is to be said of the last one, unless it was refused at once. */
  sayOfLast(reason: number): void {
    const at = this.owed.length - 1;
    if (this.owed[at]! >>> reasonShift === 0) this.owed[at]! |= reason << reasonShift;
  }

  /** The message of this tag was not taken, or what belongs to it: what has no answer of its own is told with the next that has. */
  refuse(tag: PublishTag, reason: number): void {
    let at = this.first + tag - this.firstTag;
    while ((this.owed[at]! & idBits) === 0 && at + 1 < this.owed.length) at++;
    this.owed[at] = (this.owed[at]! & (idBits | exactlyOnceBit)) | (reason << reasonShift);
  }

  /** Takes those up to a tag, in order. */
  take(upTo: PublishTag, answer: (packetId: number, exactlyOnce: boolean, reason: number) => void): void {
    for (; this.firstTag <= upTo; this.firstTag++) {
      const owed = this.owed[this.first++]!;
      if ((owed & idBits) === 0) continue;
      const exactlyOnce = (owed & exactlyOnceBit) !== 0;
      answer(owed & idBits, exactlyOnce, owed >>> reasonShift);
    }
    if (this.first === this.owed.length) {
      this.owed.length = 0;
      this.first = 0;
    } else if (this.first > 1024 && this.first * 2 > this.owed.length) {
      this.owed = this.owed.slice(this.first);
      this.first = 0;
    }
  }

  get count(): number {
    return this.owed.length - this.first;
  }
}
