import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { SimNode } from '../sim-node.js';
import { dial, join, type MqttPeer } from './peer.js';

let node: SimNode;
let alice: MqttPeer;
beforeEach(async () => {
  node = await SimNode.start();
  alice = await join(node, 'alice');
});
afterEach(() => node.stop());

const lasting = { properties: { sessionExpiryInterval: 1000 } };
const back = (id = 'bob', more = {}) => join(node, id, 5, { clean: false, ...lasting, ...more });

/** The power goes, and comes again; peers are gone. */
async function crash(): Promise<void> {
  const { platform } = node;
  platform.crash('nothing');
  node = await SimNode.start({ platform });
  alice = await join(node, 'alice');
}

describe('a session', () => {
  test('is there for who comes back, and not for who wants a clean one [MQTT-3.1.2-4] [MQTT-3.1.2-5] [MQTT-3.1.2-6] [MQTT-3.2.2-2] [MQTT-3.2.2-3] [MQTT-3.1.2-23] [MQTT-3.1.4-4] [MQTT-4.1.0-1]', async () => {
    expect((await back()).connack.sessionPresent).toBe(false);
    const bob = await back();
    expect(bob.connack.sessionPresent).toBe(true);
    await bob.subscribe('t', 1);
    await bob.goodbye();
    alice.publish('t', 'm', { qos: 1 });
    const again = await back();
    expect(again.connack.sessionPresent).toBe(true);
    expect(await again.payloads()).toEqual(['m']);
    await again.goodbye();
    const clean = await join(node, 'bob', 5, lasting);
    expect(clean.connack.sessionPresent).toBe(false);
    alice.publish('t', 'm', { qos: 1 });
    await clean.silence();
  });

  test('before 5.0: clean or for a day; 3.1 has no word for it', async () => {
    for (const version of [3, 4] as const) {
      const bob = await join(node, 'bob', version, { clean: false });
      await bob.subscribe('t', 1);
      await bob.goodbye();
      alice.publish('t', 'm', { qos: 1 });
      const again = await join(node, 'bob', version, { clean: false });
      expect(again.connack.sessionPresent).toBe(version === 4);
      expect(await again.payloads()).toEqual(['m']);
      await again.goodbye();
      await join(node, 'bob', version).then((peer) => peer.goodbye());
      const gone = await join(node, 'bob', version, { clean: false });
      expect(gone.connack.sessionPresent).toBe(false);
      await gone.goodbye();
      await join(node, 'bob', version).then((peer) => peer.goodbye());
    }
  });

  test('ends when its time is over [MQTT-4.1.0-2]', async () => {
    const bob = await back('bob', { properties: { sessionExpiryInterval: 10 } });
    await bob.subscribe('t', 1);
    await bob.drop();
    await node.advance(9_000);
    expect(node.mqtt.sessions.count).toBe(2);
    await node.advance(2_000);
    expect(node.mqtt.sessions.count).toBe(1);
    expect([...node.broker.topology.vhosts.get('/')!.queues.keys()]).toEqual([]);
    expect((await back()).connack.sessionPresent).toBe(false);
  });

  test('may be ended, or given another time, with DISCONNECT', async () => {
    await back('one').then((peer) => peer.goodbye(0, 0));
    await back('two').then((peer) => peer.goodbye(0, 5));
    expect((await back('one')).connack.sessionPresent).toBe(false);
    await node.advance(6_000);
    expect((await back('two')).connack.sessionPresent).toBe(false);
  });

  test('a queue that is about to go with its session is not given to the next', async () => {
    for (let round = 0; round < 5; round++) {
      const bob = await back();
      await bob.subscribe('t', 1);
      bob.send({ cmd: 'disconnect', reasonCode: 0, properties: { sessionExpiryInterval: 0 } });
      bob.wire.end();
      // At once, while the old queue is being deleted.
      const next = dial(node);
      next.connect({ clientId: 'bob', clean: false, ...lasting });
      next.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 't', qos: 1 }] });
      await next.expect('connack');
      expect(await next.expect('suback')).toMatchObject({ granted: [1] });
      alice.publish('t', `${round}`, { qos: 1 });
      await alice.expect('puback');
      expect(await next.payloads()).toEqual([`${round}`]);
      await next.goodbye(0, 0);
    }
  });

  test('is taken over by who comes with its name; the old connection is told [MQTT-3.1.4-3] [MQTT-3.1.3-2]', async () => {
    const bob = await back();
    await bob.subscribe('t', 1);
    const other = await back();
    await bob.expectEnd(0x8e);
    expect(other.connack.sessionPresent).toBe(true);
    alice.publish('t', 'm', { qos: 1 });
    expect(await other.payloads()).toEqual(['m']);
    const clean = await join(node, 'bob', 4);
    await other.expectEnd(0x8e);
    await clean.silence();
  });

  test('is not taken over by another user', async () => {
    await node.addUser('mallory', { configure: '.*', write: '.*', read: '.*' });
    await back();
    const taken = join(node, 'bob', 5, { username: 'mallory', password: Buffer.from('mallory') });
    await expect(taken).rejects.toThrow('"reasonCode":135');
  });

  test('many take-overs at once leave one', async () => {
    const peers = Array.from({ length: 5 }, () => dial(node));
    for (const peer of peers) peer.connect({ clientId: 'bob', clean: false, ...lasting });
    await node.idle();
    expect(peers.filter((peer) => !peer.isOver).length).toBe(1);
    expect(node.mqtt.sessions.count).toBe(2);
    // CONNACK has no code for a take-over.
    const codes = (await Promise.all(peers.map((peer) => peer.all())))
      .flat()
      .map((packet) => (packet as { reasonCode: number }).reasonCode);
    expect(codes.every((code) => [0, 0x80, 0x8e].includes(code))).toBe(true);
  });

  test('is seen and ended by an administrator, connected or not', async () => {
    const kept = { clean: false, properties: { sessionExpiryInterval: 100 } };
    const away = await join(node, 'away', 5, kept);
    await away.subscribe({ 'a/#': 1, 'b/#': 0 });
    await away.subscribe('$share/g/c', 1);
    await away.goodbye();
    const there = await join(node, 'there', 5, kept);
    const seen = () => new Map([...node.broker.sessions].map((session) => [session.clientId, session]));
    expect(seen().get('away')).toMatchObject({
      vhost: '/',
      user: 'guest',
      connection: null,
      expirySeconds: 100,
      subscriptionCount: 3,
      queue: 'mqtt-subscription-awayqos1',
    });
    expect([...seen().get('away')!.subscriptions].map(({ filter, qos }) => `${filter} ${qos}`)).toEqual([
      'a/# 1',
      'b/# 0',
      '$share/g/c 1',
    ]);
    expect(seen().get('there')!.connection).toContain(':1883');
    for (const name of ['away', 'there']) void seen().get(name)!.end('enough');
    await there.expectEnd(0x98);
    expect([seen().has('away'), seen().has('there')]).toEqual([false, false]);
    expect(node.broker.topology.vhosts.get('/')!.queues.has('mqtt-subscription-awayqos1')).toBe(false);
    expect((await join(node, 'away', 5, kept)).connack.sessionPresent).toBe(false);
  });

  test('messages of QoS 0 do not wait', async () => {
    const bob = await back();
    await bob.subscribe({ zero: 0, one: 1 });
    await bob.drop();
    alice.publish('zero', 'no', { qos: 1 });
    alice.publish('one', 'queued', { qos: 0 });
    alice.publish('one', 'kept', { qos: 1 });
    await alice.all();
    expect(await (await back()).payloads()).toEqual(['queued', 'kept']);
  });
});

describe('after a reconnect', () => {
  test('what was not acknowledged comes again, in order, with DUP and its identifier [MQTT-4.4.0-1] [MQTT-3.3.1-1] [MQTT-4.6.0-1]', async () => {
    const bob = await back();
    await bob.subscribe('t', 2);
    for (let i = 0; i < 5; i++) alice.publish('t', `${i}`, { qos: i % 2 ? 2 : 1 });
    const before = await bob.messages();
    bob.send({ cmd: 'puback', messageId: before[2]!.messageId! });
    await node.idle();
    await bob.drop();
    alice.publish('t', '5', { qos: 1 });
    await alice.all();
    const again = await (await back()).messages();
    expect(again.map(({ payload, dup }) => `${payload}${dup ? ' dup' : ''}`)).toEqual([
      '0 dup',
      '1 dup',
      '3 dup',
      '4 dup',
      '5',
    ]);
    const ids = [0, 1, 3, 4].map((i) => before[i]!.messageId);
    expect(again.slice(0, 4).map(({ messageId }) => messageId)).toEqual(ids);
  });

  test('PUBREL comes again, PUBLISH does not [MQTT-4.3.3-6] [MQTT-4.3.3-5]', async () => {
    let bob = await back();
    await bob.subscribe('t', 2);
    alice.publish('t', 'a', { qos: 2 });
    const { messageId } = await bob.expect('publish');
    bob.send({ cmd: 'pubrec', messageId: messageId! });
    await bob.expect('pubrel');
    await bob.drop();
    bob = await back();
    expect(await bob.all()).toMatchObject([{ cmd: 'pubrel', messageId }]);
    bob.send({ cmd: 'pubcomp', messageId: messageId! });
    await node.idle();
    await bob.drop();
    bob = await back();
    await bob.silence();
  });

  test('what expired after it was sent is completed [MQTT-4.3.3-7] [MQTT-4.3.3-13]', async () => {
    const bob = await back();
    await bob.subscribe('t', 2);
    alice.publish('t', 'a', { qos: 2, properties: { messageExpiryInterval: 2 } });
    const { messageId } = await bob.expect('publish');
    await node.advance(5000);
    bob.send({ cmd: 'pubrec', messageId: messageId! });
    expect(await bob.expect('pubrel')).toMatchObject({ messageId });
  });

  test('a message of QoS 2 that came is not published again', async () => {
    const bob = await back();
    await alice.subscribe('t', 0);
    bob.publish('t', 'm', { qos: 2, messageId: 9 });
    await bob.expect('pubrec');
    await bob.drop();
    const again = await back();
    again.publish('t', 'm', { qos: 2, messageId: 9, dup: true });
    expect(await again.expect('pubrec')).toMatchObject({ messageId: 9, reasonCode: 0 });
    again.send({ cmd: 'pubrel', messageId: 9 });
    expect(await again.expect('pubcomp')).toMatchObject({ reasonCode: 0 });
    expect(await alice.payloads()).toEqual(['m']);
  });

  test('who has not heard PUBCOMP releases again, and is not told of an error', async () => {
    const bob = await back();
    bob.publish('t', 'm', { qos: 2, messageId: 9 });
    await bob.expect('pubrec');
    bob.send({ cmd: 'pubrel', messageId: 9 });
    await bob.drop();
    const again = await back();
    again.send({ cmd: 'pubrel', messageId: 9 });
    expect(await again.expect('pubcomp')).toMatchObject({ messageId: 9, reasonCode: 0 });
    await again.goodbye();
    const clean = await join(node, 'bob', 5, lasting);
    clean.send({ cmd: 'pubrel', messageId: 9 });
    expect(await clean.expect('pubcomp')).toMatchObject({ messageId: 9, reasonCode: 0x92 });
  });
});

describe('over a crash of the broker', () => {
  test('sessions, subscriptions and messages are there', async () => {
    const bob = await back();
    await bob.subscribe('t/#', 1, 7);
    await bob.subscribe('zero', 0);
    await bob.drop();
    alice.publish('t/1', 'a', { qos: 1 });
    await alice.expect('puback');
    await crash();
    const again = await back();
    expect(again.connack.sessionPresent).toBe(true);
    const [message] = await again.messages();
    expect(message).toMatchObject({ topic: 't/1', qos: 1, properties: { subscriptionIdentifier: 7 } });
    alice.publish('zero', 'b');
    alice.publish('t/2', 'c', { qos: 1 });
    expect(await again.payloads()).toEqual(['b', 'c']);
  });

  test('what was sent has the identifier that it had', async () => {
    const bob = await back();
    await bob.subscribe('t', 2);
    for (let i = 0; i < 4; i++) alice.publish('t', `${i}`, { qos: 2 });
    const before = await bob.messages();
    await crash();
    const again = await (await back()).messages();
    expect(again.map(({ messageId, dup }) => [messageId, dup])).toEqual(
      before.map(({ messageId }) => [messageId, true]),
    );
  });

  test('exactly once, wherever the crash comes: to the client', async () => {
    for (const crashAfter of ['publish', 'pubrec', 'pubrel', 'pubcomp'] as const) {
      let bob = await join(node, crashAfter, 5, { clean: false, ...lasting });
      await bob.subscribe('t', 2);
      alice.publish('t', crashAfter, { qos: 2 });
      const { messageId } = await bob.expect('publish');
      // What a client remembers: it has the message, and waits for PUBREL.
      let seen = 1;
      if (crashAfter !== 'publish') {
        bob.send({ cmd: 'pubrec', messageId: messageId! });
        if (crashAfter !== 'pubrec') {
          await bob.expect('pubrel');
          if (crashAfter === 'pubcomp') {
            bob.send({ cmd: 'pubcomp', messageId: messageId! });
            await node.idle();
            await node.advance(200);
          }
        }
      }
      await crash();
      bob = await join(node, crashAfter, 5, { clean: false, ...lasting });
      const waitsForRelease = crashAfter === 'publish' || crashAfter === 'pubrec';
      for (const packet of await bob.all()) {
        if (packet.cmd === 'publish' && !(waitsForRelease && packet.messageId === messageId)) seen++;
        if (packet.cmd === 'pubrel') expect(packet.messageId).toBe(messageId);
      }
      expect(seen, crashAfter).toBe(1);
      await bob.goodbye(0, 0);
    }
  });

  test('exactly once, wherever the crash comes: from the client', async () => {
    for (const heard of ['nothing', 'pubrec', 'pubcomp'] as const) {
      const listener = await back('listener');
      await listener.subscribe('t', 1);
      await listener.drop();
      let bob = await back();
      bob.publish('t', heard, { qos: 2, messageId: 3 });
      if (heard !== 'nothing') await bob.expect('pubrec');
      if (heard === 'pubcomp') {
        bob.send({ cmd: 'pubrel', messageId: 3 });
        await bob.expect('pubcomp');
      }
      await crash();
      bob = await back();
      if (heard === 'nothing') {
        bob.publish('t', heard, { qos: 2, messageId: 3, dup: true });
        await bob.expect('pubrec');
      }
      if (heard !== 'pubcomp') {
        bob.send({ cmd: 'pubrel', messageId: 3 });
        await bob.expect('pubcomp');
      }
      // The identifier is free: another message under it is another message.
      bob.publish('t', 'next', { qos: 2, messageId: 3 });
      await bob.expect('pubrec');
      bob.send({ cmd: 'pubrel', messageId: 3 });
      await bob.expect('pubcomp');
      const again = await back('listener');
      expect(await again.payloads(), heard).toEqual([heard, 'next']);
      await again.goodbye(0, 0);
    }
  });

  test('a session whose time was over meanwhile is gone, and its queue with it', async () => {
    const bob = await back('bob', { properties: { sessionExpiryInterval: 10 } });
    await bob.subscribe('t', 1);
    await bob.drop();
    const { platform } = node;
    await node.stop();
    await platform.clock.advance(20_000);
    node = await SimNode.start({ platform });
    await node.advance(100);
    expect(node.mqtt.sessions.count).toBe(0);
    expect([...node.broker.topology.vhosts.get('/')!.queues.keys()]).toEqual([]);
    alice = await join(node, 'alice');
  });
});
