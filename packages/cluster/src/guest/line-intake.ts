import { type Flushable, type Message, PHASE_DECIDE, type PublishTag, type Turn } from '@chapar/core';
import type { LedQueue } from '../replication/led-queue.js';
import type { Origin, Provenance } from '../replication/origins.js';
import { type VerdictSink, Verdicts } from './verdicts.js';

/**
 * Takes one node's publishes to a mirrored queue that this node leads. What was sent to another leader before comes again and is known by its
 * origin and number; what becomes of it is told when it is certain.
 */
export class LineIntake implements Flushable {
  readonly verdicts: Verdicts;
  private readonly led: LedQueue;
  private readonly origin: Origin;
  private readonly turn: Turn;
  private low = 0;
  /** The next one is this dead letter: it may come from others as well, and is known by where it died. */
  private letter: Provenance | null = null;
  /** The log has these, from another leader's time or an earlier line. */
  private held: PublishTag[] = [];
  /** One was left out: all that follow would overtake it. */
  private isSpoiled = false;

  constructor(turn: Turn, number: number, led: LedQueue, origin: Origin, sink: VerdictSink) {
    this.turn = turn;
    this.led = led;
    this.origin = origin;
    this.verdicts = new Verdicts(turn, number, sink);
  }

  /** Publishes from `sequence` on follow; the origin knows what became of all up to `known`. */
  use(sequence: number, known: number): void {
    this.low = known;
    if (!this.isSpoiled) this.verdicts.use(sequence, known);
  }

  expect(letter: Provenance): void {
    this.letter = letter;
  }

  /** `wants`: somebody waits for its commit. */
  take(message: Message, wants: boolean): void {
    const { led, verdicts, letter } = this;
    this.letter = null;
    const sequence = this.isSpoiled ? 0 : verdicts.next();
    if (sequence === 0) return;
    if (led.isOver || led.isFenced) {
      this.isSpoiled = true;
      return;
    }
    const tag = verdicts.begin(sequence, wants);
    const from = letter ?? { origin: this.origin, sequence, low: this.low };
    const verdict = led.verdict(from.origin, from.sequence);
    if (verdict === 'new') this.bring(message, tag, from);
    else if (verdict === 'held') this.hold(tag);
    else if (verdict === 'refused') verdicts.confirms.refuse(tag, 'node-down');
    else verdicts.confirms.confirm(tag);
  }

  private bring(message: Message, tag: PublishTag, from: Provenance): void {
    const { led, verdicts } = this;
    if (led.isShort) {
      verdicts.confirms.refuse(tag, 'not-enough-copies');
      return;
    }
    if (led.shard?.mayTake(message) === false) {
      verdicts.confirms.refuse(tag, 'node-down');
      return;
    }
    const slot = verdicts.slot(tag);
    led.from(from);
    (led.shard ?? led.queue).enqueue(message, slot);
  }

  private hold(tag: PublishTag): void {
    this.verdicts.confirms.await(tag);
    this.held.push(tag);
    if (this.held.length === 1) this.turn.add(PHASE_DECIDE, this);
  }

  endOfTurn(): void {
    const { held, verdicts } = this;
    this.held = [];
    this.led.whenCommitted(() => {
      for (const tag of held) verdicts.confirms.confirm(tag);
    });
  }
}
