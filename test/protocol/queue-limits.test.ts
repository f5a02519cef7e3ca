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

const queue = (name: string, args: { [name: string]: string | number }, durable = true) =>
  peer.call(1, { name: 'queue.declare', queue: name, durable, arguments: fieldTable(args) }, 'queue.declare-ok');

/** Everything that waits, taken. */
async function drain(name: string): Promise<string[]> {
  const bodies: string[] = [];
  for (;;) {
    peer.send(1, { name: 'basic.get', queue: name, noAck: true });
    const received = await peer.next();
    if (received?.method.name !== 'basic.get-ok') return bodies;
    bodies.push(received.body!.toString());
  }
}

async function get(name: string) {
  peer.send(1, { name: 'basic.get', queue: name });
  const { method, body, properties } = await peer.expect('basic.get-ok');
  return { ...method, body: body!.toString(), headers: properties?.headers };
}

async function publishAll(name: string, ...bodies: string[]): Promise<string[]> {
  for (const body of bodies) peer.publish(1, name, body, { properties: { deliveryMode: 2 } });
  return (await peer.all()).map(({ method }) => {
    if (method.name === 'basic.ack' || method.name === 'basic.nack') return `${method.name} ${method.deliveryTag}`;
    return method.name;
  });
}

const confirms = () => peer.call(1, { name: 'confirm.select' }, 'confirm.select-ok');
const statistics = (name: string) => node.broker.topology.vhosts.get('/')!.localQueue(name)!.statistics;
const reasons = (headers: FieldTable | undefined) => (headers!['x-death'] as FieldTable[]).map(({ reason }) => reason);

describe('x-max-length', () => {
  test('drops the oldest, to the dead-letter exchange where there is one', async () => {
    await queue('dead', {});
    await queue('q', { 'x-max-length': 2, 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': 'dead' });
    await publishAll('q', 'a', 'b', 'c', 'd');
    expect(await get('dead')).toMatchObject({ body: 'a', headers: { 'x-first-death-reason': 'maxlen' } });
    expect(await drain('dead')).toEqual(['b']);
    expect(await drain('q')).toEqual(['c', 'd']);
    expect(statistics('q')).toMatchObject({ published: 4, refused: 0, dropped: { maxlen: 2 } });
  });

  test('does not count what consumers hold, until they give it back', async () => {
    await queue('q', { 'x-max-length': 1 });
    await publishAll('q', 'a');
    const { deliveryTag } = await get('q');
    await publishAll('q', 'b');
    peer.send(1, { name: 'basic.nack', deliveryTag, requeue: true });
    expect(await drain('q')).toEqual(['b']);
  });

  test('0 means only to a consumer that waits', async () => {
    await queue('q', { 'x-max-length': 0 });
    await publishAll('q', 'lost');
    await peer.call(1, { name: 'basic.consume', queue: 'q', noAck: true }, 'basic.consume-ok');
    peer.publish(1, 'q', 'taken');
    expect((await peer.expect('basic.deliver')).body!.toString()).toBe('taken');
  });

  test.each([true, false])(
    'reject-publish refuses with basic.nack and loses nothing that waits (durable: %s)',
    async (durable) => {
      await queue('q', { 'x-max-length': 2, 'x-overflow': 'reject-publish' }, durable);
      await publishAll('q', 'unconfirmed');
      await confirms();
      expect((await publishAll('q', 'b', 'c', 'd')).sort()).toEqual(['basic.ack 1', 'basic.nack 2', 'basic.nack 3']);
      expect(await drain('q')).toEqual(['unconfirmed', 'b']);
      expect(await publishAll('q', 'e')).toEqual(['basic.ack 4']);
      expect(statistics('q')).toMatchObject({ published: 3, refused: 2, dropped: { maxlen: 0 } });
    },
  );

  test('reject-publish-dlx refuses and dead-letters', async () => {
    await queue('dead', {});
    await queue('q', {
      'x-max-length': 1,
      'x-overflow': 'reject-publish-dlx',
      'x-dead-letter-exchange': '',
      'x-dead-letter-routing-key': 'dead',
    });
    await confirms();
    expect((await publishAll('q', 'a', 'b')).sort()).toEqual(['basic.ack 1', 'basic.nack 2']);
    const dead = await get('dead');
    expect([dead.body, reasons(dead.headers)]).toEqual(['b', ['maxlen']]);
    expect(await drain('q')).toEqual(['a']);
  });

  test('of one queue of several: the publisher is refused, the others keep theirs', async () => {
    await queue('full', { 'x-max-length': 0, 'x-overflow': 'reject-publish' });
    await queue('roomy', {});
    for (const name of ['full', 'roomy']) {
      await peer.call(1, { name: 'queue.bind', queue: name, exchange: 'amq.fanout' }, 'queue.bind-ok');
    }
    await confirms();
    peer.publish(1, '', 'x', { exchange: 'amq.fanout', mandatory: true, properties: { deliveryMode: 2 } });
    expect(await peer.names()).toEqual(['basic.nack']);
    expect(await drain('roomy')).toEqual(['x']);
  });

  test('refuses a transaction that does not fit', async () => {
    await queue('q', { 'x-max-length': 1, 'x-overflow': 'reject-publish' });
    await peer.call(1, { name: 'tx.select' }, 'tx.select-ok');
    peer.publish(1, 'q', 'a');
    peer.publish(1, 'q', 'b');
    peer.send(1, { name: 'tx.commit' });
    expect((await peer.expect('channel.close')).method).toMatchObject({ replyCode: 406 });
  });
});

describe('x-max-length-bytes', () => {
  test('counts bodies, drops as many as it takes, and perhaps the new one itself', async () => {
    await queue('q', { 'x-max-length-bytes': 5 });
    await publishAll('q', 'aa', 'bb', 'ccc');
    expect(await drain('q')).toEqual(['bb', 'ccc']);
    await publishAll('q', 'a', 'too long');
    expect(await drain('q')).toEqual([]);
  });

  test('with reject-publish a shorter one may still fit', async () => {
    await queue('q', { 'x-max-length-bytes': 5, 'x-overflow': 'reject-publish' });
    await confirms();
    expect((await publishAll('q', 'aaa', 'bbb', 'cc')).sort()).toEqual(['basic.ack 1', 'basic.ack 3', 'basic.nack 2']);
    expect(await drain('q')).toEqual(['aaa', 'cc']);
  });
});

describe('x-delivery-limit', () => {
  const limited = { 'x-delivery-limit': 2, 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': 'dead' };
  beforeEach(() => queue('dead', {}));

  test('a message is delivered once more than it may be given back, and says how often it was', async () => {
    await queue('q', limited);
    await publishAll('q', 'x');
    for (const count of [undefined, 1, 2]) {
      const { deliveryTag, headers, redelivered } = await get('q');
      expect([headers?.['x-delivery-count'], redelivered]).toEqual([count, count !== undefined]);
      peer.send(1, { name: 'basic.nack', deliveryTag, requeue: true });
    }
    await node.idle();
    const { body, headers } = await get('dead');
    expect([body, reasons(headers), headers!['x-delivery-count']]).toEqual(['x', ['delivery_limit'], undefined]);
    expect(statistics('q')).toMatchObject({ requeued: 2, dropped: { delivery_limit: 1 } });
  });

  test('counts a consumer that went away, also over a restart', async () => {
    await queue('q', limited);
    await publishAll('q', 'x');
    const other = await node.channel();
    other.send(1, { name: 'basic.get', queue: 'q' });
    await other.expect('basic.get-ok');
    await other.call(0, { name: 'connection.close' }, 'connection.close-ok');
    await node.stop();
    node = await SimNode.start({ platform: node.platform });
    peer = await node.channel();
    expect((await get('q')).headers).toEqual({ 'x-delivery-count': 1 });
  });
});
