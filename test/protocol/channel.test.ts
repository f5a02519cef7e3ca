import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { SimNode } from './sim-node.js';
import type { SimPeer } from './sim-peer.js';

let node: SimNode;
let peer: SimPeer;
beforeEach(async () => {
  node = await SimNode.start();
  peer = await node.channel({ channelMax: 100 });
});
afterEach(() => node.stop());

const queues = () => [...node.broker.topology.vhosts.get('/')!.queues.keys()];

describe('channels', () => {
  test('open and close, their numbers free again at once', async () => {
    for (let i = 0; i < 3; i++) {
      peer.send(7, { name: 'channel.open' });
      peer.send(7, { name: 'channel.close', replyCode: 200 });
    }
    const names = await peer.names();
    expect(names).toEqual(Array.from({ length: 3 }, () => ['channel.open-ok', 'channel.close-ok']).flat());
    expect([...node.broker.connections][0]!.channelCount).toBe(1);
  });

  test('as many as were agreed on, by any number up to that', async () => {
    for (let number = 2; number <= 100; number++) peer.send(number, { name: 'channel.open' });
    expect((await peer.names()).every((name) => name === 'channel.open-ok')).toBe(true);
    peer.send(101, { name: 'channel.open' });
    const { method } = await peer.expect('connection.close');
    expect([method.replyCode, method.replyText]).toEqual([
      530,
      'NOT_ALLOWED - number of channels opened (101) has reached the negotiated channel_max (100)',
    ]);
  });

  test('the highest number alone is no more than one channel', async () => {
    await peer.open(100);
    expect([...node.broker.connections][0]!.channelCount).toBe(2);
  });

  test('flow is answered when it asks for what is the case anyway', async () => {
    expect(await peer.call(1, { name: 'channel.flow', active: true }, 'channel.flow-ok')).toMatchObject({
      active: true,
    });
    peer.send(1, { name: 'channel.flow-ok', active: true });
    await peer.silence();
  });

  test('access.request, which old clients send, is granted', async () => {
    expect(await peer.call(1, { name: 'access.request', realm: '/data' }, 'access.request-ok')).toMatchObject({
      ticket: 1,
    });
  });

  test('an answer to a close that both have forgotten is ignored', async () => {
    peer.send(9, { name: 'channel.close-ok' });
    peer.send(1, { name: 'channel.close-ok' });
    await peer.silence();
  });
});

describe('a channel that failed', () => {
  beforeEach(async () => {
    peer.send(1, { name: 'basic.ack', deliveryTag: 1 });
    await peer.expect('channel.close');
  });

  test('discards everything until close-ok', async () => {
    peer.send(1, { name: 'queue.declare', queue: 'late' });
    peer.publish(1, 'late', 'x', { mandatory: true });
    peer.send(1, { name: 'channel.open' });
    peer.frame(2, 1, Buffer.from('no header'));
    peer.frame(3, 1, Buffer.from('no body'));
    await peer.silence();
    expect(queues()).toEqual([]);
    peer.send(1, { name: 'channel.close-ok' });
    await peer.open(1);
  });

  test('answers a close that crossed with its own', async () => {
    peer.send(1, { name: 'channel.close', replyCode: 200 });
    await peer.expect('channel.close-ok');
    peer.send(1, { name: 'channel.close-ok' });
    await peer.open(1);
  });

  test('says nothing more of messages whose confirms come later', async () => {
    const other = await node.channel();
    await other.call(1, { name: 'queue.declare', queue: 'q', durable: true }, 'queue.declare-ok');
    await other.call(1, { name: 'confirm.select' }, 'confirm.select-ok');
    node.platform.disk.delayMs.sync = 50;
    other.publish(1, 'q', 'x', { properties: { deliveryMode: 2 } });
    other.publish(1, 'nowhere', 'x', { exchange: 'missing' });
    expect(await other.names()).toEqual(['channel.close']);
    expect(node.broker.topology.vhosts.get('/')!.localQueue('q')!.readyCount).toBe(1);
  });

  test('leaves other channels what they have', async () => {
    await peer.open(2);
    await peer.call(2, { name: 'queue.declare', queue: 'q' }, 'queue.declare-ok');
    await peer.call(2, { name: 'basic.consume', queue: 'q' }, 'basic.consume-ok');
    peer.publish(2, 'q', 'x');
    expect(await peer.bodies()).toEqual(['x']);
  });
});

test('what is there to be seen of channels', async () => {
  await peer.call(1, { name: 'queue.declare', queue: 'q', durable: true }, 'queue.declare-ok');
  await peer.call(1, { name: 'confirm.select' }, 'confirm.select-ok');
  await peer.call(1, { name: 'basic.qos', prefetchCount: 7 }, 'basic.qos-ok');
  await peer.call(1, { name: 'basic.qos', prefetchCount: 9, global: true }, 'basic.qos-ok');
  await peer.call(1, { name: 'basic.consume', queue: 'q', consumerTag: 'c' }, 'basic.consume-ok');
  node.platform.disk.delayMs.sync = 50;
  peer.publish(1, 'q', 'x', { properties: { deliveryMode: 2 } });
  peer.publish(1, 'nowhere', 'x', { mandatory: true });
  await node.advance(1);
  const [channel] = [...[...node.broker.connections][0]!.channels];
  expect(channel).toMatchObject({
    number: 1,
    confirms: true,
    transactional: false,
    unacknowledgedCount: 1,
    unconfirmedCount: 1,
    prefetchCount: 7,
    globalPrefetchCount: 9,
    consumerCount: 1,
    publishedCount: 2,
    returnedCount: 1,
    deliveredCount: 1,
    acknowledgedCount: 0,
  });
  expect([...channel!.consumers]).toMatchObject([{ tag: 'c', acknowledges: true, prefetchCount: 7, activity: 'up' }]);
});
