import { amqp091Dialect } from '@chapar/amqp091';
import { ClusterNode, type SimPeers, type SimTransport } from '@chapar/cluster';
import {
  type Actor,
  Address,
  Broker,
  type ConfirmSink,
  type Consumer,
  type ConsumerSpec,
  type Delivery,
  type DeliverySink,
  DIALECT_AMQP091,
  type LogStore,
  Message,
  type NodeLimits,
  Publisher,
  type QueueWish,
  type Refusal,
} from '@chapar/core';
import { SimUsers } from '../protocol/sim-users.js';
import type { SimMember } from './sim-members.js';

const limits: NodeLimits = {
  connectionsMax: Number.POSITIVE_INFINITY,
  channelsMax: 2047,
  frameBytesMax: 131_072,
  heartbeatSeconds: 60,
  handshakeSeconds: 10,
  messageBytesMax: 16 * 1024 * 1024,
  unsentBytesMax: 512 * 1024,
  stalledSeconds: 60,
};

export const peerPort = 25672;

/** What a test puts in the place of something. */
export interface SimBrokerParts {
  readonly logs?: (under: LogStore) => LogStore;
  /** Called before the broker opens. */
  readonly prepare?: (node: ClusterNode) => void;
}

/** A broker of a simulated cluster, as far as its core. */
export class SimBroker {
  readonly member: SimMember;
  readonly node: ClusterNode;
  readonly broker: Broker;
  readonly transport: SimTransport;
  readonly users: SimUsers;

  private constructor(member: SimMember, node: ClusterNode, broker: Broker, transport: SimTransport, users: SimUsers) {
    this.member = member;
    this.node = node;
    this.broker = broker;
    this.transport = transport;
    this.users = users;
  }

  /** Agrees with etcd, registers, opens the broker and reaches for the others. */
  static async start(member: SimMember, peers: SimPeers, parts: SimBrokerParts = {}): Promise<SimBroker> {
    const opening = (async () => {
      const { platform, name } = member;
      const { clock, random, log } = platform;
      const membership = await member.begin();
      const transport = peers.transport(name);
      const node = new ClusterNode({
        membership,
        transport,
        clock,
        random,
        log,
        secret: 'secret',
        leaseSeconds: 10,
        known: new Set(),
      });
      await node.listen(name, peerPort);
      await membership.register();
      const users = new SimUsers();
      users.add('guest', { tags: ['administrator'] });
      const broker = new Broker({
        platform,
        metadata: node.metadata,
        logs: parts.logs?.(member.store.logs) ?? member.store.logs,
        users,
        authenticator: users,
        authorizer: null,
        identity: {
          node: name,
          clusterName: 'sim',
          product: 'Chapar',
          productVersion: '4.1.0',
          version: '0.1.0',
        },
        limits,
        residence: node.residence,
      });
      broker.dialects.add(amqp091Dialect);
      node.attach(broker);
      parts.prepare?.(node);
      await broker.open();
      await node.begin();
      await broker.permissions.set('/', 'guest', { configure: '.*', write: '.*', read: '.*' });
      return new SimBroker(member, node, broker, transport, users);
    })();
    return member.settle(opening);
  }

  get name(): string {
    return this.member.name;
  }

  client(): Promise<SimClient> {
    return this.settle(SimClient.enter(this));
  }

  settle<T>(promise: Promise<T>): Promise<T> {
    return this.member.settle(promise);
  }

  /** The process dies. */
  kill(): void {
    this.transport.close();
    this.member.kill();
  }
}

/** Somebody who is connected to one node, without a protocol. */
export class SimClient implements ConfirmSink, DeliverySink {
  readonly at: SimBroker;
  readonly actor: Actor;
  readonly publisher: Publisher;
  readonly confirms = new Set<number>();
  readonly refusals: [tag: number, why: Refusal][] = [];
  readonly returnedBodies: string[] = [];
  readonly got: { body: string; redelivered: boolean; delivery: Delivery | null; consumer: Consumer }[] = [];
  readonly ended: string[] = [];
  private published = 0;

  private constructor(at: SimBroker, actor: Actor) {
    this.at = at;
    this.actor = actor;
    this.publisher = new Publisher(actor, at.broker.turn, this);
  }

  static async enter(at: SimBroker): Promise<SimClient> {
    const principal = { user: 'guest', tags: ['administrator'], backend: 'internal' };
    return new SimClient(at, await at.broker.enter(principal, '/', {}));
  }

  async declare(name: string, more: Partial<QueueWish> = {}) {
    const wish = { name, durable: true, exclusive: false, autoDelete: false, arguments: {}, ...more };
    return this.at.settle(Promise.resolve(this.actor.declareQueue(wish)));
  }

  async bind(source: string, destination: string, routingKey: string): Promise<void> {
    const request = { source, kind: 'queue', destination, routingKey, arguments: {} } as const;
    await this.at.settle(Promise.resolve(this.actor.bind(request)));
  }

  /** Returns the tag, where confirms are wanted. */
  async publish(exchange: string, key: string, body: string, { confirms = true, persistent = true } = {}) {
    const target = await this.publisher.target(exchange, key);
    const bytes = Buffer.concat([Buffer.from([0, 0]), Buffer.from(body)]);
    const message = new Message(
      target.address,
      DIALECT_AMQP091,
      persistent,
      -1,
      -1,
      bytes,
      0,
      2,
      2,
      bytes.length,
      null,
      bytes.length - 2,
    );
    this.publisher.publish(target, message, true, confirms);
    return ++this.published;
  }

  async consume(queue: string, credit = Number.POSITIVE_INFINITY, more: Partial<ConsumerSpec> = {}): Promise<Consumer> {
    const spec: ConsumerSpec = {
      tag: 'c',
      acknowledges: true,
      exclusive: false,
      priority: 0,
      arguments: {},
      window: null,
      ...more,
    };
    const found = await this.at.settle(Promise.resolve(this.actor.readQueue(queue)));
    const consumer = await this.at.settle(Promise.resolve(found.attach(spec, this)));
    consumer.grant(credit);
    return consumer;
  }

  get bodies(): string[] {
    return this.got.map(({ body }) => body);
  }

  deliver(consumer: Consumer, message: Message, redelivered: boolean, delivery: Delivery | null): boolean {
    this.got.push({ body: message.body().toString(), redelivered, delivery, consumer });
    return true;
  }

  detached(_consumer: Consumer, why: string): void {
    this.ended.push(why);
  }

  confirmed(upTo: number): void {
    for (let tag = 1; tag <= upTo; tag++) if (!this.refusals.some(([each]) => each === tag)) this.confirms.add(tag);
  }

  confirmedAlone(tag: number): void {
    this.confirms.add(tag);
  }

  refused(tag: number, why: Refusal): void {
    this.refusals.push([tag, why]);
  }

  returned(message: Message): void {
    this.returnedBodies.push(message.body().toString());
  }
}

export const addressOf = (name: string): Address => new Address('', name);
