import { type ConfirmSlot, DIALECT_MQTT, Message } from '@chapar/core';
import { RetainedStore } from '@chapar/mqtt';
import { describe, expect, it } from 'vitest';
import { SimNode } from '../protocol/sim-node.js';
import { KeyedCluster } from './keyed-stage.js';
import type { SimBroker } from './sim-broker.js';

const exchange = 'amq.topic';

/** The retained messages of one node. */
class Node {
  readonly at: SimBroker;
  readonly store: RetainedStore;

  private constructor(at: SimBroker) {
    this.at = at;
    this.store = new RetainedStore(at.broker);
    at.broker.platform.clock.every(1000, () => this.store.tick());
  }

  static async open(at: SimBroker): Promise<Node> {
    const node = new Node(at);
    await at.settle(node.store.open());
    return node;
  }

  set(topic: string, text: string, { vhost = '/', expirationMs = -1, slot = null as ConfirmSlot | null } = {}): void {
    const address = this.at.broker.topology.vhosts.get(vhost)!.address(exchange, topic);
    const bytes = Buffer.from(text);
    const { length } = bytes;
    const message = new Message(address, DIALECT_MQTT, true, -1, expirationMs, bytes, 0, 0, 0, length, null, length);
    this.store.set(vhost, address, message, slot);
  }

  texts(vhost = '/'): Record<string, string> {
    const found = [...(this.store.of(vhost)?.matching('#') ?? [])].filter((each) => each !== null);
    return Object.fromEntries(found.map(({ topic, message }) => [topic, message.body().toString()] as const).sort());
  }
}

async function open(cluster: KeyedCluster): Promise<[Node, Node, Node]> {
  const nodes: Node[] = [];
  for (const { at } of cluster.nodes) nodes.push(await Node.open(at));
  await cluster.advance(3000);
  return nodes as [Node, Node, Node];
}

const same = (texts: Record<string, string>) => [texts, texts, texts];

describe('retained messages in a cluster', () => {
  it('expire on all nodes, as far as their clocks agree, and leave the logs of all', async () => {
    const cluster = await KeyedCluster.of(['a', 'b', 'c']);
    const nodes = await open(cluster);
    for (let i = 0; i < 30; i++) nodes[i % 3]!.set(`t${i}`, 'v', { expirationMs: i < 10 ? 20_000 : -1 });
    await cluster.advance(5000);
    expect(nodes.map((node) => Object.keys(node.texts()).length)).toEqual([30, 30, 30]);
    await cluster.advance(35_000);
    expect(nodes.map(({ store }) => store.count)).toEqual([20, 20, 20]);
    expect([0, 1, 2].map((index) => cluster.liveCount(index))).toEqual([20, 20, 20]);
  });

  it('do not take a newer one along when they expire', async () => {
    const cluster = await KeyedCluster.of(['a', 'b', 'c']);
    const nodes = await open(cluster);
    for (let round = 0; round < 40; round++) {
      nodes[round % 3]!.set('t', `${round}`, { expirationMs: 990 });
      await cluster.advance(1000);
      nodes[(round + 1) % 3]!.set('t', 'stays');
      await cluster.advance(500);
      expect(nodes.map((node) => node.texts())).toEqual(same({ t: 'stays' }));
    }
  });

  it('go with their virtual host, on all nodes', async () => {
    const cluster = await KeyedCluster.of(['a', 'b', 'c']);
    const nodes = await open(cluster);
    const { broker } = nodes[0].at;
    for (const { at, store } of nodes)
      at.broker.topology.onVirtualHostDeleted = (vhost) => store.forgetVirtualHost(vhost);
    await nodes[0].at.settle(broker.putVirtualHost('v', { description: '', tags: [], defaultQueueType: 'classic' }));
    await cluster.advance(100);
    for (let i = 0; i < 20; i++) nodes[i % 3]!.set(`t${i}`, 'v', { vhost: 'v' });
    nodes[1].set('t', 'other');
    await cluster.advance(500);
    expect(nodes.map((node) => Object.keys(node.texts('v')).length)).toEqual([20, 20, 20]);
    await nodes[0].at.settle(broker.deleteVirtualHost('v'));
    await cluster.advance(3000);
    expect(nodes.map(({ store }) => store.count)).toEqual([1, 1, 1]);
    expect([0, 1, 2].map((index) => cluster.liveCount(index))).toEqual([1, 1, 1]);
  });

  it('are taken along by a node that was alone', async () => {
    const cluster = new KeyedCluster();
    const member = cluster.members.machine('a');
    const alone = await SimNode.start({ platform: member.platform });
    for (let i = 0; i < 1200; i++) {
      const address = alone.broker.topology.vhosts.get('/')!.address(exchange, `t${i}`);
      const bytes = Buffer.from(`v${i}`);
      const { length } = bytes;
      const message = new Message(address, DIALECT_MQTT, true, -1, -1, bytes, 0, 0, 0, length, null, length);
      alone.mqtt.retained.set('/', address, message, null);
    }
    await alone.stop();
    await cluster.addAt(member);
    for (const name of ['b', 'c']) await cluster.add(name);
    const nodes = await open(cluster);
    await cluster.advance(10_000);
    const texts = Object.fromEntries(Array.from({ length: 1200 }, (_, i) => [`t${i}`, `v${i}`] as const).sort());
    expect(nodes.map((node) => node.texts())).toEqual(same(texts));
    nodes[2].set('t0', '');
    await cluster.advance(500);
    for (const index of [0, 1, 2]) cluster.kill(index);
    await cluster.advance(20_000);
    await Promise.all([0, 1, 2].map((index) => cluster.restart(index)));
    const again = await open(cluster);
    const { t0: _, ...rest } = texts;
    expect(again.map((node) => node.texts())).toEqual(same(rest));
  });
});
