import type { Queue } from '@chapar/core';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { fieldTable } from '../../packages/amqp091/src/codec/index.js';
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

async function declare(queue: string, more: object = {}, on: SimPeer = peer) {
  return on.call(1, { name: 'queue.declare', queue, ...more }, 'queue.declare-ok');
}

async function refused(on: SimPeer = peer): Promise<string> {
  const { method } = await on.expect('channel.close');
  on.send(1, { name: 'channel.close-ok' });
  await on.open(1);
  return method.replyText;
}

describe('queue.declare', () => {
  test('tells what is in it', async () => {
    await declare('q');
    peer.publish(1, 'q', 'one');
    peer.publish(1, 'q', 'two');
    await peer.open(2);
    await peer.call(2, { name: 'basic.qos', prefetchCount: 1 }, 'basic.qos-ok');
    await peer.call(2, { name: 'basic.consume', queue: 'q' }, 'basic.consume-ok');
    await peer.expect('basic.deliver');
    expect(await declare('q')).toMatchObject({ queue: 'q', messageCount: 1, consumerCount: 1 });
    expect(await declare('q', { passive: true })).toMatchObject({ messageCount: 1, consumerCount: 1 });
  });

  test('an empty name asks for one, and stands for it from then on', async () => {
    const { queue } = await declare('', { exclusive: true });
    expect(queue).toMatch(/^amq\.gen-[\w-]{22}$/);
    await peer.call(1, { name: 'queue.bind', exchange: 'amq.direct' }, 'queue.bind-ok');
    await peer.call(1, { name: 'basic.consume', consumerTag: 'c', noAck: true }, 'basic.consume-ok');
    peer.publish(1, queue, 'by its name', { exchange: 'amq.direct' });
    expect(await peer.bodies()).toEqual(['by its name']);
    await peer.call(1, { name: 'queue.purge' }, 'queue.purge-ok');
    expect(await declare('', { passive: true })).toMatchObject({ queue });
    await peer.call(1, { name: 'queue.unbind', exchange: 'amq.direct' }, 'queue.unbind-ok');
    await peer.call(1, { name: 'basic.cancel', consumerTag: 'c' }, 'basic.cancel-ok');
    await peer.call(1, { name: 'queue.delete' }, 'queue.delete-ok');
    expect(queues().size).toBe(0);
  });

  test('each channel has its own last queue', async () => {
    await declare('q');
    await peer.open(2);
    peer.send(2, { name: 'basic.get' });
    const { method } = await peer.expect('channel.close');
    expect([method.replyCode, method.replyText]).toEqual([404, "NOT_FOUND - no queue '' in vhost '/'"]);
  });

  test('without waiting, server-named too', async () => {
    peer.send(1, { name: 'queue.declare', queue: 'quiet', durable: true, noWait: true });
    peer.send(1, { name: 'queue.declare', exclusive: true, noWait: true });
    peer.send(1, { name: 'queue.bind', exchange: 'amq.fanout', noWait: true });
    await peer.silence();
    expect(queues().size).toBe(2);
    peer.publish(1, '', 'x', { exchange: 'amq.fanout' });
    peer.send(1, { name: 'basic.get', noAck: true });
    expect(await peer.bodies()).toEqual(['x']);
  });

  test.each([
    ['durable', { durable: true }, {}, "received 'false' but current is 'true'"],
    ['auto_delete', {}, { autoDelete: true }, "received 'true' but current is 'false'"],
    ['x-max-length', { arguments: fieldTable({ 'x-max-length': 5 }) }, {}, "received none but current is '5'"],
    [
      'x-queue-type',
      { durable: true },
      { durable: true, arguments: fieldTable({ 'x-queue-type': 'quorum' }) },
      "received 'quorum' but current is 'classic'",
    ],
  ])('inequivalent %s', async (argument, first, second, how) => {
    await declare('q', first);
    await declare('q', first);
    peer.send(1, { name: 'queue.declare', queue: 'q', ...second });
    expect(await refused()).toBe(
      `PRECONDITION_FAILED - inequivalent arg '${argument}' for queue 'q' in vhost '/': ${how}`,
    );
  });

  test('numbers are equal whatever their width; arguments nobody knows are kept and not compared', async () => {
    await declare('q', { arguments: fieldTable({ 'x-max-length': 5, 'x-note': 'a' }) });
    await declare('q', { arguments: fieldTable({ 'x-max-length': 5n, 'x-note': 'b' }) });
    expect(queues().get('q')!.properties.arguments).toEqual({ 'x-max-length': 5, 'x-note': 'a' });
  });

  test('a table of the client in an argument is no tag', async () => {
    const odd = fieldTable({ 'x-note': fieldTable({ $integer: 'abc' }) });
    await declare('q', { durable: true, arguments: odd });
    await node.stop();
    node = await SimNode.start({ platform: node.platform });
    expect(queues().get('q')!.properties.arguments).toEqual({ 'x-note': { $$integer: 'abc' } });
  });

  test('an exclusive queue is locked to others in every way, and gone with its connection', async () => {
    await declare('mine', { exclusive: true });
    const other = await node.channel();
    const attempts = [
      { name: 'queue.declare', queue: 'mine', exclusive: true },
      { name: 'queue.declare', queue: 'mine', passive: true },
      { name: 'queue.bind', queue: 'mine', exchange: 'amq.fanout' },
      { name: 'queue.unbind', queue: 'mine', exchange: 'amq.fanout' },
      { name: 'queue.purge', queue: 'mine' },
      { name: 'queue.delete', queue: 'mine' },
      { name: 'basic.consume', queue: 'mine' },
      { name: 'basic.get', queue: 'mine' },
    ] as const;
    for (const attempt of attempts) {
      other.send(1, attempt);
      expect([attempt.name, await refused(other)]).toEqual([
        attempt.name,
        expect.stringContaining("RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'mine' in vhost '/'"),
      ]);
    }
    // Nor may its owner take it for a shared one.
    peer.send(1, { name: 'queue.declare', queue: 'mine' });
    expect(await refused()).toContain('RESOURCE_LOCKED');
    // Publishing to it is everybody's right.
    other.publish(1, 'mine', 'hello');
    await node.idle();
    expect(queues().get('mine')!.readyCount).toBe(1);
    await peer.goodbye();
    expect(queues().size).toBe(0);
    await declare('mine', {}, other);
  });

  test('a shared queue cannot be declared exclusive afterwards', async () => {
    await declare('q');
    peer.send(1, { name: 'queue.declare', queue: 'q', exclusive: true });
    expect(await refused()).toContain('RESOURCE_LOCKED');
  });

  test('several channels may declare one queue at once', async () => {
    await peer.open(2);
    node.platform.disk.delayMs.sync = 5;
    for (const channel of [1, 2, 1, 2]) peer.send(channel, { name: 'queue.declare', queue: 'q', durable: true });
    expect(await peer.names()).toEqual(Array.from({ length: 4 }, () => 'queue.declare-ok'));
    expect(queues().size).toBe(1);
  });
});

describe('a declaration on its way to the disk', () => {
  beforeEach(() => {
    node.platform.disk.delayMs.sync = 10;
  });

  test('holds the frames behind it on its channel, and no other channel', async () => {
    await peer.open(2);
    await declare('other', {});
    peer.send(1, { name: 'queue.declare', queue: 'q', durable: true });
    peer.publish(1, 'q', 'one');
    peer.send(1, { name: 'basic.consume', queue: 'q', consumerTag: 'c', noAck: true });
    peer.publish(1, 'q', Buffer.alloc(200_000, 65));
    peer.send(2, { name: 'basic.get', queue: 'other' });
    const came = await peer.all();
    expect(came.map(({ channel, method }) => `${channel} ${method.name}`)).toEqual([
      '2 basic.get-empty',
      '1 queue.declare-ok',
      '1 basic.consume-ok',
      '1 basic.deliver',
      '1 basic.deliver',
    ]);
    expect(came[4]!.body!.length).toBe(200_000);
  });

  test('holds a megabyte of them and then the whole connection, and lets all go on in order', async () => {
    peer.send(1, { name: 'queue.declare', queue: 'q', durable: true });
    for (let i = 0; i < 40; i++) peer.publish(1, 'q', Buffer.alloc(100_000, i));
    expect(await peer.names()).toEqual(['queue.declare-ok']);
    expect(queues().get('q')!.readyCount).toBe(40);
    await peer.call(1, { name: 'basic.consume', queue: 'q', noAck: true }, 'basic.consume-ok');
    expect((await peer.all()).map(({ body }) => body![0])).toEqual(Array.from({ length: 40 }, (_, i) => i));
  });

  test('a channel that closes behind it and opens again under its number', async () => {
    peer.send(1, { name: 'queue.declare', queue: 'q', durable: true });
    peer.send(1, { name: 'channel.close', replyCode: 200 });
    peer.send(1, { name: 'channel.open' });
    peer.send(1, { name: 'queue.declare', queue: 'q2', durable: true });
    peer.publish(1, 'q2', 'on the new one');
    peer.send(1, { name: 'basic.get', queue: 'q2', noAck: true });
    expect(await peer.names()).toEqual([
      'queue.declare-ok',
      'channel.close-ok',
      'channel.open-ok',
      'queue.declare-ok',
      'basic.get-ok',
    ]);
  });

  test('a connection that goes meanwhile: what it sent behind it does not happen', async () => {
    peer.send(1, { name: 'queue.declare', queue: 'q', durable: true });
    peer.send(1, { name: 'queue.declare', queue: 'ghost', exclusive: true });
    peer.send(1, { name: 'basic.consume', queue: 'q' });
    await node.advance(1);
    await peer.drop();
    await node.advance(100);
    expect([...queues().keys()]).toEqual(['q']);
    expect(queues().get('q')!.consumers.size).toBe(0);
    expect(node.door.connectionCount).toBe(0);
  });

  test('a goodbye behind it has its turn, and what was published in between is there', async () => {
    await peer.open(2);
    peer.send(1, { name: 'queue.declare', queue: 'q', durable: true, noWait: true });
    peer.send(2, { name: 'queue.declare', queue: 'q2', durable: true, noWait: true });
    peer.send(2, { name: 'queue.bind', queue: 'q2', exchange: 'amq.fanout', noWait: true });
    peer.publish(1, 'q', 'fire and forget');
    peer.publish(2, '', 'twice', { exchange: 'amq.fanout' });
    peer.send(0, { name: 'connection.close', replyCode: 200 });
    expect(await peer.names()).toEqual(['connection.close-ok']);
    expect([...queues().values()].map(({ name, readyCount }) => [name, readyCount])).toEqual([
      ['q', 1],
      ['q2', 1],
    ]);
    expect(node.door.connectionCount).toBe(0);
  });

  test('an alarm is not waited for', async () => {
    await declare('q');
    node.broker.alarms.raise('disk', 'full');
    peer.publish(1, 'q', 'held');
    peer.send(0, { name: 'connection.close', replyCode: 200 });
    expect(await peer.names()).toEqual(['connection.blocked', 'connection.close-ok']);
    node.broker.alarms.clear('disk');
  });

  test('an error of its own closes the channel, and what came behind it is dropped', async () => {
    node.platform.disk.failNext('sync', 'EIO');
    peer.send(1, { name: 'queue.declare', queue: 'q', durable: true });
    peer.send(1, { name: 'queue.declare', queue: 'behind', exclusive: true });
    peer.publish(1, 'behind', 'x');
    const { method } = await peer.expect('channel.close');
    expect(method).toMatchObject({ replyCode: 406, classId: 50, methodId: 10 });
    await peer.silence();
    expect(queues().size).toBe(0);
    peer.send(1, { name: 'channel.close-ok' });
    await peer.open(1);
  });
});

describe('queue.delete and queue.purge', () => {
  test('tell how many messages went', async () => {
    await declare('q');
    for (const body of ['a', 'b', 'c']) peer.publish(1, 'q', body);
    expect(await peer.call(1, { name: 'queue.purge', queue: 'q' }, 'queue.purge-ok')).toMatchObject({
      messageCount: 3,
    });
    peer.publish(1, 'q', 'd');
    expect(await peer.call(1, { name: 'queue.delete', queue: 'q' }, 'queue.delete-ok')).toMatchObject({
      messageCount: 1,
    });
  });

  test('without waiting; of one that is not there', async () => {
    await declare('q', { durable: true });
    peer.send(1, { name: 'queue.purge', queue: 'q', noWait: true });
    peer.send(1, { name: 'queue.delete', queue: 'q', noWait: true });
    peer.send(1, { name: 'queue.delete', queue: 'missing', ifUnused: true, ifEmpty: true });
    const { method } = await peer.expect('queue.delete-ok');
    expect([method.messageCount, queues().size]).toEqual([0, 0]);
  });

  test('if-empty and if-unused hold when they hold', async () => {
    await declare('q');
    const ok = await peer.call(
      1,
      { name: 'queue.delete', queue: 'q', ifEmpty: true, ifUnused: true },
      'queue.delete-ok',
    );
    expect([ok.messageCount, queues().size]).toEqual([0, 0]);
  });

  test('purge leaves what consumers hold', async () => {
    await declare('q');
    peer.publish(1, 'q', 'held');
    peer.send(1, { name: 'basic.get', queue: 'q' });
    await peer.expect('basic.get-ok');
    peer.publish(1, 'q', 'waits');
    expect(await peer.call(1, { name: 'queue.purge', queue: 'q' }, 'queue.purge-ok')).toMatchObject({
      messageCount: 1,
    });
    peer.send(1, { name: 'basic.nack', deliveryTag: 1, requeue: true });
    expect(await declare('q', { passive: true })).toMatchObject({ messageCount: 1 });
  });

  test('a deleted queue voids what was held; settling it afterwards is no error', async () => {
    await declare('q');
    peer.publish(1, 'q', 'held');
    await peer.call(1, { name: 'basic.consume', queue: 'q', consumerTag: 'c' }, 'basic.consume-ok');
    await peer.expect('basic.deliver');
    peer.send(1, { name: 'queue.delete', queue: 'q' });
    expect((await peer.names()).sort()).toEqual(['basic.cancel', 'queue.delete-ok']);
    await declare('q');
    peer.send(1, { name: 'basic.nack', deliveryTag: 1, requeue: true });
    expect(await declare('q', { passive: true })).toMatchObject({ messageCount: 0, consumerCount: 0 });
  });
});

describe('queues that delete themselves', () => {
  test('go with their last consumer, not before the first', async () => {
    await declare('q', { autoDelete: true });
    await peer.silence();
    await peer.open(2);
    await peer.call(1, { name: 'basic.consume', queue: 'q', consumerTag: 'a' }, 'basic.consume-ok');
    await peer.call(2, { name: 'basic.consume', queue: 'q', consumerTag: 'b' }, 'basic.consume-ok');
    await peer.call(1, { name: 'basic.cancel', consumerTag: 'a' }, 'basic.cancel-ok');
    await peer.silence();
    expect(queues().size).toBe(1);
    await peer.call(2, { name: 'channel.close', replyCode: 200 }, 'channel.close-ok');
    await peer.silence();
    expect(queues().size).toBe(0);
  });

  test('durable ones too, on disk as well', async () => {
    await declare('q', { autoDelete: true, durable: true });
    await peer.call(1, { name: 'basic.consume', queue: 'q' }, 'basic.consume-ok');
    await peer.drop();
    expect(queues().size).toBe(0);
    await node.stop();
    node = await SimNode.start({ platform: node.platform });
    expect(queues().size).toBe(0);
  });
});

describe('a restart', () => {
  test('keeps durable queues and the persistent messages in them, in order', async () => {
    await declare('kept', { durable: true, arguments: fieldTable({ 'x-max-priority': 5 }) });
    await declare('lost', {});
    await peer.call(1, { name: 'confirm.select' }, 'confirm.select-ok');
    for (const queue of ['kept', 'lost']) {
      peer.publish(1, queue, 'one', { properties: { deliveryMode: 2, headers: fieldTable({ n: 1 }) } });
      peer.publish(1, queue, 'transient');
      peer.publish(1, queue, Buffer.alloc(50_000, 66), { properties: { deliveryMode: 2 } });
    }
    await peer.names();
    node.platform.kill();
    node = await SimNode.start({ platform: node.platform });
    peer = await node.channel();
    expect([...queues().keys()]).toEqual(['kept']);
    await peer.call(1, { name: 'basic.consume', queue: 'kept', noAck: true }, 'basic.consume-ok');
    const [first, second, ...none] = await peer.all();
    expect(first).toMatchObject({ body: Buffer.from('one'), properties: { deliveryMode: 2, headers: { n: 1 } } });
    expect([second!.body!.length, none]).toEqual([50_000, []]);
  });
});
