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
