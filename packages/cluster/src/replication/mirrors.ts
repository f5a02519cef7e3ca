import type { Incarnation } from '@chapar/core';
import type { LedQueue } from './led-queue.js';

/** This node's copies of mirrored queues: it follows, or leads, what the records say. */
export class Mirrors {
  /** This node leads a queue, which is open and held. */
  onLeads: ((led: LedQueue) => void) | null = null;
  /** It leads it no more. */
  onLeadsNoMore: ((led: LedQueue) => void) | null = null;
  private readonly reigns = new Map<Incarnation, LedQueue>();

  /** Null: this node does not lead it, or not yet. */
  led(incarnation: Incarnation): LedQueue | null {
    return this.reigns.get(incarnation) ?? null;
  }

  *allLed(): Iterable<LedQueue> {
    yield* this.reigns.values();
  }
}
