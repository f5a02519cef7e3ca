import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { fieldTable } from '../../packages/amqp091/src/codec/index.js';
import { SimNode } from './sim-node.js';
import type { SimPeer } from './sim-peer.js';

let node: SimNode;
let peer: SimPeer;
beforeEach(async () => {
  node = await SimNode.start();
  peer = await node.channel();
  await declare({ 'x-max-priority': 5 });
});
afterEach(() => node.stop());

const queue = () => node.broker.topology.vhosts.get('/')!.localQueue('q')!;

async function declare(args: { 'x-max-priority': number }): Promise<void> {
  const method = { name: 'queue.declare', queue: 'q', durable: true, arguments: fieldTable(args) } as const;
  await peer.call(1, method, 'queue.declare-ok');
}

/** Each as body and priority: `a5`; without one: `a`. */
function publish(...messages: string[]): void {
  for (const message of messages) {
    const priority = message.length > 1 ? { priority: Number(message.slice(1)) } : {};
    peer.publish(1, 'q', message, { properties: { deliveryMode: 2, ...priority } });
  }
}

/** What was delivered, with a mark when it was redelivered. */
async function delivered(): Promise<string[]> {
  const received = await peer.all();
  return received.flatMap(({ method, body }) =>
    method.name === 'basic.deliver' || method.name === 'basic.get-ok'
      ? [`${body}${method.redelivered ? '!' : ''}`]
      : [],
  );
}

async function drain(): Promise<string[]> {
  peer.send(1, { name: 'basic.consume', queue: 'q', consumerTag: 'drain', noAck: true });
  const bodies = await delivered();
  await peer.call(1, { name: 'basic.cancel', consumerTag: 'drain' }, 'basic.cancel-ok');
  return bodies;
}

async function hold(prefetchCount: number): Promise<string[]> {
  await peer.call(1, { name: 'basic.qos', prefetchCount }, 'basic.qos-ok');
  peer.send(1, { name: 'basic.consume', queue: 'q', consumerTag: 'c' });
  return delivered();
}

/** The node starts again on what is on its disk. */
async function restart(end: (from: SimNode) => Promise<void> | void): Promise<void> {
  // Time for verdicts to reach the disk.
  await node.platform.clock.advance(1000);
  await end(node);
  node = await SimNode.start({ platform: node.platform });
  peer = await node.channel();
}

describe('x-max-priority', () => {
  test('the higher first, one priority in its order; above the maximum is the maximum, none is 0', async () => {
    publish('a1', 'b', 'c5', 'd9', 'e1', 'f0', 'g255', 'h3');
    expect(await drain()).toEqual(['c5', 'd9', 'g255', 'h3', 'a1', 'e1', 'b', 'f0']);
  });

  test('0 is as good as none', async () => {
    const args = fieldTable({ 'x-max-priority': 0 });
    await peer.call(1, { name: 'queue.declare', queue: 'plain', arguments: args }, 'queue.declare-ok');
    for (const priority of [1, 5, 3]) peer.publish(1, 'plain', `${priority}`, { properties: { priority } });
    peer.send(1, { name: 'basic.consume', queue: 'plain', noAck: true });
    expect(await delivered()).toEqual(['1', '5', '3']);
  });

  test('what comes while a consumer is full is sorted before it goes on', async () => {
    publish('a1', 'b1');
    expect(await hold(1)).toEqual(['a1']);
    publish('c5', 'd2');
    for (const [tag, next] of [
      [1, 'c5'],
      [2, 'd2'],
      [3, 'b1'],
    ] as const) {
      peer.send(1, { name: 'basic.ack', deliveryTag: tag });
      expect(await delivered()).toEqual([next]);
    }
  });

  test('what is given back returns to its place', async () => {
    publish('a1', 'b1', 'c5', 'd0', 'e5', 'f');
    for (let i = 0; i < 3; i++) peer.send(1, { name: 'basic.get', queue: 'q' });
    expect(await delivered()).toEqual(['c5', 'e5', 'a1']);
    publish('g5');
    peer.send(1, { name: 'basic.nack', deliveryTag: 3, multiple: true, requeue: true });
    expect(await drain()).toEqual(['c5!', 'e5!', 'g5', 'a1!', 'b1', 'd0', 'f']);
  });

  test('purge counts what waits, whatever its priority, and leaves what is held', async () => {
    publish('a1', 'b5', 'c3', 'd');
    expect(await hold(1)).toEqual(['b5']);
    expect(await peer.call(1, { name: 'queue.purge', queue: 'q' }, 'queue.purge-ok')).toMatchObject({
      messageCount: 3,
    });
    expect([queue().readyCount, queue().readyBytes, queue().unsettledCount]).toEqual([0, 0, 1]);
    await restart((from) => from.stop());
    expect(await drain()).toEqual(['b5!']);
  });

  test('is in order after a clean stop, and only what had been delivered is redelivered', async () => {
    publish('a1', 'b', 'c5', 'd1', 'e5', 'f3');
    expect(await hold(2)).toEqual(['c5', 'e5']);
    await restart((from) => from.stop());
    publish('g5', 'h3');
    expect(await drain()).toEqual(['c5!', 'e5!', 'g5', 'f3', 'h3', 'a1', 'd1', 'b']);
  });

  test('is in order after a crash, and all of it may have been delivered', async () => {
    publish('a1', 'b', 'c5', 'd1', 'e255');
    expect(await hold(1)).toEqual(['c5']);
    peer.send(1, { name: 'basic.ack', deliveryTag: 1 });
    expect(await delivered()).toEqual(['e255']);
    await restart((from) => from.platform.crash());
    publish('f1', 'g5');
    expect(await drain()).toEqual(['e255!', 'g5', 'a1!', 'd1!', 'f1', 'b!']);
  });
});

describe('a transaction at a queue with priorities', () => {
  beforeEach(() => peer.call(1, { name: 'tx.select' }, 'tx.select-ok'));
  const commit = () => peer.call(1, { name: 'tx.commit' }, 'tx.commit-ok');

  test('its publishes are sorted in when it commits', async () => {
    publish('a1', 'b5');
    await commit();
    publish('c5', 'd1');
    expect(await drain()).toEqual(['b5', 'a1']);
    await commit();
    expect(await drain()).toEqual(['c5', 'd1']);
  });

  test('its verdicts count when it commits: what is given back returns to its place, after a rollback nothing does', async () => {
    publish('a1', 'b5', 'c5', 'd3');
    await commit();
    expect(await hold(3)).toEqual(['b5', 'c5', 'd3']);
    peer.send(1, { name: 'basic.nack', deliveryTag: 2, requeue: true });
    peer.send(1, { name: 'basic.ack', deliveryTag: 3 });
    await peer.call(1, { name: 'tx.rollback' }, 'tx.rollback-ok');
    expect([await delivered(), queue().unsettledCount]).toEqual([[], 3]);
    peer.send(1, { name: 'basic.nack', deliveryTag: 2, requeue: true });
    peer.send(1, { name: 'basic.ack', deliveryTag: 3 });
    await commit();
    expect(await delivered()).toEqual(['c5!', 'a1']);
    expect([queue().readyCount, queue().unsettledCount]).toEqual([0, 3]);
  });

  test('a purge is not part of it: it drops what waits, and neither what is held nor what is not committed', async () => {
    publish('a1', 'b5', 'c3');
    await commit();
    expect(await hold(1)).toEqual(['b5']);
    publish('d4');
    peer.send(1, { name: 'basic.reject', deliveryTag: 1, requeue: true });
    expect(await peer.call(1, { name: 'queue.purge', queue: 'q' }, 'queue.purge-ok')).toMatchObject({
      messageCount: 2,
    });
    await peer.call(1, { name: 'basic.cancel', consumerTag: 'c' }, 'basic.cancel-ok');
    await commit();
    expect(await drain()).toEqual(['b5!', 'd4']);
  });

  test('survives a crash once it is committed, verdicts too', async () => {
    publish('a1', 'b5', 'c3');
    await commit();
    expect(await hold(1)).toEqual(['b5']);
    peer.send(1, { name: 'basic.ack', deliveryTag: 1 });
    publish('d5');
    peer.send(1, { name: 'tx.commit' });
    expect(await delivered()).toEqual(['d5']);
    publish('never');
    await restart((from) => from.platform.crash());
    expect(await drain()).toEqual(['d5!', 'c3!', 'a1!']);
  });
});
