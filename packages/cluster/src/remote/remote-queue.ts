import {
  brokerError,
  type ConfirmSlot,
  type Consumer,
  type ConsumerSpec,
  type DeliverySink,
  type EffectivePolicy,
  type Got,
  type JsonValue,
  type Later,
  type Message,
  noPolicy,
  type Provenance,
  type QueueCounts,
  type QueueProperties,
  type QueueRules,
  rulesOf,
  type SharedQueue,
} from '@chapar/core';
import { referenceTo } from '../peer/queue-reference.js';
import type { MirroredQueue } from './mirrored-queue.js';
import { PublishLine } from './publish-stream.js';
import type { RemoteConsumer } from './remote-consumer.js';
import type { RemoteHome } from './remote-home.js';

/** Lets the owner of an exclusive queue be forgotten with the queue. */
const nobody = {};

/** A queue that lives on another node. What doors ask of it is asked of its home, in their order; publishes travel beside. */
export class RemoteQueue implements SharedQueue {
  readonly name: string;
  readonly incarnation: string;
  readonly logs: boolean;
  /** Whoever wants to know hears of every message: the way to the queue may fail, whatever the queue is. */
  readonly mayRefuse = true;
  readonly number: number;
  readonly line: PublishLine;
  /** The node where it lives, as this node reaches it. */
  readonly host: RemoteHome;
  properties: QueueProperties;
  deleted = false;
  /** Stands in its place since it is mirrored. */
  heir: MirroredQueue | null = null;
  policy: EffectivePolicy = noPolicy;
  rules: QueueRules;
  private readonly introduction = () => {
    return { ...referenceTo(this), revision: this.host.revisionOf(this) };
  };

  constructor(host: RemoteHome, number: number, properties: QueueProperties) {
    this.host = host;
    this.number = number;
    this.line = new PublishLine(number);
    this.properties = properties;
    this.name = properties.name;
    this.incarnation = properties.incarnation;
    this.logs = properties.durable && properties.owner === null;
    this.rules = rulesOf(properties.arguments);
  }

  get home(): string {
    return this.host.node;
  }

  applyPolicy(policy: EffectivePolicy): void {
    this.policy = policy;
    this.rules = rulesOf(this.properties.arguments, policy.definition);
  }

  assertReachable(): void {
    if (!this.host.isReachable) throw this.unreachable();
  }

  /** What is said of a queue whose home is gone, or out of this node's reach. */
  unreachable(): Error {
    const { name, vhost, durable } = this.properties;
    return brokerError('queueHomeDown', {
      node: this.host.node,
      kind: durable ? 'durable queue' : 'queue',
      queue: name,
      vhost,
    });
  }

  // ---- publish ---------------------------------------------------------------------------------------------------

  enqueue(message: Message, slot: ConfirmSlot | null, from?: Provenance): void {
    if (this.heir !== null) this.heir.enqueue(message, slot, from);
    else if (this.deleted) slot?.committed();
    else if (this.host.mayPublish) this.host.publishes.publish(this.line, this.introduction, message, slot);
    else slot?.refused('node-down');
  }

  // ---- asked of its home -----------------------------------------------------------------------------------------

  /** The home notes it when it is asked for counts, as every declaration does. */
  used(): void {}

  counts(): Promise<QueueCounts> {
    return this.ask('counts') as Promise<QueueCounts>;
  }

  purge(): Promise<number> {
    return this.ask('purge') as Promise<number>;
  }

  /** Asks its home, behind what was published here before; see `questions`. Rejects with BrokerError. */
  ask(kind: string, body: JsonValue = null): Promise<unknown> {
    return this.host.ask(this, kind, body);
  }

  attach(spec: ConsumerSpec, sink: DeliverySink, credit = 0): Promise<Consumer> {
    return this.host.attach(this, spec, sink, credit);
  }

  holder(spec: ConsumerSpec, sink: DeliverySink): Consumer {
    return this.host.holder(this, spec, sink);
  }

  get(holder: Consumer | null, isGone: () => boolean = () => false): Later<Got | null> {
    if (isGone()) return null;
    return this.host.get(this, holder as RemoteConsumer | null, isGone);
  }

  // ---- the end ---------------------------------------------------------------------------------------------------

  /** As a local one: consumers are told, what they hold is void, confirms that wait are given. */
  delete(): void {
    if (this.deleted) return;
    this.deleted = true;
    if (this.properties.owner !== null) this.properties = { ...this.properties, owner: nobody };
    this.host.queueGone(this);
  }
}
