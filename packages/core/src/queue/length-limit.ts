import type { Message } from '../message.js';
import type { Overflow, QueueRules } from './rules.js';

/** What of a queue counts against its limits. */
export interface Fill {
  readonly readyCount: number;
  readonly readyBytes: number;
  /** What will be ready when it is committed; null: all is at once. */
  readonly arriving: { readonly count: number; readonly bytes: number } | null;
  /** Dead letters that their target does not take; null: there never was one. */
  readonly outbox: { readonly stuckCount: number; readonly stuckBytes: number } | null;
}

/** How much may wait in a queue, and what becomes of what is too much. What consumers hold does not count. */
export class LengthLimit {
  readonly overflow: Overflow;
  /** Publishes may be refused, so that those who want a confirm have to be told. */
  readonly mayRefuse: boolean;
  private readonly lengthMax: number;
  private readonly bytesMax: number;

  private constructor({ lengthMax, bytesMax, overflow, deadLetterExchange }: QueueRules) {
    this.lengthMax = lengthMax;
    this.bytesMax = bytesMax;
    this.overflow = overflow;
    this.mayRefuse = overflow !== 'drop-head' || deadLetterExchange !== null;
  }

  /** Null where there is none. */
  static of(rules: QueueRules): LengthLimit | null {
    const isUnlimited = rules.lengthMax === Number.POSITIVE_INFINITY && rules.bytesMax === Number.POSITIVE_INFINITY;
    return isUnlimited ? null : new LengthLimit(rules);
  }

  /**
   * The queue must not take this message: it has no room, or to make some it would drop more letters behind those that already fill
   * it and that nobody takes.
   */
  refuses({ readyCount, readyBytes, arriving, outbox }: Fill, message: Message): boolean {
    const { lengthMax, bytesMax } = this;
    const stuckCount = outbox === null ? 0 : outbox.stuckCount;
    const stuckBytes = outbox === null ? 0 : outbox.stuckBytes;
    if (this.overflow === 'drop-head') return stuckCount > 0 && (stuckCount >= lengthMax || stuckBytes >= bytesMax);
    const count = readyCount + (arriving === null ? 0 : arriving.count) + stuckCount;
    const bytes = readyBytes + (arriving === null ? 0 : arriving.bytes) + stuckBytes;
    return count >= lengthMax || bytes + message.bodyBytes > bytesMax;
  }

  /** The oldest has to go. */
  isExceeded({ readyCount, readyBytes }: Fill): boolean {
    return this.overflow === 'drop-head' && (readyCount > this.lengthMax || readyBytes > this.bytesMax);
  }
}
