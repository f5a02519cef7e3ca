import type { Copy } from './copies.js';
import { type ConsumerLife, isExcused, type Published } from './facts.js';
import type { Troubles } from './troubles.js';

/** What one consumer holds and has seen. */
interface Hands {
  /** The node said so. */
  isAttached: boolean;
  readonly held: Map<number, Copy>;
  /** The last of each stream of publishes. */
  readonly ordinals: Map<string, number>;
}

/** The rules on consumers: credit, order, who may be served beside whom. */
export class Consumption {
  private readonly hands = new Map<ConsumerLife, Hands>();
  private readonly now: () => number;
  private readonly troubles: Troubles;
  private readonly violation: (text: string) => void;

  constructor(now: () => number, troubles: Troubles, violation: (text: string) => void) {
    this.now = now;
    this.troubles = troubles;
    this.violation = violation;
  }

  attaching(consumer: ConsumerLife): void {
    this.hands.set(consumer, { isAttached: false, held: new Map(), ordinals: new Map() });
  }

  attached(consumer: ConsumerLife): void {
    const own = this.hands.get(consumer);
    // Its connection is gone again.
    if (own === undefined) return;
    own.isAttached = true;
    for (const [other, { isAttached }] of this.hands) {
      if (!isAttached || other === consumer || other.isLeaving || other.life !== consumer.life) continue;
      if (!other.exclusive && !consumer.exclusive) continue;
      if (this.mayBeGone(other)) continue;
      this.violation(`${consumer.name} consumes beside ${other.name}, and one of them is exclusive`);
    }
  }

  detached(consumer: ConsumerLife): void {
    const ms = this.now();
    consumer.endedMs ??= ms;
    for (const copy of this.hands.get(consumer)?.held.values() ?? []) {
      if (copy.holder?.by === consumer) copy.holder = null;
    }
    this.hands.delete(consumer);
  }

  delivered(consumer: ConsumerLife, deliveryTag: number, copy: Copy, sentMs: number): void {
    const hands = this.hands.get(consumer);
    if (hands === undefined || consumer.isStopped) {
      this.violation(`${consumer.name} got ${copy.message} after it was cancelled`);
      return;
    }
    consumer.lastMs = this.now();
    consumer.lastSentMs = sentMs;
    if (consumer.acknowledges) hands.held.set(deliveryTag, copy);
    const { prefetch, life } = consumer;
    if (prefetch > 0 && hands.held.size > prefetch) {
      this.violation(`${consumer.name} holds ${hands.held.size} messages, its prefetch is ${prefetch}`);
    }
    if (life?.isSingleActive && consumer.kind === 'consumer') this.checkSingleActive(consumer);
  }

  private checkSingleActive(consumer: ConsumerLife): void {
    const { life } = consumer;
    const active = life!.active;
    // What was sent to it before the other one was served comes late.
    if (consumer.isLeaving || consumer.lastSentMs < (active?.lastSentMs ?? 0)) return;
    life!.active = consumer;
    if (active === null || active === consumer || active.isLeaving || this.mayBeGone(active)) return;
    this.violation(`${consumer.name} is served while ${active.name} is the active consumer of ${life!.name}`);
  }

  /** Its client has heard nothing yet, but its node or the queue's may have let it go. */
  private mayBeGone(consumer: ConsumerLife): boolean {
    const handling = { by: consumer, sentMs: 0, fromMs: consumer.lastMs, toMs: null, outcome: null };
    return isExcused(this.troubles, handling, this.now());
  }

  inOrder(consumer: ConsumerLife, { stream: own, priority, ordinal, message }: Published): void {
    const ordinals = this.hands.get(consumer)?.ordinals;
    if (ordinals === undefined) return;
    const stream = priority === 0 ? own : `${own} of priority ${priority}`;
    const last = ordinals.get(stream) ?? 0;
    if (ordinal <= last)
      this.violation(`${consumer.name} got ${message}, the ${ordinal}th of ${stream}, after the ${last}th`);
    ordinals.set(stream, Math.max(last, ordinal));
  }

  /** Null: it was cancelled meanwhile, and the verdict is void. */
  settles(consumer: ConsumerLife, deliveryTag: number): Copy | null {
    const held = this.hands.get(consumer)?.held;
    const copy = held?.get(deliveryTag) ?? null;
    held?.delete(deliveryTag);
    return copy;
  }
}
