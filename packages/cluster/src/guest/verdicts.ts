import { type ConfirmSink, Confirms, PublishSlot, type PublishTag, type Refusal, type Turn } from '@chapar/core';

/** What takes a peer's publishes to one queue, by the peer's number for it. */
export interface NumberedIntake {
  readonly number: number;
}

/** Told what a peer's publishes to one queue came to. */
export interface VerdictSink {
  /** `isAwaited`: somebody waits for one of those that it newly covers. */
  verdict(intake: NumberedIntake, upTo: number, isAwaited: boolean): void;
  refused(intake: NumberedIntake, sequence: number, why: Refusal): void;
}

/**
 * Which of one peer's publishes to one queue have come, each once, and what they came to: told in the peer's numbers, as far as all have
 * their verdict. A peer that lost the link sends again what it has no verdict on, and is told again.
 */
export class Verdicts implements ConfirmSink, NumberedIntake {
  /** The peer's name for the queue. */
  readonly number: number;
  readonly confirms: Confirms;
  private readonly sink: VerdictSink;
  /** The number before the first that `confirms` counts. */
  private base = -1;
  /** Taken so far. */
  private taken = 0;
  /** Number of the next publish in the frame that is being read. */
  private cursor = 0;
  /** There are verdicts up to here. */
  private toldUpTo = 0;
  /** The last whose commit somebody waits for. */
  private awaited = 0;
  /** Refused ones of which the peer may not know, by number. */
  private readonly refusals = new Map<number, Refusal>();

  constructor(turn: Turn, number: number, sink: VerdictSink) {
    this.number = number;
    this.sink = sink;
    this.confirms = new Confirms(turn, this);
  }

  // ---- what comes --------------------------------------------------------------------------------------------------

  /** Publishes from `sequence` on follow; the peer knows the verdicts of all up to `known`. */
  use(sequence: number, known: number): void {
    this.cursor = sequence;
    if (this.base === -1) this.base = this.taken = sequence - 1;
    for (const refused of this.refusals.keys()) {
      if (refused > known) break;
      this.refusals.delete(refused);
    }
    // Those that the peer gave up never come.
    while (this.taken < sequence - 1) {
      this.taken++;
      this.confirms.confirm(this.confirms.begin());
    }
  }

  /** The number of the next publish; 0: it came already, over the link that broke. */
  next(): number {
    const sequence = this.cursor++;
    return sequence <= this.taken ? 0 : sequence;
  }

  /** It is taken, and gets its verdict by this tag of `confirms`. `isAwaited`: somebody waits for its commit. */
  begin(sequence: number, isAwaited: boolean): PublishTag {
    this.taken = sequence;
    if (isAwaited) this.awaited = sequence;
    return this.confirms.begin();
  }

  /** Its verdict is a queue's, in a later turn. */
  slot(tag: PublishTag): PublishSlot {
    this.confirms.await(tag);
    return new PublishSlot(this.confirms, tag, 1);
  }

  // ---- what is told ------------------------------------------------------------------------------------------------

  /** The link is there again: what was told may not have come. */
  retell(): void {
    for (const [sequence, why] of this.refusals) this.sink.refused(this, sequence, why);
    if (this.toldUpTo > 0) this.sink.verdict(this, this.toldUpTo, true);
  }

  confirmed(upTo: PublishTag): void {
    const isAwaited = this.awaited > this.toldUpTo;
    this.toldUpTo = this.base + upTo;
    this.sink.verdict(this, this.toldUpTo, isAwaited);
  }

  /** The peer hears of it with those before. */
  confirmedAlone(): void {}

  refused(tag: PublishTag, why: Refusal): void {
    const sequence = this.base + tag;
    this.refusals.set(sequence, why);
    this.sink.refused(this, sequence, why);
  }

  /** Routing was the peer's. */
  returned(): void {}
}
