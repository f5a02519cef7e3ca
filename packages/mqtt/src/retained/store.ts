import type {
  Address,
  Broker,
  ConfirmSlot,
  KeyedReader,
  Later,
  Message,
  Position,
  Provenance,
  SharedKeyedLog,
  VirtualHost,
} from '@chapar/core';
import { routingKeyOf, topicOf } from '../topic-bridge.js';
import type { Retained } from './retained.js';
import { RetainedTree, type StandingTopic } from './tree.js';
import { encodeValue, keptValue } from './value.js';

const logName = 'mqtt-retained';
/** Levels of topics that are looked at a second for what has expired: a million within half an hour at most, and no timer for any. */
const sweptPerTick = 2400;

/**
 * The retained messages of all nodes, in a keyed log: `vhost NUL routing key`. What is set goes to the log, and into the tree when the log
 * says so: at once on a node that is alone.
 */
export class RetainedStore implements Retained, KeyedReader {
  private readonly broker: Broker;
  private log!: SharedKeyedLog;
  private readonly trees = new Map<string, RetainedTree>();
  private sweep: { readonly vhost: string; readonly walk: Iterator<StandingTopic | null> } | null = null;
  private unswept: string[] = [];
  /** Virtual hosts that were deleted and of which something is left. */
  private readonly gone = new Set<string>();

  constructor(broker: Broker) {
    this.broker = broker;
  }

  /** Reads what was kept. */
  async open(): Promise<void> {
    this.log = await this.broker.sharedKeyedLog(logName, this);
    for (const name of this.trees.keys()) if (!this.broker.topology.vhosts.has(name)) this.gone.add(name);
    this.forgetGone();
  }

  of(vhost: string): RetainedTree | null {
    return this.trees.get(vhost) ?? null;
  }

  get count(): number {
    let count = 0;
    for (const tree of this.trees.values()) count += tree.count;
    return count;
  }

  set(vhost: string, address: Address, message: Message, slot: ConfirmSlot | null, from?: Provenance): void {
    const key = keyOf(vhost, address.routingKey);
    // [MQTT-3.3.1-6], [MQTT-3.3.1-7]
    if (message.bodyBytes === 0) {
      this.log.remove(key, slot, null, from);
      return;
    }
    if (message.receivedAtMs === 0) message.receivedAtMs = this.broker.turn.nowMs;
    this.log.put(key, encodeValue(message), slot, null, from);
  }

  /** Everything that was published on any node by now is here; at once on a node that is alone. */
  settled(): Later<void> {
    return this.log.settled();
  }

  // ---- what the log says -------------------------------------------------------------------------------------------

  changed(key: string, value: Buffer | null, position: Position): Position {
    const [vhost, routingKey] = partsOf(key);
    const topic = topicOf(routingKey);
    if (value === null) return this.trees.get(vhost)?.delete(topic) ?? 0;
    return this.tree(vhost).set(topic, keptValue(value), position);
  }

  positionOf(key: string): Position {
    const [vhost, routingKey] = partsOf(key);
    return this.trees.get(vhost)?.positionOf(topicOf(routingKey)) ?? 0;
  }

  *entries(isWanted: (position: Position) => boolean): Iterable<{ readonly key: string; readonly position: Position }> {
    for (const [vhost, tree] of this.trees) {
      for (const { topic, position } of tree.standing(isWanted))
        yield { key: keyOf(vhost, routingKeyOf(topic)), position };
    }
  }

  // ---- what ends ---------------------------------------------------------------------------------------------------

  /** Once a second: goes on with the walk over all topics. */
  tick(): void {
    this.forgetGone();
    for (let left = sweptPerTick; left > 0; left--) {
      this.sweep ??= this.nextSweep();
      if (this.sweep === null) return;
      const { value, done } = this.sweep.walk.next();
      if (done) {
        this.sweep = null;
        if (this.unswept.length === 0) return;
      } else if (value !== null) this.forget(this.sweep.vhost, value);
    }
  }

  private nextSweep() {
    if (this.unswept.length === 0) this.unswept = [...this.trees.keys()];
    const vhost = this.unswept.pop();
    const tree = vhost === undefined ? undefined : this.trees.get(vhost);
    return vhost === undefined || tree === undefined ? null : { vhost, walk: tree.expired() };
  }

  /** One node does so for all, unless something newer came there meanwhile. */
  private forget(vhost: string, { topic, position }: StandingTopic): void {
    const key = keyOf(vhost, routingKeyOf(topic));
    if (this.log.isOurs(key)) this.log.remove(key, null, { of: 'key', at: position });
  }

  /** The virtual host is gone, and all in it. */
  forgetVirtualHost({ name }: VirtualHost): void {
    this.gone.add(name);
    this.forgetGone();
  }

  /** Again and again until nothing is left: whoever saw to it before may be gone, too. */
  private forgetGone(): void {
    for (const name of this.gone) {
      const tree = this.trees.get(name);
      const isBack = this.broker.topology.vhosts.has(name);
      if (tree !== undefined && !isBack) for (const each of [...tree.standing(() => true)]) this.forget(name, each);
      if (tree?.count === 0) this.trees.delete(name);
      if (isBack || !this.trees.has(name)) this.gone.delete(name);
    }
  }

  private tree(vhost: string): RetainedTree {
    let tree = this.trees.get(vhost);
    if (tree === undefined) this.trees.set(vhost, (tree = new RetainedTree(() => this.broker.turn.nowMs)));
    return tree;
  }
}

function keyOf(vhost: string, routingKey: string): string {
  return `${vhost}\0${routingKey}`;
}

function partsOf(key: string): [vhost: string, routingKey: string] {
  const at = key.indexOf('\0');
  return [key.slice(0, at), key.slice(at + 1)];
}
