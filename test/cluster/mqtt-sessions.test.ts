import type { SharedKeyedLog } from '@chapar/core';
import type { IPublishPacket } from 'mqtt-packet';
import { describe, expect, it, vi } from 'vitest';
import { join as joinAlone } from '../protocol/mqtt/peer.js';
import { SimNode } from '../protocol/sim-node.js';
import { type Client, MqttCluster, type MqttNode } from './mqtt-cluster.js';
import { SimClient } from './sim-broker.js';

const lasting = { clean: false, properties: { sessionExpiryInterval: 1000 } };
const queueName = 'mqtt-subscription-clientqos1';
const takenOver = 0x8e;

const hasQueue = ({ at }: MqttNode): boolean => at.broker.topology.vhosts.get('/')!.queues.has(queueName);

async function stage() {
  const cluster = await MqttCluster.of('a', 'b', 'c');
  const [a, b, c] = cluster.nodes as [MqttNode, MqttNode, MqttNode];
  // All have copies of the logs that they share.
  await cluster.soon(10_000);
  const publisher = await cluster.join(c, 'publisher');
  return { cluster, a, b, c, publisher };
}

/** No key of the log of sessions ends at that node until the function returned is called. */
function endsRefused({ door }: MqttNode): () => void {
  const { log } = door.takeovers!.directory as unknown as { log: SharedKeyedLog };
  const submit = log.submit.bind(log);
  let mayEnd = false;
  vi.spyOn(log, 'submit').mockImplementation((key, value, onlyIf, sink) => {
    if (value !== null || mayEnd) submit(key, value, onlyIf, sink);
    else queueMicrotask(() => sink.changed(false));
  });
  return () => {
    mayEnd = true;
  };
}

/**
 * What is sent of messages, with their identifiers; nothing is acknowledged. A mirrored queue's first position says who leads it, so that they
 * begin with 2, and one is left out when another node leads.
 */
async function sent(client: Client): Promise<string[]> {
  const packets = await client.peer.all();
  return packets.map((packet) => {
    if (packet.cmd !== 'publish') return `${packet.cmd} ${packet.messageId ?? ''}`.trim();
    const { payload, messageId, dup } = packet as IPublishPacket;
    return `${payload} ${messageId}${dup ? ' again' : ''}`;
  });
}

/** Comes as often as it has to: the log takes nothing before whoever was cut off is not waited for any more. */
async function letIn(cluster: MqttCluster, node: MqttNode): Promise<Client> {
  for (let tries = 0; tries < 5; tries++) {
    const client = await cluster.join(node, 'client', lasting);
    if (client.connack.reasonCode === 0) return client;
  }
  throw new Error('the client was not let in');
}

describe('a session that is kept', () => {
  it('goes on at another node: subscriptions, messages, identifiers; the connection that it had is told', async () => {
    const { cluster, a, b, publisher } = await stage();
    const first = await cluster.join(a, 'client', lasting);
    expect(first.connack.sessionPresent).toBe(false);
    await first.subscribe({ x: 1, y: 0 });
    for (const text of ['1', '2', '3']) publisher.publish('x', text, 1);
    await cluster.soon();
    expect(await sent(first)).toEqual(['1 2', '2 3', '3 4']);
    first.peer.send({ cmd: 'puback', messageId: 3 });
    await cluster.soon();
    const second = await cluster.join(b, 'client', lasting);
    expect(second.connack.sessionPresent).toBe(true);
    await first.peer.expectEnd(takenOver);
    publisher.publish('x', '4', 1);
    await cluster.soon();
    publisher.publish('y', 'plain');
    await cluster.soon();
    expect(await sent(second)).toEqual(['1 2 again', '3 4 again', '4 5', 'plain undefined']);
    expect([a, b].map(({ door }) => door.sessions.count)).toEqual([0, 1]);
  });

  it('has what its client has not acknowledged before all that waits behind it', async () => {
    const { cluster, a, b, c, publisher } = await stage();
    const one = { clean: false, properties: { ...lasting.properties, receiveMaximum: 1 } };
    await (await cluster.join(c, 'client', one)).subscribe('x', 1);
    const first = await cluster.join(a, 'client', one);
    for (const text of ['1', '2', '3']) publisher.publish('x', text, 1);
    await cluster.soon();
    expect(await sent(first)).toEqual(['1 2']);
    // What its node says to that of the queue takes longer than what the next one says.
    cluster.peers.lag(a.at.name, c.at.name, 200);
    const second = await cluster.join(b, 'client', lasting);
    await cluster.soon(1000);
    expect(await sent(second)).toEqual(['1 2 again', '2 3', '3 4']);
  });

  it('is as its last owner wrote it, whatever those before have under way', async () => {
    const { cluster, a, b, c } = await stage();
    const first = await cluster.join(a, 'client', lasting);
    await first.subscribe('x', 1);
    cluster.isolate(a, true);
    first.peer.send({ cmd: 'subscribe', messageId: 9, subscriptions: [{ topic: 'late', qos: 0 }] });
    await cluster.soon(20_000);
    const second = await cluster.join(b, 'client', lasting);
    await second.subscribe('z', 0);
    cluster.isolate(a, false);
    await cluster.soon(20_000);
    await cluster.join(c, 'client', lasting);
    const session = c.door.sessions.find(c.door.broker.topology.vhosts.get('/')!, 'client')!;
    expect([...session.subscriptions].map(({ filter }) => filter)).toEqual(['x', 'z']);
  });

  it('is there when its node is dead, with what came meanwhile', async () => {
    const { cluster, a, b, publisher } = await stage();
    const first = await cluster.join(a, 'client', lasting);
    await first.subscribe('x', 1);
    for (const text of ['1', '2']) publisher.publish('x', text, 1);
    await cluster.soon();
    first.peer.send({ cmd: 'puback', messageId: 2 });
    await cluster.soon();
    a.at.kill();
    publisher.publish('x', '3', 1);
    await cluster.soon(20_000);
    publisher.publish('x', '4', 1);
    await cluster.soon();
    const second = await cluster.join(b, 'client', lasting);
    expect(second.connack.sessionPresent).toBe(true);
    await cluster.soon(1000);
    expect(await sent(second)).toEqual(['2 3 again', '3 5', '4 6']);
    expect(await second.subscribe('z', 1)).toEqual([1]);
  });

  it('goes on at another node at once when its own was killed, and is not new because that is not known yet', async () => {
    const { cluster, a, b, publisher } = await stage();
    const first = await cluster.join(a, 'client', lasting);
    await first.subscribe('x', 1);
    publisher.publish('x', '1', 1);
    await cluster.soon();
    a.at.kill();
    const second = await cluster.join(b, 'client', lasting).catch(() => cluster.join(b, 'client', lasting));
    expect(second.connack.sessionPresent).toBe(true);
    await cluster.soon(20_000);
    publisher.publish('x', '2', 1);
    await cluster.soon(1000);
    expect((await sent(second)).map((text) => text[0])).toEqual(['1', '2']);
  });

  it('goes to and fro as often as its client does', async () => {
    const { cluster, a, b, c, publisher } = await stage();
    let client = await cluster.join(a, 'client', lasting);
    await client.subscribe('x', 1);
    const heard: string[] = [];
    for (let round = 0; round < 12; round++) {
      publisher.publish('x', `${round}`, 1);
      if (round % 3 === 0) await client.peer.drop();
      client = await cluster.join([b, c, a][round % 3]!, 'client', lasting);
      heard.push(...(await client.heard()));
    }
    expect(heard).toEqual(Array.from({ length: 12 }, (_, round) => `${round}!`));
    await cluster.soon(2000);
    expect(await sent(client)).toEqual([]);
  });

  it('is one when its client comes to all nodes at once', async () => {
    const { cluster, a, b, c, publisher } = await stage();
    await (await cluster.join(a, 'client', lasting)).subscribe('x', 1);
    const nodes = [a, b, c, a, b, c];
    const peers = nodes.map((node) => cluster.peer(node, 'client', lasting));
    await cluster.soon(3000);
    const open = peers.filter(({ isOver }) => !isOver);
    expect(open).toHaveLength(1);
    expect([a, b, c].map(({ door }) => door.sessions.find(door.broker.topology.vhosts.get('/')!, 'client'))).toSatisfy(
      (found: unknown[]) => found.filter((each) => each !== undefined).length === 1,
    );
    publisher.publish('x', 'm', 1);
    await cluster.soon();
    expect((await open[0]!.all()).filter(({ cmd }) => cmd === 'publish')).toHaveLength(1);
  });

  it('is over everywhere when its client begins anew on another node', async () => {
    const { cluster, a, b, c, publisher } = await stage();
    const first = await cluster.join(a, 'client', lasting);
    await first.subscribe('x', 1);
    publisher.publish('x', 'old', 1);
    await cluster.soon();
    const second = await cluster.join(b, 'client', { ...lasting, clean: true });
    expect(second.connack.sessionPresent).toBe(false);
    expect((await first.peer.all()).at(-1)).toMatchObject({ cmd: 'disconnect', reasonCode: takenOver });
    await cluster.soon(1000);
    expect([a, b, c].map(hasQueue)).toEqual([false, false, false]);
    publisher.publish('x', 'm', 1);
    expect(await second.heard()).toEqual([]);
    const clean = await cluster.join(c, 'client');
    expect(clean.connack.sessionPresent).toBe(false);
    await cluster.soon();
    const third = await cluster.join(a, 'client', lasting);
    expect(third.connack.sessionPresent).toBe(false);
  });

  it('hears of it when its node was cut off: its client, too', async () => {
    const { cluster, a, b, publisher } = await stage();
    const first = await cluster.join(a, 'client', lasting);
    await first.subscribe('x', 1);
    cluster.isolate(a, true);
    await cluster.soon(20_000);
    const second = await cluster.join(b, 'client', lasting);
    expect(second.connack.sessionPresent).toBe(true);
    publisher.publish('x', 'm', 1);
    await cluster.soon(1000);
    expect(await second.heard()).toEqual(['m!']);
    expect(first.peer.isOver).toBe(false);
    cluster.isolate(a, false);
    await cluster.soon(20_000);
    expect((await first.peer.all()).at(-1)).toMatchObject({ cmd: 'disconnect', reasonCode: takenOver });
    expect(a.door.sessions.count).toBe(0);
    publisher.publish('x', 'n', 1);
    expect(await second.heard()).toEqual(['n!']);
  });

  it('has all that comes, in order, while the node that had it comes back and has not heard yet', async () => {
    const { cluster, a, b, publisher } = await stage();
    await (await cluster.join(b, 'client', lasting)).subscribe('x', 1);
    await cluster.join(a, 'client', lasting);
    cluster.isolate(a, true);
    await cluster.soon(20_000);
    const second = await cluster.join(b, 'client', lasting);
    cluster.isolate(a, false);
    const texts = Array.from({ length: 200 }, (_, i) => `${i}!`);
    const heard: string[] = [];
    for (const text of texts) {
      publisher.publish('x', text.slice(0, -1), 1);
      await cluster.soon(10);
      heard.push(...(await second.heard()));
    }
    await cluster.soon(20_000);
    expect([...heard, ...(await second.heard())]).toEqual(texts);
  });

  const kinds: [string, number][] = [
    ['has copies, and is led elsewhere', 3],
    ['lives elsewhere', 1],
  ];

  it.each(kinds)(
    'has all in order when its node cannot reach the queue and holds 50 of it, which %s',
    async (_, copies) => {
      const cluster = new MqttCluster();
      for (const name of ['a', 'b', 'c']) await cluster.add(name, { sessionCopies: copies });
      const [a, b, c] = cluster.nodes as [MqttNode, MqttNode, MqttNode];
      await cluster.soon(10_000);
      const some = { clean: false, properties: { ...lasting.properties, receiveMaximum: 50 } };
      await (await cluster.join(c, 'client', some)).subscribe('x', 1);
      const first = await cluster.join(b, 'client', some);
      const publisher = await cluster.join(c, 'publisher');
      const texts = Array.from({ length: 120 }, (_, i) => `${i}`);
      for (const text of texts) publisher.publish('x', text, 1);
      await cluster.soon();
      expect(await sent(first)).toHaveLength(50);
      cluster.sever(b, c);
      const second = await cluster.join(a, 'client', lasting);
      await cluster.soon();
      const heard = await sent(second);
      expect(heard.map((text) => text.split(' ')[0])).toEqual(texts);
      expect(heard.filter((text) => text.endsWith('again'))).toHaveLength(50);
      await first.peer.expectEnd(takenOver);
      cluster.peers.heal();
      await cluster.soon(20_000);
      publisher.publish('x', 'last', 1);
      await cluster.soon();
      expect(await sent(second)).toEqual([`last ${copies > 1 ? 122 : 121}`]);
    },
  );

  it('is not changed by what its client said to the node before and comes to the queue too late', async () => {
    const { cluster, a, b, c, publisher } = await stage();
    await (await cluster.join(c, 'client', lasting)).subscribe('x', 1);
    const first = await cluster.join(b, 'client', lasting);
    for (const text of ['1', '2', '3']) publisher.publish('x', text, 1);
    await cluster.soon();
    expect(await sent(first)).toEqual(['1 2', '2 3', '3 4']);
    cluster.peers.lag(b.at.name, c.at.name, 5000);
    first.peer.send({ cmd: 'puback', messageId: 3 });
    await cluster.soon(10);
    const second = await cluster.join(a, 'client', lasting);
    await cluster.soon();
    expect(await sent(second)).toEqual(['1 2 again', '2 3 again', '3 4 again']);
    await cluster.soon(10_000);
    const third = await cluster.join(c, 'client', lasting);
    await cluster.soon(1000);
    expect(await sent(third)).toEqual(['1 2 again', '2 3 again', '3 4 again']);
  });

  it('is lost to a node that hears of it from the queue alone: its client is told', async () => {
    const cluster = await MqttCluster.of('a', 'b', 'c', 'd');
    const [a, b, c, d] = cluster.nodes as [MqttNode, MqttNode, MqttNode, MqttNode];
    await cluster.soon(10_000);
    await (await cluster.join(d, 'client', lasting)).subscribe('x', 1);
    const first = await cluster.join(b, 'client', lasting);
    // The log is led where the cluster began.
    for (const other of [a, c]) cluster.sever(b, other);
    const second = await letIn(cluster, c);
    await cluster.soon();
    await first.peer.expectEnd(takenOver);
    const publisher = await cluster.join(d, 'publisher');
    publisher.publish('x', 'm', 1);
    expect(await second.heard()).toEqual(['m!']);
  });

  it('is its user’s on every node', async () => {
    const { cluster, a, b } = await stage();
    const first = await cluster.join(a, 'client', lasting);
    b.at.users.add('other');
    await b.at.settle(b.at.broker.permissions.set('/', 'other', { configure: '.*', write: '.*', read: '.*' }));
    const other = { username: 'other', password: Buffer.from('other') };
    for (const more of [lasting, {}]) {
      const peer = cluster.peer(b, 'client', { ...more, ...other });
      await cluster.soon(1000);
      expect(await peer.next()).toMatchObject({ cmd: 'connack', reasonCode: 0x87 });
    }
    expect(first.peer.isOver).toBe(false);
  });
});

it('a client with a session that is kept is refused while its log takes nothing, and not for longer', async () => {
  const { cluster, a, b, c } = await stage();
  await (await cluster.join(a, 'here', lasting)).peer.drop();
  b.at.kill();
  c.at.kill();
  await cluster.soon(20_000);
  const peer = cluster.peer(a, 'client', lasting);
  await cluster.soon(11_000);
  expect(await peer.next()).toMatchObject({ cmd: 'connack', reasonCode: 0x88 });
  // One that this node has goes on.
  const here = cluster.peer(a, 'here', lasting);
  await cluster.soon(1000);
  expect(await here.next()).toMatchObject({ cmd: 'connack', reasonCode: 0, sessionPresent: true });
  for (const { at } of [b, c]) await cluster.start(at.member);
  await cluster.soon(30_000);
  expect((await cluster.join(a, 'client', lasting)).connack.reasonCode).toBe(0);
});

describe('exactly once, when the client goes to another node', () => {
  it('from the client: what has its PUBREC is not taken twice', async () => {
    const { cluster, a, b, c } = await stage();
    const hearer = await cluster.join(c, 'hearer', lasting);
    await hearer.subscribe('x', 2);
    const first = await cluster.join(a, 'client', lasting);
    first.peer.publish('x', 'm', { qos: 2, messageId: 7 });
    await cluster.soon();
    await first.peer.expect('pubrec');
    a.at.kill();
    await cluster.soon(20_000);
    const second = await cluster.join(b, 'client', lasting);
    second.peer.publish('x', 'm', { qos: 2, messageId: 7, dup: true });
    await cluster.soon();
    expect(await sent(second)).toEqual(['pubrec 7']);
    second.peer.send({ cmd: 'pubrel', messageId: 7 });
    await cluster.soon();
    expect(await sent(second)).toEqual(['pubcomp 7']);
    expect(await hearer.heard()).toEqual(['m!!']);
    // The identifier is another message's from now on.
    second.peer.publish('x', 'n', { qos: 2, messageId: 7 });
    expect(await hearer.heard()).toEqual(['n!!']);
  });

  it('from the client: what is retained does not come back over a newer message, nor over its end', async () => {
    const { cluster, a, b, c } = await stage();
    const first = await cluster.join(b, 'client', lasting);
    for (const [messageId, topic] of [
      [7, 'x'],
      [8, 'y'],
    ] as const)
      first.peer.publish(topic, 'old', { qos: 2, messageId, retain: true });
    await cluster.soon();
    const other = await cluster.join(c, 'other');
    other.peer.publish('x', 'new', { qos: 1, retain: true });
    other.peer.publish('y', '', { qos: 1, retain: true });
    await cluster.soon();
    b.at.kill();
    await cluster.soon(20_000);
    const second = await cluster.join(a, 'client', lasting);
    for (const [messageId, topic] of [
      [7, 'x'],
      [8, 'y'],
    ] as const)
      second.peer.publish(topic, 'old', { qos: 2, messageId, retain: true, dup: true });
    await cluster.soon(1000);
    expect(await sent(second)).toEqual(['pubrec 7', 'pubrec 8']);
    const late = await cluster.join(c, 'late');
    await late.subscribe({ x: 1, y: 1 });
    expect(await late.heard()).toEqual(['new!']);
  });

  it('from the client: a message that was refused leaves its identifier to the next one, before the client hears of it', async () => {
    const { cluster, b } = await stage();
    const amqp = await SimClient.enter(b.at);
    await amqp.declare('full', { arguments: { 'x-max-length': 0, 'x-overflow': 'reject-publish' } });
    await amqp.bind('amq.topic', 'full', 'x');
    const { peer } = await cluster.join(b, 'client', lasting);
    const mayEnd = endsRefused(b);
    peer.publish('x', 'm', { qos: 2, messageId: 7 });
    await cluster.soon(2000);
    expect(await peer.all()).toEqual([]);
    mayEnd();
    await cluster.soon(1000);
    expect(await peer.expect('pubrec')).toMatchObject({ messageId: 7, reasonCode: 0x97 });
    expect(b.door.takeovers!.directory.logOf('/', 'client').provenanceOf!(7).sequence).toBe(0);
  });

  it('from the client: an identifier is free when the log says so, also for a connection that comes meanwhile', async () => {
    const { cluster, b } = await stage();
    const first = await cluster.join(b, 'client', lasting);
    first.peer.publish('x', 'm', { qos: 2, messageId: 7 });
    await cluster.soon(1000);
    expect(await sent(first)).toEqual(['pubrec 7']);
    const mayEnd = endsRefused(b);
    first.peer.send({ cmd: 'pubrel', messageId: 7 });
    await first.peer.drop();
    const second = await cluster.join(b, 'client', lasting);
    second.peer.send({ cmd: 'pubrel', messageId: 7 });
    await cluster.soon(2000);
    expect(await sent(second)).toEqual([]);
    mayEnd();
    await cluster.soon(1000);
    expect(await sent(second)).toEqual(['pubcomp 7']);
  });

  it('to the client: what it has received is released there, and does not come again', async () => {
    const { cluster, a, b, c, publisher } = await stage();
    const first = await cluster.join(a, 'client', lasting);
    await first.subscribe('x', 2);
    publisher.publish('x', '1', 2);
    publisher.publish('x', '2', 2);
    await cluster.soon();
    expect(await sent(first)).toEqual(['1 2', '2 3']);
    first.peer.send({ cmd: 'pubrec', messageId: 2 });
    await cluster.soon();
    expect(await sent(first)).toEqual(['pubrel 2']);
    a.at.kill();
    await cluster.soon(20_000);
    const second = await cluster.join(b, 'client', lasting);
    await cluster.soon(1000);
    expect(await sent(second)).toEqual(['pubrel 2', '2 3 again']);
    second.peer.send({ cmd: 'pubcomp', messageId: 2 });
    await cluster.soon();
    const third = await cluster.join(c, 'client', lasting);
    await cluster.soon(1000);
    // For some time: nobody knows whether its settlement has come to the queue. The client knows nothing of it and says so.
    expect(await sent(third)).toEqual(['pubrel 2', '2 3 again']);
  });
});

it('a message of QoS 2 whose PUBREC is known to its node alone is not settled: its identifier has to be released', async () => {
  const { cluster, a, b, c, publisher } = await stage();
  // The log of sessions is led where the cluster began.
  const first = await cluster.join(b, 'client', lasting);
  await first.subscribe('x', 2);
  publisher.publish('x', 'm', 2);
  await cluster.soon();
  expect(await sent(first)).toEqual(['m 2']);
  cluster.sever(a, b);
  first.peer.send({ cmd: 'pubrec', messageId: 2 });
  await cluster.soon(3000);
  b.at.kill();
  await cluster.soon(20_000);
  const second = await cluster.join(c, 'client', lasting);
  await cluster.soon(1000);
  expect(await sent(second)).toEqual(['m 2 again']);
});

it('a message of QoS 2 whose connection ended before the log had its PUBREC does not come again behind its release', async () => {
  const { cluster, a, b, c, publisher } = await stage();
  // The log of sessions is led where the cluster began.
  await (await cluster.join(c, 'client', lasting)).subscribe('x', 2);
  const first = await cluster.join(b, 'client', lasting);
  await cluster.soon(2000);
  publisher.publish('x', 'm', 2);
  await cluster.soon();
  expect(await sent(first)).toEqual(['m 2']);
  cluster.peers.lag(b.at.name, a.at.name, 300);
  first.peer.send({ cmd: 'pubrec', messageId: 2 });
  await cluster.soon(50);
  await first.peer.drop();
  await cluster.soon(500);
  // Its queue takes longer to hear of it than its client to complete what was released.
  for (const to of [a, c]) cluster.peers.lag(b.at.name, to.at.name, 1000);
  const second = await cluster.join(b, 'client', lasting);
  expect(second.peer.taken()).toMatchObject([{ cmd: 'pubrel', messageId: 2 }]);
  second.peer.send({ cmd: 'pubcomp', messageId: 2 });
  await cluster.soon(5000);
  expect(await sent(second)).toEqual([]);
});

it('a message of QoS 2 that the client has completed does not come again when it was out of reach of its queue meanwhile', async () => {
  const { cluster, a, b, c, publisher } = await stage();
  // The log of sessions is led where the cluster began.
  await (await cluster.join(c, 'client', lasting)).subscribe('x', 2);
  const first = await cluster.join(b, 'client', lasting);
  publisher.publish('x', 'm', 2);
  await cluster.soon();
  expect(await sent(first)).toEqual(['m 2']);
  cluster.sever(b, a, true);
  cluster.sever(b, c, true);
  first.peer.send({ cmd: 'pubrec', messageId: 2 });
  await cluster.soon();
  const second = await cluster.join(b, 'client', lasting);
  cluster.sever(b, a, false);
  await cluster.soon(2000);
  expect(await sent(second)).toEqual(['pubrel 2']);
  second.peer.send({ cmd: 'pubcomp', messageId: 2 });
  await cluster.soon();
  cluster.sever(b, c, false);
  await cluster.soon(2000);
  publisher.publish('x', 'n', 2);
  await cluster.soon();
  expect(await sent(second)).toEqual(['n 3']);
  // Nothing is left of the first one, wherever the client comes.
  second.peer.send({ cmd: 'pubrec', messageId: 3 });
  await cluster.soon();
  second.peer.send({ cmd: 'pubcomp', messageId: 3 });
  await cluster.soon(2000);
  expect(await sent(await cluster.join(a, 'client', lasting))).toEqual([]);
});

describe('the node of a session is dead', () => {
  const will = { topic: 'w', payload: Buffer.from('gone'), qos: 1 as const, retain: false };
  const wills: [string, object, number][] = [
    ['of a session that is kept', { ...lasting, will }, 1],
    ['of one that goes with its connection', { will }, 1],
    ['with a delay', { ...lasting, will: { ...will, properties: { willDelayInterval: 30 } } }, 1],
    ['that nobody left', lasting, 0],
  ];

  it.each(wills)('its will, %s, is sent once by another', async (_, more, count) => {
    const { cluster, a, b } = await stage();
    const hearer = await cluster.join(b, 'hearer', lasting);
    await hearer.subscribe('w', 1);
    await cluster.join(a, 'client', more);
    await cluster.soon(1000);
    a.at.kill();
    await cluster.soon(20_000);
    const isDelayed = JSON.stringify(more).includes('willDelayInterval');
    expect(await hearer.heard()).toEqual(isDelayed ? [] : Array(count).fill('gone!'));
    await cluster.soon(40_000);
    expect(await hearer.heard()).toEqual(isDelayed ? ['gone!'] : []);
  });

  it('those of many clients are sent soon after its lease is over, however many they are', async () => {
    const { cluster, a, b } = await stage();
    const hearer = await cluster.join(b, 'hearer', lasting);
    await hearer.subscribe('w', 1);
    const count = 1200;
    const peers = Array.from({ length: count }, (_, i) => cluster.peer(a, `client${i}`, { will }));
    await cluster.soon(2000);
    for (const peer of peers) expect((await peer.next())?.cmd).toBe('connack');
    a.at.kill();
    const heard: string[] = [];
    for (let waited = 0; waited < 16; waited++) {
      await cluster.soon(1000);
      heard.push(...(await hearer.heard()));
    }
    expect(heard).toHaveLength(count);
  });

  it('its will is not sent when it is delayed and the client comes back in time', async () => {
    const { cluster, a, b } = await stage();
    const hearer = await cluster.join(b, 'hearer', lasting);
    await hearer.subscribe('w', 1);
    const delayed = { ...lasting, will: { ...will, properties: { willDelayInterval: 30 } } };
    await cluster.join(a, 'client', delayed);
    a.at.kill();
    await cluster.soon(20_000);
    await cluster.join(b, 'client', lasting);
    await cluster.soon(60_000);
    expect(await hearer.heard()).toEqual([]);
  });

  it('its will is sent when the client comes to another before anybody knows', async () => {
    const { cluster, a, b } = await stage();
    const hearer = await cluster.join(b, 'hearer', lasting);
    await hearer.subscribe('w', 1);
    await cluster.join(a, 'client', { ...lasting, will });
    await cluster.soon();
    a.at.kill();
    await cluster.join(b, 'client', lasting).catch(() => cluster.join(b, 'client', lasting));
    await cluster.soon(40_000);
    expect(await hearer.heard()).toEqual(['gone!']);
  });

  it('it ends on time, and so does its queue', async () => {
    const { cluster, a, b, c, publisher } = await stage();
    const client = await cluster.join(a, 'client', { clean: false, properties: { sessionExpiryInterval: 60 } });
    await client.subscribe('x', 1);
    publisher.publish('x', 'm', 1);
    await client.peer.drop();
    await cluster.soon(1000);
    a.at.kill();
    await cluster.soon(40_000);
    expect([b, c].map(hasQueue)).toEqual([true, true]);
    await cluster.soon(25_000);
    expect([b, c].map(hasQueue)).toEqual([false, false]);
    expect(b.door.sessions.count + c.door.sessions.count).toBe(1);
    expect((await cluster.join(b, 'client', lasting)).connack.sessionPresent).toBe(false);
  });

  it('it is not there any more for who comes after its end, before anybody has seen to that', async () => {
    const { cluster, a, b } = await stage();
    const client = await cluster.join(a, 'client', { clean: false, properties: { sessionExpiryInterval: 3 } });
    await client.subscribe('x', 1);
    await client.peer.drop();
    await cluster.soon(1000);
    a.at.kill();
    await cluster.soon(3000);
    const back = await cluster.join(b, 'client', lasting);
    expect(back.connack.sessionPresent).toBe(false);
    await cluster.soon(40_000);
    expect(hasQueue(b)).toBe(false);
    await back.subscribe('x', 1);
    expect(hasQueue(b)).toBe(true);
  });

  it('it stays for its client also when the node is back: that is another process', async () => {
    const { cluster, a, publisher } = await stage();
    const client = await cluster.join(a, 'client', lasting);
    await client.subscribe('x', 1);
    a.at.kill();
    await cluster.soon(1000);
    const again = await cluster.start(a.at.member);
    publisher.publish('x', 'm', 1);
    await cluster.soon(20_000);
    const back = await cluster.join(again, 'client', lasting);
    expect(back.connack.sessionPresent).toBe(true);
    await cluster.soon(1000);
    expect(await back.heard()).toEqual(['m!']);
  });

  it('what it shared in waits for it', async () => {
    const { cluster, a, b, c, publisher } = await stage();
    const client = await cluster.join(a, 'client', lasting);
    await client.subscribe('$share/g/x', 1);
    const other = await cluster.join(b, 'other', lasting);
    await other.subscribe('$share/g/x', 1);
    a.at.kill();
    await cluster.soon(20_000);
    await other.unsubscribe('$share/g/x');
    publisher.publish('x', 'm', 1);
    await cluster.soon(30_000);
    const back = await cluster.join(c, 'client', lasting);
    await cluster.soon(1000);
    expect(await back.heard()).toEqual(['m!']);
    await back.unsubscribe('$share/g/x');
    await cluster.soon(1000);
    expect(c.at.broker.topology.vhosts.get('/')!.queues.has('mqtt-share-g/x')).toBe(true);
  });
});

describe('a session that goes with its connection, where those are their nodes’ own', () => {
  async function own() {
    const cluster = new MqttCluster();
    for (const name of ['a', 'b', 'c']) await cluster.add(name, { cleanSessions: 'node' });
    const [a, b, c] = cluster.nodes as [MqttNode, MqttNode, MqttNode];
    await cluster.soon(10_000);
    return { cluster, a, b, c };
  }

  it('is in no log, and not told when its client comes to another node', async () => {
    const { cluster, a, b } = await own();
    const will = { topic: 'w', payload: Buffer.from('gone'), qos: 1 as const, retain: false };
    const take = [a, b].map(({ door }) => vi.spyOn(door.takeovers!.directory, 'take'));
    const first = await cluster.join(a, 'client', { will });
    const second = await cluster.join(b, 'client', { will });
    await second.subscribe('w', 1);
    await cluster.soon(5000);
    expect([
      take.flatMap(({ mock }) => mock.calls).length,
      b.door.takeovers!.directory.count,
      first.peer.isOver,
    ]).toEqual([0, 0, false]);
    await first.peer.drop();
    expect(await second.heard()).toEqual(['gone!']);
  });

  it('takes the place of one that is kept elsewhere, and another one of its', async () => {
    const { cluster, a, b } = await own();
    const first = await cluster.join(a, 'client', lasting);
    await first.subscribe('x', 1);
    const second = await cluster.join(b, 'client');
    expect(second.connack.sessionPresent).toBe(false);
    await cluster.soon(1000);
    expect([first.peer.isOver, hasQueue(a), a.door.takeovers!.directory.count]).toEqual([true, false, 0]);
    const third = await cluster.join(b, 'client', lasting);
    expect([third.connack.sessionPresent, second.peer.isOver]).toEqual([false, true]);
  });
});

describe('a session that goes with its connection', () => {
  it('is told when its client comes to another node', async () => {
    const { cluster, a, b, publisher } = await stage();
    const first = await cluster.join(a, 'client');
    await first.subscribe('x', 1);
    await cluster.soon();
    const second = await cluster.join(b, 'client');
    await second.subscribe('x', 1);
    await first.peer.expectEnd(takenOver);
    publisher.publish('x', 'm', 1);
    expect(await second.heard()).toEqual(['m!']);
    await second.peer.drop();
    await cluster.soon(1000);
    expect(a.door.takeovers!.directory.count + b.door.takeovers!.directory.count).toBe(2);
  });

  it('takes the place of one that is kept elsewhere', async () => {
    const { cluster, a, b } = await stage();
    const first = await cluster.join(a, 'client', lasting);
    await first.subscribe('x', 1);
    const second = await cluster.join(b, 'client', { clean: true });
    expect(second.connack.sessionPresent).toBe(false);
    await cluster.soon(1000);
    expect([first.peer.isOver, second.peer.isOver, hasQueue(a), hasQueue(b)]).toEqual([true, false, false, false]);
  });

  it('does not wait for the log, of which most nodes are gone', async () => {
    const { cluster, a, b, c } = await stage();
    b.at.kill();
    c.at.kill();
    const client = await cluster.join(a, 'client');
    expect(client.connack.reasonCode).toBe(0);
  });
});

describe('the copies of what waits for clients', () => {
  const copies = ({ at }: MqttNode): string[] =>
    [...at.node.mirrors.allRecords()]
      .filter(({ vhost }) => vhost === '/')
      .map(({ name, replicas }) => `${name} ${replicas.length}`)
      .sort();

  it('are as many as the setting says', async () => {
    const cluster = new MqttCluster();
    for (const name of ['a', 'b', 'c']) await cluster.add(name, { sessionCopies: 2 });
    await cluster.soon(10_000);
    const [a] = cluster.nodes as [MqttNode];
    const client = await cluster.join(a, 'client', lasting);
    await client.subscribe({ x: 1, '$share/g/x': 1 });
    expect(copies(a)).toEqual(['mqtt-share-g/x 2', `${queueName} 2`]);
  });

  it('are none of a session that goes with its connection, nor where the setting says one', async () => {
    const { cluster, a } = await stage();
    await (await cluster.join(a, 'client')).subscribe('x', 1);
    expect(copies(a)).toEqual([]);
    const alone = await cluster.add('d', { sessionCopies: 1 });
    await (await cluster.join(alone, 'other', lasting)).subscribe('x', 1);
    expect(copies(a)).toEqual([]);
  });

  it('are as many as a policy says, before and behind the declaration', async () => {
    const { cluster, a } = await stage();
    const { records } = a.at.broker;
    const policy = (params: number) => {
      const definition = { 'ha-mode': 'exactly', 'ha-params': params };
      const value = { pattern: '^mqtt-subscription-', 'apply-to': 'queues', priority: 0, definition };
      return a.at.settle(records.put('policies', ['/', 'p'], value));
    };
    await policy(2);
    const client = await cluster.join(a, 'client', lasting);
    await client.subscribe('x', 1);
    expect(copies(a)).toEqual([`${queueName} 2`]);
    await policy(1);
    await cluster.soon(60_000);
    expect(copies(a)).toEqual([`${queueName} 1`]);
    await a.at.settle(records.delete('policies', '/', 'p'));
    await cluster.soon(60_000);
    expect(copies(a)).toEqual([`${queueName} 3`]);
  });
});

it('$SYS says of each node what it has, so that the sums are right', async () => {
  const { cluster, a, b, c } = await stage();
  const watching = await cluster.join(a, 'watching');
  await cluster.join(a, 'here', lasting);
  await (await cluster.join(a, 'away', lasting)).peer.drop();
  await cluster.join(b, 'there', lasting);
  // Once more than those that are here now: it came from another node.
  await (await cluster.join(b, 'moved', lasting)).peer.drop();
  await cluster.join(a, 'moved', lasting);
  await cluster.soon(12_000);
  await watching.subscribe({ '$SYS/broker/clients/connected': 0, '$SYS/broker/clients/total': 0 });
  expect((await watching.heard()).sort()).toEqual(['3', '4']);
  expect([a, b, c].map(({ door }) => door.sessions.count)).toEqual([4, 1, 1]);
});

describe('a node that was alone', () => {
  it('takes its sessions along into the cluster that it becomes', async () => {
    const cluster = new MqttCluster();
    const machine = cluster.members.machine('a');
    const alone = await SimNode.start({ platform: machine.platform });
    const first = await joinAlone(alone, 'client', 5, lasting);
    await first.subscribe({ x: 2 });
    const short = await joinAlone(alone, 'short', 5, { clean: false, properties: { sessionExpiryInterval: 60 } });
    await short.subscribe({ x: 1 });
    for (const peer of [first, short]) await peer.goodbye();
    const publisher = await joinAlone(alone, 'publisher', 5, lasting);
    publisher.publish('x', 'm', { qos: 2, messageId: 5 });
    await publisher.expect('pubrec');
    await alone.stop();
    const a = await cluster.start(machine);
    const b = await cluster.add('b');
    await cluster.add('c');
    await cluster.soon(10_000);
    const unheard = await cluster.join(b, 'publisher', lasting);
    unheard.peer.publish('x', 'm', { qos: 2, messageId: 5, dup: true });
    await cluster.soon();
    await unheard.peer.expect('pubrec');
    const back = await cluster.join(b, 'client', lasting);
    expect(back.connack.sessionPresent).toBe(true);
    await cluster.soon(1000);
    expect(await back.heard()).toEqual(['m!!']);
    await cluster.soon(90_000);
    expect([...a.at.broker.topology.vhosts.get('/')!.queues.keys()]).toEqual([queueName]);
    await cluster.soon(1000);
    expect((await cluster.join(b, 'short', lasting)).connack.sessionPresent).toBe(false);
  });

  /** With a client that has received a message, and not heard PUBCOMP; its node has begun in the cluster that it has become. */
  async function bringing() {
    const cluster = new MqttCluster();
    const machine = cluster.members.machine('a');
    const alone = await SimNode.start({ platform: machine.platform });
    const client = await joinAlone(alone, 'client', 5, lasting);
    for (const messageId of [5, 6]) {
      client.publish('x', 'm', { qos: 2, messageId });
      await client.expect('pubrec');
    }
    for (let i = 0; i < 20; i++) await joinAlone(alone, `other ${i}`, 5, lasting);
    await alone.stop();
    const [b, c] = [await cluster.add('b'), await cluster.add('c')];
    await cluster.soon(10_000);
    const hearer = await cluster.join(c, 'hearer');
    await hearer.subscribe('x', 2);
    // Half of what it has is on its way for long.
    for (const to of ['b', 'c']) cluster.peers.lag('a', to, 300);
    const a = await cluster.start(machine);
    return { cluster, a, b, c, hearer };
  }

  it.each(['a', 'b'])('lets its clients find all of their sessions or wait: at node %s', async (name) => {
    const { cluster, hearer } = await bringing();
    // It has said by now that they come.
    await cluster.soon(700);
    const node = cluster.nodes.find(({ at }) => at.name === name)!;
    const back = await cluster.join(node, 'client', lasting);
    expect(back.connack).toMatchObject({ reasonCode: 0, sessionPresent: true });
    back.peer.publish('x', 'm', { qos: 2, messageId: 5, dup: true });
    await cluster.soon(5000);
    await back.peer.expect('pubrec');
    expect(await hearer.heard()).toEqual([]);
    const fresh = await cluster.join(node, 'fresh', lasting);
    expect(fresh.connack.sessionPresent).toBe(false);
  });

  it('is not waited for when it dies on the way, and what was half there is nobody’s', async () => {
    const { cluster, a, b, c, hearer } = await bringing();
    const { directory } = b.door.takeovers!;
    const { log } = a.door.takeovers!.directory as unknown as { log: SharedKeyedLog };
    const put = log.put.bind(log);
    vi.spyOn(log, 'put').mockImplementation((key, ...rest) => {
      if (key[0] !== 's') put(key, ...rest);
    });
    const isHalf = (): boolean => directory.logOf('/', 'client').provenanceOf!(5).sequence > 0;
    for (let leftMs = 10_000; leftMs > 0 && !isHalf(); leftMs -= 10) await cluster.soon(10);
    expect([isHalf(), directory.isKept('/\0client')]).toEqual([true, false]);
    a.at.kill();
    await cluster.soon(20_000);
    const client = await cluster.join(b, 'client', lasting);
    client.peer.publish('x', 'n', { qos: 2, messageId: 5 });
    await cluster.soon(1000);
    expect([client.connack.sessionPresent, await hearer.heard()]).toEqual([false, ['n!!']]);
    // Nor is it taken for the new session's when that goes on elsewhere.
    const again = await cluster.join(c, 'client', lasting);
    again.peer.publish('x', 'o', { qos: 2, messageId: 6 });
    await cluster.soon(1000);
    expect([again.connack.sessionPresent, await hearer.heard()]).toEqual([true, ['o!!']]);
  });
});
