import {
  type Actor,
  type Address,
  andThen,
  BrokerError,
  brokerError,
  type ConfirmSink,
  type Consumer,
  type Delivery,
  type DeliverySink,
  type DetachReason,
  DIALECT_AMQP091,
  type Flushable,
  type Later,
  Message,
  PHASE_WRITE,
  Publisher,
  type PublishTag,
  type Refusal,
  type SharedQueue,
  type Target,
} from '@chapar/core';
import type { SimRandom } from '@chapar/platform';
import type { Cable, CableDoor } from './cable.js';
import type { RunningNode } from './running-node.js';
import type { Request, Tiding } from './traffic.js';

/** How often a pipe is full, of 1, and for how long. */
const fullShare = 0.01;
const fullMs = 5;

/** Properties of AMQP 0-9-1 without any of them. */
const noProperties = Buffer.from([0, 0]);

/** One connection with one channel, as the door of AMQP 0-9-1 would have it, over the core's own handles. */
export class SimDoor implements CableDoor, ConfirmSink, DeliverySink, Flushable {
  private readonly node: RunningNode;
  private readonly cable: Cable;
  private readonly random: SimRandom;
  private readonly actor: Actor;
  private readonly publisher: Publisher;
  private readonly targets = new Map<string, Target>();
  private readonly consumers = new Map<string, { readonly consumer: Consumer; readonly prefetch: number }>();
  private readonly getters = new Map<SharedQueue, Consumer>();
  private readonly unsettled = new Map<number, Delivery>();
  private nextTag = 1;
  /** Requests that wait: for a decision that takes time, or for the end of an alarm. */
  private readonly waiting: Request[] = [];
  /** Publishes of the transaction that is open. */
  private held: (Request & { readonly kind: 'publish' })[] = [];
  /** The one that is being committed: its last publish, and what is called when all have their verdicts. */
  private committing: { readonly upTo: PublishTag; readonly done: () => void } | null = null;
  private published: PublishTag = 0;
  private refusedCount = 0;
  private refusal: Refusal | null = null;
  private isBusy = false;
  private isClosed = false;
  private out: Tiding[] = [];

  constructor(node: RunningNode, cable: Cable, random: SimRandom) {
    this.node = node;
    this.cable = cable;
    this.random = random;
    const principal = { user: 'guest', tags: [], backend: 'internal' };
    // Permissions are asked of one who answers at once.
    this.actor = node.broker.enter(principal, '/', this) as Actor;
    this.publisher = new Publisher(this.actor, node.broker.turn, this);
    cable.open(this);
    this.say({ kind: 'opened' });
  }

  // -- from the cable ------------------------------------------------------------------------------------------------

  received(requests: readonly Request[]): void {
    for (const request of requests) {
      // A heartbeat is the connection's, and waits for no channel.
      if (request.kind === 'ping') this.answer(request.re, 0);
      else this.waiting.push(request);
    }
    this.goOn();
  }

  ended(): void {
    this.close();
  }

  /** Alarms were raised or cleared. */
  goOn(): void {
    while (!this.isBusy && !this.isClosed && this.waiting.length > 0) {
      if (this.waiting[0]!.kind === 'publish' && this.node.broker.alarms.isRaised) return;
      const request = this.waiting.shift()!;
      const done = this.attempt(request);
      if (!(done instanceof Promise)) continue;
      this.isBusy = true;
      void done.then(() => {
        this.isBusy = false;
        this.goOn();
      });
    }
  }

  private attempt(request: Request): Later<void> {
    try {
      const done = this.perform(request);
      return done instanceof Promise ? done.catch((error: unknown) => this.fail(request, error)) : done;
    } catch (error) {
      return this.fail(request, error);
    }
  }

  /** As a channel error, which here takes the connection with it. */
  private fail(request: Request, error: unknown): void {
    if (this.isClosed) return;
    const isPeers = error instanceof BrokerError && error.key !== 'internal';
    if (!isPeers) this.node.fault(`a fault of ours at ${JSON.stringify(request)}`, error);
    const re = 're' in request ? request.re : 0;
    const text = error instanceof Error ? error.message : String(error);
    this.say({ kind: 'failed', re, key: isPeers ? error.key : 'internal', text });
    this.endOfTurn();
    this.hangUp(text);
  }

  private perform(request: Request): Later<void> {
    const { actor } = this;
    switch (request.kind) {
      case 'publish':
        if (request.isHeld) {
          this.held.push(request);
          return;
        }
        return andThen(this.target(request.exchange, request.routingKey), (target) => this.publish(target, request));
      case 'commit':
        return this.commit(request.re);
      case 'settle':
        return this.settle(request.deliveryTag, request.outcome);
      case 'ping':
        return this.answer(request.re, 0);
      case 'declare-queue':
        return andThen(actor.declareQueue(request), ({ name }) => this.answer(request.re, name));
      case 'find-queue':
        return andThen(actor.findDeclared(request.name).counts(), ({ ready }) => this.answer(request.re, ready));
      case 'delete-queue':
        return andThen(actor.deleteQueue(request.name, { ifUnused: false, ifEmpty: false }), (count) =>
          this.answer(request.re, count),
        );
      case 'purge-queue':
        return andThen(actor.purgeQueue(request.name), (count) => this.answer(request.re, count));
      case 'declare-exchange': {
        const wish = { ...request, durable: true, autoDelete: false, internal: false, arguments: {} };
        return andThen(actor.declareExchange(wish), () => this.answer(request.re, request.name));
      }
      case 'bind':
      case 'unbind': {
        const { exchange: source, queue: destination, routingKey, kind } = request;
        const binding = { source, kind: 'queue', destination, routingKey, arguments: {} } as const;
        return andThen(actor[kind](binding), () => this.answer(request.re, 0));
      }
      case 'consume':
        return andThen(actor.readQueue(request.queue), (queue) => this.consume(queue, request));
      case 'cancel':
        return this.cancel(request.tag, request.re);
      case 'get':
        return andThen(actor.readQueue(request.queue), (queue) => this.get(queue, request.re));
    }
  }

  // -- publishing ----------------------------------------------------------------------------------------------------

  private target(exchange: string, routingKey: string): Later<Target> {
    const known = this.targets.get(`${exchange}\n${routingKey}`);
    if (known !== undefined && this.publisher.isCurrent(known)) return known;
    return andThen(this.publisher.target(exchange, routingKey), (target) => {
      this.targets.set(`${exchange}\n${routingKey}`, target);
      return target;
    });
  }

  private publish(target: Target, request: Request & { readonly kind: 'publish' }): void {
    if (this.isClosed) return;
    const bytes = Buffer.concat([noProperties, Buffer.from(request.body)]);
    const { length } = bytes;
    const { address } = target;
    const { persistent, priority, mandatory, expirationMs } = request;
    const message = new Message(
      address,
      DIALECT_AMQP091,
      persistent,
      priority,
      expirationMs,
      bytes,
      0,
      2,
      2,
      length,
      null,
      length - 2,
    );
    this.publisher.publish(target, message, mandatory, true);
    this.published++;
  }

  /** As a transactional channel does it: what was held is published in one go, and the answer comes when all of it has its verdict. */
  private async commit(re: number): Promise<void> {
    const { held } = this;
    this.held = [];
    const targets: Target[] = [];
    for (const { exchange, routingKey } of held) targets.push(await this.target(exchange, routingKey));
    if (this.isClosed || held.length === 0) return this.answer(re, 0);
    this.refusedCount = 0;
    for (const [i, request] of held.entries()) this.publish(targets[i]!, request);
    await new Promise<void>((done) => {
      this.committing = { upTo: this.published, done };
    });
    this.committing = null;
    if (this.isClosed) return;
    if (this.refusedCount > 0) throw brokerError('txRefused', { count: this.refusedCount, reason: this.refusal! });
    this.answer(re, 0);
  }

  confirmed(upTo: PublishTag, newest: PublishTag): void {
    if (this.committing !== null) {
      if (upTo >= this.committing.upTo) this.committing.done();
      return;
    }
    if (newest !== 0) this.say({ kind: 'ack', tag: newest, multiple: true });
  }

  confirmedAlone(tag: PublishTag): void {
    if (this.committing !== null) return;
    this.say({ kind: 'ack', tag, multiple: false });
  }

  refused(tag: PublishTag, why: Refusal): void {
    if (this.committing !== null) {
      this.refusedCount++;
      this.refusal = why;
      return;
    }
    this.say({ kind: 'nack', tag, why });
  }

  returned(message: Message, _address: Address): void {
    this.say({ kind: 'returned', body: message.body().toString() });
  }

  // -- consuming -----------------------------------------------------------------------------------------------------

  private consume(queue: SharedQueue, request: Request & { readonly kind: 'consume' }): Later<void> {
    if (this.isClosed) return;
    const { tag, acknowledges, exclusive, prefetch, arguments: args, re } = request;
    const priority = typeof args['x-priority'] === 'number' ? args['x-priority'] : 0;
    const spec = { tag, acknowledges, exclusive, priority, arguments: args, window: null };
    const credit = prefetch === 0 ? Number.POSITIVE_INFINITY : prefetch;
    return andThen(queue.attach(spec, this, credit), (consumer) => {
      if (this.isClosed) return consumer.detach();
      this.consumers.set(tag, { consumer, prefetch });
      this.answer(re, tag);
      consumer.grant(credit);
    });
  }

  private cancel(tag: string, re: number): Later<void> {
    const own = this.consumers.get(tag);
    this.consumers.delete(tag);
    return andThen(own?.consumer.stop(), () => this.answer(re, 0));
  }

  deliver(consumer: Consumer, message: Message, redelivered: boolean, delivery: Delivery | null): boolean {
    const { spec, queue } = consumer;
    const deliveryTag = this.hold(delivery);
    const body = message.body().toString();
    const sentMs = this.nowMs;
    this.say({ kind: 'deliver', tag: spec.tag, queue: queue.name, deliveryTag, redelivered, sentMs, body });
    if (!this.random.chance(fullShare)) return true;
    this.node.platform.clock.after(fullMs, () => consumer.resume());
    return false;
  }

  detached(consumer: Consumer, why: DetachReason): void {
    const { tag } = consumer.spec;
    if (this.consumers.get(tag)?.consumer !== consumer) return;
    this.consumers.delete(tag);
    this.say({ kind: 'cancelled', tag, why });
  }

  private get(queue: SharedQueue, re: number): Later<void> {
    if (this.isClosed) return;
    let getter = this.getters.get(queue);
    if (getter === undefined) {
      const spec = { tag: '', acknowledges: true, exclusive: false, priority: 0, arguments: {}, window: null };
      getter = queue.holder(spec, this);
      this.getters.set(queue, getter);
    }
    return andThen(
      queue.get(getter, () => this.isClosed),
      (got) => {
        if (this.isClosed) return;
        if (got === null) return this.answer(re, 'empty');
        const { message, redelivered, delivery } = got;
        const body = message.body().toString();
        this.say({
          kind: 'got',
          re,
          tag: '',
          queue: queue.name,
          deliveryTag: this.hold(delivery),
          redelivered,
          sentMs: this.nowMs,
          body,
        });
      },
    );
  }

  private get nowMs(): number {
    return this.node.platform.world.scheduler.nowMs;
  }

  private hold(delivery: Delivery | null): number {
    const tag = this.nextTag++;
    if (delivery !== null) this.unsettled.set(tag, delivery);
    return tag;
  }

  private settle(deliveryTag: number, outcome: 'accept' | 'release' | 'reject'): void {
    const delivery = this.unsettled.get(deliveryTag);
    if (delivery === undefined) throw new Error(`delivery ${deliveryTag} is not held`);
    this.unsettled.delete(deliveryTag);
    const { consumer } = delivery;
    consumer.settle(delivery, outcome);
    const own = this.consumers.get(consumer.spec.tag);
    if (own?.consumer === consumer && own.prefetch > 0) consumer.grant(1);
  }

  // -- to the client -------------------------------------------------------------------------------------------------

  private answer(re: number, value: string | number): void {
    this.say({ kind: 'answer', re, value });
  }

  private say(tiding: Tiding): void {
    if (this.isClosed) return;
    if (this.out.length === 0) this.node.broker.turn.add(PHASE_WRITE, this);
    this.out.push(tiding);
  }

  endOfTurn(): void {
    const { out } = this;
    this.out = [];
    if (out.length > 0) this.cable.tell(out);
  }

  /** This node ends the connection. */
  hangUp(reason: string): void {
    this.close();
    this.cable.close(reason);
  }

  private close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.committing?.done();
    this.waiting.length = 0;
    // Consumers first, or what one gives back would be delivered to the next one here.
    for (const { consumer } of this.consumers.values()) void consumer.stop();
    for (const delivery of this.unsettled.values()) delivery.consumer.settle(delivery, 'release');
    this.consumers.clear();
    this.unsettled.clear();
    this.actor.leave();
    this.node.forget(this);
  }
}
