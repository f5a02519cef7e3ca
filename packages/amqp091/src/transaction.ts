import type { Message, Outcome, PublishTag, Refusal, Target } from '@chapar/core';
import { brokerError } from '@chapar/core';
import type { Channel } from './channel.js';

interface Publish {
  readonly targets: readonly Target[];
  readonly message: Message;
  readonly mandatory: boolean;
}

/**
 * What a transactional channel gathers until tx.commit (AMQP 0-9-1 §1.9): publishes and verdicts take effect together, and commit-ok is
 * sent when every message is committed by its queues. Atomic for each queue, as the specification asks.
 */
export class Transaction {
  private readonly channel: Channel;
  private publishes: Publish[] = [];
  /** By delivery tag, in the order given. */
  private verdicts = new Map<number, Outcome>();
  private done: { resolve(): void; reject(error: unknown): void } | null = null;
  private awaited: PublishTag = 0;
  private published: PublishTag = 0;
  private refusedCount = 0;
  private refusal: Refusal | null = null;

  constructor(channel: Channel) {
    this.channel = channel;
  }

  get publishCount(): number {
    return this.publishes.length;
  }

  get verdictCount(): number {
    return this.verdicts.size;
  }

  add(publish: Publish): void {
    this.channel.publisher.assertTakes(publish.targets[0]!, publish.message);
    publish.message.keep();
    this.publishes.push(publish);
  }

  /** True when the delivery has its verdict, which takes effect with the commit. */
  hasJudged(tag: number): boolean {
    return this.verdicts.has(tag);
  }

  /** As Consumption.settle: a delivery that has its verdict is held no longer, as long as the transaction is not rolled back. */
  settle(tag: number, multiple: boolean, outcome: Outcome): void {
    const { unsettled } = this.channel.consumption;
    const isHeld = unsettled.has(tag) && !this.hasJudged(tag);
    if (!isHeld && !(multiple && tag === 0)) throw brokerError('unknownDeliveryTag', { tag });
    const upTo = tag === 0 ? Number.POSITIVE_INFINITY : tag;
    const tags = multiple ? unsettled.heldUpTo(upTo) : [tag];
    for (const each of tags) if (!this.hasJudged(each)) this.verdicts.set(each, outcome);
  }

  rollback(): void {
    this.publishes = [];
    this.verdicts = new Map();
  }

  /** Resolves when everything published is committed; rejects with 406 when something was refused. */
  commit(): Promise<void> | undefined {
    const { publishes, verdicts } = this;
    this.rollback();
    const { consumption, publisher } = this.channel;
    this.refusedCount = 0;
    for (const { targets, message, mandatory } of publishes) {
      this.published++;
      if (targets.length === 1) publisher.publish(targets[0]!, message, mandatory, true);
      else publisher.publishMany(targets, message, mandatory, true);
    }
    // Behind the publishes, as the field does it: a consumer that they let go on takes the most important of all that waits.
    for (const [tag, outcome] of verdicts) consumption.settle(tag, false, outcome);
    if (publishes.length === 0) return undefined;
    this.awaited = this.published;
    return new Promise((resolve, reject) => {
      this.done = { resolve, reject };
    });
  }

  confirmed(upTo: PublishTag): void {
    if (upTo < this.awaited || this.done === null) return;
    const { done, refusedCount, refusal } = this;
    this.done = null;
    if (refusedCount === 0) done.resolve();
    else done.reject(brokerError('txRefused', { count: refusedCount, reason: refusal! }));
  }

  refused(why: Refusal): void {
    this.refusedCount++;
    this.refusal = why;
  }
}
