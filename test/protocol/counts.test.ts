// What each thousand messages costs in system calls. Bounds, not exact figures: batches are whatever gathers in a turn.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { SimNode } from './sim-node.js';
import type { SimPeer } from './sim-peer.js';

let node: SimNode;
let publisher: SimPeer;
let consumer: SimPeer;
beforeEach(async () => {
  node = await SimNode.start();
  [publisher, consumer] = [await node.channel(), await node.channel()];
  await publisher.call(1, { name: 'queue.declare', queue: 'q', durable: true }, 'queue.declare-ok');
  await publisher.call(1, { name: 'confirm.select' }, 'confirm.select-ok');
});
afterEach(() => node.stop());

interface Cost {
  readonly writesToPublisher: number;
  readonly writesToConsumer: number;
  readonly diskWrites: number;
  readonly syncs: number;
}

async function costOf(work: () => Promise<void>): Promise<Cost> {
  const snapshot = () => ({
    writesToPublisher: node.farEnd(publisher).writes,
    writesToConsumer: node.farEnd(consumer).writes,
    diskWrites: node.platform.disk.counts.writes,
    syncs: node.platform.disk.counts.syncs,
  });
  const before = snapshot();
  await work();
  const after = snapshot();
  return {
    writesToPublisher: after.writesToPublisher - before.writesToPublisher,
    writesToConsumer: after.writesToConsumer - before.writesToConsumer,
    diskWrites: after.diskWrites - before.diskWrites,
    syncs: after.syncs - before.syncs,
  };
}

/** A thousand persistent messages of a KiB, so many at a time, each lot confirmed before the next. */
async function publish(window: number): Promise<void> {
  const body = Buffer.alloc(1024, 1);
  for (let sent = 0; sent < 1000; ) {
    for (let i = 0; i < window; i++, sent++) publisher.publish(1, 'q', body, { properties: { deliveryMode: 2 } });
    const acks = await publisher.all();
    expect(acks.at(-1)!.method).toMatchObject({ name: 'basic.ack', deliveryTag: expect.any(Number) });
  }
}

describe('a thousand persistent messages, confirmed', () => {
  test.each([
    [1, 1000],
    [10, 100],
    [100, 10],
  ])('%i at a time: %i syncs and as many confirms', async (window, lots) => {
    const cost = await costOf(() => publish(window));
    // A lot may arrive in two chunks of the socket, and the first of them begins a group of its own.
    expect(cost.syncs).toBeGreaterThanOrEqual(lots);
    expect(cost.syncs).toBeLessThanOrEqual(lots * 2);
    expect(cost.diskWrites).toBeLessThanOrEqual(lots * 2);
    expect(cost.writesToPublisher).toBeLessThanOrEqual(lots * 2);
  });

  test('all at once: few syncs, because groups gather while one is written', async () => {
    const cost = await costOf(() => publish(1000));
    expect(cost.syncs).toBeLessThanOrEqual(20);
    expect(cost.writesToPublisher).toBeLessThanOrEqual(20);
  });

  test('on a slow disk no more syncs, only fuller ones', async () => {
    node.platform.disk.delayMs.sync = 5;
    const cost = await costOf(() => publish(1000));
    expect(cost.syncs).toBeLessThanOrEqual(4);
  });
});

describe('a thousand transient messages', () => {
  test('touch no disk', async () => {
    const cost = await costOf(async () => {
      for (let i = 0; i < 1000; i++) publisher.publish(1, 'q', 'x');
      await publisher.all();
    });
    expect(cost).toMatchObject({ syncs: 0, diskWrites: 0 });
    expect(cost.writesToPublisher).toBeLessThanOrEqual(10);
  });
});

describe('a thousand deliveries', () => {
  beforeEach(async () => {
    await publish(1000);
    await node.advance(1_000);
  });

  test('of a backlog go out in as few writes as their size asks for', async () => {
    const cost = await costOf(async () => {
      consumer.send(1, { name: 'basic.consume', queue: 'q', noAck: true, noWait: true });
      expect((await consumer.all()).length).toBe(1000);
    });
    expect(cost.writesToConsumer).toBeLessThanOrEqual(20);
  });

  test('settled one by one: no sync that publishes do not need, and few writes', async () => {
    const cost = await costOf(async () => {
      await consumer.call(1, { name: 'basic.qos', prefetchCount: 100 }, 'basic.qos-ok');
      consumer.send(1, { name: 'basic.consume', queue: 'q', noWait: true });
      for (let settled = 0; settled < 1000; ) {
        for (const { method } of await consumer.all()) {
          if (method.name !== 'basic.deliver') throw new Error(method.name);
          consumer.send(1, { name: 'basic.ack', deliveryTag: method.deliveryTag });
          settled++;
        }
      }
      await node.advance(1_000);
    });
    expect(cost.syncs).toBeLessThanOrEqual(3);
    expect(cost.diskWrites).toBeLessThanOrEqual(5);
    expect(cost.writesToConsumer).toBeLessThanOrEqual(30);
  });
});

test('a thousand messages straight through: a write per turn and socket', async () => {
  await consumer.call(1, { name: 'basic.consume', queue: 'q', noAck: true }, 'basic.consume-ok');
  const cost = await costOf(async () => {
    for (let lot = 0; lot < 10; lot++) {
      for (let i = 0; i < 100; i++) publisher.publish(1, 'q', Buffer.alloc(100), { properties: { deliveryMode: 2 } });
      expect((await consumer.all()).length).toBe(100);
      await publisher.all();
    }
  });
  expect(cost.writesToConsumer).toBeLessThanOrEqual(20);
  expect(cost.writesToPublisher).toBeLessThanOrEqual(20);
  // Accepted before their sync: confirmed without one of their own.
  expect(cost.syncs).toBeLessThanOrEqual(20);
});

test('fan-out: one write to each socket in a turn', async () => {
  const many = [];
  for (let i = 0; i < 10; i++) {
    const each = await node.channel();
    const { queue } = await each.call(1, { name: 'queue.declare', exclusive: true }, 'queue.declare-ok');
    await each.call(1, { name: 'queue.bind', queue, exchange: 'amq.fanout' }, 'queue.bind-ok');
    await each.call(1, { name: 'basic.consume', queue, noAck: true }, 'basic.consume-ok');
    many.push(each);
  }
  const before = many.map((each) => node.farEnd(each).writes);
  for (let i = 0; i < 100; i++) publisher.publish(1, '', 'x', { exchange: 'amq.fanout' });
  await node.idle();
  for (const [i, each] of many.entries()) {
    expect((await each.all()).length).toBe(100);
    expect(node.farEnd(each).writes - before[i]!).toBeLessThanOrEqual(2);
  }
});
