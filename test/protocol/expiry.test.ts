import type { Queue } from '@chapar/core';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type FieldTable, fieldTable } from '../../packages/amqp091/src/codec/index.js';
import { SimNode } from './sim-node.js';
import type { SimPeer } from './sim-peer.js';

let node: SimNode;
let peer: SimPeer;
beforeEach(async () => {
  node = await SimNode.start();
  peer = await node.channel();
});
afterEach(() => node.stop());

const queues = () => node.broker.topology.vhosts.get('/')!.queues as Map<string, Queue>;

const declare = (queue: string, args: { [name: string]: string | number } = {}, more: object = {}) =>
  peer.call(1, { name: 'queue.declare', queue, arguments: fieldTable(args), ...more }, 'queue.declare-ok');

const count = async (queue: string) => (await declare(queue, {}, { passive: true })).messageCount;

function publish(queue: string, body: string, expiration?: string): void {
  const properties = expiration === undefined ? { deliveryMode: 2 } : { deliveryMode: 2, expiration };
  peer.publish(1, queue, body, { properties });
}

async function get(queue: string): Promise<string | null> {
  peer.send(1, { name: 'basic.get', queue, noAck: true });
  const [answer] = await peer.all();
  return answer!.method.name === 'basic.get-empty' ? null : answer!.body!.toString();
}

const consume = (queue: string, more: object = {}) =>
  peer.call(1, { name: 'basic.consume', queue, ...more }, 'basic.consume-ok');

describe('the time to live of messages', () => {
  test.each([
    ['of the queue', { 'x-message-ttl': 5_000 }, undefined],
    ['of the message', {}, '5000'],
    ['of both, the lower being the queue’s', { 'x-message-ttl': 5_000 }, '60000'],
    ['of both, the lower being the message’s', { 'x-message-ttl': 60_000 }, '5000'],
  ] as const)('%s', async (_name, args, expiration) => {
    await declare('q', args);
    const startMs = node.platform.clock.monotonicMs();
    publish('q', 'a', expiration);
    await node.idle();
    await node.advance(4_900 - (node.platform.clock.monotonicMs() - startMs));
    expect(await count('q')).toBe(1);
    await node.advance(200);
    expect([await count('q'), await get('q')]).toEqual([0, null]);
  });

  test('0: only a consumer that waits gets the message', async () => {
    await declare('q');
    publish('q', 'nobody', '0');
    expect(await get('q')).toBeNull();
    await consume('q', { noAck: true });
    publish('q', 'now', '0');
    expect(await peer.bodies()).toEqual(['now']);
  });

  test('a mandatory message that expires at once is not returned, and is confirmed', async () => {
    await declare('q', { 'x-message-ttl': 0 }, { durable: true });
    await peer.call(1, { name: 'confirm.select' }, 'confirm.select-ok');
    peer.publish(1, 'q', 'x', { mandatory: true, properties: { deliveryMode: 2 } });
    expect(await peer.names()).toEqual(['basic.ack']);
    expect(await count('q')).toBe(0);
  });

  test('nobody gets what expired behind a message that lives longer', async () => {
    await declare('q');
    publish('q', 'long', '60000');
    publish('q', 'short', '100');
    publish('q', 'last');
    await node.advance(1_000);
    expect(await count('q')).toBe(3);
    await consume('q', { noAck: true });
    expect(await peer.bodies()).toEqual(['long', 'last']);
  });

  test('goes on while a message is held, and ends it when it comes back', async () => {
    await declare('q', { 'x-message-ttl': 1_000 });
    publish('q', 'a');
    await consume('q');
    const { method } = await peer.expect('basic.deliver');
    await node.advance(5_000);
    expect(queues().get('q')!.unsettledCount).toBe(1);
    peer.send(1, { name: 'basic.nack', deliveryTag: method.deliveryTag, requeue: true });
    await peer.silence();
    expect([await count('q'), queues().get('q')!.statistics.dropped.expired]).toEqual([0, 1]);
  });

  test('the expired are dead-lettered as such, without their expiration', async () => {
    await declare('dead');
    await declare('q', { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': 'dead' });
    publish('q', 'a', '700');
    await node.advance(1_000);
    peer.send(1, { name: 'basic.get', queue: 'dead', noAck: true });
    const { body, properties } = await peer.expect('basic.get-ok');
    const [death] = properties!.headers!['x-death'] as FieldTable[];
    expect([body!.toString(), properties!.expiration]).toEqual(['a', undefined]);
    expect(death).toMatchObject({ reason: 'expired', queue: 'q', 'original-expiration': '700' });
  });

  test('counts while the broker is down', async () => {
    await declare('mortal', { 'x-message-ttl': 10_000 }, { durable: true });
    await declare('mixed', {}, { durable: true });
    publish('mortal', 'a');
    publish('mixed', 'short', '10000');
    publish('mixed', 'long', '3600000');
    await peer.goodbye();
    await node.stop();
    const { platform } = node;
    await platform.clock.advance(20_000);
    node = await SimNode.start({ platform });
    peer = await node.channel();
    await node.advance(100);
    expect([await count('mortal'), await count('mixed'), await get('mixed')]).toEqual([0, 1, 'long']);
  });

  test('may be said by a policy', async () => {
    await declare('q');
    publish('q', 'a');
    const set = node.broker.records.put('policies', ['/', 'ttl'], {
      pattern: '.*',
      'apply-to': 'queues',
      priority: 0,
      definition: { 'message-ttl': 2_000 },
    });
    await node.settle(set);
    await node.advance(1_000);
    expect(await count('q')).toBe(1);
    await node.advance(1_100);
    expect(await count('q')).toBe(0);
  });
});

describe('a queue that nobody uses', () => {
  test.each([
    ['transient', {}],
    ['durable', { durable: true }],
  ])('goes, messages and all, and nothing is dead-lettered (%s)', async (_name, more) => {
    await declare('dead');
    await declare('q', { 'x-expires': 3_000, 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': 'dead' }, more);
    publish('q', 'a');
    await node.advance(2_900);
    expect(queues().has('q')).toBe(true);
    await node.advance(200);
    expect(queues().has('q')).toBe(false);
    expect(await count('dead')).toBe(0);
  });

  test('stays while somebody consumes, gets, declares it or asks for it', async () => {
    const args = { 'x-expires': 3_000 };
    await declare('q', args);
    const { consumerTag } = await consume('q');
    await node.advance(10_000);
    await peer.call(1, { name: 'basic.cancel', consumerTag }, 'basic.cancel-ok');
    for (const use of [() => get('q'), () => declare('q', args), () => count('q')]) {
      await node.advance(2_900);
      await use();
    }
    await node.advance(2_900);
    expect(queues().has('q')).toBe(true);
    publish('q', 'is no use');
    await node.advance(200);
    expect(queues().has('q')).toBe(false);
  });
});
