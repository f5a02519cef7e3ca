// The requirements of MQTT 3.1.1, by its own numbers, played by clients of 3.1.1 and of 3.1: what they are told differs from 5.0.
import { generate, type IConnectPacket } from 'mqtt-packet';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { SimNode } from '../sim-node.js';
import { connectPacket, dial, join, type MqttPeer } from './peer.js';

let node: SimNode;
beforeEach(async () => {
  node = await SimNode.start();
});
afterEach(() => node.stop());

const will = (more = {}) => ({ will: { topic: 'will', payload: Buffer.from('gone'), ...more } });

/** This, and nothing else. */
async function expectAnswerAndEnd(peer: MqttPeer, answer: readonly number[]): Promise<void> {
  await peer.all();
  expect(Buffer.concat(peer.bytes)).toEqual(Buffer.from(answer));
  await peer.expectEnd();
}

describe.each([3, 4] as const)('level %i', (level) => {
  /** Where the connect flags stand. */
  const flagsAt = level === 3 ? 11 : 9;
  const client = (name: string, more: Partial<IConnectPacket> = {}) => join(node, name, level, more);

  function spoilt(spoil: (bytes: Buffer) => void, more: Partial<IConnectPacket> = {}): Buffer {
    const bytes = generate(connectPacket(level, more), { protocolVersion: level });
    spoil(bytes);
    return bytes;
  }

  /** The connection ends without a word. */
  async function expectRefused(bytes: Buffer): Promise<void> {
    const peer = dial(node, level);
    peer.raw(bytes);
    await peer.expectEnd();
    expect(peer.bytes).toEqual([]);
  }

  /** The same of a client that was let in. */
  async function expectViolation(bytes: readonly number[]): Promise<void> {
    const peer = await client('violator', will());
    const watcher = await client('watcher');
    await watcher.subscribe('will');
    const before = peer.bytes.length;
    peer.raw(bytes);
    await peer.expectEnd();
    expect(peer.bytes.length).toBe(before);
    expect(await watcher.payloads()).toEqual(['gone']);
    await watcher.goodbye();
  }

  describe('CONNECT', () => {
    test('first, and once [MQTT-3.1.0-1 of 3.1.1] [MQTT-3.1.0-2 of 3.1.1] [MQTT-3.1.4-4 of 3.1.1] [MQTT-3.2.0-1 of 3.1.1]', async () => {
      const early = dial(node, level);
      early.raw([0xc0, 0]);
      await early.expectEnd();
      expect(early.bytes).toEqual([]);
      const peer = await client('c');
      expect(peer.bytes[0]).toEqual(Buffer.from([0x20, 2, 0, 0]));
      peer.connect({ clientId: 'c' });
      await peer.expectEnd();
    });

    test('another name, another level [MQTT-3.1.2-1 of 3.1.1] [MQTT-3.1.2-2 of 3.1.1] [MQTT-3.2.2-4 of 3.1.1] [MQTT-3.2.2-5 of 3.1.1]', async () => {
      await expectRefused(spoilt((bytes) => bytes.write('X', 4)));
      const peer = dial(node, level);
      peer.raw(spoilt((bytes) => (bytes[flagsAt - 1] = 2)));
      await expectAnswerAndEnd(peer, [0x20, 2, 0, 1]);
    });

    test.each([
      ['the reserved flag [MQTT-3.1.2-3 of 3.1.1] [MQTT-3.1.4-1 of 3.1.1]', 0x01],
      ['QoS without a will [MQTT-3.1.2-11 of 3.1.1] [MQTT-3.1.2-13 of 3.1.1]', 0x08],
      ['retain without a will [MQTT-3.1.2-15 of 3.1.1]', 0x20],
      ['a will that is not there [MQTT-3.1.2-9 of 3.1.1]', 0x04],
      ['a user name that is not there [MQTT-3.1.2-19 of 3.1.1]', 0x80],
      ['a password that is not there [MQTT-3.1.2-21 of 3.1.1]', 0xc0],
      ['a password without a user name [MQTT-3.1.2-22 of 3.1.1]', 0x40],
    ])('%s', async (_name, flag) => {
      await expectRefused(spoilt((bytes) => (bytes[flagsAt]! |= flag)));
    });

    test('a will of QoS 3 [MQTT-3.1.2-14 of 3.1.1]', async () => {
      await expectRefused(spoilt((bytes) => (bytes[flagsAt]! |= 0x18), will()));
    });

    test('fields without their flags, and out of order [MQTT-3.1.2-18 of 3.1.1] [MQTT-3.1.2-20 of 3.1.1] [MQTT-3.1.3-1 of 3.1.1] [MQTT-3.1.3-3 of 3.1.1]', async () => {
      const named = { username: 'guest', password: Buffer.from('guest') };
      await expectRefused(spoilt((bytes) => (bytes[flagsAt]! &= ~0xc0), named));
      await expectRefused(spoilt((bytes) => (bytes[flagsAt]! &= ~0x40), named));
      const bare = spoilt((bytes) => (bytes[1] = flagsAt + 1));
      await expectRefused(bare.subarray(0, flagsAt + 3));
    });

    test('texts that are none [MQTT-1.5.3-1 of 3.1.1] [MQTT-1.5.3-2 of 3.1.1] [MQTT-3.1.3-4 of 3.1.1] [MQTT-3.1.3-10 of 3.1.1] [MQTT-3.1.3-11 of 3.1.1]', async () => {
      for (const more of [{ clientId: 'ZZZ' }, will({ topic: 'ZZZ' }), { username: 'ZZZ' }])
        for (const wrong of [
          [0xff, 0x41, 0x41],
          [0xed, 0xa0, 0x80],
          [0x41, 0, 0x41],
        ])
          await expectRefused(spoilt((bytes) => bytes.set(wrong, bytes.indexOf('ZZZ')), more));
    });

    test('a client identifier of 23 letters is let in, one that is too long is not [MQTT-3.1.3-5 of 3.1.1] [MQTT-3.1.3-9 of 3.1.1]', async () => {
      await client('abcdefghijklmnopqrstuvw');
      const peer = dial(node, level);
      peer.connect({ clientId: 'x'.repeat(300) });
      await expectAnswerAndEnd(peer, [0x20, 2, 0, 2]);
    });

    test('who is not let in, and what that one says next [MQTT-3.1.4-5 of 3.1.1]', async () => {
      const watcher = await client('watcher');
      await watcher.subscribe('t');
      const peer = dial(node, level);
      peer.connect({ clientId: 'c', username: 'guest', password: Buffer.from('wrong') });
      peer.publish('t', 'm');
      await expectAnswerAndEnd(peer, [0x20, 2, 0, 4]);
      await watcher.silence();
    });

    test('a protocol error that CONNACK has no word for: none is sent [MQTT-3.2.2-6 of 3.1.1]', async () => {
      await expectRefused(spoilt(() => undefined, will({ topic: 'a/#' })));
    });

    test('a client identifier is taken over [MQTT-3.1.4-2 of 3.1.1] [MQTT-3.1.3-2 of 3.1.1]', async () => {
      const first = await client('c');
      await client('c');
      await first.expectEnd();
    });

    test('one and a half times of silence [MQTT-3.1.2-24 of 3.1.1]', async () => {
      const peer = await client('c', { keepalive: 10 });
      await node.advance(14_000);
      expect(peer.isOver).toBe(false);
      await node.advance(3500);
      expect(peer.isOver).toBe(true);
    });
  });

  describe('a session', () => {
    const kept = { clean: false };

    test('that is kept is there, with what came meanwhile [MQTT-3.1.2-4 of 3.1.1] [MQTT-3.1.2-5 of 3.1.1] [MQTT-4.1.0-1 of 3.1.1] [MQTT-4.1.0-2 of 3.1.1] [MQTT-4.5.0-1 of 3.1.1]', async () => {
      const first = await client('c', kept);
      expect(first.connack.sessionPresent).toBe(false);
      await first.subscribe('t', 2);
      await first.goodbye();
      const alice = await client('alice');
      for (const qos of [1, 2] as const) alice.publish('t', `${qos}`, { qos });
      await alice.all();
      const again = await client('c', kept);
      // 3.1 has no word for it.
      expect(again.connack.sessionPresent).toBe(level === 4);
      expect(await again.payloads()).toEqual(['1', '2']);
    });

    test('that is clean goes, and what was before it, and retained messages stay [MQTT-3.1.2-6 of 3.1.1] [MQTT-3.1.2-7 of 3.1.1] [MQTT-3.1.4-3 of 3.1.1] [MQTT-3.2.2-1 of 3.1.1] [MQTT-3.2.2-3 of 3.1.1]', async () => {
      const first = await client('c', kept);
      await first.subscribe('t', 1);
      first.publish('kept', 'r', { retain: true });
      await first.goodbye();
      const clean = await client('c');
      expect(clean.connack.sessionPresent).toBe(false);
      await clean.subscribe('u', 1);
      await clean.goodbye();
      const again = await client('c', kept);
      expect(again.connack.sessionPresent).toBe(false);
      for (const topic of ['t', 'u']) again.publish(topic, 'm');
      await again.silence();
      await again.subscribe('kept');
      expect(await again.payloads()).toEqual(['r']);
    });

    test('sends again what was not acknowledged, in order, with DUP and its identifier [MQTT-3.3.1-1 of 3.1.1] [MQTT-4.4.0-1 of 3.1.1] [MQTT-4.6.0-1 of 3.1.1] [MQTT-4.3.2-1 of 3.1.1] [MQTT-3.2.2-2 of 3.1.1]', async () => {
      const first = await client('c', kept);
      await first.subscribe('t', 2);
      const alice = await client('alice');
      for (const qos of [1, 2, 1] as const) alice.publish('t', 'm', { qos });
      const sent = await first.messages();
      await first.drop();
      const again = await client('c', kept);
      const resent = await again.messages();
      expect(resent.map(({ messageId, qos, dup }) => [messageId, qos, dup])).toEqual(
        sent.map(({ messageId, qos }) => [messageId, qos, true]),
      );
    });

    test('sends PUBREL again [MQTT-4.3.3-1 of 3.1.1] [MQTT-4.4.0-1 of 3.1.1] [MQTT-3.6.1-1 of 3.1.1]', async () => {
      const first = await client('c', kept);
      await first.subscribe('t', 2);
      (await client('alice')).publish('t', 'm', { qos: 2 });
      const { messageId } = await first.expect('publish');
      first.send({ cmd: 'pubrec', messageId: messageId! });
      expect((await first.expect('pubrel')).messageId).toBe(messageId);
      await first.drop();
      const again = await client('c', kept);
      expect(await again.all()).toMatchObject([{ cmd: 'pubrel', messageId }]);
      expect(Buffer.concat(again.bytes)[4]).toBe(0x62);
      again.send({ cmd: 'pubcomp', messageId: messageId! });
      await again.silence();
    });
  });

  describe('a will', () => {
    let watcher: MqttPeer;
    beforeEach(async () => {
      watcher = await client('watcher');
      await watcher.subscribe('will', 2);
    });

    test('of who drops, once; of who says goodbye none [MQTT-3.1.2-8 of 3.1.1] [MQTT-3.1.2-10 of 3.1.1] [MQTT-3.1.2-12 of 3.1.1] [MQTT-3.14.4-3 of 3.1.1]', async () => {
      await client('c', will()).then((peer) => peer.drop());
      expect(await watcher.payloads()).toEqual(['gone']);
      await client('c').then((peer) => peer.drop());
      await client('c', will()).then((peer) => peer.goodbye());
      await watcher.silence();
    });

    test('retained or not [MQTT-3.1.2-16 of 3.1.1] [MQTT-3.1.2-17 of 3.1.1]', async () => {
      await client('c', will()).then((peer) => peer.drop());
      const late = await client('late');
      await late.subscribe('will');
      await late.silence();
      await client('c', will({ retain: true, qos: 1 })).then((peer) => peer.drop());
      const later = await client('later');
      await later.subscribe('will', 1);
      expect(await later.messages()).toMatchObject([{ retain: true, qos: 1 }]);
    });
  });

  describe('PUBLISH', () => {
    let alice: MqttPeer;
    let bob: MqttPeer;
    beforeEach(async () => {
      alice = await client('alice');
      bob = await client('bob');
    });

    test('an answer for each QoS, with its identifier [MQTT-2.3.1-5 of 3.1.1] [MQTT-2.3.1-6 of 3.1.1] [MQTT-3.3.4-1 of 3.1.1] [MQTT-4.3.1-1 of 3.1.1] [MQTT-4.3.2-2 of 3.1.1]', async () => {
      await bob.subscribe('t', 2);
      alice.publish('t', '0');
      alice.publish('t', '1', { qos: 1, messageId: 9 });
      expect(await alice.all()).toMatchObject([{ cmd: 'puback', messageId: 9 }]);
      expect((await bob.messages()).map(({ qos, messageId, dup }) => [qos, (messageId ?? 0) > 0, dup])).toEqual([
        [0, false, false],
        [1, true, false],
      ]);
    });

    test('of QoS 2 is one message, how often it may come [MQTT-4.3.3-2 of 3.1.1]', async () => {
      await bob.subscribe('t', 0);
      for (const dup of [false, true]) {
        alice.publish('t', 'm', { qos: 2, messageId: 5, dup });
        expect(await alice.expect('pubrec')).toMatchObject({ messageId: 5 });
      }
      for (let i = 0; i < 2; i++) alice.send({ cmd: 'pubrel', messageId: 5 });
      expect(await alice.all()).toMatchObject([
        { cmd: 'pubcomp', messageId: 5 },
        { cmd: 'pubcomp', messageId: 5 },
      ]);
      expect(await bob.payloads()).toEqual(['m']);
    });

    test('DUP does not go on [MQTT-3.3.1-3 of 3.1.1]', async () => {
      await bob.subscribe('t', 2);
      for (const qos of [1, 2] as const) alice.publish('t', 'm', { qos, dup: true });
      expect((await bob.messages()).map(({ dup }) => dup)).toEqual([false, false]);
    });

    test('comes in order, by identifiers that are free, is acknowledged in order [MQTT-2.3.1-4 of 3.1.1] [MQTT-4.6.0-2 of 3.1.1] [MQTT-4.6.0-3 of 3.1.1] [MQTT-4.6.0-4 of 3.1.1] [MQTT-4.6.0-5 of 3.1.1] [MQTT-4.6.0-6 of 3.1.1]', async () => {
      await bob.subscribe('t', 2);
      const numbers = Array.from({ length: 20 }, (_, i) => i + 1);
      for (const each of numbers) alice.publish('t', `${each}`, { qos: each % 2 ? 1 : 2, messageId: each });
      expect((await alice.all()).map(({ messageId }) => messageId)).toEqual(numbers);
      const messages = await bob.messages();
      expect(messages.map(({ payload }) => payload.toString())).toEqual(numbers.map(String));
      expect(new Set(messages.map(({ messageId }) => messageId)).size).toBe(20);
      const ids = messages.filter(({ qos }) => qos === 2).map(({ messageId }) => messageId!);
      for (const messageId of [...ids].reverse()) bob.send({ cmd: 'pubrec', messageId });
      expect((await bob.all()).map(({ messageId }) => messageId)).toEqual([...ids].reverse());
    });

    test('overlapping subscriptions: the highest QoS [MQTT-3.3.5-1 of 3.1.1] [MQTT-3.3.2-3 of 3.1.1] [MQTT-3.8.3-2 of 3.1.1]', async () => {
      await bob.subscribe({ 'a/#': 1, 'a/+': 2, '+/b': 0 });
      alice.publish('a/b', 'm', { qos: 2 });
      expect(await bob.messages()).toMatchObject([{ qos: 2, topic: 'a/b' }]);
    });

    test.each([0, 1, 2] as const)(
      'that is not allowed ends the connection, QoS %i [MQTT-3.3.5-2 of 3.1.1]',
      async (qos) => {
        await bob.subscribe('#');
        alice.publish('$SYS/broker/version', 'mine', { qos });
        await alice.expectEnd();
        await bob.silence();
      },
    );

    test('topics are bytes: no character is changed [MQTT-1.5.3-3 of 3.1.1] [MQTT-4.7.3-4 of 3.1.1]', async () => {
      await bob.subscribe({ '\ufeffa': 0, 'A/é': 0, 'a//b/': 0 });
      for (const topic of ['a', '\ufeffa', 'a/é', 'A/é', 'A/e\u0301', 'a/b', 'a//b/']) alice.publish(topic, topic);
      expect(await bob.payloads()).toEqual(['\ufeffa', 'A/é', 'a//b/']);
    });

    test('a wildcard at the beginning matches no $ [MQTT-4.7.2-1 of 3.1.1]', async () => {
      await bob.subscribe({ '#': 0, '+/x': 0, '$mine/#': 0 });
      alice.publish('$other/x', 'hidden');
      alice.publish('$mine/x', 'asked for');
      expect(await bob.payloads()).toEqual(['asked for']);
    });
  });

  test('retained: kept, replaced, deleted, untouched [MQTT-3.3.1-5 of 3.1.1] [MQTT-3.3.1-6 of 3.1.1] [MQTT-3.3.1-7 of 3.1.1] [MQTT-3.3.1-8 of 3.1.1] [MQTT-3.3.1-9 of 3.1.1] [MQTT-3.3.1-10 of 3.1.1] [MQTT-3.3.1-11 of 3.1.1] [MQTT-3.3.1-12 of 3.1.1]', async () => {
    const alice = await client('alice');
    const bob = await client('bob');
    const heard = async (): Promise<(string | boolean)[][]> =>
      (await bob.messages()).map(({ payload, retain }) => [payload.toString(), retain]);
    alice.publish('t/1', 'one', { qos: 1, retain: true });
    alice.publish('t/1', 'plain');
    await bob.subscribe('t/#', 1);
    expect(await heard()).toEqual([['one', true]]);
    alice.publish('t/1', 'two', { qos: 0, retain: true });
    expect(await heard()).toEqual([['two', false]]);
    // The same filter again gets them again.
    await bob.subscribe('t/#', 1);
    expect(await heard()).toEqual([['two', true]]);
    alice.publish('t/1', '', { retain: true });
    expect(await heard()).toEqual([['', false]]);
    await bob.subscribe('t/#', 1);
    await bob.silence();
  });

  describe('SUBSCRIBE and UNSUBSCRIBE', () => {
    test('codes in order, and 0x80 for what is refused [MQTT-2.3.1-7 of 3.1.1] [MQTT-3.8.4-1 of 3.1.1] [MQTT-3.8.4-2 of 3.1.1] [MQTT-3.8.4-4 of 3.1.1] [MQTT-3.8.4-5 of 3.1.1] [MQTT-3.9.3-1 of 3.1.1] [MQTT-3.9.3-2 of 3.1.1]', async () => {
      const peer = await client('c');
      expect(await peer.subscribe({ a: 2, 'b#': 1, c: 0, '+d': 0, e: 1 })).toEqual([2, 0x80, 0, 0x80, 1]);
    });

    test('a filter again replaces, with the lower of both QoS [MQTT-3.8.4-3 of 3.1.1] [MQTT-3.8.4-6 of 3.1.1]', async () => {
      const peer = await client('c');
      const got: number[] = [];
      for (const granted of [0, 1, 2]) {
        await peer.subscribe('t', granted);
        for (const qos of [0, 1, 2] as const) peer.publish('t', 'm', { qos, messageId: 10 * granted + qos + 1 });
        for (const packet of await peer.all()) if (packet.cmd === 'publish') got.push(packet.qos);
      }
      expect(got).toEqual([0, 0, 0, 0, 1, 1, 0, 1, 2]);
    });

    test('wildcards where they may not stand [MQTT-4.7.1-2 of 3.1.1] [MQTT-4.7.1-3 of 3.1.1] [MQTT-4.7.3-1 of 3.1.1] [MQTT-4.7.3-3 of 3.1.1]', async () => {
      const peer = await client('c');
      const wrong = ['a#', '#/a', 'a+', 'a/+b', '', '/'.repeat(65_535)];
      for (const filter of wrong) expect(await peer.subscribe(filter)).toEqual([0x80]);
    });

    test('UNSUBACK with its identifier, character by character [MQTT-3.10.4-1 of 3.1.1] [MQTT-3.10.4-2 of 3.1.1] [MQTT-3.10.4-3 of 3.1.1] [MQTT-3.10.4-4 of 3.1.1] [MQTT-3.10.4-5 of 3.1.1] [MQTT-3.10.4-6 of 3.1.1]', async () => {
      const peer = await client('c');
      await peer.subscribe({ 'a/+': 1, b: 1, c: 1 });
      peer.publish('b', 'sent', { qos: 1 });
      const sent = (await peer.all()).find(({ cmd }) => cmd === 'publish');
      peer.send({ cmd: 'unsubscribe', messageId: 77, unsubscriptions: ['a/b', 'b', 'nothing', 'c'] });
      expect(await peer.expect('unsuback')).toMatchObject({ messageId: 77 });
      expect(peer.bytes.at(-1)!.length).toBe(4);
      peer.send({ cmd: 'puback', messageId: sent!.messageId! });
      for (const topic of ['a/b', 'b', 'c']) peer.publish(topic, topic);
      expect(await peer.payloads()).toEqual(['a/b']);
    });
  });

  describe('what ends the connection, without a word and with the will [MQTT-4.8.0-1 of 3.1.1]', () => {
    test.each([
      ['PUBLISH with QoS 3 [MQTT-3.3.1-4 of 3.1.1]', [0x36, 5, 0, 1, 0x74, 0, 1]],
      ['DUP with QoS 0 [MQTT-3.3.1-2 of 3.1.1]', [0x38, 3, 0, 1, 0x74]],
      ['PUBLISH with identifier 0 [MQTT-2.3.1-1 of 3.1.1]', [0x32, 5, 0, 1, 0x74, 0, 0]],
      ['a wildcard in a topic [MQTT-3.3.2-2 of 3.1.1] [MQTT-4.7.1-1 of 3.1.1]', [0x30, 5, 0, 3, 0x61, 0x2f, 0x23]],
      ['a topic that is no UTF-8 [MQTT-3.3.2-1 of 3.1.1]', [0x30, 3, 0, 1, 0xff]],
      ['an empty topic [MQTT-4.7.3-1 of 3.1.1]', [0x30, 2, 0, 0]],
      ['NUL in a topic [MQTT-4.7.3-2 of 3.1.1]', [0x30, 5, 0, 3, 0x61, 0, 0x61]],
      ['PUBREL with flags 0 [MQTT-3.6.1-1 of 3.1.1] [MQTT-2.2.2-1 of 3.1.1]', [0x60, 2, 0, 1]],
      ['PUBACK with flags [MQTT-2.2.2-2 of 3.1.1]', [0x42, 2, 0, 1]],
      ['PINGREQ with flags [MQTT-2.2.2-2 of 3.1.1]', [0xc1, 0]],
      ['DISCONNECT with flags [MQTT-3.14.1-1 of 3.1.1]', [0xe1, 0]],
      ['DISCONNECT with a body', [0xe0, 1, 0]],
      ['SUBSCRIBE with flags 0 [MQTT-3.8.1-1 of 3.1.1]', [0x80, 6, 0, 1, 0, 1, 0x74, 0]],
      ['SUBSCRIBE with identifier 0 [MQTT-2.3.1-1 of 3.1.1]', [0x82, 6, 0, 0, 0, 1, 0x74, 0]],
      ['SUBSCRIBE that is no UTF-8 [MQTT-3.8.3-1 of 3.1.1]', [0x82, 6, 0, 1, 0, 1, 0xff, 0]],
      ['SUBSCRIBE without a filter [MQTT-3.8.3-3 of 3.1.1]', [0x82, 2, 0, 1]],
      ['SUBSCRIBE with QoS 3 [MQTT-3.8.3-4 of 3.1.1]', [0x82, 6, 0, 1, 0, 1, 0x74, 3]],
      ['SUBSCRIBE with a reserved bit [MQTT-3.8.3-4 of 3.1.1]', [0x82, 6, 0, 1, 0, 1, 0x74, 4]],
      ['UNSUBSCRIBE with flags 0 [MQTT-3.10.1-1 of 3.1.1]', [0xa0, 5, 0, 1, 0, 1, 0x74]],
      ['UNSUBSCRIBE that is no UTF-8 [MQTT-3.10.3-1 of 3.1.1]', [0xa2, 5, 0, 1, 0, 1, 0xff]],
      ['UNSUBSCRIBE without a filter [MQTT-3.10.3-2 of 3.1.1]', [0xa2, 2, 0, 1]],
      ['CONNACK of a client', [0x20, 2, 0, 0]],
      ['SUBACK of a client', [0x90, 3, 0, 1, 0]],
      ['AUTH, which is of 5.0', [0xf0, 0]],
      ['type 0', [0, 0]],
      ['a length of five bytes', [0x30, 0xff, 0xff, 0xff, 0xff, 1]],
    ])('%s', async (_name, bytes) => {
      await expectViolation(bytes);
    });
  });

  test('PINGREQ is answered [MQTT-3.12.4-1 of 3.1.1]', async () => {
    const peer = await client('c');
    peer.send({ cmd: 'pingreq' });
    await peer.expect('pingresp');
  });
});

test('clients of 3.1 mark with DUP what they send again, and those of 3.1.1 may not [MQTT-2.2.2-2 of 3.1.1]', async () => {
  const again = [
    [0x8a, 6, 0, 1, 0, 1, 0x74, 1],
    [0xaa, 5, 0, 2, 0, 1, 0x74],
    [0x6a, 2, 0, 3],
  ];
  const old = await join(node, 'c', 3);
  for (const bytes of again) old.raw(bytes);
  expect((await old.all()).map(({ cmd }) => cmd)).toEqual(['suback', 'unsuback', 'pubcomp']);
  for (const bytes of again) {
    const peer = await join(node, 'c', 4);
    peer.raw(bytes);
    await peer.expectEnd();
  }
});

test('3.1.1 without a client identifier: a name of its own when clean, else refused [MQTT-3.1.3-6 of 3.1.1] [MQTT-3.1.3-8 of 3.1.1]', async () => {
  const first = await join(node, '', 4);
  const second = await join(node, '', 4);
  await first.subscribe('t');
  second.publish('t', 'm');
  expect(await first.payloads()).toEqual(['m']);
  const kept = dial(node, 4);
  kept.raw([0x10, 12, 0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 0, 0, 0, 0, 0]);
  await expectAnswerAndEnd(kept, [0x20, 2, 0, 2]);
});
