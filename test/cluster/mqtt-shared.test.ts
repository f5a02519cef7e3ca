import type { DoorSettings } from '@chapar/mqtt';
import { expect, it } from 'vitest';
import { type Client, MqttCluster, type MqttNode } from './mqtt-cluster.js';

const lasting = { clean: false, properties: { sessionExpiryInterval: 1000 } };
const queueName = 'mqtt-share-g/x';

const hasQueue = ({ at }: MqttNode): boolean => at.broker.topology.vhosts.get('/')!.queues.has(queueName);

async function stage(settings: Partial<DoorSettings> = {}) {
  const cluster = new MqttCluster();
  for (const name of ['a', 'b', 'c']) await cluster.add(name, settings);
  const [a, b, c] = cluster.nodes as [MqttNode, MqttNode, MqttNode];
  const publisher = await cluster.join(c, 'publisher');
  return { cluster, a, b, c, publisher };
}

async function member(cluster: MqttCluster, node: MqttNode, id: string): Promise<Client> {
  const client = await cluster.join(node, id, lasting);
  await client.subscribe('$share/g/x', 1);
  return client;
}

it('a group has members on several nodes: its queue stays with the last of them, wherever it is', async () => {
  const { cluster, a, b, publisher } = await stage();
  const one = await member(cluster, a, 'one');
  const two = await member(cluster, b, 'two');
  await one.unsubscribe('$share/g/x');
  publisher.publish('x', 'm1', 1);
  expect(await two.heard()).toEqual(['m1!']);
  // One that is away is in it, too.
  const three = await member(cluster, a, 'three');
  await two.peer.drop();
  await three.unsubscribe('$share/g/x');
  publisher.publish('x', 'm2', 1);
  await cluster.soon();
  expect(hasQueue(b)).toBe(true);
  const back = await cluster.join(b, 'two', lasting);
  expect(await back.heard()).toEqual(['m2!']);
  await back.unsubscribe('$share/g/x');
  await cluster.soon();
  expect([a, b].map(hasQueue)).toEqual([false, false]);
});

it('the node of its queue starts anew without members of its own: those of others keep it', async () => {
  const { cluster, a, b, publisher } = await stage();
  const one = await member(cluster, a, 'one');
  const two = await member(cluster, b, 'two');
  await one.unsubscribe('$share/g/x');
  a.at.kill();
  await cluster.soon(3000);
  const again = await cluster.start(a.at.member);
  await cluster.soon(30_000);
  expect(hasQueue(again)).toBe(true);
  publisher.publish('x', 'm', 1);
  await cluster.soon(1000);
  expect(await two.heard()).toEqual(['m!']);
});

it('while a node cannot be asked the queue stays, and goes when all say that nobody is in it', async () => {
  const { cluster, a, b, c } = await stage();
  const one = await member(cluster, a, 'one');
  c.at.kill();
  await cluster.soon(20_000);
  await one.unsubscribe('$share/g/x');
  await cluster.soon(20_000);
  expect([a, b].map(hasQueue)).toEqual([true, true]);
  await cluster.start(c.at.member);
  await cluster.soon(30_000);
  expect([a, b].map(hasQueue)).toEqual([false, false]);
});

it('a member that comes back while the node of the queue is down is served by the copies', async () => {
  const { cluster, a, b, publisher } = await stage();
  const one = await member(cluster, a, 'one');
  const two = await member(cluster, b, 'two');
  await two.peer.drop();
  await one.peer.drop();
  publisher.publish('x', 'm', 1);
  await cluster.soon();
  a.at.kill();
  await cluster.soon(20_000);
  const back = await cluster.join(b, 'two', lasting);
  await cluster.soon(1000);
  expect(await back.heard()).toEqual(['m!']);
});

it('a member that comes back while the queue is down, which has no copies, is hung up on, and is served when the queue is there again', async () => {
  const { cluster, a, b, publisher } = await stage({ sessionCopies: 1 });
  const one = await member(cluster, a, 'one');
  const two = await member(cluster, b, 'two');
  await two.peer.drop();
  await one.peer.drop();
  publisher.publish('x', 'm', 1);
  await cluster.soon();
  a.at.kill();
  await cluster.soon(20_000);
  const back = await cluster.join(b, 'two', lasting);
  await cluster.soon();
  expect(back.peer.isOver).toBe(true);
  await cluster.start(a.at.member);
  await cluster.soon(3000);
  const again = await cluster.join(b, 'two', lasting);
  expect(await again.heard()).toEqual(['m!']);
});

it.each([0, 1, 2, 3, 4, 6, 8])(
  'a message of QoS 2 is for one member, once, also when its node dies %i ms after it was chosen',
  async (afterMs) => {
    const { cluster, a, b, c, publisher } = await stage();
    await cluster.soon(10_000);
    const one = await cluster.join(a, 'one', lasting);
    await one.subscribe('$share/g/x', 2);
    await one.peer.drop();
    const two = await cluster.join(b, 'two', lasting);
    await two.subscribe('$share/g/x', 2);
    publisher.publish('x', 'm', 2);
    await cluster.soon(afterMs);
    b.at.kill();
    await cluster.soon(30_000);
    const back = [await cluster.join(c, 'two', lasting), await cluster.join(a, 'one', lasting)];
    await cluster.soon(1000);
    expect((await Promise.all(back.map((client) => client.heard()))).flat()).toEqual(['m!!']);
  },
);

it('a message of QoS 2 stays in the group until the session that it is for has it on its disk', async () => {
  const { cluster, a, b, c, publisher } = await stage({ sessionCopies: 1 });
  await cluster.soon(10_000);
  const one = await cluster.join(a, 'one', lasting);
  await one.subscribe('$share/g/x', 2);
  await one.peer.drop();
  const two = await cluster.join(b, 'two', lasting);
  await two.subscribe('$share/g/x', 2);
  await cluster.soon(1000);
  b.at.member.platform.disk.delayMs.sync = 500;
  publisher.publish('x', 'm', 2);
  await cluster.soon(200);
  b.at.kill();
  await cluster.soon(30_000);
  const back = await cluster.join(c, 'one', lasting);
  await cluster.soon(1000);
  expect(await back.heard()).toEqual(['m!!']);
});
