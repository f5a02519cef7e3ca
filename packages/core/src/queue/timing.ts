import type { Turn } from '../turn.js';
import { ConsumerTimeout } from './consumer-timeout.js';
import { type ExpiringQueue, Expiry } from './expiry.js';
import type { Paging } from './paging.js';
import type { ReadyMessages } from './ready-messages.js';
import { type UnusableQueue, Unused } from './unused.js';

/** What a queue does because time passes. Each part is made when something asks for it, and costs nothing before. */
export class Timing {
  /** Null as long as no message here can expire. */
  expiry: Expiry | null = null;
  /** Null as long as consumers may hold messages for ever. */
  timeout: ConsumerTimeout | null = null;
  /** Null as long as the queue may be unused for ever. */
  private unused: Unused | null = null;
  private readonly turn: Turn;
  private readonly queue: ExpiringQueue & UnusableQueue;
  private readonly ready: ReadyMessages;
  private readonly paging: Paging;

  constructor(turn: Turn, queue: ExpiringQueue & UnusableQueue, ready: ReadyMessages, paging: Paging) {
    this.turn = turn;
    this.queue = queue;
    this.ready = ready;
    this.paging = paging;
    this.rulesChanged();
  }

  rulesChanged(): void {
    const { ttlMs, expiresMs, consumerTimeoutMs } = this.queue.rules;
    if (ttlMs !== Number.POSITIVE_INFINITY) this.mayExpire();
    if (expiresMs !== Number.POSITIVE_INFINITY) this.unused ??= new Unused(this.turn, this.queue);
    if (consumerTimeoutMs !== Number.POSITIVE_INFINITY) this.mayTimeOut();
    if (this.timeout !== null) for (const consumer of this.queue.consumers) this.timeout.holds(consumer);
    this.watchHead();
    this.used();
  }

  /** Messages may expire from now on. */
  mayExpire(): Expiry {
    this.expiry ??= new Expiry(this.turn, this.ready, this.queue);
    return this.expiry;
  }

  /** What consumers hold may be taken back from now on. */
  mayTimeOut(): ConsumerTimeout {
    this.timeout ??= new ConsumerTimeout(this.turn, this.queue);
    return this.timeout;
  }

  /** The oldest message may be another than it was, or was not looked at yet. */
  watchHead(): void {
    if (this.expiry === null) return;
    this.expiry.headChanged();
    // The oldest, and no more of it, unless that has expired.
    if (!this.ready.hasHead && !this.ready.isEmpty) this.paging.readOn(1);
  }

  /** Somebody uses the queue, or has just ceased to. */
  used(): void {
    this.unused?.used();
  }

  /** The queue is gone. */
  stop(): void {
    this.expiry?.stop();
    this.timeout?.stop();
    this.unused?.stop();
  }
}
