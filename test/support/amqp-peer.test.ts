import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeMethod, FRAME_HEARTBEAT, HEARTBEAT_FRAME } from '../../packages/amqp091/src/codec/index.js';
import { FakeServer } from '../vectors/fake-server.js';
import { AmqpPeer, contentFrames } from './amqp-peer.js';

describe('the raw client of the protocol tests', () => {
  let server: FakeServer;
  beforeAll(async () => {
    server = await FakeServer.listen();
  });
  afterAll(() => server.close());

  test('shakes hands as it is told', async () => {
    const url = server.url.replace('guest:guest@', 'a%40b:p%3Aw@');
    const peer = await AmqpPeer.open(url, {
      frameMax: 4096,
      channelMax: 7,
      heartbeat: 3,
      vhost: 'v/1',
      mechanism: 'AMQPLAIN',
      capabilities: { consumer_cancel_notify: false },
    });
    const startOk = server.methods('connection.start-ok').at(-1)!.method;
    expect(startOk.mechanism).toBe('AMQPLAIN');
    expect(startOk.response.toString('latin1')).toBe('\x05LOGINS\0\0\0\x03a@b\x08PASSWORDS\0\0\0\x03p:w');
    expect(startOk.clientProperties['capabilities']).toMatchObject({
      consumer_cancel_notify: false,
      'basic.nack': true,
    });
    expect(server.methods('connection.tune-ok').at(-1)?.method).toMatchObject({ channelMax: 7, heartbeat: 3 });
    expect(server.methods('connection.open').at(-1)?.method.virtualHost).toBe('v/1');
    expect(peer.serverProperties['product']).toBe('fake');
    await peer.goodbye();
  });

  test('sends contents in frames of the tuned size and puts those that come together again', async () => {
    const peer = await AmqpPeer.open(server.url, { frameMax: 4096 });
    const channel = await peer.channel();
    const body = Buffer.alloc(10_000, 'body');
    peer.send(channel, { name: 'basic.publish', routingKey: 'q' }, { properties: { priority: 1 }, body });
    peer.send(channel, { name: 'queue.declare', queue: 'q' });
    expect((await peer.expect('queue.declare-ok')).method.messageCount).toBe(7);
    const said = server.methods('basic.publish').at(-1)!;
    expect([said.body?.equals(body), said.properties]).toEqual([true, { priority: 1 }]);
    const deliver = encodeMethod(channel, { name: 'basic.deliver', deliveryTag: 5, routingKey: 'q' });
    server.tell(deliver, ...contentFrames(channel, { properties: { replyTo: 'r' }, body }, 4096), HEARTBEAT_FRAME);
    const delivered = await peer.expect('basic.deliver');
    expect(delivered.method.deliveryTag).toBe(5);
    expect(delivered.properties).toEqual({ replyTo: 'r' });
    expect(delivered.body?.equals(body)).toBe(true);
    await peer.expectSilence(20);
    expect(peer.heartbeats).toBe(1);
    expect(peer.frames().at(-1)?.type).toBe(FRAME_HEARTBEAT);
    await peer.goodbye();
  });

  test('says what came instead of what was expected', async () => {
    const peer = await AmqpPeer.open(server.url, { timeoutMs: 50 });
    await expect(peer.expect('channel.open-ok')).rejects.toThrow('expected channel.open-ok, nothing came for 50 ms');
    peer.send(1, { name: 'channel.open' });
    await expect(peer.expect('queue.declare-ok')).rejects.toThrow(
      'expected queue.declare-ok, got channel.open-ok on channel 1',
    );
    peer.send(1, { name: 'channel.flow', active: true });
    await expect(peer.expectEnd()).rejects.toThrow('expected the end, got channel.flow-ok');
    await expect(peer.expectSilence(1)).rejects.toThrow('expected silence, got channel.flow-ok');
    peer.destroy();
    await peer.expect('channel.flow-ok');
    await peer.expectEnd();
    await expect(peer.next()).rejects.toThrow('the connection was closed');
  });

  test('notices a server that breaks the framing', async () => {
    const peer = await AmqpPeer.open(server.url);
    const bad = encodeMethod(0, { name: 'connection.unblocked' });
    bad[bad.length - 1] = 0;
    server.tell(bad);
    await expect(peer.next()).rejects.toThrow('a frame without its end octet');
  });

  test('shows the protocol header with which a server refuses another version', async () => {
    const peer = await AmqpPeer.connect(server.url);
    peer.raw(Buffer.from('AMQP\0\0\x09\x01').subarray(0, 3));
    server.tell(Buffer.from('AMQP\0\0\x09\x01', 'latin1'));
    await expect(peer.next(50)).rejects.toThrow('nothing came');
    expect(peer.protocolHeader?.toString('latin1')).toBe('AMQP\0\0\x09\x01');
    peer.destroy();
  });
});
