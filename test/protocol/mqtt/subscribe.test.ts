import type { IConnectPacket } from 'mqtt-packet';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { SimNode } from '../sim-node.js';
import { join, type MqttPeer } from './peer.js';

let node: SimNode;
let alice: MqttPeer;
let bob: MqttPeer;
beforeEach(async () => {
  node = await SimNode.start();
  alice = await join(node, 'alice');
  bob = await join(node, 'bob');
});
afterEach(() => node.stop());

describe('SUBSCRIBE', () => {
  test('SUBACK has its identifier, and a code for each filter, in order [MQTT-3.8.4-1] [MQTT-3.8.4-2] [MQTT-3.8.4-5] [MQTT-3.8.4-6] [MQTT-3.8.4-7] [MQTT-3.9.3-1] [MQTT-3.9.3-2] [MQTT-2.2.1-6]', async () => {
    bob.send({
      cmd: 'subscribe',
      messageId: 999,
      subscriptions: [
        { topic: 'a', qos: 2 },
        { topic: 'b/#/c', qos: 1 },
        { topic: 'c', qos: 0 },
        { topic: '$share/g/d', qos: 1 },
      ],
    });
    expect(await bob.expect('suback')).toMatchObject({ messageId: 999, granted: [2, 0x8f, 0, 1] });
  });

  test('before 5.0 a filter that is refused is 0x80', async () => {
    const old = await join(node, 'old', 4);
    expect(await old.subscribe({ 'a+': 1, b: 1 })).toEqual([0x80, 1]);
  });

  test.each(['a#', 'a/b#', '#/a', '#a', 'a/+b', 'a+/b', '', '++'])(
    '%j is no filter [MQTT-4.7.1-1] [MQTT-4.7.1-2] [MQTT-4.7.3-1]',
    async (filter) => {
      expect(await bob.subscribe(filter)).toEqual([0x8f]);
    },
  );

  test('what a filter matches', async () => {
    const cases: [string, string[], string[]][] = [
      ['a/#', ['a', 'a/b', 'a/b/c', 'a/'], ['ab', 'b/a']],
      ['+', ['a', ''], ['a/b', '/a']],
      ['+/+', ['a/b', '/b', '/', 'a/'], ['a', 'a/b/c']],
      ['/+', ['/a', '/'], ['a', 'a/b']],
      ['a/+/c', ['a/b/c', 'a//c'], ['a/c', 'a/b/d']],
      ['#', ['a', '/', 'a/b'], []],
      ['a//b', ['a//b'], ['a/b']],
      ['A', ['A'], ['a']],
    ];
    for (const [filter, yes, no] of cases) {
      const carol = await join(node, 'carol');
      await carol.subscribe(filter);
      for (const topic of [...yes, ...no]) if (topic !== '') alice.publish(topic, topic);
      expect(await carol.payloads(), filter).toEqual(yes.filter((topic) => topic !== ''));
      await carol.goodbye();
    }
  });

  test('topics are compared as they are: no character is changed [MQTT-4.7.3-4] [MQTT-3.3.2-3]', async () => {
    const topics = [
      'a.b',
      'a*b',
      'a%2Eb',
      '%',
      '*',
      '.',
      'a..b/*.c',
      'ä/Ä',
      'a\u0301',
      'á',
      '%2F/x',
      'a b',
      'spBv1.0/g/NBIRTH/n',
    ];
    for (const qos of [0, 1]) {
      const carol = await join(node, 'carol');
      for (const topic of topics) await carol.subscribe(topic, qos);
      for (const topic of topics) alice.publish(topic, topic, { qos: qos as 0 });
      const messages = await carol.messages();
      expect(messages.map(({ topic }) => topic)).toEqual(topics);
      expect(messages.map(({ payload }) => payload.toString())).toEqual(topics);
      await carol.goodbye();
    }
    await bob.subscribe('a.b/+', 0);
    alice.publish('a/b/c', 'no');
    alice.publish('a.b/c', 'yes');
    expect(await bob.payloads()).toEqual(['yes']);
  });

  test('a wildcard at the beginning matches no $ [MQTT-4.7.2-1]', async () => {
    for (const qos of [0, 1]) await bob.subscribe({ '#': qos, '+/b': qos });
    const carol = await join(node, 'carol');
    await carol.subscribe({ '$own/#': 1 });
    alice.publish('$own/b', 'm', { qos: 1 });
    await bob.silence();
    expect(await carol.payloads()).toEqual(['m']);
  });

  test.each([
    ['flags of the header [MQTT-3.8.1-1]', [0x80, 7, 0, 1, 0, 0, 1, 0x74, 0], 0x81],
    ['no filter [MQTT-3.8.3-2]', [0x82, 3, 0, 1, 0], 0x82],
    ['identifier 0 [MQTT-2.2.1-3]', [0x82, 7, 0, 0, 0, 0, 1, 0x74, 0], 0x82],
    ['QoS 3', [0x82, 7, 0, 1, 0, 0, 1, 0x74, 3], 0x81],
    ['reserved options [MQTT-3.8.3-5]', [0x82, 7, 0, 1, 0, 0, 1, 0x74, 0x40], 0x81],
    ['retain handling 3', [0x82, 7, 0, 1, 0, 0, 1, 0x74, 0x30], 0x82],
    ['a filter that is no UTF-8 [MQTT-3.8.3-1]', [0x82, 7, 0, 1, 0, 0, 1, 0xff, 0], 0x81],
    ['subscription identifier 0', [0x82, 9, 0, 1, 2, 0x0b, 0, 0, 1, 0x74, 0], 0x82],
    ['two of them', [0x82, 11, 0, 1, 4, 0x0b, 1, 0x0b, 2, 0, 1, 0x74, 0], 0x82],
    ['a filter without options', [0x82, 6, 0, 1, 0, 0, 1, 0x74], 0x81],
    ['UNSUBSCRIBE: flags [MQTT-3.10.1-1]', [0xa0, 6, 0, 1, 0, 0, 1, 0x74], 0x81],
    ['UNSUBSCRIBE: no filter [MQTT-3.10.3-2]', [0xa2, 3, 0, 1, 0], 0x82],
    ['UNSUBSCRIBE: no UTF-8 [MQTT-3.10.3-1]', [0xa2, 6, 0, 1, 0, 0, 1, 0xff], 0x81],
  ])('malformed: %s', async (_name, bytes, code) => {
    bob.raw(bytes as number[]);
    await bob.expectEnd(code as number);
  });

  test('the same filter again replaces the subscription [MQTT-3.8.4-3]', async () => {
    for (const qos of [0, 1, 2, 0]) {
      await bob.subscribe('t', qos);
      alice.publish('t', 'm', { qos: 2 });
      expect((await bob.messages()).map((each) => each.qos)).toEqual([qos]);
    }
  });

  test('overlapping ones get one copy, of the highest QoS, with all identifiers [MQTT-3.3.4-2] [MQTT-3.3.4-3] [MQTT-3.3.4-4] [MQTT-3.3.4-5]', async () => {
    await bob.subscribe('a/#', 0, 1);
    await bob.subscribe('a/+', 2, 268_435_455);
    await bob.subscribe('#', 1);
    alice.publish('a/b', 'm', { qos: 2 });
    alice.publish('x', 'n', { qos: 2 });
    const [one, other, ...more] = await bob.messages();
    expect([one!.qos, one!.properties?.subscriptionIdentifier]).toEqual([2, [1, 268_435_455]]);
    expect([other!.qos, other!.properties?.subscriptionIdentifier]).toEqual([1, undefined]);
    expect(more).toEqual([]);
  });

  test('No Local: not what oneself published [MQTT-3.8.3-3]', async () => {
    await bob.subscribe({ 'q0/#': { qos: 0, nl: true }, 'q1/#': { qos: 1, nl: true } });
    for (const topic of ['q0/a', 'q1/a'])
      for (const qos of [0, 1] as const) {
        bob.publish(topic, 'own', { qos });
        alice.publish(topic, 'other', { qos });
      }
    const packets = await bob.all();
    const payloads = packets.flatMap((packet) => (packet.cmd === 'publish' ? [packet.payload.toString()] : []));
    expect(payloads).toEqual(['other', 'other', 'other', 'other']);
  });

  test.each([3, 4] as const)(
    'of a bridge: nothing of its own comes back, and the retain flag stays, level %i',
    async (level) => {
      const bridge = await join(node, 'bridge', level, { bridgeMode: true } as Partial<IConnectPacket>);
      expect(await bridge.subscribe({ 'a/#': 1, 'b/#': 0 })).toEqual([1, 0]);
      for (const qos of [0, 1, 2] as const)
        for (const topic of ['a/t', 'b/t']) bridge.publish(topic, 'own', { qos, messageId: 20 + qos });
      expect((await bridge.all()).filter(({ cmd }) => cmd === 'publish')).toEqual([]);
      alice.publish('a/t', 'other', { qos: 1, retain: true });
      alice.publish('b/t', 'other', { retain: true });
      expect(await bridge.messages()).toMatchObject([
        { topic: 'a/t', retain: true },
        { topic: 'b/t', retain: true },
      ]);
    },
  );

  test('No Local beside others: as if there were only these [MQTT-3.8.3-3]', async () => {
    const heard = async () => {
      const messages = (await alice.all()).filter((packet) => packet.cmd === 'publish');
      for (const { qos, messageId } of messages)
        if (qos > 0) alice.send({ cmd: qos === 1 ? 'puback' : 'pubrec', messageId: messageId! });
      await alice.all();
      return messages;
    };
    const say = (peer: MqttPeer) => {
      peer.publish('a/b', 'm', { qos: 2, messageId: 50 });
      peer.send({ cmd: 'pubrel', messageId: 50 });
    };
    for (const [local, others] of [
      [1, 0],
      [0, 1],
      [0, 0],
      [2, 1],
    ] as const) {
      await alice.subscribe({ 'a/#': { qos: local, nl: true } }, 0, 7);
      await alice.subscribe('a/+', others, 8);
      say(alice);
      expect(await heard()).toMatchObject([{ qos: others, properties: { subscriptionIdentifier: 8 } }]);
      say(bob);
      await bob.all();
      expect(await heard()).toMatchObject([
        { qos: Math.max(local, others), properties: { subscriptionIdentifier: [7, 8] } },
      ]);
    }
  });

  test('Retain As Published [MQTT-3.3.1-12] [MQTT-3.3.1-13] [MQTT-3.3.1-8]', async () => {
    for (const qos of [0, 1]) {
      const carol = await join(node, `carol${qos}`);
      await carol.subscribe({ a: { qos, rap: true, rh: 2 }, b: { qos, rh: 2 } });
      for (const topic of ['a', 'b']) for (const retain of [true, false]) alice.publish(topic, 'm', { qos: 1, retain });
      expect((await carol.messages()).map(({ retain }) => retain)).toEqual([true, false, false, false]);
    }
  });

  test('too many', async () => {
    await node.stop();
    node = await SimNode.start({ mqtt: { subscriptionsMax: 2 } });
    const peer = await join(node, 'c');
    expect(await peer.subscribe({ a: 0, b: 0, c: 0, a2: 1 })).toEqual([0, 0, 0x97, 0x97]);
    expect(await peer.subscribe({ a: 1 })).toEqual([1]);
  });

  test('very many, of one session', async () => {
    for (let i = 0; i < 300; i += 100) {
      await bob.subscribe(Object.fromEntries(Array.from({ length: 100 }, (_, k) => [`t/${i + k}/+`, k % 2])));
    }
    alice.publish('t/250/x', 'm', { qos: 1 });
    alice.publish('t/300/x', 'm', { qos: 1 });
    expect((await bob.messages()).map(({ topic, qos }) => [topic, qos])).toEqual([['t/250/x', 0]]);
  });
});

describe('UNSUBSCRIBE', () => {
  test('UNSUBACK has its identifier, and a code for each filter [MQTT-3.10.4-4] [MQTT-3.10.4-5] [MQTT-3.10.4-6] [MQTT-3.11.3-1] [MQTT-3.11.3-2] [MQTT-2.2.1-6]', async () => {
    await bob.subscribe({ a: 0, 'b/+': 1 });
    bob.send({ cmd: 'unsubscribe', messageId: 7, unsubscriptions: ['a', 'none', 'b/+', 'a'] });
    expect(await bob.expect('unsuback')).toMatchObject({ messageId: 7, granted: [0, 0x11, 0, 0x11] });
  });

  test('character by character, and nothing new comes [MQTT-3.10.4-1] [MQTT-3.10.4-2]', async () => {
    for (const qos of [0, 1]) {
      await bob.subscribe({ 'a/+': qos, 'a/b': qos });
      bob.send({ cmd: 'unsubscribe', messageId: 7, unsubscriptions: ['a/#'] });
      bob.send({ cmd: 'unsubscribe', messageId: 8, unsubscriptions: ['a/+'] });
      await bob.all();
      alice.publish('a/b', 'yes', { qos: 1 });
      alice.publish('a/c', 'no', { qos: 1 });
      expect(await bob.payloads()).toEqual(['yes']);
    }
  });

  test('what was sent is completed [MQTT-3.10.4-3]', async () => {
    await bob.subscribe('t', 2);
    alice.publish('t', 'm', { qos: 2 });
    const { messageId } = await bob.expect('publish');
    bob.send({ cmd: 'unsubscribe', messageId: 8, unsubscriptions: ['t'] });
    await bob.expect('unsuback');
    bob.send({ cmd: 'pubrec', messageId: messageId! });
    expect(await bob.expect('pubrel')).toMatchObject({ messageId, reasonCode: 0 });
  });
});

describe('$SYS', () => {
  test('tells what dashboards read, to who asks for it', async () => {
    await node.advance(11_000);
    await bob.subscribe({ '$SYS/broker/clients/#': 1, '$SYS/broker/version': 0 });
    const seen = new Map((await bob.messages()).map(({ topic, payload }) => [topic, payload.toString()]));
    expect(seen.get('$SYS/broker/version')).toMatch(/^chapar version/);
    expect(seen.get('$SYS/broker/clients/connected')).toBe('2');
    await join(node, 'carol');
    await node.advance(10_000);
    expect((await bob.messages()).map(({ topic, payload }) => `${topic} ${payload}`)).toContain(
      '$SYS/broker/clients/connected 3',
    );
  });

  test('messages, their bytes, those that were lost, and how many a minute', async () => {
    await bob.subscribe('t');
    const carol = await join(node, 'carol', 5, { properties: { maximumPacketSize: 20 } });
    await carol.subscribe('t');
    for (let i = 0; i < 5; i++) alice.publish('t', 'x'.repeat(100));
    await node.advance(21_000);
    await bob.all();
    await bob.subscribe('$SYS/broker/#');
    const seen = new Map((await bob.messages()).map(({ topic, payload }) => [topic.slice(12), payload.toString()]));
    expect(seen.get('publish/messages/received')).toBe('5');
    expect(seen.get('publish/messages/sent')).toBe('5');
    expect(seen.get('publish/messages/dropped')).toBe('5');
    expect(seen.get('publish/bytes/received')).toBe('500');
    expect(seen.get('publish/bytes/sent')).toBe('500');
    for (const span of ['1min', '5min', '15min'])
      expect(Number(seen.get(`load/publish/received/${span}`))).toBeGreaterThan(0);
    expect(Number(seen.get('load/publish/received/1min'))).toBeLessThan(30);
    expect(Number(seen.get('load/sockets/1min'))).toBeGreaterThan(0);
  });

  test('where bridges say whether they are connected is a topic as others are', async () => {
    const state = '$SYS/broker/connection/far.away/state';
    const properties = { sessionExpiryInterval: 100 };
    const bridge = await join(node, 'bridge', 5, {
      properties,
      will: { topic: state, payload: Buffer.from('0'), qos: 1, retain: true },
    });
    bridge.publish(state, '1', { qos: 1, retain: true });
    expect(await bridge.expect('puback')).toMatchObject({ reasonCode: 0x10 });
    await bob.subscribe({ '$SYS/broker/connection/+/state': 1, '#': 0 });
    expect(await bob.messages()).toMatchObject([{ topic: state, retain: true, payload: Buffer.from('1') }]);
    await bridge.drop();
    expect(await bob.messages()).toMatchObject([{ topic: state, retain: false, payload: Buffer.from('0') }]);
    bob.send({ cmd: 'unsubscribe', messageId: 7, unsubscriptions: ['$SYS/broker/connection/+/state'] });
    await bob.expect('unsuback');
    alice.publish(state, '2');
    await bob.silence();
  });

  test('nobody else publishes there', async () => {
    await bob.subscribe('$SYS/#');
    await bob.all();
    alice.publish('$SYS/broker/version', 'fake', { qos: 1 });
    expect(await alice.expect('puback')).toMatchObject({ reasonCode: 0x87 });
    await bob.silence();
  });
});
