import type { PeerCertificate, TlsSession } from '@chapar/platform';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { encodeMethod, fieldTable, type MethodOf, PROTOCOL_HEADER } from '../../packages/amqp091/src/codec/index.js';
import { SimNode } from './sim-node.js';

const certificate: PeerCertificate = {
  subject: 'CN=alice,O=Example',
  issuer: 'CN=Example CA',
  commonNames: ['alice'],
  alternativeNames: [{ type: 'dns', value: 'alice.example' }],
  serialNumber: '01',
  validUntilMs: 2e12,
};
const tls = (peerCertificate: PeerCertificate | null): TlsSession => ({
  protocol: 'TLSv1.3',
  cipher: 'TLS_AES_256_GCM_SHA384',
  peerCertificate,
});

describe('the handshake', () => {
  let node: SimNode;
  beforeEach(async () => {
    node = await SimNode.start();
  });
  afterEach(() => node.stop());

  test('offers what the broker is and can', async () => {
    const peer = await node.peer();
    expect(peer.serverProperties).toMatchObject({
      product: 'Chapar',
      version: '4.1.0',
      cluster_name: 'sim',
      node: 'chapar@sim',
      capabilities: {
        publisher_confirms: true,
        exchange_exchange_bindings: true,
        'basic.nack': true,
        consumer_cancel_notify: true,
        'connection.blocked': true,
        consumer_priorities: true,
        authentication_failure_close: true,
        per_consumer_qos: true,
        direct_reply_to: true,
      },
    });
    expect(peer.mechanisms).toBe('PLAIN AMQPLAIN');
    expect(peer.tune).toMatchObject({ channelMax: 2047, frameMax: 131_072, heartbeat: 60 });
  });

  test.each(['PLAIN', 'AMQPLAIN'])('logs in by %s', async (mechanism) => {
    await node.addUser('ali\u00e7e', {});
    const peer = await node.peer({ mechanism, user: 'ali\u00e7e' });
    const [connection] = [...node.broker.connections];
    expect(connection).toMatchObject({ principal: { user: 'ali\u00e7e' }, authMechanism: mechanism, vhost: '/' });
    await peer.goodbye();
  });

  test('logs in by certificate where the peer showed one', async () => {
    await node.addUser('alice', {});
    const peer = await node.peer({ mechanism: 'EXTERNAL', tls: tls(certificate) });
    expect(peer.mechanisms).toBe('PLAIN AMQPLAIN EXTERNAL');
    expect([...node.broker.connections][0]!.principal.user).toBe('alice');
    const other = node.connect({ mechanism: 'EXTERNAL', tls: tls(null) });
    await expect(other.logIn()).rejects.toThrow("unknown authentication mechanism 'EXTERNAL'");
  });

  test.each([
    ['distinguished_name', 'CN=alice,O=Example'],
    ['subject_alternative_name', 'alice.example'],
  ] as const)('takes the %s for the user', async (certificateLogin, user) => {
    const other = await SimNode.start({ certificateLogin });
    await other.addUser(user, {});
    await other.peer({ mechanism: 'EXTERNAL', tls: tls(certificate) });
    expect([...other.broker.connections][0]!.principal.user).toBe(user);
    await other.stop();
  });

  test.each([
    ['a wrong password', { password: 'wrong' }],
    ['an unknown user', { user: 'nobody' }],
    ['no response', { response: '' }],
    ['AMQPLAIN without names', { mechanism: 'AMQPLAIN', response: '' }],
  ])('%s: 403 for who understands it, silence for who does not', async (_title, options) => {
    const told = node.connect(options);
    await expect(told.logIn()).rejects.toThrow(/connection\.close.*403.*ACCESS_REFUSED - Login was refused/);
    const untold = node.connect({ ...options, capabilities: { authentication_failure_close: false } });
    await expect(untold.logIn()).rejects.toThrow('the connection was closed');
    expect(untold.receivedBytes).toBeGreaterThan(0);
    expect(node.broker.connections.size).toBe(0);
  });

  test.each([
    [{ frameMax: 4096 }, { frameBytesMax: 4096 }],
    [{ frameMax: 0 }, { frameBytesMax: 131_072 }],
    [{ channelMax: 0 }, { channelsMax: 2047 }],
    [{ channelMax: 1 }, { channelsMax: 1 }],
    [{ heartbeat: 7 }, { heartbeatSeconds: 7 }],
  ])('agrees on %o', async (asked, agreed) => {
    await node.peer(asked);
    expect([...node.broker.connections][0]).toMatchObject(agreed);
  });

  test.each([
    [{ frameMax: 131_073 }, 'negotiated frame_max = 131073 is higher than the maximum allowed value (131072)'],
    [{ frameMax: 4095 }, 'negotiated frame_max = 4095 is lower than the minimum allowed value (4096)'],
    [{ channelMax: 2048 }, 'negotiated channel_max = 2048 is higher than the maximum allowed value (2047)'],
  ])('refuses %o', async (asked, text) => {
    const peer = node.connect(asked);
    await peer.logIn();
    peer.tuneOk();
    const { method } = await peer.expect('connection.close');
    expect(method).toMatchObject({ replyCode: 530, replyText: `NOT_ALLOWED - ${text}`, classId: 10, methodId: 31 });
  });

  test('a name of 127 two-byte letters is refused with a text that fits', async () => {
    const peer = node.connect({ vhost: '\u00fc'.repeat(127) });
    await peer.logIn();
    peer.tuneOk();
    peer.send(0, { name: 'connection.open', virtualHost: '\u00fc'.repeat(127) });
    const { replyText } = (await peer.expect('connection.close')).method;
    expect(Buffer.byteLength(replyText)).toBeLessThanOrEqual(255);
    expect(replyText).toMatch(/^NOT_ALLOWED - vhost \u00fc{100,}$/);
  });

  test('everything may be said at once, contents too', async () => {
    const peer = node.connect();
    peer.raw(PROTOCOL_HEADER);
    await peer.expect('connection.start');
    peer.startOk();
    peer.frameMax = 4096;
    peer.send(0, { name: 'connection.tune-ok', frameMax: 4096, channelMax: 10 });
    peer.send(0, { name: 'connection.open', virtualHost: '/' });
    peer.send(1, { name: 'channel.open' });
    peer.send(1, { name: 'queue.declare', queue: 'q', exclusive: true });
    peer.publish(1, 'q', 'early');
    peer.send(1, { name: 'basic.get', queue: 'q', noAck: true });
    expect(await peer.names()).toEqual([
      'connection.tune',
      'connection.open-ok',
      'channel.open-ok',
      'queue.declare-ok',
      'basic.get-ok',
    ]);
  });

  test('methods out of turn, on other channels and contents are refused by their codes', async () => {
    const wrong: [string, Buffer, number, string][] = [
      ['open before start-ok', encodeMethod(0, { name: 'connection.open' }), 503, 'connection.open is not expected'],
      ['channel.open', encodeMethod(1, { name: 'channel.open' }), 503, 'channel.open is not expected before'],
      [
        'start-ok on channel 1',
        encodeMethod(1, { name: 'connection.start-ok' }),
        503,
        'connection.start-ok on channel 1',
      ],
      ['a body', Buffer.from([3, 0, 1, 0, 0, 0, 1, 65, 0xce]), 505, 'expected method frame on channel 1'],
      ['a frame of another type', Buffer.from([7, 0, 0, 0, 0, 0, 0, 0xce]), 501, 'unknown frame type 7'],
      [
        'a frame beyond 16 KiB',
        Buffer.from([1, 0, 0, 0, 0, 0x40, 1]),
        501,
        'larger than the negotiated maximum of 16384',
      ],
    ];
    for (const [title, bytes, code, text] of wrong) {
      const peer = node.connect();
      peer.raw(PROTOCOL_HEADER);
      await peer.expect('connection.start');
      peer.raw(bytes);
      const [close] = await peer.all();
      expect([title, close?.method.name]).toEqual([title, 'connection.close']);
      const method = close!.method as MethodOf<'connection.close'>;
      expect([title, method.replyCode]).toEqual([title, code]);
      expect(method.replyText).toContain(text);
      await peer.drop();
    }
  });

  test('a goodbye in the middle is answered', async () => {
    const peer = node.connect();
    await peer.logIn();
    await peer.call(0, { name: 'connection.close', replyCode: 200 }, 'connection.close-ok');
    expect(peer.isEnded).toBe(true);
  });

  test('client properties are kept for people who look', async () => {
    const capabilities = { 'basic.nack': true };
    await node.peer({
      clientProperties: { connection_name: 'the till', more: fieldTable({ $integer: 'abc' }) },
      capabilities,
    });
    const [connection] = [...node.broker.connections];
    expect(connection).toMatchObject({ userProvidedName: 'the till', state: 'running' });
    expect(connection!.clientProperties).toMatchObject({ product: 'sim-peer', more: { $$integer: 'abc' } });
  });

  test('limits of the virtual host and of the user are counted', async () => {
    await node.settle(node.broker.records.put('vhost-limits', ['/', 'max-connections'], 1));
    const peer = await node.peer();
    await expect(node.peer()).rejects.toThrow(
      "access to vhost '/' refused for user 'guest': connection limit (1) is reached",
    );
    await peer.goodbye();
    await node.settle(node.broker.records.delete('vhost-limits', '/', 'max-connections'));
    node.users.add('guest', { limits: { 'max-connections': 1 } });
    await node.peer();
    await expect(node.peer()).rejects.toThrow(
      "connection refused for user 'guest': user connection limit (1) is reached",
    );
  });
});

describe('who takes too long', () => {
  test.each([
    ['says nothing', ''],
    ['says half of the header', 'AMQP'],
  ])('and %s is hung up on', async (_title, said) => {
    const node = await SimNode.start({ limits: { handshakeSeconds: 10 } });
    const peer = node.connect();
    if (said !== '') peer.raw(Buffer.from(said));
    await node.advance(9_000);
    expect(node.door.connectionCount).toBe(1);
    await node.advance(3_000);
    expect([peer.isEnded, peer.receivedBytes, node.door.connectionCount]).toEqual([true, 0, 0]);
    await node.stop();
  });

  test('and is not heard of again, goodbye or not', async () => {
    const node = await SimNode.start();
    const peer = node.connect();
    await peer.logIn();
    peer.wire.pause();
    await node.advance(12_000);
    expect(node.door.connectionCount).toBe(1);
    await node.advance(12_000);
    expect(node.door.connectionCount).toBe(0);
    await node.stop();
  });
});
