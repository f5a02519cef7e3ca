import {
  type ConfirmSink,
  Confirms,
  type Flushable,
  type Message,
  PHASE_DECIDE,
  PublishSlot,
  type PublishTag,
  type Refusal,
  type Turn,
} from '@chapar/core';
import type { LedQueue } from '../replication/led-queue.js';
import type { Origin } from '../replication/origins.js';
import type { VerdictSink } from './intake.js';

/**
 * Takes one node's publishes to a mirrored queue that this node leads. What was sent to another leader before comes again and is known by its
 * origin and number; what becomes of it is told when it is certain.
 */
export class LineIntake implements ConfirmSink, Flushable {
  /** The line's. */
  readonly number: number;
  private readonly led: LedQueue;
  private readonly origin: Origin;
  private readonly sink: VerdictSink;
  private readonly turn: Turn;
  private readonly confirms: Confirms;
  /** The number before the first that `confirms` counts. */
  private base = -1;
  private taken = 0;
  /** Number of the next publish in the frame that is being read. */
  private cursor = 0;
  private low = 0;
  private toldUpTo = 0;
  /** The last whose commit somebody waits for. */
  private awaited = 0;
  private readonly refusals = new Map<number, Refusal>();
  /** The log has these, from another leader's time or an earlier line. */
  private held: PublishTag[] = [];
  /** One was left out: all that follow would overtake it. */
  private isSpoiled = false;

  constructor(turn: Turn, number: number, led: LedQueue, origin: Origin, sink: VerdictSink) {
    this.turn = turn;
    this.number = number;
    this.led = led;
    this.origin = origin;
    this.sink = sink;
    this.confirms = new Confirms(turn, this);
  }

  /** Publishes from `sequence` on follow; the origin knows what became of all up to `known`. */
  use(sequence: number, known: number): void {
    this.cursor = sequence;
    this.low = known;
    if (this.isSpoiled) return;
    if (this.base === -1) this.base = this.taken = sequence - 1;
    for (const refused of this.refusals.keys()) {
      if (refused > known) break;
      this.refusals.delete(refused);
    }
    // Those that the origin gave up never come.
    while (this.taken < sequence - 1) {
      this.taken++;
      this.confirms.confirm(this.confirms.begin());
    }
  }

  /** `wants`: somebody waits for its commit. */
  take(message: Message, wants: boolean): void {
    const { led, confirms } = this;
    const sequence = this.cursor++;
    // It came already, over the link that broke.
    if (sequence <= this.taken || this.isSpoiled) return;
    if (led.isOver || led.isFenced) {
      this.isSpoiled = true;
      return;
    }
    this.taken = sequence;
    const tag = confirms.begin();
    if (wants) this.awaited = sequence;
    const verdict = led.verdict(this.origin, sequence);
    if (verdict === 'new') this.bring(message, tag, sequence);
    else if (verdict === 'held') this.hold(tag);
    else if (verdict === 'refused') confirms.refuse(tag, 'node-down');
    else confirms.confirm(tag);
  }

  private bring(message: Message, tag: PublishTag, sequence: number): void {
    const { led, confirms, origin, low } = this;
    if (led.isShort) {
      confirms.refuse(tag, 'not-enough-copies');
      return;
    }
    confirms.await(tag);
    led.from({ origin, sequence, low });
    (led.shard ?? led.queue).enqueue(message, new PublishSlot(confirms, tag, 1));
  }

  private hold(tag: PublishTag): void {
    this.confirms.await(tag);
    this.held.push(tag);
    if (this.held.length === 1) this.turn.add(PHASE_DECIDE, this);
  }

  endOfTurn(): void {
    const { held, confirms } = this;
    this.held = [];
    this.led.whenCommitted(() => {
      for (const tag of held) confirms.confirm(tag);
    });
  }

  /** The link is there again: what was told may not have come. */
  retell(): void {
    for (const [sequence, why] of this.refusals) this.sink.refused(this, sequence, why);
    if (this.toldUpTo > 0) this.sink.verdict(this, this.toldUpTo, true);
  }

  // ---- verdicts ----------------------------------------------------------------------------------------------------

  confirmed(upTo: PublishTag): void {
    const isAwaited = this.awaited > this.toldUpTo;
    this.toldUpTo = this.base + upTo;
    this.sink.verdict(this, this.toldUpTo, isAwaited);
  }

  /** The origin hears of it with those before. */
  confirmedAlone(): void {}

  refused(tag: PublishTag, why: Refusal): void {
    const sequence = this.base + tag;
    this.refusals.set(sequence, why);
    this.sink.refused(this, sequence, why);
  }

  /** Routing was the origin's. */
  returned(): void {}
}
