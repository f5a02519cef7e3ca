import { type Binding, BufferlessQueue, bindingKey, type Message, type Topology, type VirtualHost } from '@chapar/core';
import type { InterestNews } from '../interest.js';
import type { EndStream } from './end-stream.js';
import type { RemoteHome } from './remote-home.js';

/** All buffer-less ends of another node that one exchange leads to, as one end: a message goes there once, whoever hears it. */
export class RemoteEnds extends BufferlessQueue {
  readonly exchange: string;
  private readonly stream: EndStream;

  constructor({ node, dataId, ends }: RemoteHome, vhost: string, exchange: string) {
    super(`ends of ${node} (${dataId})`, vhost, node);
    this.exchange = exchange;
    this.stream = ends;
  }

  protected send(message: Message): void {
    this.stream.send(this, message);
  }
}

/** What the buffer-less ends of another node want to hear, as it was told, in this node's topology. */
export class Interests {
  private readonly topology: Topology;
  private readonly home: RemoteHome;
  /** By virtual host and incarnation of the exchange. */
  private readonly ends = new Map<string, RemoteEnds>();
  /** While a snapshot comes: what it has not named yet. */
  private unnamed: Set<Binding> | null = null;

  constructor(topology: Topology, home: RemoteHome) {
    this.topology = topology;
    this.home = home;
  }

  beginSnapshot(): void {
    this.unnamed = new Set(this.bindings());
  }

  endSnapshot(): void {
    for (const binding of this.unnamed ?? []) this.drop(binding);
    this.unnamed = null;
  }

  apply(
    vhost: VirtualHost,
    { wanted, source: name, sourceIncarnation, routingKey, arguments: args }: InterestNews,
  ): void {
    const source = vhost.exchanges.get(name);
    if (source?.properties.incarnation !== sourceIncarnation) return;
    const queue = this.of(vhost, name, sourceIncarnation);
    const known = source.bindings.get(bindingKey('queue', queue.name, routingKey, args));
    if (known !== undefined) this.unnamed?.delete(known);
    if (wanted && known === undefined) {
      this.topology.addBinding(vhost, source, { kind: 'queue', name: queue.name, queue }, routingKey, args, 0);
    } else if (!wanted && known !== undefined) this.drop(known);
  }

  private of(vhost: VirtualHost, exchange: string, incarnation: string): RemoteEnds {
    const key = JSON.stringify([vhost.name, incarnation]);
    let ends = this.ends.get(key);
    if (ends === undefined) this.ends.set(key, (ends = new RemoteEnds(this.home, vhost.name, exchange)));
    return ends;
  }

  private *bindings(): Iterable<Binding> {
    for (const [key, ends] of this.ends) {
      const bindings = this.topology.vhosts.get(ends.properties.vhost)?.queueBindings.get(ends);
      if (bindings !== undefined) yield* bindings;
      // Its exchange or its virtual host may be gone for good.
      else this.ends.delete(key);
    }
  }

  private drop(binding: Binding): void {
    const { source, destination, routingKey, arguments: args } = binding;
    const vhost = this.topology.vhosts.get(source.properties.vhost);
    // It may have gone with its exchange.
    const key = bindingKey('queue', destination.name, routingKey, args);
    if (vhost !== undefined && source.bindings.get(key) === binding) this.topology.dropBinding(vhost, binding);
  }

  /** The node is gone, and whoever was connected to it. */
  end(): void {
    for (const binding of [...this.bindings()]) this.drop(binding);
    this.ends.clear();
  }
}
