import type { ConfirmSlot, Message, Provenance, Refusal } from '@chapar/core';

/** What each costs beside its body, where they are counted. Bytes. */
const overheadBytes = 256;

const weightOf = (message: Message): number => message.bodyBytes + overheadBytes;

/** Told how many bytes of publishes are kept, more or fewer. */
export type Weigh = (bytes: number) => void;

/**
 * Publishes to a mirrored queue without a verdict: numbered from 1 for the life of this process, and kept so that whoever leads next gets
 * them again, in their order. Their confirms are given once, whichever leader answers.
 */
export class KeptPublishes {
  /** The last number given. */
  sequence = 0;
  /** What became of all up to here is known. */
  known = 0;
  private readonly weigh: Weigh;
  /** From `known` + 1 on. A null message: refused, and never sent again. */
  private messages: (Message | null)[] = [];
  private slots: (ConfirmSlot | null)[] = [];
  private first = 0;
  /** Of dead letters, by number: others may send them, too. */
  private readonly letters = new Map<number, Provenance>();

  constructor(weigh: Weigh) {
    this.weigh = weigh;
  }

  get count(): number {
    return this.messages.length - this.first;
  }

  /** The number of the last one without a verdict; 0: all have one. */
  get lastKept(): number {
    for (let at = this.messages.length - 1; at >= this.first; at--)
      if (this.messages[at] !== null) return this.known + 1 + at - this.first;
    return 0;
  }

  /** Returns its number. `from`: of a dead letter. */
  push(message: Message, slot: ConfirmSlot | null, from?: Provenance): number {
    message.keep();
    this.messages.push(message);
    this.slots.push(slot);
    this.weigh(weightOf(message));
    this.sequence++;
    if (from !== undefined) this.letters.set(this.sequence, from);
    return this.sequence;
  }

  /** The leader will never have this one. Told before a verdict that covers it. */
  refused(sequence: number, why: Refusal): void {
    if (sequence <= this.known || sequence > this.sequence) return;
    const at = this.first + sequence - this.known - 1;
    const slot = this.slots[at] ?? null;
    this.drop(at);
    this.letters.delete(sequence);
    slot?.refused(why);
  }

  private drop(at: number): void {
    const message = this.messages[at] ?? null;
    if (message !== null) this.weigh(-weightOf(message));
    this.messages[at] = this.slots[at] = null;
  }

  /** All up to this one have their verdicts. */
  settled(upTo: number): void {
    while (this.known < upTo && this.count > 0) {
      const at = this.first++;
      this.known++;
      const slot = this.slots[at]!;
      this.drop(at);
      if (this.letters.size > 0) this.letters.delete(this.known);
      slot?.committed();
    }
    this.tidy();
  }

  private tidy(): void {
    const { first } = this;
    if (first < this.messages.length && (first < 1024 || first * 2 < this.messages.length)) return;
    this.messages = this.messages.slice(first);
    this.slots = this.slots.slice(first);
    this.first = 0;
  }

  /** None of them is sent again. `why` null: the queue is gone, and nothing was lost with it. */
  giveUp(why: Refusal | null): void {
    const slots = this.slots.slice(this.first);
    for (let at = this.first; at < this.messages.length; at++) this.drop(at);
    this.messages = [];
    this.slots = [];
    this.letters.clear();
    this.first = 0;
    this.known = this.sequence;
    for (const slot of slots) {
      if (why === null) slot?.committed();
      else slot?.refused(why);
    }
  }

  /** Those that are still to be sent, in their order. */
  *all(): Iterable<readonly [sequence: number, message: Message, isAwaited: boolean, from: Provenance | undefined]> {
    for (let at = this.first; at < this.messages.length; at++) {
      const message = this.messages[at]!;
      const sequence = this.known + 1 + at - this.first;
      if (message !== null) yield [sequence, message, this.slots[at] !== null, this.letters.get(sequence)];
    }
  }
}
