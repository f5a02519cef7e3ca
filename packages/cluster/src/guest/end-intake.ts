import {
  type Address,
  BufferlessQueue,
  type Exchange,
  type Message,
  type Topology,
  type VirtualHost,
} from '@chapar/core';
import type { FrameCursor } from '../peer/frame-cursor.js';
import { FRAME_ENDS } from '../peer/frames.js';
import { MessageReader } from '../peer/message-form.js';

/** Addresses remembered per exchange. */
const addressesMax = 16_384;

/**
 * Takes what another node routed to the buffer-less ends of this one. That node has routed it to queues, too, and sent it to every node
 * that has such ends: here it goes to them alone, and no further.
 */
export class EndIntake {
  private readonly topology: Topology;
  private readonly reader = new MessageReader();
  private readonly exchanges = new WeakMap<Exchange, EndRoutes>();

  constructor(topology: Topology) {
    this.topology = topology;
  }

  /** False: not a frame for ends. */
  receive(type: number, cursor: FrameCursor): boolean {
    if (type !== FRAME_ENDS) return false;
    const vhost = this.topology.vhosts.get(cursor.text());
    const routes = this.routesOf(vhost, cursor.text());
    // What was announced may have gone meanwhile, and with it whoever wanted this.
    if (routes === null) return true;
    this.reader.clear();
    while (!cursor.isAtEnd) {
      const message = this.reader.read(cursor, routes.vhost);
      const ends = routes.of(message);
      for (let i = 0; i < ends.length; i++) ends[i]!.enqueue(message, null);
    }
    return true;
  }

  private routesOf(vhost: VirtualHost | undefined, name: string): EndRoutes | null {
    const exchange = vhost?.exchanges.get(name);
    if (exchange === undefined) return null;
    let routes = this.exchanges.get(exchange);
    if (routes === undefined) this.exchanges.set(exchange, (routes = new EndRoutes(vhost!, exchange)));
    return routes;
  }
}

/** Where an exchange leads among this node's own ends; remembered by address until a binding comes or goes. */
class EndRoutes {
  readonly vhost: VirtualHost;
  private readonly exchange: Exchange;
  private readonly known = new Map<Address, readonly BufferlessQueue[]>();
  private version = 0;

  constructor(vhost: VirtualHost, exchange: Exchange) {
    this.vhost = vhost;
    this.exchange = exchange;
  }

  of(message: Message): readonly BufferlessQueue[] {
    const { known, vhost } = this;
    if (this.version !== vhost.version || known.size >= addressesMax) {
      known.clear();
      this.version = vhost.version;
    }
    const { address } = message;
    let ends = known.get(address);
    if (ends === undefined) {
      ends = this.find(message);
      if (this.exchange.decidesBy === 'routing-key') known.set(address, ends);
    }
    return ends;
  }

  private find(message: Message): readonly BufferlessQueue[] {
    const ends = new Set<BufferlessQueue>();
    const { exchange, vhost } = this;
    exchange.route(message.address.routingKey, vhost.subjectOf(message), ({ destination }) => {
      if (destination.kind !== 'queue') return;
      const { queue } = destination;
      if (queue instanceof BufferlessQueue && queue.home === null) ends.add(queue);
    });
    return [...ends];
  }
}
