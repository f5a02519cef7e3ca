import type { Authorizer, Permission, ResourceKind } from '../access.js';
import type { Arguments } from '../arguments.js';
import { brokerError } from '../errors.js';
import { andThen, type Later } from '../later.js';
import type { Principal } from '../ports.js';
import type { Queue } from '../queue/queue.js';
import type { SharedQueue } from '../queue/shared-queue.js';
import type { Exchange } from '../routing/exchange.js';
import { type BindingRequest, bind, unbind } from '../topology/bind.js';
import {
  assertOwner,
  declareExchange,
  declareQueue,
  type ExchangeDeclaration,
  serverName,
} from '../topology/declare.js';
import { removeExchange, removeQueue } from '../topology/remove.js';
import type { Residence } from '../topology/residence.js';
import type { Topology } from '../topology/topology.js';
import type { VirtualHost } from '../topology/virtual-host.js';

/** What a peer asks for with queue.declare; an empty name asks the broker for one. */
export interface QueueWish {
  readonly name: string;
  readonly durable: boolean;
  readonly exclusive: boolean;
  readonly autoDelete: boolean;
  readonly arguments: Arguments;
  /** The door made the name, and no other node can make it: nobody claims it. Permissions are asked for this one instead. */
  readonly permittedAs?: string;
}

export interface ActorParts {
  readonly topology: Topology;
  readonly authorizer: Authorizer;
  /** Queues that a virtual host may have; Infinity without a limit. */
  readonly queuesMax: (vhost: string) => number;
}

/**
 * A principal acting in one virtual host, over one connection: every operation asks for the permissions that the field asks for, then
 * does it. All doors go through here, so that there is one place where a permission is checked. Throws BrokerError (or rejects).
 */
export class Actor {
  readonly principal: Principal;
  readonly vhost: VirtualHost;
  /** Stands for the connection as the owner of exclusive queues. */
  readonly owner: object;
  private readonly parts: ActorParts;
  private readonly owned = new OwnedQueues();
  private hasLeft = false;

  constructor(parts: ActorParts, principal: Principal, vhost: VirtualHost, owner: object) {
    this.parts = parts;
    this.principal = principal;
    this.vhost = vhost;
    this.owner = owner;
  }

  /** Null: this node is alone. */
  get residence(): Residence | null {
    return this.parts.topology.residence;
  }

  /** Whether a routing key of the default exchange leads to a buffer-less end (direct reply-to), here or on another node. */
  hasDirectEnd(routingKey: string): Later<boolean> {
    const { vhost, residence } = this;
    if (vhost.directQueues.has(routingKey)) return true;
    return residence === null ? false : residence.hasDirectEnd(vhost, routingKey);
  }

  get accessVersion(): number {
    return this.parts.authorizer.version;
  }

  // ---- permissions ---------------------------------------------------------------------------------------------

  /** 403 unless the permission is granted. */
  require(permission: Permission, kind: ResourceKind, name: string): Later<void> {
    const { principal, vhost } = this;
    return andThen(this.parts.authorizer.resource(principal, vhost.name, kind, name, permission), (allowed) => {
      if (allowed) return;
      const shown = name === '' ? 'amq.default' : name;
      throw brokerError('accessRefused', { permission, kind, name: shown, vhost: vhost.name, user: principal.user });
    });
  }

  /** 403 unless the routing key is allowed; only topic exchanges have topic permissions. */
  requireTopic(permission: 'write' | 'read', exchange: Exchange | undefined, routingKey: string): Later<void> {
    if (exchange?.type.name !== 'topic') return;
    const { principal, vhost } = this;
    const name = exchange.name;
    return andThen(this.parts.authorizer.topic(principal, vhost.name, name, permission, routingKey), (allowed) => {
      if (allowed) return;
      const { user } = principal;
      throw brokerError('topicAccessRefused', { permission, routingKey, exchange: name, vhost: vhost.name, user });
    });
  }

  // ---- queues --------------------------------------------------------------------------------------------------

  /** The queue of that name; 404, or 405 when it is exclusive to somebody else. */
  findQueue(name: string): SharedQueue {
    const queue = this.vhost.queues.get(name);
    if (queue === undefined) throw brokerError('queueNotFound', { queue: name, vhost: this.vhost.name });
    assertOwner(queue, this.owner);
    return queue;
  }

  /** queue.declare with `passive`: as `findQueue`, and a use of it. */
  findDeclared(name: string): SharedQueue {
    const queue = this.findQueue(name);
    queue.assertReachable();
    queue.used();
    return queue;
  }

  declareQueue(wish: QueueWish): Later<SharedQueue> {
    const { topology, queuesMax } = this.parts;
    const { permittedAs } = wish;
    const serverNamed = wish.name === '' || permittedAs !== undefined;
    const name = wish.name === '' ? serverName(topology) : wish.name;
    const asked = permittedAs ?? name;
    const declaration = { ...wish, name, serverNamed, owner: wish.exclusive ? this.owner : null };
    const deadLetterExchange = wish.arguments['x-dead-letter-exchange'];
    const allowed = andThen(this.require('configure', 'queue', asked), () =>
      typeof deadLetterExchange === 'string'
        ? andThen(this.require('read', 'queue', asked), () => this.require('write', 'exchange', deadLetterExchange))
        : undefined,
    );
    return andThen(allowed, () =>
      andThen(declareQueue(topology, this.vhost, declaration, queuesMax(this.vhost.name)), (queue) => {
        // Exclusive queues live where they are declared.
        if (wish.exclusive) this.own(queue as Queue);
        return queue;
      }),
    );
  }

  /** A declaration that had to wait may come after its connection has gone: nobody else could ever delete the queue. */
  private own(queue: Queue): void {
    if (this.hasLeft) this.parts.topology.dropQueue(this.vhost, queue);
    else this.owned.add(queue);
  }

  /** The connection is gone, and so are the queues that were exclusive to it. */
  leave(): void {
    this.hasLeft = true;
    for (const queue of this.owned) this.parts.topology.dropQueue(this.vhost, queue);
  }

  /** Returns the number of messages that went with it; 0 when there was no such queue. */
  deleteQueue(name: string, conditions: { readonly ifUnused: boolean; readonly ifEmpty: boolean }): Later<number> {
    return andThen(this.require('configure', 'queue', name), () => {
      const queue = this.vhost.queues.get(name);
      if (queue === undefined) return 0;
      assertOwner(queue, this.owner);
      return removeQueue(this.parts.topology, this.vhost, queue, conditions);
    });
  }

  purgeQueue(name: string): Later<number> {
    return andThen(this.readQueue(name), (queue) => queue.purge());
  }

  /** The queue, to consume or get from it. */
  readQueue(name: string): Later<SharedQueue> {
    return andThen(this.require('read', 'queue', name), () => {
      const queue = this.findQueue(name);
      queue.assertReachable();
      return queue;
    });
  }

  // ---- exchanges -----------------------------------------------------------------------------------------------

  findExchange(name: string): Exchange {
    const exchange = this.vhost.exchanges.get(name);
    if (exchange === undefined) throw brokerError('exchangeNotFound', { exchange: name, vhost: this.vhost.name });
    return exchange;
  }

  declareExchange(wish: ExchangeDeclaration): Later<Exchange> {
    const alternate = wish.arguments['alternate-exchange'];
    if (wish.name === '') throw brokerError('defaultExchange', {});
    const allowed = andThen(this.require('configure', 'exchange', wish.name), () =>
      typeof alternate === 'string'
        ? andThen(this.require('read', 'exchange', wish.name), () => this.require('write', 'exchange', alternate))
        : undefined,
    );
    return andThen(allowed, () => declareExchange(this.parts.topology, this.vhost, wish));
  }

  deleteExchange(name: string, conditions: { readonly ifUnused: boolean }): Later<void> {
    if (name === '') throw brokerError('defaultExchange', {});
    return andThen(this.require('configure', 'exchange', name), () => {
      const exchange = this.vhost.exchanges.get(name);
      if (exchange === undefined) return;
      return removeExchange(this.parts.topology, this.vhost, exchange, conditions);
    });
  }

  /** Drops the messages that wait in an exchange until they are due. Returns how many; 0 where none ever wait. */
  purgeDelayed(name: string): Later<number> {
    return andThen(this.require('configure', 'exchange', name), () => this.findExchange(name).delayed?.purge() ?? 0);
  }

  // ---- bindings ------------------------------------------------------------------------------------------------

  /** `permittedAs`: as in a `QueueWish`. */
  bind(request: BindingRequest, permittedAs = request.destination): Later<void> {
    return andThen(this.requireForBinding(request, permittedAs), () => bind(this.parts.topology, this.vhost, request));
  }

  unbind(request: BindingRequest): Later<void> {
    return andThen(this.requireForBinding(request, request.destination), () =>
      unbind(this.parts.topology, this.vhost, request),
    );
  }

  private requireForBinding(
    { source, kind, destination, routingKey }: BindingRequest,
    permittedAs: string,
  ): Later<void> {
    if (source === '' || (kind === 'exchange' && destination === '')) throw brokerError('defaultExchange', {});
    if (kind === 'queue') {
      const queue = this.vhost.queues.get(destination);
      if (queue !== undefined) assertOwner(queue, this.owner);
    }
    return andThen(this.require('write', kind, permittedAs), () =>
      andThen(this.require('read', 'exchange', source), () =>
        this.requireTopic('read', this.vhost.exchanges.get(source), routingKey),
      ),
    );
  }
}

/** The exclusive queues of a connection; those that were deleted meanwhile are let go now and then. */
class OwnedQueues {
  private readonly queues = new Set<Queue>();
  private tidyAt = 64;

  add(queue: Queue): void {
    this.queues.add(queue);
    if (this.queues.size < this.tidyAt) return;
    for (const each of this.queues) if (each.deleted) this.queues.delete(each);
    this.tidyAt = Math.max(64, this.queues.size * 2);
  }

  [Symbol.iterator](): Iterator<Queue> {
    return [...this.queues][Symbol.iterator]();
  }
}
