// Enhanced authentication (§4.12): this broker offers no method. What the specification asks of a server that offers none.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { SimNode } from '../sim-node.js';
import { dial, join } from './peer.js';

let node: SimNode;

beforeEach(async () => {
  node = await SimNode.start();
});

afterEach(() => node.stop());

const method = { authenticationMethod: 'SCRAM-SHA-1', authenticationData: Buffer.from('n,,n=guest,r=x') };
const malformed = 0x81;
const protocolError = 0x82;
const badMethod = 0x8c;
const authType = 0xf0;

describe('a client that asks for a method', () => {
  test.each(['SCRAM-SHA-1', 'SCRAM-SHA-256', 'GS2-KRB5', 'PLAIN', ''])(
    'of any name (%j) is refused, without a method in the answer, and the connection closed [MQTT-4.12.0-1] [MQTT-4.12.0-4]',
    async (authenticationMethod) => {
      const peer = dial(node, 5);
      peer.connect({ properties: { ...method, authenticationMethod } });
      const connack = await peer.expect('connack');
      expect([connack.reasonCode, connack.sessionPresent]).toEqual([badMethod, false]);
      expect(connack.properties?.authenticationMethod).toBeUndefined();
      expect(connack.properties?.authenticationData).toBeUndefined();
      await peer.expectEnd();
    },
  );

  test('is refused with a password that is right, too: it said by what it wants to be known', async () => {
    const peer = dial(node, 5);
    peer.connect({ username: 'guest', password: Buffer.from('guest'), properties: method });
    expect((await peer.expect('connack')).reasonCode).toBe(badMethod);
    await peer.expectEnd();
  });

  test('takes no session over, ends none, and leaves no will', async () => {
    const kept = await join(node, 'c', 5, { clean: false, properties: { sessionExpiryInterval: 100 } });
    const watcher = await join(node, 'watcher');
    await watcher.subscribe('will');
    const will = { topic: 'will', payload: Buffer.from('gone'), qos: 0 as const, retain: false };
    const peer = dial(node, 5);
    peer.connect({ clientId: 'c', clean: true, will, properties: method });
    expect((await peer.expect('connack')).reasonCode).toBe(badMethod);
    await peer.expectEnd();
    await kept.silence();
    await watcher.silence();
    await kept.drop();
    const again = await join(node, 'c', 5, { clean: false });
    expect(again.connack.sessionPresent).toBe(true);
  });

  test('and what it sends behind CONNECT without waiting is not looked at', async () => {
    const peer = dial(node, 5);
    peer.connect({ properties: method });
    peer.send({ cmd: 'auth', reasonCode: 0x18, properties: method });
    peer.publish('t', 'm', { qos: 1 });
    expect((await peer.expect('connack')).reasonCode).toBe(badMethod);
    await peer.expectEnd();
  });

  test('with data, but without a method, is a protocol error', async () => {
    const peer = dial(node, 5);
    peer.connect({ properties: { authenticationData: Buffer.from('x') } });
    expect((await peer.expect('connack')).reasonCode).toBe(0x82);
    await peer.expectEnd();
  });
});

describe('a client that asks for none', () => {
  test('is told of none, and gets no AUTH, whoever it is and however the login goes [MQTT-4.12.0-6]', async () => {
    const peer = await join(node, 'c', 5, { username: 'guest', password: Buffer.from('guest') });
    expect(peer.connack.properties?.authenticationMethod).toBeUndefined();
    expect(peer.connack.properties?.authenticationData).toBeUndefined();
    await peer.silence();
    const wrong = dial(node, 5);
    wrong.connect({ clientId: 'w', username: 'guest', password: Buffer.from('wrong') });
    const connack = await wrong.expect('connack');
    expect(connack.reasonCode).toBe(0x86);
    expect(connack.properties?.authenticationMethod).toBeUndefined();
    await wrong.expectEnd();
  });

  test.each([
    ['continues what was never begun', [0x18, 'SCRAM-SHA-1']],
    ['wants to be known anew', [0x19, 'SCRAM-SHA-1']],
    ['says that it succeeded', [0x00, 'SCRAM-SHA-1']],
  ] as const)(
    'and %s with AUTH, breaks the protocol and is closed [MQTT-4.12.0-7] [MQTT-4.12.1-2]',
    async (_what, [reasonCode, authenticationMethod]) => {
      const peer = await join(node, 'c');
      peer.send({ cmd: 'auth', reasonCode, properties: { authenticationMethod } });
      await peer.expectEnd(protocolError);
    },
  );

  test.each([
    ['nothing in it', [authType, 0]],
    ['a reason alone', [authType, 1, 0x19]],
    ['no method among its properties', [authType, 2, 0x19, 0]],
    ['a reason that there is not', [authType, 2, 0x77, 0]],
  ])('nor may it send AUTH with %s [MQTT-4.12.0-7]', async (_what, bytes) => {
    const peer = await join(node, 'c');
    peer.raw(bytes);
    await peer.expectEnd(protocolError);
  });

  test('its session and its will are what they are after any protocol error', async () => {
    const watcher = await join(node, 'watcher');
    await watcher.subscribe('will');
    const will = { topic: 'will', payload: Buffer.from('gone'), qos: 0 as const, retain: false };
    const peer = await join(node, 'c', 5, { will });
    peer.send({ cmd: 'auth', reasonCode: 0x19, properties: { authenticationMethod: 'x' } });
    await peer.expectEnd(protocolError);
    expect(await watcher.payloads()).toEqual(['gone']);
  });
});

test('AUTH with flags is malformed [MQTT-3.15.1-1]', async () => {
  const peer = await join(node, 'c');
  peer.raw([authType | 1, 0]);
  await peer.expectEnd(malformed);
});

test.each([3, 4] as const)('AUTH before 5.0 (level %i) is no packet: the connection is closed', async (version) => {
  const peer = await join(node, 'c', version);
  peer.raw([authType, 0]);
  await peer.expectEnd();
});

test('AUTH as the first packet is closed without an answer [MQTT-3.1.0-1]', async () => {
  const peer = dial(node, 5);
  peer.raw([authType, 2, 0x18, 0]);
  await peer.expectEnd();
});
