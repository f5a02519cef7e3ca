import type { Outcome } from '@chapar/core';
import { type ConsumerLife, consumerLife } from '../checks/facts.js';
import type { Delivered, Tiding } from '../cluster/traffic.js';
import { SimClient } from './client.js';

export interface ConsumerOptions {
  readonly queue: string;
  readonly acknowledges: boolean;
  readonly exclusive: boolean;
  /** 0: no limit. */
  readonly prefetch: number;
  /** How long it holds a message at most. Milliseconds. */
  readonly holdMs: number;
  /** Of 1: what it gives back, and what it rejects. */
  readonly releases: number;
  readonly rejects: number;
  /** Of 1, after each message: it cancels itself and consumes again. */
  readonly cancels: number;
}

export const consumerDefaults: Omit<ConsumerOptions, 'queue'> = {
  acknowledges: true,
  exclusive: false,
  prefetch: 10,
  holdMs: 20,
  releases: 0,
  rejects: 0,
  cancels: 0,
};

/** How long it holds a message at most when all is to be drained. Milliseconds. */
const drainHoldMs = 20;

/** Consumes from one queue, and settles each message after a while. */
export class ConsumerClient extends SimClient {
  readonly options: ConsumerOptions;
  /** The one that is attached, or about to be. */
  private consumer: ConsumerLife | null = null;
  /** All of this connection. */
  private readonly byTag = new Map<string, ConsumerLife>();
  private readonly holding = new Map<number, ConsumerLife>();
  private isDraining = false;
  private attachments = 0;
  received = 0;
  /** Cancelled by a node so many times. */
  cancellations = 0;

  constructor(options: ConsumerOptions, ...rest: ConstructorParameters<typeof SimClient>) {
    super(...rest);
    this.options = options;
  }

  /** From now on it accepts whatever it gets, soon, and stays. */
  settleAll(): void {
    this.isDraining = true;
  }

  protected async work(): Promise<void> {
    while (!this.isStopping) {
      if (this.consumer === null) await this.attach();
      await this.sleep(1_000);
      this.check();
    }
    // What it holds it settles before it goes.
    for (let waitedMs = 0; this.holding.size > 0 && this.isConnected && waitedMs < 1_000; waitedMs += 5)
      await this.wait(5);
  }

  private async attach(): Promise<void> {
    const { queue, acknowledges, exclusive, prefetch } = this.options;
    const { ledger } = this.world;
    const tag = `${this.name}#${++this.attachments}`;
    const life = ledger.queue(queue);
    const consumer = consumerLife(
      {
        name: `${tag}@${this.node}`,
        node: this.node,
        life,
        acknowledges,
        exclusive,
        prefetch: acknowledges ? prefetch : 0,
      },
      this.nowMs,
    );
    if (life !== null && !acknowledges) life.isLossy = true;
    this.consumer = consumer;
    this.byTag.set(tag, consumer);
    ledger.attaching(consumer);
    await this.ask({ kind: 'consume', tag, queue, acknowledges, exclusive, prefetch, arguments: {} });
    ledger.attached(consumer);
  }

  protected override lost(): void {
    for (const consumer of this.byTag.values()) this.world.ledger.detached(consumer);
    this.byTag.clear();
    this.holding.clear();
    this.consumer = null;
  }

  protected heard(tiding: Tiding): void {
    if (tiding.kind === 'deliver') this.take(tiding);
    else if (tiding.kind === 'cancelled') this.cancelled(tiding.tag, tiding.why);
  }

  /** Somebody else may be there alone, or the queue is between two lives. */
  protected override expects(key: string): boolean {
    if (key === 'queueNotFound') return this.world.ledger.churned.has(this.options.queue);
    return key === 'exclusiveConsumer';
  }

  private cancelled(tag: string, why: string): void {
    this.note(`cancelled: ${why}`);
    this.cancellations++;
    const consumer = this.byTag.get(tag);
    if (consumer === undefined) return;
    this.world.ledger.detached(consumer);
    for (const [deliveryTag, holder] of this.holding) if (holder === consumer) this.holding.delete(deliveryTag);
    if (this.consumer !== consumer) return;
    this.consumer = null;
    this.wake();
  }

  private take(delivered: Delivered): void {
    const consumer = this.byTag.get(delivered.tag)!;
    const { body, queue, redelivered, deliveryTag } = delivered;
    this.received++;
    this.note(`got ${body} from ${queue}${redelivered ? ' again' : ''}`);
    this.world.ledger.delivered(consumer, delivered);
    if (!this.options.acknowledges) return;
    this.holding.set(deliveryTag, consumer);
    const { holdMs } = this.options;
    const ms = this.isDraining ? Math.min(holdMs, drainHoldMs) : holdMs;
    this.world.scheduler.timer(this.random.unit() * ms, () => this.settle(consumer, deliveryTag, body));
  }

  private settle(consumer: ConsumerLife, deliveryTag: number, body: string): void {
    // Its connection may be gone, or the consumer cancelled by the node.
    if (this.holding.get(deliveryTag) !== consumer) return;
    this.holding.delete(deliveryTag);
    const outcome = this.outcome();
    this.note(`${outcome} ${body}`);
    this.world.ledger.settles(consumer, deliveryTag, outcome);
    this.send({ kind: 'settle', deliveryTag, outcome });
    // Whoever has to be alone might find somebody else there when it comes back.
    if (this.random.chance(this.options.cancels) && !this.isDraining) void this.again(consumer);
  }

  private outcome(): Outcome {
    if (this.isDraining) return 'accept';
    const { releases, rejects } = this.options;
    const drawn = this.random.unit();
    return drawn < releases ? 'release' : drawn < releases + rejects ? 'reject' : 'accept';
  }

  private async again(consumer: ConsumerLife): Promise<void> {
    if (this.consumer !== consumer || consumer.isLeaving) return;
    consumer.isLeaving = true;
    try {
      await this.ask({ kind: 'cancel', tag: consumer.name.split('@')[0]! });
    } catch {
      // The connection is gone, which `work` hears of too.
      return;
    }
    this.world.ledger.stopped(consumer);
    if (this.consumer === consumer) this.consumer = null;
    this.wake();
  }
}
