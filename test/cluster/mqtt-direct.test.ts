import type { Exchange } from '@chapar/core';
import { describe, expect, it, vi } from 'vitest';
import { type Client, MqttCluster, type MqttNode } from './mqtt-cluster.js';

const suback = 0x90;

type Three = [MqttNode, MqttNode, MqttNode];

async function three(): Promise<{ cluster: MqttCluster; nodes: Three }> {
  const cluster = await MqttCluster.of('a', 'b', 'c');
  return { cluster, nodes: cluster.nodes as Three };
}

const numbers = (count: number, from = 1): string[] => Array.from({ length: count }, (_, i) => `m${from + i}`);

const topicsOf = ({ at }: MqttNode, vhost: string): Exchange =>
  at.broker.topology.vhosts.get(vhost)!.exchanges.get('amq.topic')!;

/** The keys that a node was told of the ends of others. */
function keysElsewhere(node: MqttNode, vhost = '/'): string[] {
  const found: string[] = [];
  for (const { destination, routingKey } of topicsOf(node, vhost).bindings.values())
    if (destination.kind === 'queue' && destination.queue.home !== null) found.push(routingKey);
  return found.sort();
}

const sentTo = ({ at }: MqttNode, other: MqttNode): number => at.node.home(other.at.node.dataId).ends.sentCount;

describe('a subscription of QoS 0 in a cluster', () => {
  it('hears what is published on every node, once, in order', async () => {
    const { cluster, nodes } = await three();
    const [a, b, c] = nodes;
    const hearer = await cluster.join(a, 'hearer');
    expect(await hearer.subscribe({ 'plant/+/heat': 0, 'plant/#': 0 })).toEqual([0, 0]);
    const publishers: Client[] = [];
    for (const [i, node] of nodes.entries()) publishers.push(await cluster.join(node, `publisher ${i}`));
    for (const body of numbers(50)) publishers[1]!.publish('plant/1/heat', body);
    expect(await hearer.heard()).toEqual(numbers(50));
    publishers[0]!.publish('plant/2/heat', 'here');
    publishers[2]!.publish('plant/2/heat', 'there');
    publishers[2]!.publish('plan/2/heat', 'elsewhere');
    expect((await hearer.heard()).sort()).toEqual(['here', 'there']);
    expect([sentTo(b, a), sentTo(c, a), sentTo(b, c), sentTo(a, b)]).toEqual([50, 1, 0, 0]);
  });

  it('costs a node one message however many hear it there, and others one word per filter', async () => {
    const { cluster, nodes } = await three();
    const [a, b] = nodes;
    const hearers: Client[] = [];
    const announced = vi.spyOn(a.at.node, 'announce');
    for (let i = 0; i < 20; i++) {
      const hearer = await cluster.join(a, `hearer ${i}`);
      await hearer.subscribe(i % 2 === 0 ? 'x/+' : '#');
      hearers.push(hearer);
    }
    expect(keysElsewhere(b)).toEqual(['#', 'x.*']);
    expect(announced).toHaveBeenCalledTimes(2);
    const publisher = await cluster.join(b, 'publisher');
    publisher.publish('x/y', 'm');
    for (const hearer of hearers) expect(await hearer.heard()).toEqual(['m']);
    expect(sentTo(b, a)).toBe(1);
    for (const hearer of hearers.slice(1)) {
      await hearer.peer.drop();
      await cluster.soon();
      if (hearer === hearers[18]) expect(keysElsewhere(b)).toEqual(['#', 'x.*']);
    }
    expect(keysElsewhere(b)).toEqual(['x.*']);
    await hearers[0]!.unsubscribe('x/+');
    expect([keysElsewhere(b), keysElsewhere(nodes[2])]).toEqual([[], []]);
  });

  it('is answered when every node that is linked knows of it', async () => {
    const { cluster, nodes } = await three();
    const [a, b] = nodes;
    const publisher = await cluster.join(b, 'publisher');
    const hearer = await cluster.join(a, 'hearer');
    cluster.peers.lag('a', 'b', 300);
    hearer.peer.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'x', qos: 0 }] });
    let waitedMs = 0;
    const isAnswered = (): boolean => hearer.peer.bytes.some((chunk) => chunk[0] === suback);
    while (!isAnswered() && waitedMs++ < 1000) await cluster.soon(1);
    expect([waitedMs >= 300, waitedMs < 350]).toEqual([true, true]);
    // Not a moment later than the answer.
    publisher.publish('x', 'm');
    expect(await hearer.heard()).toEqual(['m']);
  });

  it('leaves a message to another one of higher QoS that matches, too', async () => {
    const { cluster, nodes } = await three();
    const [a, b] = nodes;
    const hearer = await cluster.join(a, 'hearer');
    await hearer.subscribe({ 'x/#': 0, 'x/y': 1, 'x/z': 2 });
    const publisher = await cluster.join(b, 'publisher');
    publisher.publish('x/y', 'one', 1);
    publisher.publish('x/z', 'two', 2);
    publisher.publish('x/w', 'none', 2);
    expect((await hearer.heard()).sort()).toEqual(['none', 'one!', 'two!!']);
  });

  it('beside clean sessions of QoS 1 and 2, which hear all nodes by their transient queues', async () => {
    const { cluster, nodes } = await three();
    const [a, b, c] = nodes;
    const once = await cluster.join(a, 'once', { clean: true });
    const twice = await cluster.join(c, 'twice', { clean: true }, 4);
    expect([await once.subscribe('x', 1), await twice.subscribe('x', 2)]).toEqual([[1], [2]]);
    const publisher = await cluster.join(b, 'publisher');
    for (const body of numbers(10)) publisher.publish('x', body, 2);
    expect(await once.heard()).toEqual(numbers(10).map((body) => `${body}!`));
    expect(await twice.heard()).toEqual(numbers(10).map((body) => `${body}!!`));
    await once.peer.goodbye();
    await cluster.soon();
    publisher.publish('x', 'after', 1);
    expect(await twice.heard()).toEqual(['after!']);
    const left = [...b.at.broker.topology.vhosts.get('/')!.queues.keys()];
    expect(left.filter((name) => name.startsWith('mqtt-subscription-once'))).toEqual([]);
  });

  it('has its share in a group alone where it is shared', async () => {
    const { cluster, nodes } = await three();
    const [a, b, c] = nodes;
    const one = await cluster.join(a, 'one');
    const two = await cluster.join(b, 'two');
    await one.subscribe('$share/g/x');
    await two.subscribe('$share/g/x');
    const publisher = await cluster.join(c, 'publisher');
    for (const body of numbers(10)) publisher.publish('x', body);
    const heard = [...(await one.heard()), ...(await two.heard())];
    expect([heard.length, new Set(heard).size]).toEqual([10, 10]);
  });

  it('does not hear its own client where it does not want to, and hears others', async () => {
    const { cluster, nodes } = await three();
    const [a, b] = nodes;
    const both = await cluster.join(a, 'both');
    await both.subscribe({ x: { qos: 0, nl: true } });
    const other = await cluster.join(b, 'other');
    await other.subscribe({ x: { qos: 0, nl: true } });
    both.publish('x', 'from both');
    other.publish('x', 'from other');
    expect(await both.heard()).toEqual(['from other']);
    expect(await other.heard()).toEqual(['from both']);
    // Of the same name, on another node.
    const namesake = await cluster.join(b, 'both');
    await namesake.subscribe({ y: { qos: 0, nl: true } });
    await both.heard();
    namesake.publish('x', 'from a namesake');
    expect(await both.heard()).toEqual([]);
  });

  it('hears AMQP publishers of other nodes, also through exchanges and delayed ones', async () => {
    const { cluster, nodes } = await three();
    const [a, b] = nodes;
    const hearer = await cluster.join(a, 'hearer');
    await hearer.subscribe('plant/#');
    const service = await b.at.client();
    const exchange = { durable: true, autoDelete: false, internal: false, arguments: {} };
    const { actor } = service;
    await b.at.settle(Promise.resolve(actor.declareExchange({ ...exchange, name: 'front', type: 'fanout' })));
    const delayed = { ...exchange, name: 'late', type: 'x-delayed-message', arguments: { 'x-delayed-type': 'topic' } };
    await b.at.settle(Promise.resolve(actor.declareExchange(delayed)));
    for (const source of ['front', 'late']) {
      const request = { source, kind: 'exchange', destination: 'amq.topic', routingKey: '#', arguments: {} } as const;
      await b.at.settle(Promise.resolve(actor.bind(request)));
    }
    await service.publish('amq.topic', 'plant.1', 'straight');
    await service.publish('front', 'plant.2', 'by a fanout');
    await service.publish('late', 'plant.3', 'late');
    expect(await hearer.heard()).toEqual(['straight', 'by a fanout', 'late']);
  });
});

describe('when nodes and links come and go', () => {
  it('a node that joins is told what the others want', async () => {
    const cluster = await MqttCluster.of('a');
    const hearer = await cluster.join(cluster.nodes[0]!, 'hearer');
    await hearer.subscribe('x');
    const b = await cluster.add('b');
    const publisher = await cluster.join(b, 'publisher');
    publisher.publish('x', 'm');
    expect(await hearer.heard()).toEqual(['m']);
  });

  it('what went while a link was broken is gone, what came is there, and what was published meanwhile is lost and counted', async () => {
    const { cluster, nodes } = await three();
    const [a, b] = nodes;
    const hearer = await cluster.join(a, 'hearer');
    await hearer.subscribe({ x: 0, z: 0 });
    const publisher = await cluster.join(b, 'publisher');
    cluster.peers.cut('a', 'b');
    cluster.peers.cut('b', 'a');
    cluster.peers.reset('a', 'b');
    cluster.peers.reset('b', 'a');
    await cluster.soon(1000);
    publisher.publish('x', 'lost');
    await hearer.unsubscribe('x');
    await hearer.subscribe('y');
    expect(keysElsewhere(b)).toEqual(['x', 'z']);
    cluster.peers.heal();
    await cluster.soon(5000);
    expect(keysElsewhere(b)).toEqual(['y', 'z']);
    publisher.publish('y', 'found');
    expect(await hearer.heard()).toEqual(['found']);
    expect(b.at.node.home(a.at.node.dataId).ends.droppedCount).toBe(1);
  });

  it('a node that is gone is published to no more; when it is back its clients are heard of anew', async () => {
    const { cluster, nodes } = await three();
    const [a, b] = nodes;
    const hearer = await cluster.join(a, 'hearer');
    await hearer.subscribe('x');
    expect(keysElsewhere(b)).toEqual(['x']);
    a.at.kill();
    await cluster.soon(20_000);
    expect([keysElsewhere(b), keysElsewhere(nodes[2])]).toEqual([[], []]);
    const again = await cluster.start(a.at.member);
    const next = await cluster.join(again, 'hearer');
    await next.subscribe('x');
    const publisher = await cluster.join(b, 'publisher');
    publisher.publish('x', 'm');
    expect(await next.heard()).toEqual(['m']);
  });

  it('a virtual host that is gone takes along what was wanted in it, and another one of its name begins with nothing', async () => {
    const { cluster, nodes } = await three();
    const [a, b] = nodes;
    const { broker } = a.at;
    const make = async (): Promise<void> => {
      await a.at.settle(broker.putVirtualHost('v', { description: '', tags: [], defaultQueueType: 'classic' }));
      await a.at.settle(broker.permissions.set('v', 'guest', { configure: '.*', write: '.*', read: '.*' }));
      await cluster.soon();
    };
    await make();
    const enter = { username: 'v:guest', password: Buffer.from('guest') };
    const hearer = await cluster.join(a, 'hearer', enter);
    await hearer.subscribe({ x: 0, y: 0 });
    expect(keysElsewhere(b, 'v')).toEqual(['x', 'y']);
    await a.at.settle(broker.deleteVirtualHost('v'));
    await make();
    const next = await cluster.join(a, 'hearer', enter);
    await next.subscribe('x');
    await cluster.soon(2000);
    expect(keysElsewhere(b, 'v')).toEqual(['x']);
    const publisher = await cluster.join(b, 'publisher', enter);
    publisher.publish('x', 'm');
    expect(await next.heard()).toEqual(['m']);
  });

  it('a node that takes too little is sent no more than is bounded, and what is left out is counted', async () => {
    const { cluster, nodes } = await three();
    const [a, b] = nodes;
    const hearer = await cluster.join(a, 'hearer');
    await hearer.subscribe('x');
    const publisher = await cluster.join(b, 'publisher');
    const { ends, out } = b.at.node.home(a.at.node.dataId);
    out.isClogged = true;
    const payload = 'p'.repeat(100_000);
    for (let i = 0; i < 200; i++) {
      publisher.publish('x', payload);
      await cluster.soon(5);
    }
    expect([out.waitingBytes > 8_000_000, out.waitingBytes < 9_000_000]).toEqual([true, true]);
    expect(ends.droppedCount).toBeGreaterThan(100);
    out.drained();
    await cluster.soon(1000);
    expect(out.waitingBytes).toBe(0);
    expect((await hearer.heard()).length).toBe(ends.sentCount);
  });
});
