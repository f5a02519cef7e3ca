import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { SimNode } from '../sim-node.js';
import { dial, join, type MqttPeer } from './peer.js';

let node: SimNode;
let alice: MqttPeer;
let bob: MqttPeer;
beforeEach(async () => {
  node = await SimNode.start();
  alice = await join(node, 'alice');
  bob = await join(node, 'bob');
});
afterEach(() => node.stop());

describe('QoS', () => {
  test('0: no identifier, no DUP, no answer [MQTT-2.2.1-2] [MQTT-3.3.1-2] [MQTT-4.3.1-1] [MQTT-3.3.4-1]', async () => {
    await bob.subscribe('t', 2);
    alice.publish('t', 'm');
    expect(await bob.messages()).toMatchObject([{ qos: 0, dup: false, retain: false, topic: 't' }]);
    await alice.silence();
  });

  test('1: PUBACK with its identifier, when the message is safe [MQTT-2.2.1-5] [MQTT-4.3.2-4] [MQTT-4.5.0-1]', async () => {
    await bob.subscribe('t', 1);
    alice.publish('t', 'm', { qos: 1, messageId: 77 });
    expect(await alice.expect('puback')).toMatchObject({ messageId: 77, reasonCode: 0 });
    const message = await bob.expect('publish');
    expect(message).toMatchObject({ qos: 1, dup: false });
    expect(message.messageId).toBeGreaterThan(0);
  });

  test.each([1, 2] as const)('%i: DUP of the publisher does not go on [MQTT-3.3.1-3]', async (qos) => {
    await bob.subscribe('t', 2);
    alice.publish('t', 'm', { qos, dup: true });
    expect(await bob.messages()).toMatchObject([{ qos, dup: false }]);
  });

  test('1: an identifier may be used again after PUBACK, for another message [MQTT-4.3.2-5]', async () => {
    await bob.subscribe('t', 0);
    for (const payload of ['a', 'b']) {
      alice.publish('t', payload, { qos: 1, messageId: 1 });
      await alice.expect('puback');
    }
    expect(await bob.payloads()).toEqual(['a', 'b']);
  });

  test('1: what the broker sends has identifiers that are not in use [MQTT-2.2.1-4] [MQTT-4.3.2-1] [MQTT-4.3.2-2] [MQTT-4.3.2-3]', async () => {
    await bob.subscribe('t', 1);
    for (let i = 0; i < 50; i++) alice.publish('t', `${i}`, { qos: 1 });
    const messages = await bob.messages();
    expect(new Set(messages.map(({ messageId }) => messageId)).size).toBe(50);
    expect(messages.map(({ payload }) => payload.toString())).toEqual(Array.from({ length: 50 }, (_, i) => `${i}`));
  });

  test('2: PUBREC, PUBREL, PUBCOMP, and one message [MQTT-4.3.3-8] [MQTT-4.3.3-10] [MQTT-4.3.3-11] [MQTT-4.3.3-12] [MQTT-3.6.2-1] [MQTT-3.7.2-1] [MQTT-3.5.2-1]', async () => {
    await bob.subscribe('t', 0);
    alice.publish('t', 'a', { qos: 2, messageId: 5 });
    expect(await alice.expect('pubrec')).toMatchObject({ messageId: 5, reasonCode: 0 });
    alice.publish('t', 'a', { qos: 2, messageId: 5, dup: true });
    expect(await alice.expect('pubrec')).toMatchObject({ messageId: 5, reasonCode: 0 });
    for (let i = 0; i < 2; i++) alice.send({ cmd: 'pubrel', messageId: 5, reasonCode: 0 });
    expect(await alice.all()).toMatchObject([
      { cmd: 'pubcomp', messageId: 5, reasonCode: 0 },
      { cmd: 'pubcomp', messageId: 5, reasonCode: 0x92 },
    ]);
    alice.publish('t', 'b', { qos: 2, messageId: 5 });
    await alice.expect('pubrec');
    expect(await bob.payloads()).toEqual(['a', 'b']);
  });

  test('2 to a client [MQTT-4.3.3-1] [MQTT-4.3.3-2] [MQTT-4.3.3-3] [MQTT-4.3.3-4] [MQTT-4.3.3-5]', async () => {
    await bob.subscribe('t', 2);
    alice.publish('t', 'a', { qos: 2 });
    const { messageId, qos, dup } = await bob.expect('publish');
    expect([qos, dup]).toEqual([2, false]);
    bob.send({ cmd: 'pubrec', messageId: messageId! });
    expect(await bob.expect('pubrel')).toMatchObject({ messageId });
    bob.send({ cmd: 'pubrec', messageId: messageId! });
    expect(await bob.expect('pubrel')).toMatchObject({ messageId });
    bob.send({ cmd: 'pubcomp', messageId: messageId! });
    await bob.silence();
    bob.send({ cmd: 'pubrec', messageId: messageId! });
    expect(await bob.expect('pubrel')).toMatchObject({ messageId, reasonCode: 0x92 });
  });

  test('PUBACK or PUBREC with an error is an answer, too [MQTT-4.4.0-2] [MQTT-4.3.3-9]', async () => {
    await bob.goodbye();
    bob = await join(node, 'bob', 5, { properties: { receiveMaximum: 1 } });
    await bob.subscribe('t', 2);
    alice.publish('t', 'a', { qos: 1 });
    alice.publish('t', 'b', { qos: 2 });
    alice.publish('t', 'c', { qos: 1 });
    for (const [payload, cmd] of [
      ['a', 'puback'],
      ['b', 'pubrec'],
      ['c', 'puback'],
    ] as const) {
      const message = await bob.expect('publish');
      expect(message.payload.toString()).toBe(payload);
      bob.send({ cmd, messageId: message.messageId!, reasonCode: 0x80 });
    }
    await bob.silence();
  });

  test('acknowledgements come in the order of the messages [MQTT-4.6.0-2] [MQTT-4.6.0-3]', async () => {
    await bob.subscribe('t', 1);
    for (let i = 1; i <= 20; i++) alice.publish(i % 3 ? 't' : 'nobody', 'm', { qos: i % 2 ? 1 : 2, messageId: i });
    expect((await alice.all()).map((packet) => packet.messageId)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
  });

  test('PUBRELs go out in the order of the PUBRECs [MQTT-4.6.0-4]', async () => {
    await bob.subscribe('t', 2);
    for (let i = 0; i < 5; i++) alice.publish('t', 'm', { qos: 2 });
    const ids = (await bob.messages()).map(({ messageId }) => messageId!);
    for (const messageId of [...ids].reverse()) bob.send({ cmd: 'pubrec', messageId });
    expect((await bob.all()).map(({ messageId }) => messageId)).toEqual([...ids].reverse());
  });

  test('messages of one topic come in their order [MQTT-4.6.0-5] [MQTT-4.6.0-6]', async () => {
    await bob.subscribe('t', 1);
    for (let i = 0; i < 30; i++) alice.publish('t', `${i}`, { qos: 1 });
    expect(await bob.payloads()).toEqual(Array.from({ length: 30 }, (_, i) => `${i}`));
  });

  test('the lower QoS of message and subscription [MQTT-3.8.4-8]', async () => {
    const got: number[] = [];
    for (const granted of [0, 1, 2]) {
      await bob.subscribe('t', granted);
      for (const qos of [0, 1, 2] as const) alice.publish('t', 'm', { qos, messageId: 10 * granted + qos + 1 });
      got.push(...(await bob.messages()).map(({ qos }) => qos));
    }
    expect(got).toEqual([0, 0, 0, 0, 1, 1, 0, 1, 2]);
  });

  test('nobody subscribes: 5.0 is told', async () => {
    alice.publish('nobody', 'm', { qos: 1 });
    expect(await alice.expect('puback')).toMatchObject({ reasonCode: 0x10 });
    alice.publish('nobody', 'm', { qos: 2 });
    expect(await alice.expect('pubrec')).toMatchObject({ reasonCode: 0x10 });
  });
});

describe('bad packets', () => {
  test.each([
    ['QoS 3 [MQTT-3.3.1-4]', [0x36, 6, 0, 1, 0x74, 0, 1, 0], 0x81],
    ['DUP with QoS 0 [MQTT-3.3.1-2]', [0x38, 4, 0, 1, 0x74, 0], 0x81],
    ['identifier 0 [MQTT-2.2.1-3]', [0x32, 6, 0, 1, 0x74, 0, 0, 0], 0x82],
    ['a wildcard in the topic [MQTT-3.3.2-2] [MQTT-4.7.0-1]', [0x30, 4, 0, 1, 0x23, 0], 0x90],
    ['a plus in the topic [MQTT-4.7.1-2]', [0x30, 6, 0, 3, 0x61, 0x2f, 0x2b, 0], 0x90],
    ['no topic and no alias [MQTT-3.3.2-1] [MQTT-4.7.3-1]', [0x30, 3, 0, 0, 0], 0x82],
    ['NUL in the topic [MQTT-1.5.4-2] [MQTT-4.7.3-2]', [0x30, 5, 0, 2, 0x61, 0, 0], 0x81],
    ['a topic that is no UTF-8 [MQTT-3.3.2-1] [MQTT-1.5.4-1]', [0x30, 4, 0, 1, 0xff, 0], 0x81],
    ['a topic longer than the packet', [0x30, 4, 0, 9, 0x74, 0], 0x81],
    ['properties longer than the packet', [0x30, 4, 0, 1, 0x74, 9], 0x81],
    ['no length of properties', [0x30, 3, 0, 1, 0x74], 0x81],
    ['a subscription identifier [MQTT-3.3.4-6]', [0x30, 6, 0, 1, 0x74, 2, 0x0b, 1], 0x82],
    ['topic alias 0 [MQTT-3.3.2-8]', [0x30, 7, 0, 1, 0x74, 3, 0x23, 0, 0], 0x94],
    ['topic alias above the maximum [MQTT-3.3.2-9] [MQTT-3.2.2-17]', [0x30, 7, 0, 1, 0x74, 3, 0x23, 0, 99], 0x94],
    ['an alias that stands for nothing', [0x30, 6, 0, 0, 3, 0x23, 0, 1], 0x82],
    ['an alias twice', [0x30, 10, 0, 1, 0x74, 6, 0x23, 0, 1, 0x23, 0, 1], 0x82],
    ['a property of another packet', [0x30, 7, 0, 1, 0x74, 3, 0x21, 0, 1], 0x81],
    ['a payload format of 2', [0x30, 6, 0, 1, 0x74, 2, 0x01, 2], 0x82],
    ['a response topic with a wildcard [MQTT-3.3.2-14]', [0x30, 8, 0, 1, 0x74, 4, 0x08, 0, 1, 0x23], 0x82],
    ['a response topic that is no UTF-8 [MQTT-3.3.2-13]', [0x30, 8, 0, 1, 0x74, 4, 0x08, 0, 1, 0xff], 0x81],
    ['a content type that is no UTF-8 [MQTT-3.3.2-19]', [0x30, 8, 0, 1, 0x74, 4, 0x03, 0, 1, 0xff], 0x81],
    [
      'a user property whose name is no UTF-8 [MQTT-1.5.7-1]',
      [0x30, 11, 0, 1, 0x74, 7, 0x26, 0, 1, 0xff, 0, 1, 0x61],
      0x81,
    ],
    [
      'a user property whose value has NUL [MQTT-1.5.7-1]',
      [0x30, 11, 0, 1, 0x74, 7, 0x26, 0, 1, 0x61, 0, 1, 0x00],
      0x81,
    ],
    ['a length of five bytes [MQTT-1.5.5-1]', [0x30, 0x80, 0x80, 0x80, 0x80, 1], 0x81],
    ['type 0', [0x00, 0], 0x82],
    ['CONNACK of a client', [0x20, 3, 0, 0, 0], 0x82],
    ['PUBREL with flags 0 [MQTT-3.6.1-1] [MQTT-2.1.3-1]', [0x60, 2, 0, 1], 0x81],
    ['PUBACK with flags [MQTT-2.1.3-1]', [0x41, 2, 0, 1], 0x81],
    ['PUBACK with identifier 0 [MQTT-2.2.1-5]', [0x40, 2, 0, 0], 0x82],
    ['PUBACK with a reason that it has not [MQTT-3.4.2-1]', [0x40, 3, 0, 1, 0x92], 0x81],
    ['PUBACK cut', [0x40, 1, 0], 0x81],
    ['a packet larger than we take [MQTT-3.2.2-15]', [0x30, 0xff, 0xff, 0xff, 0x7f], 0x95],
  ])('%s', async (_name, bytes, code) => {
    alice.raw(bytes as number[]);
    await alice.expectEnd(code as number);
    await bob.silence();
  });

  test.each([
    ['QoS 3', [0x36, 5, 0, 1, 0x74, 0, 1]],
    ['a wildcard', [0x30, 3, 0, 1, 0x23]],
    ['an empty topic', [0x30, 2, 0, 0]],
    ['PUBACK of three bytes', [0x40, 3, 0, 1, 0]],
  ])('before 5.0 the connection just ends: %s', async (_name, bytes) => {
    const old = await join(node, 'old', 4);
    old.raw(bytes as number[]);
    await old.expectEnd();
  });

  test('every packet may come byte by byte [MQTT-4.2.0-1]', async () => {
    await bob.subscribe('t/#', 2);
    const { generate } = await import('mqtt-packet');
    const options = { protocolVersion: 5 };
    const bytes = Buffer.concat([
      generate({ cmd: 'publish', topic: 't/1', payload: 'a', qos: 0, dup: false, retain: false }, options),
      generate(
        {
          cmd: 'publish',
          topic: 't/2',
          payload: 'x'.repeat(300),
          qos: 1,
          dup: false,
          retain: false,
          messageId: 9,
          properties: { contentType: 'text' },
        },
        options,
      ),
      generate({ cmd: 'pingreq' }, options),
      generate({ cmd: 'subscribe', messageId: 3, subscriptions: [{ topic: 'x', qos: 1 }] }, options),
    ]);
    for (const byte of bytes) {
      alice.raw([byte]);
      await node.idle();
    }
    expect((await alice.all()).map(({ cmd }) => cmd)).toEqual(['puback', 'pingresp', 'suback']);
    expect((await bob.messages()).map(({ topic }) => topic)).toEqual(['t/1', 't/2']);
  });

  test('and cut anywhere into two', async () => {
    await bob.subscribe('t', 0);
    const { generate } = await import('mqtt-packet');
    const one = generate(
      {
        cmd: 'publish',
        topic: 't',
        payload: 'payload',
        qos: 0,
        dup: false,
        retain: false,
        properties: { userProperties: { a: 'b' } },
      },
      { protocolVersion: 5 },
    );
    const two = Buffer.concat([one, one]);
    for (let at = 1; at < two.length; at++) {
      alice.raw(two.subarray(0, at));
      await node.idle();
      alice.raw(two.subarray(at));
      expect(await bob.payloads()).toEqual(['payload', 'payload']);
    }
  });
});

describe('properties', () => {
  test('go on as they came, user properties in their order [MQTT-3.3.2-4] [MQTT-3.3.2-15] [MQTT-3.3.2-16] [MQTT-3.3.2-17] [MQTT-3.3.2-18] [MQTT-3.3.2-20]', async () => {
    await bob.subscribe('t', 1);
    const pair = (name: string, value: string) => [0x26, 0, 1, ...Buffer.from(name), 0, 1, ...Buffer.from(value)];
    const properties = [
      0x01,
      1,
      ...pair('b', '1'),
      0x03,
      0,
      4,
      ...Buffer.from('text'),
      ...pair('a', '2'),
      0x08,
      0,
      3,
      ...Buffer.from('r/e'),
      ...pair('b', '3'),
      0x09,
      0,
      2,
      0xff,
      0x00,
    ];
    for (const first of [0x30, 0x32]) {
      const head = [0, 1, 0x74, ...(first === 0x32 ? [0, 8] : []), properties.length];
      alice.raw([first, head.length + properties.length + 1, ...head, ...properties, 0x6d]);
      await node.idle();
      const packet = Buffer.concat(bob.bytes.splice(0).slice(-1));
      expect(packet.includes(Buffer.from([properties.length, ...properties, 0x6d]))).toBe(true);
    }
  });

  test('an expiry counts down while the message waits, and ends it [MQTT-3.3.2-5] [MQTT-3.3.2-6]', async () => {
    await bob.goodbye();
    bob = await join(node, 'bob', 5, { properties: { sessionExpiryInterval: 1000 } });
    await bob.subscribe('t', 1);
    await bob.drop();
    alice.publish('t', 'short', { qos: 1, properties: { messageExpiryInterval: 5 } });
    alice.publish('t', 'long', { qos: 1, properties: { messageExpiryInterval: 60 } });
    await alice.all();
    await node.advance(10_000);
    bob = await join(node, 'bob', 5, { clean: false, properties: { sessionExpiryInterval: 1000 } });
    const messages = await bob.messages();
    expect(messages.map(({ payload }) => payload.toString())).toEqual(['long']);
    expect(messages[0]!.properties?.messageExpiryInterval).toBeGreaterThanOrEqual(49);
    expect(messages[0]!.properties?.messageExpiryInterval).toBeLessThanOrEqual(50);
  });

  test('a client before 5.0 gets none of them', async () => {
    const old = await join(node, 'old', 4);
    await old.subscribe('t', 0);
    alice.publish('t', 'm', { properties: { contentType: 'text', userProperties: { a: 'b' } } });
    expect(await old.payloads()).toEqual(['m']);
  });
});

describe('topic aliases', () => {
  test('of a client stand for the topic from the first time on [MQTT-3.3.2-12] [MQTT-3.3.2-10]', async () => {
    await bob.subscribe('#', 1);
    alice.publish('a/b', '1', { properties: { topicAlias: 32 } });
    alice.publish('', '2', { properties: { topicAlias: 32 } });
    alice.publish('c', '3', { properties: { topicAlias: 32 } });
    alice.publish('', '4', { qos: 1, properties: { topicAlias: 32, contentType: 'x' } });
    const messages = await bob.messages();
    expect(messages.map(({ topic, payload }) => `${topic} ${payload}`)).toEqual(['a/b 1', 'a/b 2', 'c 3', 'c 4']);
    expect(messages.map(({ properties }) => properties?.topicAlias)).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });

  test('are of one connection [MQTT-3.3.2-7]', async () => {
    alice.publish('a', '1', { properties: { topicAlias: 1 } });
    await alice.goodbye();
    alice = await join(node, 'alice');
    alice.publish('', '2', { properties: { topicAlias: 1 } });
    await alice.expectEnd(0x82);
  });

  test('of ours, where the client takes them [MQTT-3.1.2-26] [MQTT-3.1.2-27] [MQTT-3.3.2-11] [MQTT-3.2.2-18]', async () => {
    const carol = await join(node, 'carol', 5, { properties: { topicAliasMaximum: 1 } });
    await carol.subscribe('#', 0);
    for (const topic of ['a', 'b', 'a', 'b']) alice.publish(topic, 'm');
    const seen = (await carol.messages()).map(({ topic, properties }) => [topic, properties?.topicAlias]);
    expect(seen).toEqual([
      ['a', 1],
      ['b', undefined],
      ['', 1],
      ['b', undefined],
    ]);
  });
});

describe('limits', () => {
  test("the client's receive maximum [MQTT-3.3.4-9] [MQTT-3.3.4-10] [MQTT-4.9.0-1] [MQTT-4.9.0-2] [MQTT-4.9.0-3]", async () => {
    const carol = await join(node, 'carol', 5, { properties: { receiveMaximum: 2 } });
    await carol.subscribe({ t: 2, plain: 0 });
    for (let i = 0; i < 5; i++) alice.publish('t', `${i}`, { qos: 2 });
    const [first, second] = await carol.messages();
    alice.publish('plain', 'more');
    expect(await carol.payloads()).toEqual(['more']);
    carol.send({ cmd: 'pingreq' });
    await carol.expect('pingresp');
    carol.send({ cmd: 'pubrec', messageId: first!.messageId! });
    await carol.expect('pubrel');
    await carol.silence();
    carol.send({ cmd: 'pubcomp', messageId: first!.messageId! });
    expect(await carol.payloads()).toEqual(['2']);
    carol.send({ cmd: 'pubrec', messageId: second!.messageId!, reasonCode: 0x80 });
    expect(await carol.payloads()).toEqual(['3']);
  });

  test('ours [MQTT-3.3.4-7]', async () => {
    await node.stop();
    node = await SimNode.start({ mqtt: { receiveMaximum: 2 } });
    const peer = await join(node, 'c');
    for (let id = 1; id <= 3; id++) peer.publish('t', 'm', { qos: 2, messageId: id });
    await node.idle();
    const cmds = (await peer.all()).map((packet) => (packet.cmd === 'disconnect' ? packet.reasonCode : packet.cmd));
    expect(cmds.at(-1)).toBe(0x93);
    await peer.expectEnd();
  });

  test('more of QoS 1 than that is forgiven: clients flood, and are answered at once', async () => {
    await node.stop();
    node = await SimNode.start({ mqtt: { receiveMaximum: 2 } });
    const peer = await join(node, 'c');
    for (let id = 1; id <= 50; id++) peer.publish('t', 'm', { qos: 1, messageId: id });
    expect((await peer.all()).map(({ cmd }) => cmd)).toEqual(new Array(50).fill('puback'));
  });

  test('what is larger than the client takes is passed over, as if it had been sent [MQTT-3.1.2-24] [MQTT-3.1.2-25]', async () => {
    const carol = await join(node, 'carol', 5, { properties: { maximumPacketSize: 50, receiveMaximum: 1 } });
    await carol.subscribe({ t: 1, p: 0 });
    for (const size of [10, 100, 11]) alice.publish('t', 'x'.repeat(size), { qos: 1 });
    for (const size of [10, 100, 12]) alice.publish('p', 'x'.repeat(size));
    const messages = await carol.messages();
    expect(messages.map(({ payload }) => payload.length).sort()).toEqual([10, 10, 12]);
    carol.send({ cmd: 'puback', messageId: messages.find(({ qos }) => qos === 1)!.messageId! });
    expect((await carol.messages()).map(({ payload }) => payload.length)).toEqual([11]);
  });

  test('unauthorised, at each QoS', async () => {
    await node.addUser('reader', { read: '.*', configure: '.*', write: 'mqtt-.*' });
    const open = (id: string, version: 4 | 5) =>
      join(node, id, version, { username: 'reader', password: Buffer.from('reader') });
    const reader = await open('reader', 5);
    reader.publish('t', 'm', { qos: 1 });
    expect(await reader.expect('puback')).toMatchObject({ reasonCode: 0x87 });
    reader.publish('t', 'm', { qos: 2 });
    expect(await reader.expect('pubrec')).toMatchObject({ reasonCode: 0x87 });
    reader.publish('t', 'm');
    await reader.expectEnd(0x87);
    for (const qos of [0, 1, 2] as const) {
      const old = await open('old', 4);
      old.publish('t', 'm', { qos, messageId: 1 });
      await old.expectEnd();
    }
  });

  test('unauthorised, and again by the alias that it gave', async () => {
    const named = { topicAlias: 3 };
    alice.publish('$SYS/mine', 'm', { qos: 1, properties: named });
    expect(await alice.expect('puback')).toMatchObject({ reasonCode: 0x87 });
    alice.publish('', 'm', { qos: 2, properties: named });
    expect(await alice.expect('pubrec')).toMatchObject({ reasonCode: 0x87 });
    await bob.subscribe('other');
    alice.publish('other', 'm', { qos: 1, properties: named });
    expect(await alice.expect('puback')).toMatchObject({ reasonCode: 0 });
    expect(await bob.payloads()).toEqual(['m']);
  });

  test.each([4, 5] as const)('a payload above the largest message, level %i', async (level) => {
    const small = await SimNode.start({ limits: { messageBytesMax: 10 } });
    const peer = await join(small, 'c', level);
    peer.publish('t', 'x'.repeat(10), { qos: 1 });
    await peer.expect('puback');
    peer.publish('t', 'x'.repeat(11), { qos: 1 });
    await peer.expectEnd(0x95);
    const willing = dial(small, level);
    willing.connect({ will: { topic: 't', payload: Buffer.from('x'.repeat(11)) } });
    if (level === 5) expect((await willing.expect('connack')).reasonCode).toBe(0x95);
    await willing.expectEnd();
    await small.stop();
  });

  test('topic permissions are asked with the routing key', async () => {
    await node.settle(
      node.broker.permissions.setTopic('/', 'guest', 'amq.topic', { write: '^own\\.', read: '^own\\.' }),
    );
    alice.publish('own/a', 'm', { qos: 1 });
    expect(await alice.expect('puback')).toMatchObject({ reasonCode: 0x10 });
    alice.publish('other/a', 'm', { qos: 1 });
    expect(await alice.expect('puback')).toMatchObject({ reasonCode: 0x87 });
    expect(await bob.subscribe({ 'own/#': 1, 'other/#': 1, '#': 0 })).toEqual([1, 0x87, 0x87]);
  });

  test('a queue that is full: 0x97, and before 5.0 the end of the connection [MQTT-4.8.0-2 of 3.1.1]', async () => {
    await node.settle(
      node.broker.records.put('policies', ['/', 'full'], {
        pattern: '^mqtt-subscription-',
        'apply-to': 'queues',
        priority: 1,
        definition: { 'max-length': 1, overflow: 'reject-publish' },
      }),
    );
    await bob.goodbye();
    bob = await join(node, 'bob', 5, { properties: { sessionExpiryInterval: 100 } });
    await bob.subscribe('t', 1);
    await bob.drop();
    for (const code of [0, 0x97]) {
      alice.publish('t', 'm', { qos: 1 });
      expect(await alice.expect('puback')).toMatchObject({ reasonCode: code });
    }
    alice.publish('t', 'm', { qos: 2 });
    expect(await alice.expect('pubrec')).toMatchObject({ reasonCode: 0x97 });
    const old = await join(node, 'old', 4);
    old.publish('t', 'm', { qos: 1 });
    await old.expectEnd();
  });

  test('an alarm holds publishes, and nothing else', async () => {
    await bob.subscribe('t', 1);
    node.broker.alarms.raise('test', 'memory is short');
    alice.publish('t', '1', { qos: 1 });
    alice.send({ cmd: 'pingreq' });
    await alice.expect('pingresp');
    await bob.silence();
    node.broker.alarms.clear('test');
    await alice.expect('puback');
    expect(await bob.payloads()).toEqual(['1']);
  });
});
