import { generate } from 'mqtt-packet';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { mqttsPort, SimNode } from '../sim-node.js';
import { connectPacket, dial, join, MqttPeer, type Version } from './peer.js';

let node: SimNode;
beforeEach(async () => {
  node = await SimNode.start({ mqtt: { connectionsPerSecond: 0 } });
});
afterEach(() => node.stop());

/** CONNECT with one byte or more of it changed. */
function spoilt(version: Version, spoil: (bytes: Buffer) => void, more = {}): Buffer {
  const bytes = generate(connectPacket(version, more), { protocolVersion: version });
  spoil(bytes);
  return bytes;
}

/** 5.0 is told what is wrong with its CONNECT, and nothing else; before there is no word for it. §4.13.1 */
async function expectRefusal(peer: MqttPeer, reasonCode: number): Promise<void> {
  if (peer.version === 5) expect((await peer.expect('connack')).reasonCode).toBe(reasonCode);
  await peer.expectEnd();
  if (peer.version !== 5) expect(peer.bytes).toEqual([]);
}

/** Where the connect flags stand. */
const flagsAt = (version: Version): number => (version === 3 ? 11 : 9);

describe('CONNECT', () => {
  test.each([3, 4, 5] as const)('level %i is let in [MQTT-3.1.4-5] [MQTT-3.2.0-1] [MQTT-3.2.2-1]', async (version) => {
    const peer = await join(node, 'c', version);
    expect(peer.connack.sessionPresent).toBe(false);
    expect(peer.bytes[0]![2]).toBe(0);
    await peer.goodbye();
  });

  test('anything else first ends the connection without a word [MQTT-3.1.0-1]', async () => {
    const peer = dial(node);
    peer.send({ cmd: 'pingreq' });
    await peer.expectEnd();
    expect(peer.bytes).toEqual([]);
  });

  test('a second one is a protocol error [MQTT-3.1.0-2] [MQTT-3.2.0-2]', async () => {
    const peer = await join(node, 'c');
    peer.connect({ clientId: 'c' });
    await peer.expectEnd(0x82);
  });

  test('another protocol name is refused [MQTT-3.1.2-1]', async () => {
    const peer = dial(node, 4);
    peer.raw(spoilt(4, (bytes) => bytes.write('MQTX', 4)));
    await peer.expectEnd();
    expect(peer.bytes).toEqual([]);
  });

  test('another level is told so [MQTT-3.1.2-2]', async () => {
    const older = dial(node, 4);
    older.raw(spoilt(4, (bytes) => (bytes[8] = 2)));
    expect((await older.expect('connack')).returnCode).toBe(1);
    await older.expectEnd();
    const newer = dial(node, 5);
    newer.raw(spoilt(5, (bytes) => (bytes[8] = 6)));
    expect((await newer.expect('connack')).reasonCode).toBe(0x84);
    await newer.expectEnd();
  });

  test('a bridge marks its level, and is let in', async () => {
    const peer = dial(node, 4);
    peer.raw(spoilt(4, (bytes) => (bytes[8] = 0x84)));
    expect((await peer.expect('connack')).returnCode).toBe(0);
  });

  test.each([3, 4, 5] as const)(
    'the reserved flag is malformed, level %i [MQTT-3.1.2-3] [MQTT-3.1.4-1]',
    async (version) => {
      const peer = dial(node, version);
      peer.raw(spoilt(version, (bytes) => (bytes[flagsAt(version)]! |= 1)));
      await expectRefusal(peer, 0x81);
    },
  );

  test.each([
    ['QoS without a will [MQTT-3.1.2-11]', 0x08],
    ['retain without a will [MQTT-3.1.2-13]', 0x20],
  ])('%s', async (_name, flag) => {
    for (const version of [4, 5] as const) {
      const peer = dial(node, version);
      peer.raw(spoilt(version, (bytes) => (bytes[9]! |= flag)));
      await expectRefusal(peer, 0x81);
    }
  });

  test('a will of QoS 3 [MQTT-3.1.2-12]', async () => {
    const peer = dial(node, 5);
    peer.raw(spoilt(5, (bytes) => (bytes[9]! |= 0x18), { will: { topic: 't', payload: 'p' } }));
    await expectRefusal(peer, 0x81);
  });

  test('a password without a user name: 5.0 may, 3.1.1 may not [MQTT-3.1.2-22 of 3.1.1]', async () => {
    const bytes = (version: Version) => spoilt(version, (b) => (b[9]! &= ~0x80), {});
    for (const version of [4, 5] as const) {
      const peer = dial(node, version);
      const plain = bytes(version);
      plain[9]! |= 0x40;
      plain[1]! += 3;
      peer.raw(Buffer.concat([plain, Buffer.from([0, 1, 0x78])]));
      if (version === 5) expect((await peer.expect('connack')).reasonCode).toBe(0);
      else await peer.expectEnd();
    }
  });

  test('flags and payload must fit [MQTT-3.1.2-16] [MQTT-3.1.2-17] [MQTT-3.1.2-18] [MQTT-3.1.2-19] [MQTT-3.1.3-1] [MQTT-3.1.3-3]', async () => {
    for (const flag of [0x80, 0x40, 0x04]) {
      const peer = dial(node, 5);
      peer.raw(spoilt(5, (bytes) => (bytes[9]! |= flag)));
      await expectRefusal(peer, 0x81);
    }
    const longer = dial(node, 5);
    const bytes = spoilt(5, (all) => (all[1]! += 1));
    longer.raw(Buffer.concat([bytes, Buffer.from([0])]));
    await expectRefusal(longer, 0x81);
  });

  test('a client identifier, a topic or a name that is no UTF-8 [MQTT-1.5.4-1] [MQTT-3.1.3-4] [MQTT-3.1.3-11] [MQTT-3.1.3-12]', async () => {
    const marks = [{ clientId: 'ZZ' }, { will: { topic: 'ZZ', payload: 'p' } }, { username: 'ZZ' }];
    for (const more of marks) {
      const peer = dial(node, 5);
      peer.raw(spoilt(5, (bytes) => bytes.fill(0xff, bytes.indexOf('ZZ'), bytes.indexOf('ZZ') + 2), more));
      await expectRefusal(peer, 0x81);
    }
    const withNull = dial(node, 5);
    withNull.raw(spoilt(5, (bytes) => (bytes[bytes.indexOf('ZZ')] = 0), { clientId: 'ZZ' }));
    await expectRefusal(withNull, 0x81);
  });

  test('a surrogate is no UTF-8, and a byte order mark is a character [MQTT-1.5.4-1] [MQTT-1.5.4-2] [MQTT-1.5.4-3]', async () => {
    const surrogate = dial(node, 5);
    surrogate.raw(spoilt(5, (bytes) => bytes.set([0xed, 0xa0, 0x80], bytes.indexOf('ZZZ')), { clientId: 'ZZZ' }));
    await expectRefusal(surrogate, 0x81);
    const marked = await join(node, 'm');
    await marked.subscribe('\ufeffa');
    marked.publish('a', 'other');
    marked.publish('\ufeffa', 'same');
    expect(await marked.payloads()).toEqual(['same']);
  });

  test('client identifiers of letters and digits up to 23 bytes, and longer ones [MQTT-3.1.3-5] [MQTT-3.1.3-2]', async () => {
    for (const id of ['a', '0123456789abcdefghijABC', 'x'.repeat(200)]) await join(node, id, 4);
    const longest = dial(node, 5);
    longest.connect({ clientId: 'x'.repeat(300) });
    expect((await longest.expect('connack')).reasonCode).toBe(0x85);
    await longest.expectEnd();
  });

  test('an empty one gets a name [MQTT-3.1.3-6] [MQTT-3.1.3-7] [MQTT-3.2.2-16]', async () => {
    const one = await join(node, '');
    const other = await join(node, '');
    const ids = [one, other].map((peer) => peer.connack.properties?.assignedClientIdentifier);
    expect(ids[0]).toMatch(/./);
    expect(ids[0]).not.toBe(ids[1]);
    await join(node, '', 4);
  });

  test('before 5.0 only for a session that is clean, in 3.1 never [MQTT-3.1.3-8]', async () => {
    const old = dial(node, 4);
    old.raw(spoilt(4, (bytes) => (bytes[9]! &= ~2), { clientId: '' }));
    expect((await old.expect('connack')).returnCode).toBe(2);
    await old.expectEnd();
    const oldest = dial(node, 3);
    oldest.raw([0x10, 14, 0, 6, ...Buffer.from('MQIsdp'), 3, 2, 0, 0, 0, 0]);
    expect((await oldest.expect('connack')).returnCode).toBe(2);
    await oldest.expectEnd();
  });

  test.each([4, 5] as const)(
    'a wrong password, level %i [MQTT-3.1.4-2] [MQTT-3.2.2-6] [MQTT-3.2.2-7] [MQTT-3.2.2-8]',
    async (version) => {
      const peer = dial(node, version);
      peer.connect({ username: 'guest', password: Buffer.from('wrong') });
      const { reasonCode, returnCode, sessionPresent } = await peer.expect('connack');
      expect([version === 5 ? reasonCode : returnCode, sessionPresent]).toEqual([version === 5 ? 0x86 : 4, false]);
      await peer.expectEnd();
    },
  );

  test('what comes behind a refused CONNECT is not looked at [MQTT-3.1.4-6]', async () => {
    const subscriber = await join(node, 's');
    await subscriber.subscribe('t');
    const peer = dial(node, 5);
    peer.connect({ username: 'guest', password: Buffer.from('wrong') });
    peer.publish('t', 'no');
    expect((await peer.expect('connack')).reasonCode).toBe(0x86);
    await peer.expectEnd();
    await subscriber.silence();
  });

  test('what comes behind a good one need not wait for CONNACK', async () => {
    const peer = dial(node, 5);
    peer.connect({ clientId: 'hasty' });
    peer.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 't', qos: 0 }] });
    peer.publish('t', 'm');
    peer.send({ cmd: 'pingreq' });
    expect((await peer.all()).map(({ cmd }) => cmd)).toEqual(['connack', 'suback', 'publish', 'pingresp']);
  });

  test('vhost:user enters another virtual host; one that is not there is a bad user name', async () => {
    await node.settle(
      node.broker.putVirtualHost('plant:1', { description: '', tags: [], defaultQueueType: 'classic' }),
    );
    await node.settle(node.broker.permissions.set('plant:1', 'guest', { configure: '.*', write: '.*', read: '.*' }));
    const there = await join(node, 'x', 5, { username: 'plant:1:guest', password: Buffer.from('guest') });
    const here = await join(node, 'x', 5);
    await there.subscribe('t');
    here.publish('t', 'elsewhere');
    await there.silence();
    const nowhere = dial(node, 5);
    nowhere.connect({ username: 'none:guest', password: Buffer.from('guest') });
    expect((await nowhere.expect('connack')).reasonCode).toBe(0x86);
  });

  test('a client without a user name is the user that its certificate names', async () => {
    await node.addUser('carol', { configure: '.*', write: '.*', read: '.*' });
    const certificate = (commonName: string) => ({
      protocol: 'TLSv1.3',
      cipher: 'TLS_AES_256_GCM_SHA384',
      peerCertificate: {
        subject: `CN=${commonName}`,
        issuer: 'CN=ca',
        commonNames: [commonName],
        alternativeNames: [],
        serialNumber: '01',
        validUntilMs: 1e15,
      },
    });
    const over = (commonName: string) => {
      const wire = node.platform.network.connect({ port: mqttsPort, tls: certificate(commonName) });
      return new MqttPeer(wire, node.platform, 5);
    };
    const carol = over('carol');
    carol.connect({ clientId: 'c' });
    expect((await carol.expect('connack')).reasonCode).toBe(0);
    expect([...node.broker.connections].map(({ principal }) => principal.user)).toEqual(['carol']);
    const stranger = over('nobody');
    stranger.connect({ clientId: 's' });
    expect((await stranger.expect('connack')).reasonCode).toBe(0x87);
    await stranger.expectEnd();
  });

  test('a user without permissions is not authorized', async () => {
    await node.addUser('stranger');
    const peer = dial(node, 4);
    peer.connect({ username: 'stranger', password: Buffer.from('stranger') });
    expect((await peer.expect('connack')).returnCode).toBe(5);
    await peer.expectEnd();
  });

  test('CONNACK tells our limits, and the keep-alive where it is another [MQTT-3.2.2-21] [MQTT-3.2.2-22] [MQTT-3.1.2-21]', async () => {
    await node.stop();
    node = await SimNode.start({
      mqtt: { keepAliveSecondsMax: 60, receiveMaximum: 7, topicAliasMaximum: 3, sessionExpirySecondsMax: 50 },
    });
    const peer = await join(node, 'c', 5, { keepalive: 120, properties: { sessionExpiryInterval: 100 } });
    expect(peer.connack.properties).toMatchObject({
      serverKeepAlive: 60,
      receiveMaximum: 7,
      topicAliasMaximum: 3,
      sessionExpiryInterval: 50,
    });
    const other = await join(node, 'd', 5, { keepalive: 30 });
    expect(other.connack.properties?.serverKeepAlive).toBeUndefined();
    await node.advance(48_000);
    await other.expectEnd(0x8d);
  });

  test('response information is not told to who does not want it, nor to others [MQTT-3.1.2-28]', async () => {
    const peer = await join(node, 'c', 5, { properties: { requestResponseInformation: false } });
    expect(peer.connack.properties?.responseInformation).toBeUndefined();
  });

  test('without request problem information only CONNACK and DISCONNECT say why [MQTT-3.1.2-29]', async () => {
    const peer = await join(node, 'c', 5, { properties: { requestProblemInformation: false } });
    peer.publish('nobody', 'm', { qos: 1 });
    const puback = await peer.expect('puback');
    expect(puback.properties?.reasonString).toBeUndefined();
    peer.connect();
    expect((await peer.expect('disconnect')).properties?.reasonString).toBeUndefined();
  });

  test('properties: one that is not of CONNECT, one twice, one with 0 [MQTT-2.2.2-1]', async () => {
    const properties = (...bytes: number[]) =>
      Buffer.from([0x10, 10 + bytes.length + 4, 0, 4, 77, 81, 84, 84, 5, 2, 0, 0, bytes.length, ...bytes, 0, 1, 0x78]);
    const fix = (bytes: Buffer) => {
      bytes[1] = bytes.length - 2;
      return bytes;
    };
    for (const [reason, ...wrong] of [
      [0x81, 0x01, 0],
      [0x82, 0x21, 0, 0],
      [0x82, 0x21, 0, 1, 0x21, 0, 1],
      [0x82, 0x27, 0, 0, 0, 0],
      [0x81, 0x7f],
      [0x81, 0x11, 0, 0],
      [0x82, 0x17, 2],
      [0x82, 0x16, 0, 1, 0],
    ] as const) {
      const peer = dial(node, 5);
      peer.raw(fix(properties(...wrong)));
      await expectRefusal(peer, reason);
    }
    const good = dial(node, 5);
    good.raw(fix(properties()));
    expect((await good.expect('connack')).reasonCode).toBe(0);
  });

  test('nobody speaks: the connection ends after the time of a handshake', async () => {
    const peer = dial(node, 5);
    await node.advance(11_500);
    expect(peer.isOver).toBe(true);
  });

  test('a CONNECT of half a megabyte and more is not waited for', async () => {
    const large = dial(node, 5);
    large.raw([0x10, 0x80, 0x80, 0x20, 0, 4, 0x4d]);
    await large.expectEnd();
    expect(large.bytes).toEqual([]);
    const mine = Buffer.alloc(60_000, 'x');
    const peer = await join(node, 'c', 5, {
      will: { topic: 't', payload: mine },
      password: mine,
      username: 'guest',
    }).catch((error: Error) => error.message);
    expect(peer).toContain('"reasonCode":134');
    const normal = await join(node, 'c');
    normal.publish('t', Buffer.alloc(1024 * 1024), { qos: 1 });
    await normal.expect('puback');
  });

  test('a storm of reconnects is let in at its rate, and the others are told to come again', async () => {
    await node.stop();
    node = await SimNode.start({ mqtt: { connectionsPerSecond: 5 } });
    const codes: (number | undefined)[] = [];
    for (let i = 0; i < 8; i++) {
      const peer = dial(node, i === 7 ? 4 : 5);
      peer.connect({ clientId: `c${i}` });
      const { reasonCode, returnCode } = await peer.expect('connack');
      codes.push(i === 7 ? returnCode : reasonCode);
    }
    expect(codes).toEqual([0, 0, 0, 0, 0, 0x9f, 0x9f, 3]);
    await node.advance(1000);
    await join(node, 'later');
  });
});

describe('keep-alive', () => {
  test('one and a half times of silence end the connection [MQTT-3.1.2-22]', async () => {
    const peer = await join(node, 'c', 5, { keepalive: 10 });
    await node.advance(14_000);
    peer.send({ cmd: 'pingreq' });
    expect((await peer.expect('pingresp')).cmd).toBe('pingresp');
    await node.advance(14_000);
    await peer.silence();
    await node.advance(3000);
    await peer.expectEnd(0x8d);
  });

  test('0 switches it off', async () => {
    const peer = await join(node, 'c', 5, { keepalive: 0 });
    await node.advance(3_600_000);
    await peer.silence();
  });

  test('PINGREQ is answered [MQTT-3.12.4-1], with a body it is malformed', async () => {
    const peer = await join(node, 'c');
    peer.send({ cmd: 'pingreq' });
    await peer.expect('pingresp');
    peer.raw([0xc0, 1, 0]);
    await peer.expectEnd(0x81);
  });
});

describe('DISCONNECT', () => {
  test('ends the connection, and nothing follows it [MQTT-3.14.4-1] [MQTT-3.14.4-2]', async () => {
    const peer = await join(node, 'c');
    peer.send({ cmd: 'disconnect', reasonCode: 0 });
    peer.send({ cmd: 'pingreq' });
    await peer.expectEnd();
  });

  test('with flags or a reason that a client has not [MQTT-3.14.1-1] [MQTT-3.14.2-1]', async () => {
    const flags = await join(node, 'c');
    flags.raw([0xe1, 0]);
    await flags.expectEnd(0x81);
    const reason = await join(node, 'd');
    reason.raw([0xe0, 1, 0x8d]);
    await reason.expectEnd(0x81);
  });

  test('the broker says no more than CONNACK to whom it refused [MQTT-3.14.0-1]', async () => {
    const peer = dial(node, 5);
    peer.connect({ username: 'guest', password: Buffer.from('wrong') });
    expect((await peer.all()).map(({ cmd }) => cmd)).toEqual(['connack']);
  });

  test('of the broker when it stops: 0x8B, without a session expiry [MQTT-3.14.2-2] [MQTT-4.13.1-1] [MQTT-4.13.2-1]', async () => {
    const peer = await join(node, 'c', 5, { properties: { sessionExpiryInterval: 10 } });
    await node.stop();
    const packet = await peer.expect('disconnect');
    expect([packet.reasonCode, packet.properties?.sessionExpiryInterval]).toEqual([0x8b, undefined]);
    node = await SimNode.start();
  });

  test('a reason string is left out where it would make the packet too large [MQTT-3.2.2-19] [MQTT-3.14.2-3]', async () => {
    const peer = await join(node, 'c', 5, { properties: { maximumPacketSize: 20 } });
    peer.connect({ clientId: 'c' });
    expect((await peer.expect('disconnect')).properties?.reasonString).toBeUndefined();
    const refused = dial(node, 5);
    refused.connect({ username: 'guest', password: Buffer.from('wrong'), properties: { maximumPacketSize: 20 } });
    const connack = await refused.expect('connack');
    expect([connack.reasonCode, connack.properties?.reasonString]).toEqual([0x86, undefined]);
  });

  test('a topic longer than a routing key may be is refused [MQTT-4.7.3-3]', async () => {
    const peer = await join(node, 'c');
    expect(await peer.subscribe('x'.repeat(300))).toEqual([0x8f]);
    peer.publish('x'.repeat(300), 'm');
    await peer.expectEnd(0x90);
  });

  test('of an administrator: 0x98', async () => {
    const peer = await join(node, 'c');
    node.broker.closeWhere(() => true, 'enough');
    await peer.expectEnd(0x98);
  });

  test('a session expiry where there was none to expire is a protocol error', async () => {
    const peer = await join(node, 'c');
    peer.send({ cmd: 'disconnect', reasonCode: 0, properties: { sessionExpiryInterval: 5 } });
    await peer.expectEnd(0x82);
  });
});
