import { Address } from '../address.js';
import type { Arguments } from '../arguments.js';
import type { DeadLetterRouter } from '../dead-letter/router.js';
import { DelayedMessages } from '../delayed/delayed-messages.js';
import type { Dialects } from '../dialect.js';
import type { Message } from '../message.js';
import type { JsonValue } from '../ports.js';
import type { DirectQueue } from '../queue/direct-queue.js';
import { Queue } from '../queue/queue.js';
import type { QueueHandle } from '../queue/queue-handle.js';
import type { SharedQueue } from '../queue/shared-queue.js';
import type { Binding } from '../routing/binding.js';
import type { Exchange } from '../routing/exchange.js';
import { emptyRoute, type Route, routeTo } from '../routing/route.js';
import type { Subject } from '../routing/router.js';

/** Addresses remembered per virtual host; an MQTT world has millions of keys, so the memory is bounded and dropped whole. */
const addressesMax = 65_536;

/** What an administrator says of a virtual host. */
export interface VirtualHostProperties {
  readonly description: string;
  readonly tags: readonly string[];
  readonly defaultQueueType: string;
  /** Its deletion is refused until an administrator lifts this. Absent: no. */
  readonly protectedFromDeletion?: boolean;
}

/**
 * A namespace of exchanges and queues, and the way from an address to queues. Everything that changes routing raises `version`, which
 * voids all remembered routes at once: publishes compare one number.
 */
export class VirtualHost {
  readonly name: string;
  properties: VirtualHostProperties;
  readonly exchanges = new Map<string, Exchange>();
  /** All that can be named, also those that live on other nodes. */
  readonly queues = new Map<string, SharedQueue>();
  /** Mirrored queues that this node leads; under the same names stand their faces in `queues`. */
  readonly led = new Map<string, Queue>();
  /** Buffer-less ends (direct reply-to), by routing key of the default exchange. */
  readonly directQueues = new Map<string, DirectQueue>();
  /** Bindings by the queue that they lead to. */
  readonly queueBindings = new Map<SharedQueue, Set<Binding>>();
  /** Such ends on other nodes; null: there are none. Set by the topology. */
  directElsewhere: ((routingKey: string) => QueueHandle | null) | null = null;
  /** Set by the topology. */
  deadLetterRouter: DeadLetterRouter | null = null;
  version = 1;
  deleted = false;
  private readonly dialects: Dialects;
  private readonly addresses = new Map<string, Map<string, Address>>();
  private addressCount = 0;

  constructor(name: string, properties: VirtualHostProperties, dialects: Dialects) {
    this.name = name;
    this.properties = properties;
    this.dialects = dialects;
  }

  /** Those that live on this node, or are led by it. */
  *localQueues(): Iterable<Queue> {
    for (const queue of this.queues.values()) if (queue instanceof Queue) yield queue;
    yield* this.led.values();
  }

  /** The queue of that name, when it lives on this node or is led by it. */
  localQueue(name: string): Queue | undefined {
    const queue = this.queues.get(name);
    return queue instanceof Queue ? queue : this.led.get(name);
  }

  /** What stands for this queue among those that can be named: itself, or its face; undefined: it is gone, or the name is another one's. */
  named(queue: SharedQueue): SharedQueue | undefined {
    const found = this.queues.get(queue.name);
    return found === queue || (this.led.get(queue.name) === queue && found?.incarnation === queue.incarnation)
      ? found
      : undefined;
  }

  /** The one Address of these names. Throws RangeError above 255 bytes of UTF-8. */
  address(exchange: string, routingKey: string): Address {
    let byKey = this.addresses.get(exchange);
    let address = byKey?.get(routingKey);
    if (address !== undefined) return address;
    if (this.addressCount >= addressesMax) {
      this.addresses.clear();
      this.addressCount = 0;
      byKey = undefined;
    }
    address = new Address(exchange, routingKey);
    if (byKey === undefined) this.addresses.set(exchange, (byKey = new Map()));
    byKey.set(routingKey, address);
    this.addressCount++;
    return address;
  }

  /** A queue is gone that was named by this address: names of reply queues never come back, and a stale route would keep the queue. */
  forgetAddress(exchange: string, routingKey: string): void {
    const byKey = this.addresses.get(exchange);
    const address = byKey?.get(routingKey);
    if (address === undefined) return;
    byKey!.delete(routingKey);
    this.addressCount--;
    address.route = null;
  }

  /** Where this message goes. The exchange exists (the publisher has looked). */
  route(address: Address, message: Message): Route {
    if (address.routeVersion === this.version && address.route !== null) return address.route;
    if (address.exchange === '') return this.routeByName(address);
    const walk = new Walk(this, address.routingKey, message, this.subjectOf(message), null);
    const route = walk.from(this.exchanges.get(address.exchange));
    if (!walk.isOfMessage) {
      address.route = route;
      address.routeVersion = this.version;
    }
    return route;
  }

  /** What a router may know of a message. */
  subjectOf(message: Message): Subject {
    return new MessageSubject(this.dialects, message);
  }

  private routeByName(address: Address): Route {
    const queue = this.queues.get(address.routingKey);
    if (queue === undefined) {
      // Not remembered: buffer-less ends come and go with their channels, and raise no version.
      const { routingKey } = address;
      const direct = this.directQueues.get(routingKey) ?? this.directElsewhere?.(routingKey) ?? null;
      return direct === null ? emptyRoute : routeTo([direct]);
    }
    address.route = routeTo([queue]);
    address.routeVersion = this.version;
    return address.route;
  }

  /** Where a message with several keys goes (CC and BCC): each queue once. */
  routeMany(addresses: readonly Address[], message: Message): Route {
    const queues = new Set<QueueHandle>();
    for (const address of addresses) for (const queue of this.route(address, message).queues) queues.add(queue);
    const keys = addresses.map(({ routingKey }) => routingKey);
    return routeTo([...queues].map((queue) => (queue instanceof DelayedMessages ? queue.withKeys(keys) : queue)));
  }

  /** Where a message with these keys goes that has waited in an exchange: each queue once. */
  routeDue(exchange: Exchange, message: Message, routingKeys: readonly string[]): readonly QueueHandle[] {
    const queues = new Set<QueueHandle>();
    const subject = this.subjectOf(message);
    for (const key of routingKeys) {
      for (const queue of new Walk(this, key, message, subject, exchange).from(exchange).queues) queues.add(queue);
    }
    return [...queues];
  }
}

/** One message's way through exchanges bound to exchanges and alternates: each exchange once, so that cycles end. */
class Walk {
  private readonly vhost: VirtualHost;
  private readonly routingKey: string;
  private readonly message: Message;
  private readonly subject: Subject;
  /** The exchange that the message has waited in. */
  private readonly left: Exchange | null;
  private readonly seen = new Set<Exchange>();
  private readonly queues = new Set<QueueHandle>();
  /** Another message of the same key may go another way. */
  isOfMessage = false;

  constructor(vhost: VirtualHost, routingKey: string, message: Message, subject: Subject, left: Exchange | null) {
    this.vhost = vhost;
    this.routingKey = routingKey;
    this.message = message;
    this.subject = subject;
    this.left = left;
  }

  from(exchange: Exchange | undefined): Route {
    const waiting = exchange === undefined ? [] : [exchange];
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) this.visit(next, waiting);
    return routeTo([...this.queues]);
  }

  private visit(exchange: Exchange, waiting: Exchange[]): void {
    if (this.seen.has(exchange)) return;
    this.seen.add(exchange);
    if (exchange.delayed !== null && this.waitsIn(exchange.delayed, exchange)) return;
    let matched = false;
    if (exchange.decidesBy === 'message') this.isOfMessage = true;
    exchange.route(this.routingKey, this.subject, ({ destination }) => {
      matched = true;
      if (destination.kind === 'queue') this.queues.add(destination.queue);
      else waiting.push(destination.exchange);
    });
    if (matched || exchange.alternate === undefined) return;
    const alternate = this.vhost.exchanges.get(exchange.alternate);
    if (alternate !== undefined) waiting.push(alternate);
  }

  private waitsIn(delayed: DelayedMessages, exchange: Exchange): boolean {
    this.isOfMessage = true;
    if (exchange === this.left || !delayed.takes(this.message)) return false;
    this.queues.add(delayed);
    return true;
  }
}

/** What routers ask of a message, decoded once at most. */
class MessageSubject implements Subject {
  private readonly dialects: Dialects;
  private readonly message: Message;
  private known: Arguments | null = null;

  constructor(dialects: Dialects, message: Message) {
    this.dialects = dialects;
    this.message = message;
  }

  get headers(): Arguments {
    this.known ??= this.dialects.headers(this.message);
    return this.known;
  }

  property(name: string): JsonValue | undefined {
    return this.dialects.describe(this.message)[name];
  }
}
