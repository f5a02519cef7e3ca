import type { Log, Random } from '@chapar/platform';
import type { Alarms } from '../alarms.js';
import { type Arguments, noArguments } from '../arguments.js';
import { DeadLetterRouter } from '../dead-letter/router.js';
import { DelayedMessages } from '../delayed/delayed-messages.js';
import type { Dialects } from '../dialect.js';
import type { EffectivePolicy } from '../policy/effective-policy.js';
import { Policies } from '../policy/policies.js';
import type {
  Incarnation,
  LogStore,
  MetadataEvent,
  MetadataStore,
  QueueLog,
  RecoveredQueue,
  Revision,
} from '../ports.js';
import { metadataKeyParts } from '../ports.js';
import { BufferlessQueue } from '../queue/bufferless-queue.js';
import type { Memory } from '../queue/memory.js';
import { Persist } from '../queue/persist.js';
import { Queue } from '../queue/queue.js';
import type { QueueHandle } from '../queue/queue-handle.js';
import type { QueueProperties } from '../queue/queue-properties.js';
import type { SharedQueue } from '../queue/shared-queue.js';
import { type Binding, bindingKey, bindingPropertiesKey, type Destination } from '../routing/binding.js';
import { Exchange, type ExchangeProperties } from '../routing/exchange.js';
import { exchangeTypes } from '../routing/exchange-types.js';
import type { Turn } from '../turn.js';
import { applyPolicyChange, exchangeSubject, type NamedQueue, queueSubject } from './policies.js';
import { argumentsNotHonouredYet } from './queue-arguments.js';
import type { BindingRecord, ExchangeRecord, QueueRecord, VirtualHostRecord } from './records.js';
import type { Residence } from './residence.js';
import { VirtualHost } from './virtual-host.js';

/** The exchanges that every virtual host has. They need no record: their incarnation is their name. */
const predeclared: readonly (readonly [name: string, type: string, internal: boolean])[] = [
  ['', 'direct', false],
  ['amq.direct', 'direct', false],
  ['amq.fanout', 'fanout', false],
  ['amq.topic', 'topic', false],
  ['amq.headers', 'headers', false],
  ['amq.match', 'headers', false],
  ['amq.rabbitmq.trace', 'topic', true],
];

export interface TopologyParts {
  readonly metadata: MetadataStore;
  readonly logs: LogStore;
  readonly turn: Turn;
  readonly dialects: Dialects;
  readonly random: Random;
  readonly log: Log;
  readonly alarms: Alarms;
  /** Of the queues' backlogs; default: all of them stay in memory. */
  readonly memory?: Memory;
  /** Default: none. */
  readonly policies?: Policies;
  /** Default: this node is alone. */
  readonly residence?: Residence | null;
}

/**
 * Virtual hosts, exchanges, queues and bindings as this node sees them. What is durable changes by metadata events only, the rest at
 * once; both end in the same few methods here. Operations with their rules stand beside this (`declare`, `bind`, `remove`).
 */
export class Topology {
  readonly vhosts = new Map<string, VirtualHost>();
  readonly parts: TopologyParts;
  /** Called when a virtual host went, after its queues did. */
  onVirtualHostDeleted: ((vhost: VirtualHost) => void) | null = null;
  /** Called when an exchange that deletes itself lost its last binding, or a queue its last consumer. */
  onExchangeUnused: ((vhost: VirtualHost, exchange: Exchange) => void) | null = null;
  onQueueUnused: ((vhost: VirtualHost, queue: Queue) => void) | null = null;
  /** Null: this node is alone. */
  readonly residence: Residence | null;
  /** At which revision a record in metadata was changed last, by what it describes. */
  private readonly revisions = new WeakMap<Exchange | SharedQueue, Revision>();
  private readonly policies: Policies;
  private readonly persist: Persist;
  private readonly recovered = new Map<string, RecoveredQueue>();
  /** How far queues were delivered that were mirrored in this life of the node, until it leads them for the first time. */
  private readonly delivered = new Map<Incarnation, Pick<RecoveredQueue, 'deliveredUpTo' | 'deliveredByLevel'>>();
  private readonly saidNotHonoured = new Set<string>();

  constructor(parts: TopologyParts) {
    this.parts = parts;
    this.residence = parts.residence ?? null;
    this.persist = new Persist(parts.turn, parts.logs);
    this.policies = parts.policies ?? new Policies(parts.log, this.residence !== null);
    this.policies.onChanged = (name, change) => {
      const vhost = this.vhosts.get(name);
      if (vhost !== undefined) applyPolicyChange(this.policies, vhost, change);
    };
  }

  /** Builds what metadata holds, with the messages that recovery found, and follows its changes from there. */
  async open(recovered: readonly RecoveredQueue[]): Promise<void> {
    for (const queue of recovered) this.recovered.set(queue.incarnation, queue);
    for (const prefix of ['vhosts/', 'exchanges/', 'queues/', 'bindings/']) {
      const { revision, entries } = await this.parts.metadata.load(prefix);
      this.apply(entries);
      this.parts.metadata.watch(prefix, revision, (events) => this.apply(events));
    }
    this.dropStrangers();
    for (const vhost of this.vhosts.values())
      for (const queue of vhost.localQueues()) {
        // Those that are led begin when they are told to.
        if (!queue.isMirrored) queue.opened();
      }
  }

  /** Messages of queues that metadata does not have. */
  private dropStrangers(): void {
    const { log, logs } = this.parts;
    for (const [incarnation, { count }] of this.recovered) {
      if (this.residence !== null && !this.residence.hasKnown(incarnation)) {
        log.warn({ incarnation, messages: count }, 'messages of a queue that this cluster does not know are set aside');
        continue;
      }
      log.warn({ incarnation, messages: count }, 'messages of a deleted queue were dropped');
      logs.remove(incarnation);
    }
    this.recovered.clear();
  }

  /** At which revision the record of an exchange or queue was changed last; 0: there is none. */
  revisionOf(what: Exchange | SharedQueue): Revision {
    return this.revisions.get(what) ?? 0;
  }

  // ---- metadata events -----------------------------------------------------------------------------------------

  private apply(events: readonly MetadataEvent[]): void {
    for (const event of events) {
      const [kind, vhostName, ...rest] = metadataKeyParts(event.key) as [string, string, ...string[]];
      if (kind === 'vhosts') {
        this.applyVirtualHost(vhostName, event.value as VirtualHostRecord | undefined);
        continue;
      }
      const vhost = this.vhosts.get(vhostName);
      if (vhost === undefined) continue;
      const { value, revision } = event;
      if (kind === 'exchanges') this.applyExchange(vhost, rest[0]!, value as ExchangeRecord | undefined, revision);
      else if (kind === 'queues') this.applyQueue(vhost, rest[0]!, value as QueueRecord | undefined, revision);
      else this.applyBinding(vhost, rest, value as BindingRecord | undefined, revision);
    }
  }

  private applyVirtualHost(name: string, record: VirtualHostRecord | undefined): void {
    const existing = this.vhosts.get(name);
    if (record === undefined) {
      if (existing !== undefined) this.dropVirtualHost(existing);
      return;
    }
    if (existing !== undefined) {
      existing.properties = record;
      return;
    }
    const { dialects, log } = this.parts;
    const vhost = new VirtualHost(name, record, dialects);
    vhost.deadLetterRouter = new DeadLetterRouter(vhost, dialects, log);
    const { residence } = this;
    if (residence !== null) vhost.directElsewhere = (routingKey) => residence.directEnd(vhost, routingKey);
    this.vhosts.set(name, vhost);
    for (const [exchange, type, internal] of predeclared) {
      this.addExchange(vhost, type, {
        name: exchange,
        vhost: name,
        durable: true,
        autoDelete: false,
        internal,
        arguments: noArguments,
        incarnation: exchange,
      });
    }
  }

  private applyExchange(
    vhost: VirtualHost,
    name: string,
    record: ExchangeRecord | undefined,
    revision: Revision,
  ): void {
    const existing = vhost.exchanges.get(name);
    if (existing !== undefined) {
      const isKnown = this.revisionOf(existing) > 0;
      // The end of a stored one whose name another one has by now.
      if (record === undefined && !isKnown) return;
      if (existing.properties.incarnation === record?.incarnation) {
        this.revisions.set(existing, revision);
        return;
      }
      this.dropExchange(vhost, existing);
    }
    if (record === undefined) return;
    const { type, transient, ...properties } = record;
    const added = this.addExchange(vhost, type, {
      ...properties,
      name,
      vhost: vhost.name,
      durable: transient !== true,
    });
    if (added !== null) this.revisions.set(added, revision);
  }

  private applyQueue(vhost: VirtualHost, name: string, record: QueueRecord | undefined, revision: Revision): void {
    const existing = vhost.queues.get(name);
    if (existing !== undefined) {
      // As with exchanges; dropping a queue for an event that tells nothing new would lose its messages.
      if (record === undefined && this.revisionOf(existing) === 0) return;
      if (existing.incarnation === record?.incarnation) {
        this.revisions.set(existing, revision);
        if (record.mirrored === true) this.mirror(vhost, existing, revision);
        return;
      }
      this.dropQueue(vhost, existing);
    }
    if (record === undefined) return;
    const { residence } = this;
    const { home, mirrored, ...rest } = record;
    const properties = { ...rest, name, vhost: vhost.name, durable: true, owner: null };
    let added: SharedQueue;
    if (residence !== null && mirrored === true) {
      // It may have been mirrored in a moment in which this node died: then its log goes on as the copy here.
      this.recovered.delete(properties.incarnation);
      added = this.addShared(vhost, residence.face(properties));
      this.sayNotHonoured(properties.arguments);
    } else if (residence === null || home === undefined || home === residence.here)
      added = this.addQueue(vhost, properties);
    else added = this.addShared(vhost, residence.elsewhere(properties, home));
    this.revisions.set(added, revision);
  }

  /** A queue that lived in one place has copies from now on. Its face stands in its place, and has its bindings. */
  private mirror(vhost: VirtualHost, queue: SharedQueue, revision: Revision): void {
    const face = this.residence?.succeeded(queue) ?? null;
    if (face === null) return;
    this.addShared(vhost, face);
    this.revisions.set(face, revision);
    const bindings = vhost.queueBindings.get(queue);
    vhost.queueBindings.delete(queue);
    if (bindings !== undefined) vhost.queueBindings.set(face, bindings);
    for (const { destination } of bindings ?? []) if (destination.kind === 'queue') destination.queue = face;
    if (!(queue instanceof Queue)) return;
    const { incarnation, deliveredUpTo, deliveredByLevel } = queue;
    this.delivered.set(incarnation, { deliveredUpTo, deliveredByLevel });
    queue.succession.begin(face);
  }

  private applyBinding(
    vhost: VirtualHost,
    rest: string[],
    record: BindingRecord | undefined,
    revision: Revision,
  ): void {
    const [sourceName, kind, destinationName, identity] = rest as [string, 'queue' | 'exchange', string, string];
    const source = vhost.exchanges.get(sourceName);
    if (source === undefined) return;
    const [routingKey, args] = JSON.parse(identity) as [string, Arguments];
    const existing = source.bindings.get(bindingKey(kind, destinationName, routingKey, args));
    if (record === undefined) {
      if (existing !== undefined && existing.revision > 0) this.dropBinding(vhost, existing);
      return;
    }
    if (source.properties.incarnation !== record.sourceIncarnation) return;
    const destination = findDestination(vhost, kind, destinationName, record.destinationIncarnation);
    if (destination === null) return;
    if (existing !== undefined) existing.revision = revision;
    else this.addBinding(vhost, source, destination, routingKey, record.arguments, revision);
  }

  // ---- what exists ---------------------------------------------------------------------------------------------

  addExchange(vhost: VirtualHost, typeName: string, properties: ExchangeProperties): Exchange | null {
    const type = exchangeTypes.get(typeName);
    if (type === undefined) {
      this.parts.log.error(
        { exchange: properties.name, type: typeName },
        'an exchange of a type that this version does not know was left out',
      );
      return null;
    }
    const exchange = new Exchange(properties, type, this.parts.random);
    exchange.policy = this.policies.of(vhost.name, exchangeSubject(exchange));
    if (type.delays) exchange.delayed = this.delayedMessages(vhost, exchange);
    vhost.exchanges.set(exchange.name, exchange);
    vhost.version++;
    return exchange;
  }

  private delayedMessages(vhost: VirtualHost, exchange: Exchange): DelayedMessages {
    const { turn, dialects, logs } = this.parts;
    const { incarnation, durable } = exchange.properties;
    const delayed = new DelayedMessages({
      incarnation,
      turn,
      dialects,
      persist: this.persist,
      log: durable ? logs.log(incarnation) : null,
      route: (message, routingKeys) => vhost.routeDue(exchange, message, routingKeys),
    });
    delayed.onLogFailed = (error) => this.logFailed(error);
    const recovered = this.takeRecovered(incarnation);
    if (recovered !== undefined) delayed.recover(recovered);
    return delayed;
  }

  dropExchange(vhost: VirtualHost, exchange: Exchange): void {
    if (vhost.exchanges.get(exchange.name) !== exchange) return;
    vhost.exchanges.delete(exchange.name);
    vhost.version++;
    this.dropDelayed(exchange);
    for (const binding of [...exchange.inbound]) this.dropBinding(vhost, binding);
    for (const binding of [...exchange.bindings.values()]) this.forgetBinding(vhost, binding);
  }

  private dropDelayed({ delayed }: Exchange): void {
    if (delayed === null) return;
    delayed.delete();
    if (delayed.logs) this.parts.logs.remove(delayed.incarnation);
  }

  addQueue(vhost: VirtualHost, properties: QueueProperties): Queue {
    const { turn, logs } = this.parts;
    const log = isStored(properties) ? logs.log(properties.incarnation) : null;
    const queue = new Queue(turn, this.persist, properties, log, this.parts.memory);
    queue.deadLetterRouter = vhost.deadLetterRouter;
    const recovered = this.takeRecovered(properties.incarnation);
    this.addShared(vhost, queue);
    if (recovered !== undefined) queue.recover(recovered);
    this.listenTo(vhost, queue);
    this.sayNotHonoured(properties.arguments);
    if (!isStored(properties)) this.residence?.queueAdded(queue);
    return queue;
  }

  private listenTo(vhost: VirtualHost, queue: Queue): void {
    queue.onLogFailed = (error) => this.logFailed(error);
    if (queue.properties.autoDelete) queue.onUnused = () => this.onQueueUnused?.(vhost, queue);
    queue.onExpired = () => this.onQueueUnused?.(vhost, queue);
  }

  /**
   * This node leads a mirrored queue from now on: opens it over its log, with what is committed. It is held until it begins. Its face
   * stands among the virtual host's queues already.
   */
  lead(vhost: VirtualHost, properties: QueueProperties, log: QueueLog, found: RecoveredQueue | null): Queue {
    const queue = new Queue(this.parts.turn, this.persist, properties, log, this.parts.memory);
    queue.deadLetterRouter = vhost.deadLetterRouter;
    queue.applyPolicy(this.policyOf(queue));
    const delivered = this.delivered.get(queue.incarnation);
    this.delivered.delete(queue.incarnation);
    if (found !== null) queue.recover({ ...found, ...delivered });
    this.listenTo(vhost, queue);
    vhost.led.get(queue.name)?.dissolve();
    vhost.led.set(queue.name, queue);
    return queue;
  }

  /** It leads the queue no more. */
  unlead(queue: Queue): void {
    const led = this.vhosts.get(queue.properties.vhost)?.led;
    if (led?.get(queue.name) === queue) led.delete(queue.name);
    queue.dissolve();
  }

  /** What policies come to for a queue that is there or about to be. */
  policyOf(queue: NamedQueue): EffectivePolicy {
    return this.policies.of(queue.properties.vhost, queueSubject(queue));
  }

  /** A queue wherever it lives. */
  addShared<Q extends SharedQueue>(vhost: VirtualHost, queue: Q): Q {
    queue.applyPolicy(this.policyOf(queue));
    vhost.queues.set(queue.name, queue);
    vhost.version++;
    return queue;
  }

  private takeRecovered(incarnation: Incarnation): RecoveredQueue | undefined {
    const recovered = this.recovered.get(incarnation);
    this.recovered.delete(incarnation);
    return recovered;
  }

  private logFailed({ message }: Error): void {
    this.parts.alarms.raise('store', `the log of this node failed: ${message}`);
  }

  dropQueue(vhost: VirtualHost, queue: SharedQueue): void {
    if (vhost.queues.get(queue.name) !== queue) return;
    const isHere = queue instanceof Queue;
    if (isHere && !isStored(queue.properties)) this.residence?.queueDropped(queue);
    vhost.queues.delete(queue.name);
    vhost.version++;
    vhost.forgetAddress('', queue.name);
    for (const binding of [...(vhost.queueBindings.get(queue) ?? [])]) this.dropBinding(vhost, binding);
    queue.delete();
    this.endLed(vhost, queue);
    if (isHere && queue.logs) this.parts.logs.remove(queue.incarnation);
  }

  /** A mirrored queue is deleted, and this node leads it. Of its copy here whoever keeps the copies disposes. */
  private endLed(vhost: VirtualHost, { name, incarnation }: SharedQueue): void {
    const led = vhost.led.get(name);
    if (led?.incarnation !== incarnation) return;
    vhost.led.delete(name);
    led.delete();
  }

  addBinding(
    vhost: VirtualHost,
    source: Exchange,
    destination: Destination,
    routingKey: string,
    args: Arguments,
    revision: Revision,
  ): void {
    const propertiesKey = bindingPropertiesKey(routingKey, args);
    const binding: Binding = { source, destination, routingKey, arguments: args, revision, propertiesKey };
    source.add(binding);
    if (destination.kind === 'queue') {
      const known = vhost.queueBindings.get(destination.queue);
      if (known === undefined) vhost.queueBindings.set(destination.queue, new Set([binding]));
      else known.add(binding);
      this.sayBound(vhost, destination.queue, binding);
    }
    vhost.version++;
  }

  private sayBound(vhost: VirtualHost, queue: SharedQueue, binding: Binding): void {
    if (isAnnounced(queue)) this.residence?.bindingAdded(vhost, binding);
    else if (isOwnEnd(queue)) this.residence?.endBound(vhost, binding);
  }

  /** Removes a binding, and its source when that deletes itself and this was its last. */
  dropBinding(vhost: VirtualHost, binding: Binding): void {
    this.forgetBinding(vhost, binding);
    const { source } = binding;
    if (source.properties.autoDelete && source.bindings.size === 0) this.onExchangeUnused?.(vhost, source);
  }

  private forgetBinding(vhost: VirtualHost, binding: Binding): void {
    binding.source.remove(binding);
    vhost.version++;
    if (binding.destination.kind !== 'queue') return;
    if (isAnnounced(binding.destination.queue)) this.residence?.bindingDropped(vhost, binding);
    else if (isOwnEnd(binding.destination.queue)) this.residence?.endUnbound(vhost, binding);
    const known = vhost.queueBindings.get(binding.destination.queue);
    if (known?.delete(binding) && known.size === 0) vhost.queueBindings.delete(binding.destination.queue);
  }

  private dropVirtualHost(vhost: VirtualHost): void {
    vhost.deleted = true;
    this.vhosts.delete(vhost.name);
    for (const queue of [...vhost.queues.values()]) this.dropQueue(vhost, queue);
    for (const exchange of vhost.exchanges.values()) this.dropDelayed(exchange);
    vhost.exchanges.clear();
    vhost.version++;
    this.onVirtualHostDeleted?.(vhost);
  }

  private sayNotHonoured(args: Arguments): void {
    for (const name of argumentsNotHonouredYet(args, this.residence !== null)) {
      if (this.saidNotHonoured.has(name)) continue;
      this.saidNotHonoured.add(name);
      this.parts.log.warn({ argument: name }, `queue argument ${name} is kept but has no effect in this version`);
    }
  }
}

/** Metadata has a record of such a queue; any other lives and ends with its node. */
export function isStored({ durable, owner }: QueueProperties): boolean {
  return durable && owner === null;
}

/** A queue of this node whose bindings no record holds. */
function isAnnounced(queue: QueueHandle): boolean {
  return queue instanceof Queue && !isStored(queue.properties);
}

/** A buffer-less end of this node. */
function isOwnEnd(queue: SharedQueue): boolean {
  return queue instanceof BufferlessQueue && queue.home === null;
}

function findDestination(
  vhost: VirtualHost,
  kind: 'queue' | 'exchange',
  name: string,
  incarnation: string,
): Destination | null {
  if (kind === 'queue') {
    const queue = vhost.queues.get(name);
    return queue?.properties.incarnation === incarnation ? { kind, name, queue } : null;
  }
  const exchange = vhost.exchanges.get(name);
  return exchange?.properties.incarnation === incarnation ? { kind, name, exchange } : null;
}
