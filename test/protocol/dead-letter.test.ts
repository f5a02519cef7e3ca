import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  type BasicProperties,
  type FieldTable,
  fieldTable,
  Timestamp,
} from '../../packages/amqp091/src/codec/index.js';
import { SimNode } from './sim-node.js';
import type { SimPeer } from './sim-peer.js';

let node: SimNode;
let peer: SimPeer;
beforeEach(async () => {
  node = await SimNode.start();
  peer = await node.channel();
  await peer.call(
    1,
    { name: 'exchange.declare', exchange: 'dlx', type: 'direct', internal: true },
    'exchange.declare-ok',
  );
  await queue('dead');
});
afterEach(() => node.stop());

const queue = (name: string, args: { [name: string]: string | number } = {}, durable = true) =>
  peer.call(1, { name: 'queue.declare', queue: name, durable, arguments: fieldTable(args) }, 'queue.declare-ok');

const bind = (name: string, routingKey: string, exchange = 'dlx') =>
  peer.call(1, { name: 'queue.bind', queue: name, exchange, routingKey }, 'queue.bind-ok');

async function get(name: string) {
  peer.send(1, { name: 'basic.get', queue: name });
  const { method, body, properties } = await peer.expect('basic.get-ok');
  return { ...method, body: body!.toString(), properties: properties! };
}

const isEmpty = async (name: string) =>
  (await peer.call(1, { name: 'queue.declare', queue: name, passive: true }, 'queue.declare-ok')).messageCount === 0;

async function reject(name: string) {
  const { deliveryTag } = await get(name);
  peer.send(1, { name: 'basic.reject', deliveryTag, requeue: false });
  // Dead letters go out at the end of a turn.
  await node.idle();
}

const deathsOf = ({ properties }: { properties: BasicProperties }) => properties.headers!['x-death'] as FieldTable[];

describe('a rejected message', () => {
  test('goes to the dead-letter exchange with what happened to it, and everything else as it was', async () => {
    await queue('work', { 'x-dead-letter-exchange': 'dlx' });
    await bind('dead', 'work');
    const headers = fieldTable({ a: 1, list: ['x', null] });
    const properties = { headers, deliveryMode: 2, expiration: '60000', messageId: 'm', priority: 3 };
    peer.publish(1, 'work', 'body', { properties });
    await reject('work');
    const dead = await get('dead');
    expect(dead).toMatchObject({ exchange: 'dlx', routingKey: 'work', redelivered: false, body: 'body' });
    const { 'x-death': deaths, ...others } = dead.properties.headers!;
    expect({ ...dead.properties, headers: others }).toEqual({
      deliveryMode: 2,
      messageId: 'm',
      priority: 3,
      headers: {
        a: 1,
        list: ['x', null],
        'x-first-death-reason': 'rejected',
        'x-first-death-queue': 'work',
        'x-first-death-exchange': '',
        'x-last-death-reason': 'rejected',
        'x-last-death-queue': 'work',
        'x-last-death-exchange': '',
      },
    });
    expect(deaths).toEqual([
      {
        count: 1,
        reason: 'rejected',
        queue: 'work',
        time: expect.any(Timestamp),
        exchange: '',
        'routing-keys': ['work'],
        'original-expiration': '60000',
      },
    ]);
    expect(await isEmpty('work')).toBe(true);
  });

  test('goes by the routing key that the queue names, and then without CC', async () => {
    await queue('keyed', { 'x-dead-letter-exchange': 'dlx', 'x-dead-letter-routing-key': 'k' });
    await queue('plain', { 'x-dead-letter-exchange': 'dlx' });
    await bind('dead', 'k');
    await queue('copies');
    await bind('copies', 'copy');
    const headers = fieldTable({ CC: ['copy'], BCC: ['blind'] });
    peer.publish(1, 'keyed', 'one', { properties: { headers } });
    await reject('keyed');
    const dead = await get('dead');
    expect([dead.routingKey, dead.properties.headers?.CC, deathsOf(dead)[0]!['routing-keys']]).toEqual([
      'k',
      undefined,
      ['keyed', 'copy'],
    ]);
    expect(await isEmpty('copies')).toBe(true);
    peer.publish(1, 'plain', 'two', { properties: { headers } });
    await reject('plain');
    expect(await get('copies')).toMatchObject({ body: 'two', routingKey: 'plain', exchange: 'dlx' });
  });

  test('counts how often it died of the same in the same queue, the latest first', async () => {
    await queue('a', { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': 'b' });
    await queue('b', { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': 'a' });
    peer.publish(1, 'a', 'x');
    for (const name of ['a', 'b', 'a', 'b', 'a']) await reject(name);
    const { properties } = await get('b');
    const deaths = deathsOf({ properties });
    expect(deaths.map(({ queue, count }) => [queue, count])).toEqual([
      ['a', 3],
      ['b', 2],
    ]);
    expect(properties.headers).toMatchObject({ 'x-first-death-queue': 'a', 'x-last-death-queue': 'a' });
  });

  test('is gone without such an exchange, and where it does not exist', async () => {
    await queue('none');
    await queue('missing', { 'x-dead-letter-exchange': 'no' });
    for (const name of ['none', 'missing']) {
      peer.publish(1, name, 'x');
      await reject(name);
      expect(await isEmpty(name)).toBe(true);
    }
    expect(node.logged('the dead-letter exchange does not exist')).toBe(true);
  });
});

describe('a circle', () => {
  test('that nobody but the broker drives is cut', async () => {
    await queue('a', { 'x-max-length': 0, 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': 'b' });
    await queue('b', { 'x-max-length': 0, 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': 'a' });
    peer.publish(1, 'a', 'x');
    await node.idle();
    const outbox = (name: string) => node.broker.topology.vhosts.get('/')!.localQueue(name)!.outbox!;
    expect([outbox('a').sent, outbox('b').sent, outbox('b').lost]).toEqual([1, 0, 1]);
    expect([await isEmpty('a'), await isEmpty('b')]).toEqual([true, true]);
    expect(node.logged('no consumer rejected them on the way')).toBe(true);
  });
});

describe('a dead letter that its target refuses', () => {
  const full = { 'x-max-length': 1, 'x-overflow': 'reject-publish' };
  const statistics = () => node.broker.topology.vhosts.get('/')!.localQueue('work')!;

  async function stuck(bodies: string[], args = {}) {
    await queue('full', full);
    peer.publish(1, 'full', 'there', { properties: { deliveryMode: 2 } });
    await queue('work', { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': 'full', ...args });
    for (const body of bodies) {
      peer.publish(1, 'work', body, { properties: { deliveryMode: 2 } });
      await reject('work');
    }
  }

  async function take(name: string) {
    peer.send(1, { name: 'basic.get', queue: name, noAck: true });
    const { body } = await peer.expect('basic.get-ok');
    return body!.toString();
  }

  test('stays pending, is tried again, and goes when there is room', async () => {
    await stuck(['a', 'b']);
    await node.advance(5_000);
    expect(statistics().outbox).toMatchObject({ count: 2, stuckCount: 2, stuckBytes: 2, sent: 0 });
    expect(await take('full')).toBe('there');
    await node.advance(30_000);
    expect(statistics().outbox).toMatchObject({ count: 1, sent: 1 });
    expect(await take('full')).toBe('a');
    await node.advance(30_000);
    expect(await take('full')).toBe('b');
    expect(statistics().outbox).toMatchObject({ count: 0, stuckCount: 0, sent: 2, lost: 0 });
  });

  test('is not lost by a restart, and no consumer of its queue sees it again', async () => {
    await stuck(['a', 'b']);
    peer.publish(1, 'work', 'next', { properties: { deliveryMode: 2 } });
    await node.advance(1_000);
    await node.stop();
    const { platform } = node;
    node = await SimNode.start({ platform });
    peer = await node.channel();
    await node.advance(1_000);
    expect(statistics().readyCount).toBe(1);
    expect(statistics().outbox).toMatchObject({ count: 2, stuckCount: 2 });
    await peer.call(1, { name: 'queue.purge', queue: 'work' }, 'queue.purge-ok');
    const taken: string[] = [];
    for (let i = 0; i < 3; i++) {
      taken.push(await take('full'));
      await node.advance(30_000);
    }
    expect(taken).toEqual(['there', 'a', 'b']);
    expect(await isEmpty('full')).toBe(true);
    expect(statistics().outbox!.count).toBe(0);
  });

  test('fills its source, which then refuses rather than drop more', async () => {
    await stuck([], { 'x-max-length': 2 });
    await peer.call(1, { name: 'confirm.select' }, 'confirm.select-ok');
    const verdicts: string[] = [];
    for (const body of ['1', '2', '3', '4', '5', '6']) {
      peer.publish(1, 'work', body, { properties: { deliveryMode: 2 } });
      verdicts.push(...(await peer.names()));
      await node.advance(10);
    }
    expect(verdicts).toEqual([...new Array(4).fill('basic.ack'), 'basic.nack', 'basic.nack']);
    expect(statistics()).toMatchObject({ readyCount: 2, statistics: { refused: 2, dropped: { maxlen: 2 } } });
  });

  test('goes with its queue when that is deleted, and that is said', async () => {
    await stuck(['a']);
    await peer.call(1, { name: 'queue.delete', queue: 'work' }, 'queue.delete-ok');
    expect(node.logged('their queue was deleted')).toBe(true);
    await node.advance(60_000);
    expect(await take('full')).toBe('there');
    expect(await isEmpty('full')).toBe(true);
  });
});

test('a dead letter that was never tried goes out when its queue is deleted in the same turn', async () => {
  await queue('work', { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': 'dead' });
  peer.publish(1, 'work', 'x');
  const { deliveryTag } = await get('work');
  peer.send(1, { name: 'basic.reject', deliveryTag, requeue: false });
  await peer.call(1, { name: 'queue.delete', queue: 'work' }, 'queue.delete-ok');
  expect((await get('dead')).body).toBe('x');
});
