import type { Message, Outcome, PublishTag, Refusal, Target } from '@chapar/core';
import { brokerError } from '@chapar/core';
import type { Channel } from './channel.js';

interface Publish {
  readonly targets: readonly Target[];
  readonly message: Message;
  readonly mandatory: boolean;
}

interface Verdict {
  readonly tag: number;
  readonly multiple: boolean;
  readonly outcome: Outcome;
}

/**
 * What a transactional channel gathers until tx.commit (AMQP 0-9-1 §1.9): publishes and verdicts take effect together, and commit-ok is
 * sent when every message is committed by its queues. Atomic for each queue, as the specification asks.
 */
export class Transaction {
  private readonly channel: Channel;
  private publishes: Publish[] = [];
  private verdicts: Verdict[] = [];
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
    return this.verdicts.length;
  }

  add(publish: Publish): void {
    publish.message.keep();
    this.publishes.push(publish);
  }

  settle(tag: number, multiple: boolean, outcome: Outcome): void {
    const { consumption } = this.channel;
    if (multiple) consumption.assertMultiple(tag);
    else if (!consumption.unsettled.has(tag)) throw brokerError('unknownDeliveryTag', { tag });
    this.verdicts.push({ tag, multiple, outcome });
  }

  rollback(): void {
    this.publishes = [];
    this.verdicts = [];
  }

  /** Resolves when everything published is committed; rejects with 406 when something was refused. */
  commit(): Promise<void> | undefined {
    const { publishes, verdicts } = this;
    this.rollback();
    const { consumption, publisher } = this.channel;
    for (const { tag, multiple, outcome } of verdicts) {
      // A tag that an earlier verdict of the transaction took along is settled already.
      if (tag === 0 || consumption.unsettled.has(tag)) consumption.settle(tag, multiple, outcome);
    }
    if (publishes.length === 0) return undefined;
    this.refusedCount = 0;
    for (const { targets, message, mandatory } of publishes) {
      this.published++;
      if (targets.length === 1) publisher.publish(targets[0]!, message, mandatory, true);
      else publisher.publishMany(targets, message, mandatory, true);
    }
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
