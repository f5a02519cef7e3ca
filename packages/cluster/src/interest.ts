import type { Arguments, Binding, Exchange, Topology, VirtualHost } from '@chapar/core';
import { bindingKey } from '@chapar/core';

/** What buffer-less ends of a node want to hear of an exchange, as that node tells the others: one of them, or very many. */
export interface InterestNews {
  /** Whether any end wants it from now on, or none. */
  readonly wanted: boolean;
  readonly source: string;
  readonly sourceIncarnation: string;
  readonly vhost: string;
  readonly routingKey: string;
  readonly arguments: Arguments;
}

interface Wish {
  readonly binding: Binding;
  count: number;
}

/**
 * What the buffer-less ends of this node (clients that subscribed with QoS 0) want to hear, key by key: the other nodes are told when the
 * first end wants a key and when the last one does not any more, however many there are between.
 */
export class Interest {
  /** By the key of the binding, without its end. Of exchanges that are gone nothing is left. */
  private readonly wishes = new WeakMap<Exchange, Map<string, Wish>>();

  /** True when it is the first of its key. */
  add(binding: Binding): boolean {
    const { source } = binding;
    let wishes = this.wishes.get(source);
    if (wishes === undefined) this.wishes.set(source, (wishes = new Map()));
    const key = keyOf(binding);
    const wish = wishes.get(key);
    if (wish === undefined) wishes.set(key, { binding, count: 1 });
    else wish.count++;
    return wish === undefined;
  }

  /** True when it was the last of its key. */
  remove(binding: Binding): boolean {
    const wishes = this.wishes.get(binding.source);
    const key = keyOf(binding);
    const wish = wishes?.get(key);
    if (wish === undefined || --wish.count > 0) return false;
    wishes!.delete(key);
    return true;
  }

  /** All of it, for a node that has heard nothing yet. */
  *news(topology: Topology): Iterable<InterestNews> {
    for (const vhost of topology.vhosts.values())
      for (const exchange of vhost.exchanges.values())
        for (const { binding } of this.wishes.get(exchange)?.values() ?? []) yield newsOfInterest(vhost, binding, true);
  }
}

export function newsOfInterest(
  vhost: VirtualHost,
  { source, routingKey, arguments: args }: Binding,
  wanted: boolean,
): InterestNews {
  const { name, properties } = source;
  return {
    wanted,
    source: name,
    sourceIncarnation: properties.incarnation,
    vhost: vhost.name,
    routingKey,
    arguments: args,
  };
}

const keyOf = ({ routingKey, arguments: args }: Binding): string => bindingKey('queue', '', routingKey, args);
