import { describe, expect, it, vi } from 'vitest';
import { MqttCluster, type MqttNode } from './mqtt-cluster.js';

async function stage() {
  const cluster = await MqttCluster.of('a', 'b', 'c');
  const [a, b, c] = cluster.nodes as [MqttNode, MqttNode, MqttNode];
  const publisher = await cluster.join(c, 'publisher');
  const first = await cluster.join(a, 'client');
  expect(await first.subscribe('x', 1)).toEqual([1]);
  return { cluster, a, b, publisher, first };
}

describe('a client with a clean session, subscribed with QoS 1, comes to another node', () => {
  it('when its first one was killed, before anybody else knows', async () => {
    const { cluster, a, b, publisher } = await stage();
    a.at.kill();
    const again = await cluster.join(b, 'client');
    expect(await again.subscribe('x', 1)).toEqual([1]);
    publisher.publish('x', 'm', 1);
    expect(await again.heard()).toEqual(['m!']);
    await cluster.soon(20_000);
    publisher.publish('x', 'n', 1);
    expect(await again.heard()).toEqual(['n!']);
  });

  it('while its first connection is still there, as far as that node knows', async () => {
    const { cluster, b, publisher, first } = await stage();
    const again = await cluster.join(b, 'client');
    expect(await again.subscribe('x', 2)).toEqual([2]);
    publisher.publish('x', 'm', 2);
    expect(await again.heard()).toEqual(['m!!']);
    await first.peer.drop();
    await cluster.soon();
    publisher.publish('x', 'n', 2);
    expect(await again.heard()).toEqual(['n!!']);
  });

  it('in the moment in which it leaves the first', async () => {
    const { cluster, b, publisher, first } = await stage();
    first.peer.send({ cmd: 'disconnect' });
    first.peer.wire.end();
    const again = await cluster.join(b, 'client');
    expect(await again.subscribe('x', 1)).toEqual([1]);
    publisher.publish('x', 'm', 1);
    expect(await again.heard()).toEqual(['m!']);
  });
});

it('subscriptions of clean sessions ask nothing of etcd, as long as they are', async () => {
  const cluster = await MqttCluster.of('a', 'b');
  const [a] = cluster.nodes as [MqttNode];
  // The shards of retained messages get their copies first.
  await cluster.soon(10_000);
  const claim = vi.spyOn(a.at.node.membership.claims, 'claim');
  const { revision } = a.at.node.membership.mirror;
  for (let i = 0; i < 5; i++) await (await cluster.join(a, `client ${i}`)).subscribe('x', 1);
  expect([claim.mock.calls.length, a.at.node.membership.mirror.revision]).toEqual([0, revision]);
});

it('permissions speak of its queue by the name that it has on a node alone', async () => {
  const cluster = await MqttCluster.of('a', 'b');
  const [a] = cluster.nodes as [MqttNode];
  const client = await cluster.join(a, 'client');
  const other = await cluster.join(a, 'other');
  const only = '^(mqtt-subscription-clientqos1|amq\\.topic)$';
  await a.at.settle(a.at.broker.permissions.set('/', 'guest', { configure: only, write: only, read: '.*' }));
  expect(await client.subscribe('x', 1)).toEqual([1]);
  expect(await other.subscribe('x', 1)).toEqual([0x87]);
});
