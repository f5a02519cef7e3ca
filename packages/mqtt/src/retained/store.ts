import {
  type Address,
  type Broker,
  type ConfirmSlot,
  DIALECT_MQTT,
  type KeyedLog,
  Message,
  type VirtualHost,
} from '@chapar/core';
import { routingKeyOf, topicOf } from '../topic-bridge.js';
import type { Retained } from './retained.js';
import { RetainedTree } from './tree.js';

const logName = 'mqtt-retained';
/** Of a value: expiration and arrival (8 each), bytes of properties (4), properties, payload. */
const headBytes = 20;
/** Topics that are looked at a second for what has expired: a million within a quarter of an hour, and no timer for any. */
const sweptPerTick = 1200;

/** The retained messages of this node, in a keyed log: `vhost NUL routing key`. In a cluster every node follows the shards of it. */
export class RetainedStore implements Retained {
  private readonly broker: Broker;
  private readonly exchange: string;
  private log: KeyedLog | null = null;
  private readonly trees = new Map<string, RetainedTree>();
  private sweep: { readonly vhost: string; readonly walk: Iterator<string | null> } | null = null;
  private unswept: string[] = [];

  constructor(broker: Broker, exchange: string) {
    this.broker = broker;
    this.exchange = exchange;
  }

  /** Reads what was kept. */
  async open(): Promise<void> {
    this.log = await this.broker.keyedLog(logName, ({ key, value, position }) => {
      const [vhost, routingKey] = key.split('\0', 2) as [string, string];
      const found = this.broker.topology.vhosts.get(vhost);
      const address = found?.address(this.exchange, routingKey);
      if (address !== undefined) this.tree(vhost).set(topicOf(routingKey), decode(address, value), () => position);
    });
  }

  of(vhost: string): RetainedTree | null {
    return this.trees.get(vhost) ?? null;
  }

  get count(): number {
    let count = 0;
    for (const tree of this.trees.values()) count += tree.count;
    return count;
  }

  set(vhost: string, address: Address, message: Message, slot: ConfirmSlot | null): void {
    const topic = topicOf(address.routingKey);
    const key = `${vhost}\0${address.routingKey}`;
    // [MQTT-3.3.1-6], [MQTT-3.3.1-7]
    if (message.bodyBytes === 0) {
      this.remove(vhost, topic, key, slot);
      return;
    }
    if (message.receivedAtMs === 0) message.receivedAtMs = this.broker.turn.nowMs;
    message.keep();
    this.tree(vhost).set(topic, message, (replaces) => this.log!.put(key, encode(message), replaces, slot));
  }

  private remove(vhost: string, topic: string, key: string, slot: ConfirmSlot | null): void {
    const position = this.trees.get(vhost)?.delete(topic) ?? 0;
    if (position === 0) slot?.committed();
    else this.log!.remove(key, position, slot);
  }

  /** Once a second: goes on with the walk over all topics. */
  tick(): void {
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

  private forget(vhost: string, topic: string): void {
    const tree = this.trees.get(vhost)!;
    const position = tree.delete(topic);
    if (position > 0) this.log!.remove(`${vhost}\0${routingKeyOf(topic)}`, position, null);
  }

  /** The virtual host is gone, and all in it. */
  forgetVirtualHost({ name }: VirtualHost): void {
    const tree = this.trees.get(name);
    if (tree === undefined) return;
    this.trees.delete(name);
    for (const { topic } of tree.everything()) {
      const position = tree.delete(topic);
      if (position > 0) this.log!.remove(`${name}\0${routingKeyOf(topic)}`, position, null);
    }
  }

  private tree(vhost: string): RetainedTree {
    let tree = this.trees.get(vhost);
    if (tree === undefined) this.trees.set(vhost, (tree = new RetainedTree(() => this.broker.turn.nowMs)));
    return tree;
  }
}

function encode(message: Message): Buffer {
  const properties = message.properties();
  const head = Buffer.alloc(headBytes);
  head.writeDoubleBE(message.expirationMs, 0);
  head.writeDoubleBE(message.receivedAtMs, 8);
  head.writeUInt32BE(properties.length, 16);
  return Buffer.concat([head, properties, message.body()]);
}

function decode(address: Address, value: Buffer): Message {
  const own = Buffer.from(value);
  const propertiesEnd = headBytes + own.readUInt32BE(16);
  const message = new Message(
    address,
    DIALECT_MQTT,
    true,
    -1,
    own.readDoubleBE(0),
    own,
    headBytes,
    propertiesEnd,
    propertiesEnd,
    own.length,
    null,
    own.length - propertiesEnd,
  );
  message.receivedAtMs = own.readDoubleBE(8);
  return message;
}
