import {
  type ConfirmSink,
  Confirms,
  type Message,
  PublishSlot,
  type PublishTag,
  Queue,
  type Refusal,
  type SharedQueue,
  type Turn,
} from '@chapar/core';

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
 * Takes one peer's publishes to one queue of this node, each once, by their numbers: a peer that lost the link sends again what it has no
 * verdict on. Null as queue: it is gone, and with it all there was to lose.
 */
export class Intake implements ConfirmSink {
  /** The peer's name for the queue. */
  readonly number: number;
  queue: SharedQueue | null;
  private readonly sink: VerdictSink;
  private readonly confirms: Confirms;
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

  constructor(turn: Turn, number: number, queue: SharedQueue | null, sink: VerdictSink) {
    this.number = number;
    this.queue = queue;
    this.sink = sink;
    this.confirms = new Confirms(turn, this);
  }

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

  /** `wants`: somebody waits for its commit. */
  take(message: Message, wants: boolean): void {
    const sequence = this.cursor++;
    // It came already, over the link that broke.
    if (sequence <= this.taken) return;
    this.taken = sequence;
    const { confirms } = this;
    const tag = confirms.begin();
    // Where it is mirrored by now, its face.
    if (this.queue instanceof Queue && this.queue.succession.heir !== null) this.queue = this.queue.succession.heir;
    const queue = this.queue?.deleted === false ? this.queue : null;
    if (queue === null || !wants) {
      queue?.enqueue(message, null);
      confirms.confirm(tag);
      return;
    }
    confirms.await(tag);
    this.awaited = sequence;
    queue.enqueue(message, new PublishSlot(confirms, tag, 1));
  }

  /** Its queue is gone, and nothing waits. */
  get isIdle(): boolean {
    return this.queue?.deleted !== false && this.confirms.waitingCount === 0;
  }

  /** The link is there again: what was told may not have come. */
  retell(): void {
    for (const [sequence, why] of this.refusals) this.sink.refused(this, sequence, why);
    if (this.toldUpTo > 0) this.sink.verdict(this, this.toldUpTo, true);
  }

  // ---- verdicts --------------------------------------------------------------------------------------------------

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
