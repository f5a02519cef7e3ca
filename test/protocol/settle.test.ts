import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { SimNode } from './sim-node.js';
import type { SimPeer } from './sim-peer.js';

let node: SimNode;
let peer: SimPeer;

/** Five messages, all delivered to consumer `c` on channel 1, tags 1 to 5. */
beforeEach(async () => {
  node = await SimNode.start();
  peer = await node.channel();
  await peer.call(1, { name: 'queue.declare', queue: 'q' }, 'queue.declare-ok');
  for (let i = 1; i <= 5; i++) peer.publish(1, 'q', `m${i}`);
  await peer.call(1, { name: 'basic.consume', queue: 'q', consumerTag: 'c' }, 'basic.consume-ok');
  await peer.bodies();
});
afterEach(() => node.stop());

const queue = () => node.broker.topology.vhosts.get('/')!.localQueue('q')!;
const counts = () => [queue().unsettledCount, queue().readyCount];
const heldByChannels = () =>
  [...node.broker.connections].flatMap(({ channels }) => [...channels].map((channel) => channel.unacknowledgedCount));

async function unknown(tag: number): Promise<void> {
  const { method } = await peer.expect('channel.close');
  expect(method.replyText).toBe(`PRECONDITION_FAILED - unknown delivery tag ${tag}`);
}

describe('ack', () => {
  test('one, several, all', async () => {
    peer.send(1, { name: 'basic.ack', deliveryTag: 2 });
    await peer.silence();
    expect(counts()).toEqual([4, 0]);
    peer.send(1, { name: 'basic.ack', deliveryTag: 3, multiple: true });
    await peer.silence();
    expect(counts()).toEqual([2, 0]);
    expect(heldByChannels()).toEqual([2]);
    peer.send(1, { name: 'basic.ack', deliveryTag: 0, multiple: true });
    peer.send(1, { name: 'basic.ack', deliveryTag: 0, multiple: true });
    await peer.silence();
    expect(counts()).toEqual([0, 0]);
  });

  test.each([
    ['twice', [{ deliveryTag: 2 }, { deliveryTag: 2 }], 2],
    ['never delivered', [{ deliveryTag: 6 }], 6],
    ['never delivered, up to it', [{ deliveryTag: 6, multiple: true }], 6],
    ['up to one that is settled', [{ deliveryTag: 2 }, { deliveryTag: 2, multiple: true }], 2],
    ['zero alone', [{ deliveryTag: 0 }], 0],
    ['very high', [{ deliveryTag: 2 ** 53 - 1 }], 2 ** 53 - 1],
  ])('%s: 406, and everything is ready again', async (_title, acks, tag) => {
    for (const ack of acks) peer.send(1, { name: 'basic.ack', ...ack });
    await unknown(tag);
    expect(queue().unsettledCount).toBe(0);
    expect(queue().readyCount).toBeGreaterThanOrEqual(4);
  });

  test('on another channel it is unknown', async () => {
    await peer.open(2);
    peer.send(2, { name: 'basic.ack', deliveryTag: 1 });
    await unknown(1);
    expect(counts()).toEqual([5, 0]);
  });
});

describe('nack and reject', () => {
  test('requeued: back to where it was, flagged, before everything younger', async () => {
    await peer.call(1, { name: 'basic.cancel', consumerTag: 'c' }, 'basic.cancel-ok');
    for (let i = 6; i <= 7; i++) peer.publish(1, 'q', `m${i}`);
    peer.send(1, { name: 'basic.nack', deliveryTag: 4, requeue: true });
    peer.send(1, { name: 'basic.reject', deliveryTag: 2, requeue: true });
    await peer.open(2);
    await peer.call(2, { name: 'basic.consume', queue: 'q', consumerTag: 'd', noAck: true }, 'basic.consume-ok');
    const came = (await peer.all()).map(({ method, body }) => [
      body!.toString(),
      method.name === 'basic.deliver' && method.redelivered,
    ]);
    expect(came).toEqual([
      ['m2', true],
      ['m4', true],
      ['m6', false],
      ['m7', false],
    ]);
  });

  test('several at once keep their order', async () => {
    peer.send(1, { name: 'basic.nack', deliveryTag: 3, multiple: true, requeue: true });
    expect(await peer.bodies()).toEqual(['m1', 'm2', 'm3']);
    peer.send(1, { name: 'basic.nack', deliveryTag: 0, multiple: true, requeue: true });
    expect(await peer.bodies()).toEqual(['m1', 'm2', 'm3', 'm4', 'm5']);
  });

  test('not requeued: gone', async () => {
    peer.send(1, { name: 'basic.nack', deliveryTag: 4, multiple: true });
    peer.send(1, { name: 'basic.reject', deliveryTag: 5 });
    await peer.silence();
    expect(counts()).toEqual([0, 0]);
  });

  test.each([
    [{ name: 'basic.nack', deliveryTag: 9, requeue: true }, 9],
    [{ name: 'basic.reject', deliveryTag: 9 }, 9],
    [{ name: 'basic.reject', deliveryTag: 0 }, 0],
  ] as const)('%o is unknown', async (method, tag) => {
    peer.send(1, method);
    await unknown(tag);
  });

  test('of nothing at all is no error with multiple and 0', async () => {
    peer.send(1, { name: 'basic.ack', deliveryTag: 0, multiple: true });
    peer.send(1, { name: 'basic.nack', deliveryTag: 0, multiple: true, requeue: true });
    await peer.silence();
  });
});

describe('recover', () => {
  test('gives all back, flagged', async () => {
    peer.send(1, { name: 'basic.ack', deliveryTag: 1 });
    peer.send(1, { name: 'basic.recover', requeue: true });
    const [ok, ...again] = await peer.all();
    expect(ok!.method.name).toBe('basic.recover-ok');
    expect(again.map(({ body }) => body!.toString())).toEqual(['m2', 'm3', 'm4', 'm5']);
    expect(again.every(({ method }) => method.name === 'basic.deliver' && method.redelivered)).toBe(true);
  });

  test('asynchronously, without an answer', async () => {
    peer.send(1, { name: 'basic.recover-async', requeue: true });
    expect((await peer.bodies()).length).toBe(5);
  });
});

describe('what ends gives back what it held', () => {
  test.each([
    ['a channel', async () => peer.call(1, { name: 'channel.close', replyCode: 200 }, 'channel.close-ok')],
    ['a channel that failed', async () => peer.call(1, { name: 'basic.ack', deliveryTag: 99 }, 'channel.close')],
    ['a connection', async () => peer.goodbye()],
    ['a connection that broke', async () => peer.wire.cut()],
  ])('%s', async (_title, end) => {
    await end();
    await node.idle();
    expect(counts()).toEqual([0, 5]);
    const other = await node.channel();
    await other.call(1, { name: 'basic.consume', queue: 'q', noAck: true }, 'basic.consume-ok');
    const came = await other.all();
    expect(came.map(({ body }) => body!.toString())).toEqual(['m1', 'm2', 'm3', 'm4', 'm5']);
    expect(came.every(({ method }) => method.name === 'basic.deliver' && method.redelivered)).toBe(true);
  });

  test('to another consumer of the queue at once', async () => {
    const other = await node.channel();
    await other.call(1, { name: 'basic.consume', queue: 'q' }, 'basic.consume-ok');
    await peer.drop();
    expect(await other.bodies()).toEqual(['m1', 'm2', 'm3', 'm4', 'm5']);
  });

  test('with many deliveries, holes among them', async () => {
    for (let i = 6; i <= 3000; i++) peer.publish(1, 'q', `m${i}`);
    await peer.bodies();
    for (let tag = 2; tag <= 3000; tag += 2) peer.send(1, { name: 'basic.ack', deliveryTag: tag });
    peer.send(1, { name: 'basic.ack', deliveryTag: 1001, multiple: true });
    await peer.silence();
    expect(counts()).toEqual([999, 0]);
    await peer.drop();
    expect(counts()).toEqual([0, 999]);
  });
});
