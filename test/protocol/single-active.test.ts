import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type FieldValue, fieldTable } from '../../packages/amqp091/src/codec/index.js';
import { SimNode } from './sim-node.js';
import type { SimPeer } from './sim-peer.js';

let node: SimNode;
let peer: SimPeer;
beforeEach(async () => {
  node = await SimNode.start();
  peer = await node.channel();
  const args = fieldTable({ 'x-single-active-consumer': true });
  await peer.call(1, { name: 'queue.declare', queue: 'q', durable: true, arguments: args }, 'queue.declare-ok');
  for (const channel of [2, 3]) await peer.open(channel);
});
afterEach(() => node.stop());

const queue = () => node.broker.topology.vhosts.get('/')!.localQueue('q')!;
const activities = () => [...queue().consumers].map(({ spec, activity }) => `${spec.tag} ${activity}`);

async function consume(channel: number, consumerTag: string, more: object = {}): Promise<void> {
  await peer.call(channel, { name: 'basic.consume', queue: 'q', consumerTag, ...more }, 'basic.consume-ok');
}

const prefetch = (channel: number, prefetchCount: number) =>
  peer.call(channel, { name: 'basic.qos', prefetchCount }, 'basic.qos-ok');

const priority = (value: FieldValue) => ({ arguments: fieldTable({ 'x-priority': value }) });

function publish(count: number, from = 1): void {
  for (let i = from; i < from + count; i++) peer.publish(1, 'q', `${i}`, { properties: { deliveryMode: 2 } });
}

/** What was delivered, as `tag:body`, with a mark when it was redelivered. */
async function delivered(): Promise<string[]> {
  const received = await peer.all();
  return received.flatMap(({ method, body }) =>
    method.name === 'basic.deliver' ? [`${method.consumerTag}:${body}${method.redelivered ? '!' : ''}`] : [],
  );
}

describe('a queue with a single active consumer', () => {
  test('serves the first to come, and the next one when that is cancelled', async () => {
    await consume(1, 'a', { noAck: true });
    await consume(2, 'b', { noAck: true });
    await consume(3, 'c', { noAck: true });
    expect(activities()).toEqual(['a single_active', 'b waiting', 'c waiting']);
    publish(2);
    expect(await delivered()).toEqual(['a:1', 'a:2']);
    await peer.call(1, { name: 'basic.cancel', consumerTag: 'a' }, 'basic.cancel-ok');
    publish(2, 3);
    expect(await delivered()).toEqual(['b:3', 'b:4']);
    expect(activities()).toEqual(['b single_active', 'c waiting']);
    // Who waits may go without anybody noticing.
    await peer.call(3, { name: 'basic.cancel', consumerTag: 'c' }, 'basic.cancel-ok');
    publish(1, 5);
    expect(await delivered()).toEqual(['b:5']);
    await peer.call(2, { name: 'basic.cancel', consumerTag: 'b' }, 'basic.cancel-ok');
    publish(1, 6);
    expect(await delivered()).toEqual([]);
    await consume(3, 'd', { noAck: true });
    expect(await delivered()).toEqual(['d:6']);
  });

  test('what a channel held that closes comes to the next one before anything newer', async () => {
    await prefetch(2, 2);
    await consume(2, 'a');
    await consume(3, 'b');
    publish(5);
    expect(await delivered()).toEqual(['a:1', 'a:2']);
    await peer.call(2, { name: 'channel.close', replyCode: 200 }, 'channel.close-ok');
    expect(await delivered()).toEqual(['b:1!', 'b:2!', 'b:3', 'b:4', 'b:5']);
  });

  test('so does what a connection held that goes with all its channels', async () => {
    const other = await node.channel();
    await other.open(2);
    await other.call(1, { name: 'basic.qos', prefetchCount: 2 }, 'basic.qos-ok');
    for (const channel of [1, 2]) {
      const consumerTag = `other-${channel}`;
      await other.call(channel, { name: 'basic.consume', queue: 'q', consumerTag }, 'basic.consume-ok');
    }
    await consume(3, 'b');
    publish(4);
    expect(await other.bodies()).toEqual(['1', '2']);
    await other.drop();
    expect(await delivered()).toEqual(['b:1!', 'b:2!', 'b:3', 'b:4']);
  });

  test('one that is cancelled keeps what it holds, and what it gives back later goes to the next one, in its place', async () => {
    await prefetch(2, 2);
    await consume(2, 'a');
    await prefetch(3, 1);
    await consume(3, 'b');
    publish(4);
    expect(await delivered()).toEqual(['a:1', 'a:2']);
    await peer.call(2, { name: 'basic.cancel', consumerTag: 'a' }, 'basic.cancel-ok');
    expect(await delivered()).toEqual(['b:3']);
    peer.send(2, { name: 'basic.nack', deliveryTag: 2, multiple: true, requeue: true });
    peer.send(3, { name: 'basic.ack', deliveryTag: 1 });
    expect(await delivered()).toEqual(['b:1!']);
    peer.send(3, { name: 'basic.ack', deliveryTag: 2 });
    expect(await delivered()).toEqual(['b:2!']);
  });

  test('takes over by priority, and by the order of coming within one', async () => {
    await consume(1, 'a', { noAck: true, ...priority(9) });
    await consume(2, 'low', { noAck: true, ...priority(-1) });
    await consume(2, 'b', { noAck: true });
    await consume(3, 'c', { noAck: true, ...priority(3) });
    await consume(3, 'd', { noAck: true, ...priority(3) });
    for (const [channel, tag] of [
      [1, 'a'],
      [3, 'c'],
      [3, 'd'],
      [2, 'b'],
      [2, 'low'],
    ] as const) {
      publish(1);
      expect(await delivered()).toEqual([`${tag}:1`]);
      await peer.call(channel, { name: 'basic.cancel', consumerTag: tag }, 'basic.cancel-ok');
    }
  });

  test('one of a higher priority takes over when the active one has settled what it holds', async () => {
    await prefetch(2, 2);
    await consume(2, 'a');
    publish(4);
    expect(await delivered()).toEqual(['a:1', 'a:2']);
    await consume(3, 'b', priority(1));
    expect(activities()).toEqual(['a single_active', 'b waiting']);
    peer.send(2, { name: 'basic.ack', deliveryTag: 1 });
    expect(await delivered()).toEqual([]);
    peer.send(2, { name: 'basic.nack', deliveryTag: 2, requeue: true });
    expect(await delivered()).toEqual(['b:2!', 'b:3', 'b:4']);
    expect(activities()).toEqual(['a waiting', 'b single_active']);
    // The one that stepped back waits for its next time.
    await peer.call(3, { name: 'basic.cancel', consumerTag: 'b' }, 'basic.cancel-ok');
    publish(1, 5);
    expect(await delivered()).toEqual(['a:5']);
  });

  test('the active one goes on when the one of a higher priority leaves before it', async () => {
    await prefetch(2, 1);
    await consume(2, 'a');
    publish(2);
    expect(await delivered()).toEqual(['a:1']);
    await consume(3, 'b', priority(1));
    await peer.call(3, { name: 'basic.cancel', consumerTag: 'b' }, 'basic.cancel-ok');
    peer.send(2, { name: 'basic.ack', deliveryTag: 1 });
    expect(await delivered()).toEqual(['a:2']);
  });

  test('refuses a consumer that wants to be exclusive, as one that is in exclusive use', async () => {
    peer.send(1, { name: 'basic.consume', queue: 'q', exclusive: true });
    const { method } = await peer.expect('channel.close');
    expect([method.replyCode, method.replyText]).toEqual([
      403,
      "ACCESS_REFUSED - queue 'q' in vhost '/' in exclusive use",
    ]);
  });

  test('basic.get takes beside the active one; if-unused counts those that wait', async () => {
    publish(1);
    peer.send(1, { name: 'basic.get', queue: 'q', noAck: true });
    expect(await peer.bodies()).toEqual(['1']);
    await consume(1, 'a');
    await consume(2, 'b');
    await peer.call(1, { name: 'basic.cancel', consumerTag: 'a' }, 'basic.cancel-ok');
    peer.send(1, { name: 'queue.delete', queue: 'q', ifUnused: true });
    const { method } = await peer.expect('channel.close');
    expect(method.replyText).toBe("PRECONDITION_FAILED - queue 'q' in vhost '/' in use");
  });
});
