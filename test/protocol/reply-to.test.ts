import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { SimNode } from './sim-node.js';
import type { SimPeer } from './sim-peer.js';

const replyTo = 'amq.rabbitmq.reply-to';
let node: SimNode;
let client: SimPeer;
let server: SimPeer;
beforeEach(async () => {
  node = await SimNode.start();
  [client, server] = [await node.channel(), await node.channel()];
  await server.call(1, { name: 'queue.declare', queue: 'rpc' }, 'queue.declare-ok');
  await server.call(1, { name: 'basic.consume', queue: 'rpc', noAck: true }, 'basic.consume-ok');
});
afterEach(() => node.stop());

async function listen(consumerTag = 'replies'): Promise<void> {
  await client.call(1, { name: 'basic.consume', queue: replyTo, consumerTag, noAck: true }, 'basic.consume-ok');
}

/** Asks, and returns the address that the server is to answer to. */
async function ask(question: string): Promise<string> {
  client.publish(1, 'rpc', question, { properties: { replyTo, correlationId: question, deliveryMode: 2 } });
  await node.idle();
  const { properties, body } = await server.expect('basic.deliver');
  expect([body!.toString(), properties!.correlationId]).toEqual([question, question]);
  return properties!.replyTo!;
}

describe('direct reply-to', () => {
  test('the reply comes to the channel that asked, without a queue', async () => {
    await listen();
    const address = await ask('41');
    expect(address).toMatch(/^amq\.rabbitmq\.reply-to\.[\w-]{32}$/);
    server.publish(1, address, '42', { mandatory: true, properties: { correlationId: '41' } });
    await node.idle();
    const reply = await client.expect('basic.deliver');
    expect(reply).toMatchObject({
      method: { consumerTag: 'replies', deliveryTag: 1, exchange: '', routingKey: address, redelivered: false },
      properties: { correlationId: '41' },
      body: Buffer.from('42'),
    });
    expect(node.broker.topology.vhosts.get('/')!.queues.size).toBe(1);
    await server.silence();
  });

  test('large replies, and many, in order; confirmed like others', async () => {
    await listen();
    const address = await ask('much');
    await server.call(1, { name: 'confirm.select' }, 'confirm.select-ok');
    for (let i = 0; i < 50; i++)
      server.publish(1, address, Buffer.alloc(10_000, i), { properties: { deliveryMode: 2 } });
    await node.idle();
    expect((await client.all()).map(({ body }) => body![0])).toEqual(Array.from({ length: 50 }, (_, i) => i));
    expect((await server.names()).at(-1)).toBe('basic.ack');
  });

  test('each channel has an address of its own', async () => {
    await listen();
    await client.open(2);
    await client.call(
      2,
      { name: 'basic.consume', queue: replyTo, noAck: true, consumerTag: 'second' },
      'basic.consume-ok',
    );
    const first = await ask('first');
    client.publish(2, 'rpc', 'second', { properties: { replyTo } });
    await node.idle();
    const second = (await server.expect('basic.deliver')).properties!.replyTo!;
    expect(second).not.toBe(first);
    server.publish(1, second, 'to the second');
    await node.idle();
    expect((await client.expect('basic.deliver')).channel).toBe(2);
  });

  test.each([
    ['cancelled', async () => client.call(1, { name: 'basic.cancel', consumerTag: 'replies' }, 'basic.cancel-ok')],
    ['with its channel', async () => client.call(1, { name: 'channel.close', replyCode: 200 }, 'channel.close-ok')],
    ['with its connection', async () => client.drop()],
  ])('a replier that is gone (%s): dropped, or returned when mandatory', async (_title, leave) => {
    await listen();
    const address = await ask('41');
    await leave();
    await server.call(1, { name: 'confirm.select' }, 'confirm.select-ok');
    server.publish(1, address, '42');
    server.publish(1, address, '42', { mandatory: true });
    const [returned, ack] = await server.all();
    expect(returned!.method).toMatchObject({ name: 'basic.return', replyCode: 312, routingKey: address });
    expect(ack!.method).toMatchObject({ name: 'basic.ack', deliveryTag: 2 });
  });

  test('may be consumed again after it was cancelled, under a new address', async () => {
    await listen();
    const before = await ask('a');
    await client.call(1, { name: 'basic.cancel', consumerTag: 'replies' }, 'basic.cancel-ok');
    await listen('again');
    const after = await ask('b');
    expect(after).not.toBe(before);
    server.publish(1, after, 'reply');
    await node.idle();
    expect((await client.expect('basic.deliver')).method.consumerTag).toBe('again');
  });

  test('a declaration tells whether the replier is there', async () => {
    await listen();
    const address = await ask('there?');
    for (const queue of [replyTo, address]) {
      const ok = await server.call(1, { name: 'queue.declare', queue, passive: true }, 'queue.declare-ok');
      expect(ok).toMatchObject({ queue, messageCount: 0, consumerCount: 1 });
    }
    await client.drop();
    server.send(1, { name: 'queue.declare', queue: address, passive: true });
    expect((await server.expect('channel.close')).method.replyText).toBe(
      `NOT_FOUND - no queue '${address}' in vhost '/'`,
    );
  });

  test('another reply-to goes as it came', async () => {
    client.publish(1, 'rpc', 'x', { properties: { replyTo: 'my-queue' } });
    await node.idle();
    expect((await server.expect('basic.deliver')).properties!.replyTo).toBe('my-queue');
  });

  test('works within copies and headers', async () => {
    await listen();
    client.publish(1, 'nowhere', 'x', { properties: { replyTo, headers: { CC: ['rpc'], n: 1 } } });
    await node.idle();
    const { properties } = await server.expect('basic.deliver');
    expect(properties!.replyTo).toMatch(/^amq\.rabbitmq\.reply-to\./);
    expect({ ...properties!.headers }).toEqual({ CC: ['rpc'], n: 1 });
  });

  test('a client that does not read its replies loses some, and the broker no memory', async () => {
    await listen();
    const address = await ask('flood');
    client.wire.pause();
    for (let i = 0; i < 300; i++) server.publish(1, address, Buffer.alloc(100_000, i));
    await node.idle();
    const [connection] = [...node.broker.connections].filter(({ unsentBytes }) => unsentBytes > 0);
    expect(connection!.unsentBytes).toBeLessThan(9 * 1024 * 1024);
    client.wire.resume();
    const replies = await client.all();
    expect(replies.length).toBeGreaterThan(50);
    expect(replies.length).toBeLessThan(300);
    server.publish(1, address, 'heard again');
    await node.idle();
    expect(await client.bodies()).toEqual(['heard again']);
  });
});
