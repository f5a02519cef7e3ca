import type {
  Arguments,
  Binding,
  JsonValue,
  Queue,
  QueueProperties,
  SharedQueue,
  Topology,
  VirtualHost,
} from '@chapar/core';
import { bindingKey, ownerElsewhere } from '@chapar/core';
import type { InterestNews } from './interest.js';
import { Interests } from './remote/remote-ends.js';
import type { RemoteHome } from './remote/remote-home.js';

/** A queue that no record holds, as its home announces it. */
interface QueueNews {
  readonly queue: string;
  readonly vhost: string;
  readonly incarnation: string;
  readonly durable: boolean;
  readonly autoDelete: boolean;
  readonly exclusive: boolean;
  readonly arguments: Arguments;
}

interface BindingNews {
  readonly source: string;
  readonly sourceIncarnation: string;
  readonly vhost: string;
  readonly to: string;
  readonly incarnation: string;
  readonly routingKey: string;
  readonly arguments: Arguments;
}

export type News =
  | QueueNews
  | { readonly gone: string; readonly vhost: string; readonly incarnation: string }
  | BindingNews
  | InterestNews
  | { readonly unbound: BindingNews };

export function newsOfQueue({ properties }: Queue): News {
  const { name, vhost, incarnation, durable, autoDelete, owner, arguments: args } = properties;
  return { queue: name, vhost, incarnation, durable, autoDelete, exclusive: owner !== null, arguments: args };
}

export function newsOfEnd({ properties }: Queue): News {
  const { name, vhost, incarnation } = properties;
  return { gone: name, vhost, incarnation };
}

export function newsOfBinding(
  vhost: VirtualHost,
  { source, destination, routingKey, arguments: args }: Binding,
): BindingNews {
  const incarnation = destination.kind === 'queue' ? destination.queue.incarnation : '';
  return {
    source: source.name,
    sourceIncarnation: source.properties.incarnation,
    vhost: vhost.name,
    to: destination.name,
    incarnation,
    routingKey,
    arguments: args,
  };
}

/** All that this node has to announce. */
export function* allNews(topology: Topology): Iterable<News> {
  for (const vhost of topology.vhosts.values()) {
    for (const queue of vhost.localQueues()) {
      if (queue.logs) continue;
      yield newsOfQueue(queue);
      for (const binding of vhost.queueBindings.get(queue) ?? []) yield newsOfBinding(vhost, binding);
    }
  }
}

/** Who of those that announce a queue of the same name has it. News of different nodes come in any order. */
export interface AnnouncedNames {
  /** Whether the queue of that name that is there makes room for another one of this incarnation; then it has. */
  yields(vhost: VirtualHost, existing: SharedQueue, incarnation: string): boolean;
  /** A name is free that somebody else may have announced, too. */
  freed(vhost: string, name: string): void;
}

/** What another node has announced, applied to this node's topology. */
export class Announced {
  private readonly topology: Topology;
  private readonly home: RemoteHome;
  private readonly queues = new Map<string, SharedQueue>();
  /** Names of queues that it announced while another one had the name. */
  private readonly hidden = new Set<string>();
  private readonly names: AnnouncedNames;
  private readonly interests: Interests;
  /** While a snapshot comes: what was not named in it is gone. */
  private unnamed: Set<string> | null = null;
  private readonly unnamedBindings = new Set<Binding>();

  constructor(topology: Topology, home: RemoteHome, names: AnnouncedNames) {
    this.topology = topology;
    this.home = home;
    this.names = names;
    this.interests = new Interests(topology, home);
  }

  get count(): number {
    return this.queues.size;
  }

  beginSnapshot(): void {
    this.unnamed = new Set(this.queues.keys());
    this.interests.beginSnapshot();
    this.unnamedBindings.clear();
    for (const queue of this.queues.values()) {
      const bindings = this.topology.vhosts.get(queue.properties.vhost)?.queueBindings.get(queue) ?? [];
      for (const binding of bindings) this.unnamedBindings.add(binding);
    }
  }

  endSnapshot(): void {
    for (const incarnation of this.unnamed ?? []) this.drop(incarnation);
    this.unnamed = null;
    this.interests.endSnapshot();
    for (const binding of this.unnamedBindings) {
      const { source } = binding;
      const vhost = this.topology.vhosts.get(source.properties.vhost);
      // It may have gone with its queue or exchange.
      if (vhost !== undefined && source.bindings.get(keyOf(binding)) === binding)
        this.topology.dropBinding(vhost, binding);
    }
    this.unnamedBindings.clear();
  }

  apply(news: readonly News[]): void {
    for (const each of news) {
      const vhost = this.topology.vhosts.get('unbound' in each ? each.unbound.vhost : each.vhost);
      if (vhost === undefined) continue;
      if ('queue' in each) this.add(vhost, each);
      else if ('gone' in each) this.drop(each.incarnation);
      else if ('unbound' in each) this.unbind(vhost, each.unbound);
      else if ('wanted' in each) this.interests.apply(vhost, each);
      else this.bind(vhost, each);
    }
  }

  private add(vhost: VirtualHost, news: QueueNews): void {
    const { queue: name, incarnation, durable, autoDelete, exclusive, arguments: args } = news;
    this.unnamed?.delete(incarnation);
    if (this.queues.has(incarnation)) return;
    const existing = vhost.queues.get(name);
    // The name is claimed by one only; somebody's end has not been heard of yet.
    if (existing !== undefined && !this.names.yields(vhost, existing, incarnation)) {
      this.hidden.add(nameKey(vhost.name, name));
      return;
    }
    const owner = exclusive ? ownerElsewhere : null;
    const properties: QueueProperties = {
      name,
      vhost: vhost.name,
      durable,
      autoDelete,
      owner,
      arguments: args,
      incarnation,
    };
    this.queues.set(incarnation, this.topology.addShared(vhost, this.home.queue(properties)));
  }

  private drop(incarnation: string): void {
    const queue = this.queues.get(incarnation);
    if (queue === undefined) return;
    this.queues.delete(incarnation);
    const { name, vhost: vhostName } = queue.properties;
    const vhost = this.topology.vhosts.get(vhostName);
    if (vhost !== undefined) this.topology.dropQueue(vhost, queue);
    this.names.freed(vhostName, name);
  }

  /** Its queue makes room for another one of the same name. False: it is none of its own. */
  hide({ incarnation, properties: { vhost, name } }: SharedQueue): boolean {
    if (!this.queues.delete(incarnation)) return false;
    this.hidden.add(nameKey(vhost, name));
    return true;
  }

  /** Whether it announced a queue of this name that was not shown; asked once, by who has it announced again. */
  takeHidden(vhost: string, name: string): boolean {
    return this.hidden.size > 0 && this.hidden.delete(nameKey(vhost, name));
  }

  private bind(vhost: VirtualHost, news: BindingNews): void {
    const queue = this.queues.get(news.incarnation);
    const source = vhost.exchanges.get(news.source);
    if (queue === undefined || source?.properties.incarnation !== news.sourceIncarnation) return;
    const { to: name, routingKey, arguments: args } = news;
    const existing = source.bindings.get(bindingKey('queue', name, routingKey, args));
    if (existing !== undefined) {
      this.unnamedBindings.delete(existing);
      return;
    }
    this.topology.addBinding(vhost, source, { kind: 'queue', name, queue }, routingKey, args, 0);
  }

  private unbind(
    vhost: VirtualHost,
    { source: sourceName, to, incarnation, routingKey, arguments: args }: BindingNews,
  ): void {
    const binding = vhost.exchanges.get(sourceName)?.bindings.get(bindingKey('queue', to, routingKey, args));
    if (binding?.destination.kind !== 'queue' || binding.destination.queue.incarnation !== incarnation) return;
    this.topology.dropBinding(vhost, binding);
  }

  /** The node is gone, and what lived in its memory. */
  end(): void {
    for (const incarnation of [...this.queues.keys()]) this.drop(incarnation);
    this.interests.end();
  }
}

const nameKey = (vhost: string, name: string): string => JSON.stringify([vhost, name]);

const keyOf = ({ destination, routingKey, arguments: args }: Binding): string =>
  bindingKey(destination.kind, destination.name, routingKey, args);

export const asNews = (body: JsonValue): readonly News[] => body as unknown as readonly News[];
