import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type FieldValue, fieldTable } from '../../packages/amqp091/src/codec/index.js';
import { SimNode } from './sim-node.js';
import type { SimPeer } from './sim-peer.js';

let node: SimNode;
let peer: SimPeer;
beforeEach(async () => {
  node = await SimNode.start();
  peer = await node.channel();
  await peer.call(1, { name: 'queue.declare', queue: 'q' }, 'queue.declare-ok');
});
afterEach(() => node.stop());

const queue = () => node.broker.topology.vhosts.get('/')!.localQueue('q')!;

async function consume(channel: number, consumerTag: string, more: object = {}, on: SimPeer = peer): Promise<void> {
  await on.call(channel, { name: 'basic.consume', queue: 'q', consumerTag, ...more }, 'basic.consume-ok');
}

const priority = (value: FieldValue) => ({ arguments: fieldTable({ 'x-priority': value }) });

function publish(count: number, from = 1): void {
  for (let i = from; i < from + count; i++) peer.publish(1, 'q', `m${i}`);
}

/** What was delivered, as `tag:body`. */
async function delivered(on: SimPeer = peer): Promise<string[]> {
  return (await on.all()).map(({ method, body }) =>
    method.name === 'basic.deliver' ? `${method.consumerTag}:${body!.toString()}` : method.name,
  );
}

describe('basic.consume', () => {
  test('answers first, then delivers what waits, in order', async () => {
    publish(3);
    peer.send(1, { name: 'basic.consume', queue: 'q', consumerTag: 'c' });
    expect(await delivered()).toEqual(['basic.consume-ok', 'c:m1', 'c:m2', 'c:m3']);
  });

  test('without waiting; with a tag of the broker', async () => {
    peer.send(1, { name: 'basic.consume', queue: 'q', noWait: true, noAck: true });
    publish(1);
    const [delivery] = await peer.all();
    expect(delivery!.method).toMatchObject({
      consumerTag: expect.stringMatching(/^amq\.ctag-[\w-]{22}$/),
      deliveryTag: 1,
    });
    expect(queue().unsettledCount).toBe(0);
  });

  test('delivery tags count over the consumers of a channel', async () => {
    await consume(1, 'a', { noAck: true });
    await consume(1, 'b');
    publish(4);
    const tags = (await peer.all()).map(({ method }) => (method.name === 'basic.deliver' ? method.deliveryTag : 0));
    expect(tags).toEqual([1, 2, 3, 4]);
  });

  test('no-local is ignored, as the field does it', async () => {
    await consume(1, 'c', { noLocal: true });
    publish(1);
    expect(await delivered()).toEqual(['c:m1']);
  });

  test('consumers take turns', async () => {
    await consume(1, 'a', { noAck: true });
    await consume(1, 'b', { noAck: true });
    await peer.open(2);
    await consume(2, 'c', { noAck: true });
    publish(7);
    expect(await delivered()).toEqual(['a:m1', 'b:m2', 'c:m3', 'a:m4', 'b:m5', 'c:m6', 'a:m7']);
  });

  test('a tag is free again after it was cancelled, and on other channels anyway', async () => {
    await peer.open(2);
    await consume(1, 'c');
    await consume(2, 'c');
    await peer.call(1, { name: 'basic.cancel', consumerTag: 'c' }, 'basic.cancel-ok');
    await consume(1, 'c');
    peer.send(1, { name: 'basic.consume', queue: 'amq.rabbitmq.reply-to', consumerTag: 'c', noAck: true });
    const { method } = await peer.expect('connection.close');
    expect([method.replyCode, method.replyText]).toEqual([530, "NOT_ALLOWED - attempt to reuse consumer tag 'c'"]);
  });

  test('of a queue that is not there', async () => {
    peer.send(1, { name: 'basic.consume', queue: 'missing' });
    expect((await peer.expect('channel.close')).method.replyCode).toBe(404);
  });
});

describe('basic.cancel', () => {
  test('stops deliveries; what was delivered may still be settled', async () => {
    await consume(1, 'c');
    publish(1);
    await peer.expect('basic.deliver');
    await peer.call(1, { name: 'basic.cancel', consumerTag: 'c' }, 'basic.cancel-ok');
    publish(1, 2);
    await peer.silence();
    expect([queue().unsettledCount, queue().readyCount]).toEqual([1, 1]);
    peer.send(1, { name: 'basic.ack', deliveryTag: 1 });
    await peer.silence();
    expect(queue().unsettledCount).toBe(0);
  });

  test('of an unknown tag is answered; without waiting it is not', async () => {
    peer.send(1, { name: 'basic.cancel', consumerTag: 'unknown', noWait: true });
    peer.send(1, { name: 'basic.cancel', consumerTag: 'unknown' });
    expect(await peer.names()).toEqual(['basic.cancel-ok']);
  });
});

describe('when the queue goes', () => {
  test('consumers are told by basic.cancel', async () => {
    const other = await node.channel();
    await consume(1, 'a', {}, other);
    await consume(1, 'b', { noAck: true }, other);
    await peer.call(1, { name: 'queue.delete', queue: 'q' }, 'queue.delete-ok');
    const told = (await other.all()).map(({ method }) => (method.name === 'basic.cancel' ? method : null));
    expect(told).toMatchObject([
      { consumerTag: 'a', noWait: true },
      { consumerTag: 'b', noWait: true },
    ]);
    other.send(1, { name: 'basic.cancel-ok', consumerTag: 'a' });
    await other.silence();
  });

  test('who does not understand that is not told', async () => {
    const other = await node.channel({ capabilities: { consumer_cancel_notify: false } });
    await consume(1, 'a', {}, other);
    await peer.call(1, { name: 'queue.delete', queue: 'q' }, 'queue.delete-ok');
    await other.silence();
  });
});

describe('prefetch', () => {
  test('of each consumer, for those to come', async () => {
    await consume(1, 'before');
    await peer.call(1, { name: 'basic.qos', prefetchCount: 2 }, 'basic.qos-ok');
    await consume(1, 'after');
    publish(7);
    expect(await delivered()).toEqual([
      'before:m1',
      'after:m2',
      'before:m3',
      'after:m4',
      'before:m5',
      'before:m6',
      'before:m7',
    ]);
  });

  test('each verdict lets the next one come', async () => {
    await peer.call(1, { name: 'basic.qos', prefetchCount: 2 }, 'basic.qos-ok');
    await consume(1, 'c');
    publish(6);
    expect(await delivered()).toEqual(['c:m1', 'c:m2']);
    peer.send(1, { name: 'basic.ack', deliveryTag: 1 });
    expect(await delivered()).toEqual(['c:m3']);
    peer.send(1, { name: 'basic.reject', deliveryTag: 2 });
    expect(await delivered()).toEqual(['c:m4']);
    peer.send(1, { name: 'basic.ack', deliveryTag: 4, multiple: true });
    expect(await delivered()).toEqual(['c:m5', 'c:m6']);
  });

  test('does not bind who does not acknowledge', async () => {
    await peer.call(1, { name: 'basic.qos', prefetchCount: 1 }, 'basic.qos-ok');
    await consume(1, 'c', { noAck: true });
    publish(3);
    expect(await delivered()).toEqual(['c:m1', 'c:m2', 'c:m3']);
  });

  test('of the channel, over its consumers, raised, lowered and lifted at run time', async () => {
    await peer.call(1, { name: 'basic.qos', prefetchCount: 3, global: true }, 'basic.qos-ok');
    await consume(1, 'a');
    await consume(1, 'b');
    publish(12);
    expect(await delivered()).toEqual(['a:m1', 'b:m2', 'a:m3']);
    peer.send(1, { name: 'basic.qos', prefetchCount: 5, global: true });
    expect((await delivered()).sort()).toEqual([expect.any(String), expect.any(String), 'basic.qos-ok']);
    await peer.call(1, { name: 'basic.qos', prefetchCount: 1, global: true }, 'basic.qos-ok');
    peer.send(1, { name: 'basic.ack', deliveryTag: 4, multiple: true });
    expect(await delivered()).toEqual([]);
    peer.send(1, { name: 'basic.ack', deliveryTag: 5 });
    expect((await delivered()).length).toBe(1);
    peer.send(1, { name: 'basic.qos', prefetchCount: 0, global: true });
    expect((await delivered()).length).toBe(7);
    expect(queue().readyCount).toBe(0);
  });

  test('both limits hold at once', async () => {
    await peer.call(1, { name: 'basic.qos', prefetchCount: 3, global: true }, 'basic.qos-ok');
    await peer.call(1, { name: 'basic.qos', prefetchCount: 2 }, 'basic.qos-ok');
    await consume(1, 'a');
    publish(5);
    expect((await delivered()).length).toBe(2);
    await consume(1, 'b');
    expect(await delivered()).toEqual(['b:m3']);
    peer.send(1, { name: 'basic.ack', deliveryTag: 3 });
    expect(await delivered()).toEqual(['b:m4']);
  });

  test('a slow consumer leaves the rest to others', async () => {
    await peer.call(1, { name: 'basic.qos', prefetchCount: 1 }, 'basic.qos-ok');
    await consume(1, 'slow');
    await consume(1, 'quick');
    publish(2);
    expect(await delivered()).toEqual(['slow:m1', 'quick:m2']);
    for (let i = 3; i < 6; i++) {
      publish(1, i);
      peer.send(1, { name: 'basic.ack', deliveryTag: i - 1 });
      expect(await delivered()).toEqual([`quick:m${i}`]);
    }
  });
});

describe('priorities', () => {
  test('the highest is served while it can take', async () => {
    await peer.call(1, { name: 'basic.qos', prefetchCount: 2 }, 'basic.qos-ok');
    await consume(1, 'low', priority(-5));
    await consume(1, 'none');
    await consume(1, 'high', priority(10));
    publish(5);
    expect(await delivered()).toEqual(['high:m1', 'high:m2', 'none:m3', 'none:m4', 'low:m5']);
    peer.send(1, { name: 'basic.ack', deliveryTag: 1 });
    publish(2, 6);
    expect(await delivered()).toEqual(['high:m6', 'low:m7']);
  });

  test.each([['text'], [1.5], [Number.NaN], [true], [2n ** 60n]])('%o is no priority', async (value) => {
    peer.send(1, { name: 'basic.consume', queue: 'q', ...priority(value) });
    const { method } = await peer.expect('channel.close');
    expect(method.replyCode).toBe(406);
    expect(method.replyText).toContain("invalid arg 'x-priority' for queue 'q' in vhost '/': expected an integer");
    expect(queue().consumers.size).toBe(0);
  });
});

describe('exclusive consumers', () => {
  test('keep others out until they leave', async () => {
    await consume(1, 'c', { exclusive: true });
    const other = await node.channel();
    other.send(1, { name: 'basic.consume', queue: 'q' });
    expect((await other.expect('channel.close')).method).toMatchObject({
      replyCode: 403,
      replyText: "ACCESS_REFUSED - queue 'q' in vhost '/' in exclusive use",
    });
    other.send(1, { name: 'channel.close-ok' });
    await other.open(1);
    await peer.call(1, { name: 'basic.cancel', consumerTag: 'c' }, 'basic.cancel-ok');
    await consume(1, 'd', { exclusive: true }, other);
    await other.drop();
    await consume(1, 'e');
    peer.send(1, { name: 'basic.consume', queue: 'q', exclusive: true });
    expect((await peer.expect('channel.close')).method.replyCode).toBe(403);
  });
});

describe('basic.get', () => {
  test('takes one, says how many are left, and an empty queue is said to be', async () => {
    publish(2);
    peer.send(1, { name: 'basic.get', queue: 'q' });
    expect(await peer.expect('basic.get-ok')).toMatchObject({
      method: { deliveryTag: 1, redelivered: false, messageCount: 1 },
      body: Buffer.from('m1'),
    });
    peer.send(1, { name: 'basic.get', queue: 'q', noAck: true });
    expect((await peer.expect('basic.get-ok')).method).toMatchObject({ deliveryTag: 2, messageCount: 0 });
    peer.send(1, { name: 'basic.get', queue: 'q' });
    expect(await peer.names()).toEqual(['basic.get-empty']);
    expect(queue().unsettledCount).toBe(1);
  });

  test('holds beside consumers, and is not bound by prefetch', async () => {
    await peer.call(1, { name: 'basic.qos', prefetchCount: 1, global: true }, 'basic.qos-ok');
    publish(3);
    peer.send(1, { name: 'basic.get', queue: 'q' });
    peer.send(1, { name: 'basic.get', queue: 'q' });
    expect(await peer.bodies()).toEqual(['m1', 'm2']);
    await consume(1, 'c');
    expect(await delivered()).toEqual(['c:m3']);
  });
});

describe('a consumer that does not read', () => {
  test('gets no more than some, and the rest in order when it reads again', async () => {
    const reader = await node.channel();
    reader.keepsFrames = false;
    await consume(1, 'c', { noAck: true }, reader);
    reader.wire.pause();
    const body = (i: number) => `${i}`.padEnd(10_000, '.');
    for (let i = 0; i < 500; i++) peer.publish(1, 'q', body(i));
    await node.idle();
    const [connection] = [...node.broker.connections].filter(({ unsentBytes }) => unsentBytes > 0);
    expect(connection!.unsentBytes).toBeLessThan(1024 * 1024);
    expect(queue().readyCount).toBeGreaterThan(350);
    reader.wire.resume();
    expect((await reader.bodies()).map(Number.parseFloat)).toEqual(Array.from({ length: 500 }, (_, i) => i));
  });

  test('leaves its share to others', async () => {
    const [lazy, busy] = [await node.channel(), await node.channel()];
    await consume(1, 'lazy', { noAck: true }, lazy);
    await consume(1, 'busy', { noAck: true }, busy);
    lazy.wire.pause();
    for (let i = 0; i < 500; i++) peer.publish(1, 'q', Buffer.alloc(10_000));
    expect((await busy.all()).length).toBeGreaterThan(350);
    expect(queue().readyCount).toBe(0);
  });
});
