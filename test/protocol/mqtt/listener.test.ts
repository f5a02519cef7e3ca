import { afterEach, expect, test } from 'vitest';
import { mqttsPort, SimNode } from '../sim-node.js';
import { dial, join, MqttPeer, type Version } from './peer.js';

let node: SimNode;

afterEach(() => node.stop());

/** A client of the other listener. */
function dialTls(version: Version = 5): MqttPeer {
  const tls = { protocol: 'TLSv1.3', cipher: 'c', peerCertificate: null };
  return new MqttPeer(node.platform.network.connect({ port: mqttsPort, tls }), node.platform, version);
}

async function codeOf(peer: MqttPeer, clientId: string): Promise<number | undefined> {
  peer.connect({ clientId });
  const { reasonCode, returnCode } = await peer.expect('connack');
  return peer.version === 5 ? reasonCode : returnCode;
}

test('each listener has so many connections, and tells those beyond it', async () => {
  node = await SimNode.start({ mqtt: { connectionsMax: 2, perListener: { mqtts: { connectionsMax: 1 } } } });
  const first = await join(node, 'a');
  await join(node, 'b');
  const refused = dial(node);
  expect(await codeOf(refused, 'c')).toBe(0x97);
  await refused.expectEnd();
  expect(await codeOf(dial(node, 4), 'd')).toBe(3);
  expect(await codeOf(dialTls(), 'e')).toBe(0);
  expect(await codeOf(dialTls(), 'f')).toBe(0x97);
  // One that goes makes room for one, whoever was refused meanwhile.
  await first.goodbye();
  expect(await codeOf(dial(node), 'g')).toBe(0);
  expect(await codeOf(dial(node), 'h')).toBe(0x97);
});

test('whoever is not let in for another reason takes no place', async () => {
  node = await SimNode.start({ mqtt: { connectionsMax: 1 } });
  const wrong = dial(node);
  wrong.connect({ clientId: 'a', username: 'nobody', password: Buffer.from('x') });
  expect((await wrong.expect('connack')).reasonCode).not.toBe(0);
  expect(await codeOf(dial(node), 'b')).toBe(0);
});

test('those that are refused because there are too many take nothing of the rate', async () => {
  node = await SimNode.start({ mqtt: { connectionsMax: 1, connectionsPerSecond: 2 } });
  const first = await join(node, 'a');
  for (let i = 0; i < 5; i++) expect(await codeOf(dial(node), 'b')).toBe(0x97);
  await first.goodbye();
  const second = await join(node, 'c');
  await second.goodbye();
  expect(await codeOf(dial(node), 'd')).toBe(0x9f);
});

test('each listener has its own rate', async () => {
  node = await SimNode.start({
    mqtt: { connectionsPerSecond: 0, perListener: { mqtts: { connectionsPerSecond: 2 } } },
  });
  for (let i = 0; i < 5; i++) await join(node, `c${i}`);
  const codes: (number | undefined)[] = [];
  for (let i = 0; i < 3; i++) codes.push(await codeOf(dialTls(i === 2 ? 4 : 5), `t${i}`));
  expect(codes).toEqual([0, 0, 3]);
});

test('each listener has its own largest packet, which 5.0 is told', async () => {
  node = await SimNode.start({ mqtt: { perListener: { mqtts: { packetBytesMax: 300 } } } });
  const wide = await join(node, 'wide');
  expect(wide.connack.properties?.maximumPacketSize).toBeGreaterThan(16_000_000);
  const narrow = dialTls();
  narrow.connect({ clientId: 'narrow' });
  expect((await narrow.expect('connack')).properties?.maximumPacketSize).toBe(300);
  narrow.publish('t', 'p'.repeat(200), { qos: 1 });
  await narrow.expect('puback');
  narrow.publish('t', 'p'.repeat(300), { qos: 1 });
  await narrow.expectEnd(0x95);
  wide.publish('t', 'p'.repeat(300), { qos: 1 });
  await wide.expect('puback');
  // Before there is an answer to it, too.
  const greedy = dialTls(4);
  greedy.connect({ clientId: 'greedy', username: 'u'.repeat(300) });
  await greedy.expectEnd();
});

test('each listener has its own numbers of messages under way', async () => {
  node = await SimNode.start({ mqtt: { perListener: { mqtts: { receiveMaximum: 1, inFlightMax: 2 } } } });
  const eager = dialTls();
  eager.connect({ clientId: 'eager' });
  expect((await eager.expect('connack')).properties?.receiveMaximum).toBe(1);
  eager.publish('t', 'm', { qos: 2 });
  await eager.expect('pubrec');
  eager.publish('t', 'm', { qos: 2 });
  await eager.expectEnd(0x93);
  const slow = dialTls(4);
  slow.connect({ clientId: 'slow' });
  await slow.expect('connack');
  await slow.subscribe('s', 1);
  const alice = await join(node, 'alice');
  for (let i = 0; i < 5; i++) alice.publish('s', `m${i}`, { qos: 1 });
  expect(await slow.payloads()).toEqual(['m0', 'm1']);
});

test('each listener has its own number of subscriptions', async () => {
  node = await SimNode.start({ mqtt: { perListener: { mqtts: { subscriptionsMax: 1 } } } });
  const few = dialTls();
  few.connect({ clientId: 'few' });
  await few.expect('connack');
  expect(await few.subscribe({ a: 0, b: 0 })).toEqual([0, 0x97]);
  const old = dialTls(4);
  old.connect({ clientId: 'old' });
  await old.expect('connack');
  expect(await old.subscribe({ a: 0, b: 0 })).toEqual([0, 0x80]);
  expect(await (await join(node, 'many')).subscribe({ a: 0, b: 0 })).toEqual([0, 0]);
});
