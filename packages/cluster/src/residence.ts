import type {
  Binding,
  BindingRequest,
  ConfirmSlot,
  EffectivePolicy,
  Heir,
  Incarnation,
  JsonValue,
  KeyedReader,
  Later,
  Message,
  Mirroring,
  MirroringWish,
  Queue,
  QueueHandle,
  QueueProperties,
  Residence,
  SharedKeyedLog,
  SharedQueue,
  VirtualHost,
  Write,
} from '@chapar/core';
import { brokerError, mirroringWish } from '@chapar/core';
import { type News, newsOfBinding, newsOfEnd, newsOfQueue } from './announcements.js';
import { type Interest, newsOfInterest } from './interest.js';
import { MirroredQueue } from './remote/mirrored-queue.js';
import { RemoteEnds } from './remote/remote-ends.js';
import type { RemoteHome } from './remote/remote-home.js';
import type { RemoteQueue } from './remote/remote-queue.js';
import { mirrorKey } from './replication/mirror-records.js';

/** How direct reply-to addresses begin, before the tag of their node. */
const replyPrefix = 'amq.rabbitmq.reply-to.';

/** What of the cluster the residence needs. */
export interface ResidenceCluster {
  readonly dataId: string;
  /** The node of that data id, registered or not. */
  home(dataId: string): RemoteHome;
  /** The face of a mirrored queue. `before`: the queue that it was until now. */
  face(properties: QueueProperties, before?: SharedQueue): Heir;
  keyedLog(name: string, reader: KeyedReader): Promise<SharedKeyedLog>;
  /** The node whose names have this tag; null: no node that is known. */
  homeByTag(tag: string): RemoteHome | null;
  /** Of this node's buffer-less ends. */
  readonly interest: Interest;
  announce(news: News): void;
  seen(): Later<void>;
  claim(vhost: string, name: string, incarnation: Incarnation): Promise<boolean>;
  release(vhost: string, name: string): void;
  readonly process: string;
  isProcessThere(process: string): boolean;
  /** Asks a node; rejects when it is out of reach. */
  ask(home: RemoteHome, kind: string, body: JsonValue): Promise<JsonValue>;
  answer(kind: string, answerer: (body: JsonValue) => Later<JsonValue>): void;
  askAll(kind: string, body: JsonValue): Promise<readonly JsonValue[]>;
  /** The data ids of the nodes that take part now, with how many queues each has. */
  loads(): ReadonlyMap<string, number>;
  /** This node is being drained: nothing new should come here. */
  readonly isResting: boolean;
  hasKnown(incarnation: Incarnation): boolean;
  /** What is written with the record of a queue that is to have copies. */
  mirroring(properties: QueueProperties, wish: MirroringWish): Mirroring;
}

/** The tag in the names that a node makes: eight characters of its data id. */
export const tagOf = (dataId: string): string => dataId.replaceAll('-', '').slice(0, 8);

/** Where things live, for the topology of a node of a cluster. */
export class ClusterResidence implements Residence {
  readonly here: string;
  readonly tag: string;
  private readonly cluster: ResidenceCluster;

  constructor(cluster: ResidenceCluster) {
    this.cluster = cluster;
    this.here = cluster.dataId;
    this.tag = tagOf(cluster.dataId);
  }

  place({ arguments: args }: QueueProperties): string {
    if (args['x-queue-leader-locator'] !== 'balanced' && !this.cluster.isResting) return this.here;
    const loads = this.cluster.loads();
    let best = loads.has(this.here) ? this.here : [...loads.keys()][0]!;
    for (const [dataId, load] of loads) if (load < loads.get(best)!) best = dataId;
    return best;
  }

  mirrored(properties: QueueProperties, policy: EffectivePolicy): Mirroring | null {
    const wish = mirroringWish(properties, policy.definition);
    return wish === null ? null : this.cluster.mirroring(properties, wish);
  }

  face(properties: QueueProperties): SharedQueue {
    return this.cluster.face(properties);
  }

  succeeded(queue: SharedQueue): Heir | null {
    if (queue instanceof MirroredQueue) return null;
    return this.cluster.face(queue.properties, queue);
  }

  keyedLog(name: string, reader: KeyedReader): Promise<SharedKeyedLog> {
    return this.cluster.keyedLog(name, reader);
  }

  companions({ incarnation }: SharedQueue): readonly Write[] {
    return [{ key: mirrorKey(incarnation), value: undefined }];
  }

  elsewhere(properties: QueueProperties, home: string): SharedQueue {
    return this.cluster.home(home).queue(properties);
  }

  claim(vhost: string, name: string, incarnation: Incarnation): Promise<boolean> {
    return this.cluster.claim(vhost, name, incarnation);
  }

  seen(): Later<void> {
    return this.cluster.seen();
  }

  hasKnown(incarnation: Incarnation): boolean {
    return this.cluster.hasKnown(incarnation);
  }

  // ---- news ------------------------------------------------------------------------------------------------------

  queueAdded(queue: Queue): void {
    this.cluster.announce(newsOfQueue(queue));
  }

  queueDropped(queue: Queue): void {
    this.cluster.announce(newsOfEnd(queue));
    this.cluster.release(queue.properties.vhost, queue.name);
  }

  bindingAdded(vhost: VirtualHost, binding: Binding): void {
    this.cluster.announce(newsOfBinding(vhost, binding));
  }

  bindingDropped(vhost: VirtualHost, binding: Binding): void {
    this.cluster.announce({ unbound: newsOfBinding(vhost, binding) });
  }

  endBound(vhost: VirtualHost, binding: Binding): void {
    if (this.cluster.interest.add(binding)) this.cluster.announce(newsOfInterest(vhost, binding, true));
  }

  /** In a virtual host that is gone nobody is interested any more, and another one may have its name by now. */
  endUnbound(vhost: VirtualHost, binding: Binding): void {
    const isLast = this.cluster.interest.remove(binding);
    if (isLast && !vhost.deleted) this.cluster.announce(newsOfInterest(vhost, binding, false));
  }

  // ---- asked of a queue's home -----------------------------------------------------------------------------------

  async bindAtHome(queue: SharedQueue, request: BindingRequest): Promise<void> {
    await (queue as RemoteQueue).ask('bind', request as unknown as JsonValue);
  }

  async unbindAtHome(queue: SharedQueue, request: BindingRequest): Promise<void> {
    // What clients of another node subscribed to is theirs to end.
    if (queue instanceof RemoteEnds)
      throw brokerError('resourceLocked', { queue: queue.name, vhost: queue.properties.vhost });
    await (queue as RemoteQueue).ask('unbind', request as unknown as JsonValue);
  }

  async deleteAtHome(
    queue: SharedQueue,
    conditions: { readonly ifUnused: boolean; readonly ifEmpty: boolean },
  ): Promise<number> {
    const count = (await (queue as RemoteQueue | MirroredQueue).ask('delete', conditions)) as number;
    // Whoever asks for it next finds it gone, also here.
    await this.cluster.seen();
    return count;
  }

  // ---- direct reply-to -------------------------------------------------------------------------------------------

  directEnd(vhost: VirtualHost, routingKey: string): QueueHandle | null {
    const home = this.homeOfReply(routingKey);
    return home === null ? null : new RemoteEnd(home, vhost.name, routingKey);
  }

  async hasDirectEnd(vhost: VirtualHost, routingKey: string): Promise<boolean> {
    const home = this.homeOfReply(routingKey);
    if (home === null) return false;
    return (await this.cluster.ask(home, 'direct-end', { vhost: vhost.name, routingKey })) === true;
  }

  get process(): string {
    return this.cluster.process;
  }

  isProcessThere(process: string): boolean {
    return this.cluster.isProcessThere(process);
  }

  ask(node: string, kind: string, body: JsonValue): Promise<JsonValue> {
    return this.cluster.ask(this.cluster.home(node), kind, body);
  }

  answer(kind: string, answerer: (body: JsonValue) => Later<JsonValue>): void {
    this.cluster.answer(kind, answerer);
  }

  askAll(kind: string, body: JsonValue): Promise<readonly JsonValue[]> {
    return this.cluster.askAll(kind, body);
  }

  private homeOfReply(routingKey: string): RemoteHome | null {
    if (!routingKey.startsWith(replyPrefix)) return null;
    const end = routingKey.indexOf('.', replyPrefix.length);
    return end === -1 ? null : this.cluster.homeByTag(routingKey.slice(replyPrefix.length, end));
  }
}

/** The way to a buffer-less end of another node: a message is sent at once or not at all. */
class RemoteEnd implements QueueHandle {
  readonly name: string;
  readonly incarnation = '';
  readonly logs = false;
  readonly mayRefuse = false;
  private readonly home: RemoteHome;
  private readonly vhost: string;

  constructor(home: RemoteHome, vhost: string, name: string) {
    this.home = home;
    this.vhost = vhost;
    this.name = name;
  }

  enqueue(message: Message, slot: ConfirmSlot | null): void {
    if (this.home.isLinked) this.home.publishes.direct(this.vhost, message);
    slot?.committed();
  }
}
