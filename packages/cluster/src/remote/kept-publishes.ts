import type { ConfirmSlot, Message, Provenance } from '@chapar/core';
import { Unanswered } from './unanswered.js';

/** What each costs beside its body, where they are counted. Bytes. */
const overheadBytes = 256;

const weightOf = (message: Message): number => message.bodyBytes + overheadBytes;

/** Told how many bytes of publishes are kept, more or fewer. */
export type Weigh = (bytes: number) => void;

/**
 * Publishes to a mirrored queue without a verdict: numbered for the life of this process, and kept so that whoever leads next gets them
 * again, in their order. Their confirms are given once, whichever leader answers.
 */
export class KeptPublishes extends Unanswered<Message> {
  private readonly weigh: Weigh;
  /** Of dead letters, by number: others may send them, too. */
  private readonly letters = new Map<number, Provenance>();

  constructor(weigh: Weigh) {
    super();
    this.weigh = weigh;
  }

  /** The number of the last one without a verdict that is not known by somebody else's; 0: all have one. */
  get lastKept(): number {
    for (let at = this.kept.length - 1; at >= this.first; at--) {
      const sequence = this.known + 1 + at - this.first;
      if (this.kept[at] !== null && !this.letters.has(sequence)) return sequence;
    }
    return 0;
  }

  /** Of those without a verdict that others may send, too. */
  get lettersKept(): IterableIterator<Provenance> {
    return this.letters.values();
  }

  /** Returns its number. `from`: of a dead letter. */
  push(message: Message, slot: ConfirmSlot | null, from?: Provenance): number {
    message.keep();
    this.add(message, slot);
    this.weigh(weightOf(message));
    if (from !== undefined) this.letters.set(this.sequence, from);
    return this.sequence;
  }

  protected letGo(message: Message, sequence: number): void {
    this.weigh(-weightOf(message));
    if (this.letters.size > 0) this.letters.delete(sequence);
  }

  /** Those that are still to be sent, in their order. */
  *all(): Iterable<readonly [sequence: number, message: Message, isAwaited: boolean, from: Provenance | undefined]> {
    for (let at = this.first; at < this.kept.length; at++) {
      const message = this.kept[at]!;
      const sequence = this.known + 1 + at - this.first;
      if (message !== null) yield [sequence, message, this.slots[at] !== null, this.letters.get(sequence)];
    }
  }
}
