import {
  type Arguments,
  andThen,
  brokerError,
  type Consumer,
  type ConsumerActivity,
  type ConsumerView,
  type Delivery,
  type DeliverySink,
  type DetachReason,
  type Got,
  type Later,
  type Message,
  type Outcome,
  type SharedQueue,
  Window,
} from '@chapar/core';
import type { Channel } from './channel.js';
import { deliverPrefix, writeDeliver, writeGetOk } from './delivery-frames.js';
import { DirectReply } from './direct-reply.js';
import { Unsettled } from './unsettled.js';

/** A consumer of this channel. */
class ChannelConsumer implements ConsumerView {
  readonly consumer: Consumer;
  readonly prefetchCount: number;
  /** basic.deliver up to the delivery tag. */
  readonly prefix: Buffer;

  constructor(consumer: Consumer, prefetchCount: number) {
    this.consumer = consumer;
    this.prefetchCount = prefetchCount;
    this.prefix = deliverPrefix(consumer.spec.tag);
  }

  get tag(): string {
    return this.consumer.spec.tag;
  }

  get queue(): SharedQueue {
    return this.consumer.queue;
  }

  get acknowledges(): boolean {
    return this.consumer.spec.acknowledges;
  }

  get exclusive(): boolean {
    return this.consumer.spec.exclusive;
  }

  get priority(): number {
    return this.consumer.spec.priority;
  }

  get arguments(): Arguments {
    return this.consumer.spec.arguments;
  }

  get activity(): ConsumerActivity {
    return this.consumer.activity;
  }
}

/** What a peer asks for with basic.consume. */
export interface ConsumeWish {
  readonly tag: string;
  readonly acknowledges: boolean;
  readonly exclusive: boolean;
  readonly arguments: Arguments;
}

/** What a channel consumes: its consumers, what they hold by delivery tag, and the limits on that. AMQP 0-9-1 §1.8.3. */
export class Consumption implements DeliverySink {
  readonly unsettled = new Unsettled();
  reply: DirectReply | null = null;
  /** Of consumers to come; 0: no limit. */
  prefetch = 0;
  /** Of the channel; 0: no limit. */
  globalPrefetch = 0;
  deliveredCount = 0;
  acknowledgedCount = 0;
  private readonly channel: Channel;
  private readonly byTag = new Map<string, ChannelConsumer>();
  private readonly byConsumer = new Map<Consumer, ChannelConsumer>();
  /** Those who took with basic.get and hold, by queue. */
  private readonly getters = new Map<SharedQueue, Consumer>();
  private readonly window = new Window(Number.POSITIVE_INFINITY);
  private nextTag = 1;
  private lastDelivered: ChannelConsumer | null = null;
  private closed = false;
  private readonly isGone = (): boolean => this.closed;

  constructor(channel: Channel) {
    this.channel = channel;
  }

  // ---- consumers ---------------------------------------------------------------------------------------------------

  assertTagFree(tag: string): void {
    if (this.byTag.has(tag) || this.reply?.consumerTag === tag) throw brokerError('consumerTagReuse', { tag });
  }

  /** Attaches a consumer; nothing is delivered before `start`, so that consume-ok goes out first. Throws 403, 530. Null: the channel has gone meanwhile. */
  consume(queue: SharedQueue, wish: ConsumeWish): Later<(() => void) | null> {
    this.assertTagFree(wish.tag);
    const priority = wish.arguments['x-priority'];
    const spec = { ...wish, priority: typeof priority === 'number' ? priority : 0, window: this.window };
    const credit = this.prefetch === 0 ? Number.POSITIVE_INFINITY : this.prefetch;
    return andThen(queue.attach(spec, this, credit), (consumer) => this.attached(consumer, wish));
  }

  private attached(consumer: Consumer, wish: ConsumeWish): (() => void) | null {
    if (this.closed) {
      consumer.detach();
      return null;
    }
    const own = new ChannelConsumer(consumer, this.prefetch);
    this.byTag.set(wish.tag, own);
    this.byConsumer.set(consumer, own);
    return () => consumer.grant(own.prefetchCount === 0 ? Number.POSITIVE_INFINITY : own.prefetchCount);
  }

  /** Direct reply-to: replies come to this consumer without a queue. */
  consumeReplies(tag: string, secret: string): void {
    this.assertTagFree(tag);
    const prefix = deliverPrefix(tag);
    this.reply = new DirectReply(this.channel.actor.vhost, tag, secret, (message) => {
      // Without a queue there is nowhere to wait: a peer that does not read loses what comes.
      if (!this.closed && this.channel.connection.mayAnswer) this.write(prefix, message, false);
    });
  }

  /** basic.cancel; a tag that is not there is no error. What it held stays held. */
  cancel(tag: string): Later<void> {
    if (this.reply?.consumerTag === tag) {
      this.reply.close();
      this.reply = null;
      return;
    }
    const own = this.byTag.get(tag);
    if (own === undefined) return;
    this.forget(own);
    return own.consumer.stop();
  }

  private forget(own: ChannelConsumer): void {
    this.byTag.delete(own.tag);
    this.byConsumer.delete(own.consumer);
    if (this.lastDelivered === own) this.lastDelivered = null;
  }

  // ---- deliveries --------------------------------------------------------------------------------------------------

  deliver(consumer: Consumer, message: Message, redelivered: boolean, delivery: Delivery | null): boolean {
    let own = this.lastDelivered;
    if (own === null || own.consumer !== consumer) {
      own = this.byConsumer.get(consumer)!;
      this.lastDelivered = own;
    }
    const tag = this.write(own.prefix, message, redelivered);
    if (delivery !== null) this.unsettled.add(tag, delivery);
    return this.channel.connection.mayDeliverMore(this.channel);
  }

  private write(prefix: Buffer, message: Message, redelivered: boolean): number {
    const tag = this.nextTag++;
    this.deliveredCount++;
    const { output, frameBytesMax } = this.channel.connection;
    writeDeliver(output, this.channel.number, frameBytesMax, prefix, tag, redelivered, message);
    return tag;
  }

  /**
   * The queue is gone, or the consumer held messages too long: clients that understand it are told with basic.cancel. Of a timeout the
   * others hear by losing the channel, as they would wait for ever.
   */
  detached(consumer: Consumer, why: DetachReason): void {
    const own = this.byConsumer.get(consumer);
    if (own === undefined) return;
    this.forget(own);
    const { connection, number } = this.channel;
    const isTold = connection.clientHas('consumer_cancel_notify');
    if (why === 'consumer-timeout') this.sayTimedOut(own);
    if (isTold) this.channel.send({ name: 'basic.cancel', consumerTag: own.tag, noWait: true });
    else if (why === 'consumer-timeout') {
      const { name: queue, properties } = own.queue;
      const { vhost } = properties;
      this.channel.fail(brokerError('consumerTimeout', { channel: number, tag: own.tag, queue, vhost }), 0);
    }
  }

  private sayTimedOut({ queue, tag }: ChannelConsumer): void {
    const { connection, number } = this.channel;
    const { vhost } = queue.properties;
    connection.parts.log.warn(
      { peer: connection.name, channel: number, consumer: tag, queue: queue.name, vhost },
      'a consumer held messages longer than its consumer timeout allows: they are ready again, and it is cancelled',
    );
  }

  resume(): void {
    for (const { consumer } of this.byTag.values()) consumer.resume();
  }

  /** basic.get. */
  get(queue: SharedQueue, acknowledges: boolean): Later<void> {
    const got = queue.get(acknowledges ? this.getter(queue) : null, this.isGone);
    return andThen(got, (taken) => this.got(taken));
  }

  private got(got: Got | null): void {
    // The channel may have gone while the message was read: then nothing was taken.
    if (this.channel.isClosing) return;
    if (got === null) {
      this.channel.send({ name: 'basic.get-empty', clusterId: '' });
      return;
    }
    const tag = this.nextTag++;
    this.deliveredCount++;
    const { number, connection } = this.channel;
    const { output, frameBytesMax } = connection;
    writeGetOk(output, number, frameBytesMax, tag, got.redelivered, got.message, got.ready);
    if (got.delivery !== null) this.unsettled.add(tag, got.delivery);
  }

  private getter(queue: SharedQueue): Consumer {
    let getter = this.getters.get(queue);
    if (getter === undefined) {
      for (const known of this.getters.keys()) if (known.deleted) this.getters.delete(known);
      const spec = { tag: '', acknowledges: true, exclusive: false, priority: 0, arguments: {}, window: null };
      getter = queue.holder(spec, this);
      this.getters.set(queue, getter);
    }
    return getter;
  }

  // ---- verdicts ----------------------------------------------------------------------------------------------------

  /** ack, nack and reject of one tag, or of all up to it (0: all there are). Throws 406 for a tag that is not held. */
  settle(tag: number, multiple: boolean, outcome: Outcome): void {
    if (!multiple) {
      const delivery = this.unsettled.take(tag);
      if (delivery === null) throw brokerError('unknownDeliveryTag', { tag });
      this.settleOne(delivery, outcome);
      return;
    }
    if (tag !== 0 && !this.unsettled.has(tag)) throw brokerError('unknownDeliveryTag', { tag });
    for (const delivery of this.unsettled.takeUpTo(tag === 0 ? Number.POSITIVE_INFINITY : tag)) {
      this.settleOne(delivery, outcome);
    }
  }

  private settleOne(delivery: Delivery, outcome: Outcome): void {
    this.acknowledgedCount++;
    const { consumer } = delivery;
    consumer.settle(delivery, outcome);
    if (this.byConsumer.get(consumer)?.prefetchCount) consumer.grant(1);
  }

  /** basic.recover: all that the channel holds is ready again, but for what its transaction has judged. */
  recover(): void {
    const { transaction } = this.channel;
    for (const tag of this.unsettled.heldUpTo(Number.POSITIVE_INFINITY)) {
      if (transaction === null || !transaction.hasJudged(tag)) this.settleOne(this.unsettled.take(tag)!, 'release');
    }
  }

  // ---- limits ------------------------------------------------------------------------------------------------------

  /** basic.qos: for consumers to come, or with `global` for the channel as it is. */
  setPrefetch(count: number, global: boolean): void {
    if (global) {
      this.globalPrefetch = count;
      this.window.setLimit(count === 0 ? Number.POSITIVE_INFINITY : count);
    } else {
      this.prefetch = count;
    }
  }

  // ---- the end -----------------------------------------------------------------------------------------------------

  /** The channel is closing: consumers go, and what they held is ready again. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.reply?.close();
    this.reply = null;
    // Consumers first, or what one gives back would be delivered to the next one here.
    for (const { consumer } of this.byTag.values()) void consumer.stop();
    for (const delivery of this.unsettled.takeAll()) delivery.consumer.settle(delivery, 'release');
    this.byTag.clear();
    this.byConsumer.clear();
    this.getters.clear();
  }

  list(): Iterable<ConsumerView> {
    return this.byTag.values();
  }

  get consumerCount(): number {
    return this.byTag.size;
  }
}
