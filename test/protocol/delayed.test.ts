import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type FieldTable, type FieldValue, fieldTable } from '../../packages/amqp091/src/codec/index.js';
import { SimNode } from './sim-node.js';
import type { SimPeer } from './sim-peer.js';

let node: SimNode;
let peer: SimPeer;
beforeEach(async () => {
  node = await SimNode.start();
  peer = await node.channel();
});
afterEach(() => node.stop());

type Table = { [name: string]: FieldValue };

const vhost = () => node.broker.topology.vhosts.get('/')!;
const waiting = (exchange = 'later') => vhost().exchanges.get(exchange)!.delayed!.count;

async function declare(type: string, args: Table = {}, durable = true, exchange = 'later'): Promise<void> {
  const all = fieldTable({ 'x-delayed-type': type, ...args });
  const method = { name: 'exchange.declare', exchange, type: 'x-delayed-message', durable, arguments: all } as const;
  await peer.call(1, method, 'exchange.declare-ok');
}

/** A durable queue bound to it. */
async function queue(name: string, routingKey = '', exchange = 'later', args: Table = {}): Promise<void> {
  await peer.call(1, { name: 'queue.declare', queue: name, durable: true }, 'queue.declare-ok');
  const method = { name: 'queue.bind', queue: name, exchange, routingKey, arguments: fieldTable(args) } as const;
  await peer.call(1, method, 'queue.bind-ok');
}

async function consume(name: string): Promise<void> {
  await peer.call(1, { name: 'basic.consume', queue: name, consumerTag: name, noAck: true }, 'basic.consume-ok');
}

function publish(body: string, delay: FieldValue | undefined, more: object = {}): void {
  const {
    key = '',
    headers = {},
    mandatory = false,
    exchange = 'later',
    ...properties
  } = more as {
    key?: string;
    headers?: Table;
    mandatory?: boolean;
    exchange?: string;
  };
  const all = fieldTable({ before: 'kept', ...headers, ...(delay === undefined ? {} : { 'x-delay': delay }) });
  peer.publish(1, key, body, { exchange, mandatory, properties: { deliveryMode: 2, headers: all, ...properties } });
}

interface Delivered {
  readonly to: string;
  readonly body: string;
  readonly key: string;
  readonly headers: FieldTable | undefined;
}

async function delivered(): Promise<Delivered[]> {
  return (await peer.all()).map(({ method, body, properties }) => {
    if (method.name !== 'basic.deliver') throw new Error(`a delivery was expected, ${method.name} came`);
    return {
      to: method.consumerTag,
      body: body!.toString(),
      key: method.routingKey,
      headers: properties!.headers,
    };
  });
}

const bodies = async () => (await delivered()).map(({ body }) => body);

async function restart(how: 'stop' | 'kill' | 'crash', downMs = 0): Promise<void> {
  const { platform } = node;
  if (how === 'stop') await node.stop();
  else platform[how]();
  if (downMs > 0) await platform.clock.advance(downMs);
  node = await SimNode.start({ platform });
  peer = await node.channel();
}

describe('exchange.declare of type x-delayed-message', () => {
  test.each([
    [{}, 'none'],
    [{ 'x-delayed-type': 'strange' }, "'strange'"],
    [{ 'x-delayed-type': 'x-delayed-message' }, "'x-delayed-message'"],
    [{ 'x-delayed-type': 5 }, "'5'"],
  ])('with %o is refused', async (args, got) => {
    const method = { name: 'exchange.declare', exchange: 'e', type: 'x-delayed-message' } as const;
    peer.send(1, { ...method, arguments: fieldTable(args as Table) });
    const { method: close } = await peer.expect('channel.close');
    const types = 'direct, fanout, topic, headers, x-consistent-hash, x-modulus-hash, x-random';
    expect([close.replyCode, close.replyText]).toEqual([
      406,
      `PRECONDITION_FAILED - invalid arg 'x-delayed-type' for exchange 'e' in vhost '/': expected a type of exchange (${types}), got ${got}`,
    ]);
  });

  test('again with another type is refused', async () => {
    await declare('direct');
    await declare('direct');
    const method = { name: 'exchange.declare', exchange: 'later', type: 'x-delayed-message', durable: true } as const;
    peer.send(1, { ...method, arguments: fieldTable({ 'x-delayed-type': 'topic' }) });
    const { method: close } = await peer.expect('channel.close');
    expect(close.replyText).toBe(
      "PRECONDITION_FAILED - inequivalent arg 'x-delayed-type' for exchange 'later' in vhost '/': received 'topic' but current is 'direct'",
    );
  });

  test('binds as its delayed type does', async () => {
    await declare('x-consistent-hash');
    await peer.call(1, { name: 'queue.declare', queue: 'q' }, 'queue.declare-ok');
    peer.send(1, { name: 'queue.bind', queue: 'q', exchange: 'later', routingKey: 'heavy' });
    expect((await peer.expect('channel.close')).method.replyText).toContain('expected the weight of the binding');
  });
});

describe('a delayed message', () => {
  test('comes when it is due, and says how long it waited', async () => {
    await declare('direct');
    await queue('q', 'key');
    await consume('q');
    publish('x', 5_000, { key: 'key' });
    await node.advance(5_000);
    expect(await bodies()).toEqual([]);
    expect(waiting()).toBe(1);
    await node.advance(1);
    const headers = fieldTable({ before: 'kept', 'x-delay': -5_000 });
    expect(await delivered()).toEqual([{ to: 'q', body: 'x', key: 'key', headers }]);
    expect(waiting()).toBe(0);
  });

  test.each([
    ['none', undefined],
    ['0', 0],
    ['less', -1],
    ['what is no number', true],
  ])('with %s goes at once, as it came', async (_, delay) => {
    await declare('fanout');
    await queue('q');
    await consume('q');
    publish('x', delay);
    const headers = fieldTable({ before: 'kept', ...(delay === undefined ? {} : { 'x-delay': delay }) });
    expect(await delivered()).toMatchObject([{ headers }]);
  });

  test('takes its delay from text, too', async () => {
    await declare('fanout');
    await queue('q');
    await consume('q');
    publish('x', '300');
    await node.advance(300);
    expect(await bodies()).toEqual([]);
    await node.advance(1);
    expect(await delivered()).toMatchObject([{ headers: fieldTable({ before: 'kept', 'x-delay': -300 }) }]);
  });

  test.each([
    ['direct', 'a.b', {}, ['exact']],
    ['topic', 'a.b', {}, ['exact', 'pattern']],
    ['headers', '', { color: 'red' }, ['red']],
    ['fanout', '', {}, ['exact', 'pattern', 'red']],
  ])('is routed as by a %s exchange', async (type, key, headers, reached) => {
    await declare(type);
    await queue('exact', 'a.b', 'later', { color: 'blue' });
    await queue('pattern', 'a.*', 'later', { color: 'green' });
    await queue('red', 'x', 'later', { color: 'red' });
    for (const name of ['exact', 'pattern', 'red']) await consume(name);
    publish('x', 10, { key, headers });
    await node.advance(11);
    expect((await delivered()).map(({ to }) => to).sort()).toEqual(reached);
  });

  test('is routed by the bindings of that moment', async () => {
    await declare('fanout');
    await queue('before');
    publish('x', 1_000);
    await node.advance(500);
    await queue('after');
    await peer.call(1, { name: 'queue.unbind', queue: 'before', exchange: 'later' }, 'queue.unbind-ok');
    await consume('before');
    await consume('after');
    await node.advance(501);
    expect((await delivered()).map(({ to }) => to)).toEqual(['after']);
  });

  test('with further keys reaches each queue once, and nobody sees the blind ones', async () => {
    await declare('direct');
    await queue('a', 'a');
    await queue('b', 'b');
    await queue('c', 'c');
    await queue('b', 'c');
    for (const name of ['a', 'b', 'c']) await consume(name);
    publish('x', 10, { key: 'a', headers: { CC: ['b'], BCC: ['c'] } });
    await node.advance(11);
    const all = await delivered();
    expect(all.map(({ to }) => to).sort()).toEqual(['a', 'b', 'c']);
    for (const { key, headers } of all) {
      expect([key, headers]).toEqual(['a', fieldTable({ before: 'kept', CC: ['b'], 'x-delay': -10 })]);
    }
  });

  test('is confirmed when it is on disk, and is not returned', async () => {
    await declare('fanout');
    await peer.call(1, { name: 'confirm.select' }, 'confirm.select-ok');
    publish('nowhere', 1_000, { mandatory: true });
    await node.idle();
    expect(await peer.names()).toEqual(['basic.ack']);
    node.platform.crash();
    node = await SimNode.start({ platform: node.platform });
    peer = await node.channel();
    expect(waiting()).toBe(1);
    await node.advance(2_000);
    expect(waiting()).toBe(0);
  });

  test('that matches nothing when it is due goes to the alternate, and only then', async () => {
    await declare('direct', { 'alternate-exchange': 'rest' });
    await peer.call(1, { name: 'exchange.declare', exchange: 'rest', type: 'fanout' }, 'exchange.declare-ok');
    await queue('rest', '', 'rest');
    await consume('rest');
    publish('x', 100, { key: 'nobody' });
    await node.advance(100);
    expect(await bodies()).toEqual([]);
    await node.advance(1);
    expect(await bodies()).toEqual(['x']);
  });

  test('waits also where it came through another exchange, and once only', async () => {
    await declare('fanout', {}, true, 'first');
    await declare('fanout', {}, true, 'second');
    await peer.call(1, { name: 'exchange.bind', source: 'first', destination: 'second' }, 'exchange.bind-ok');
    await peer.call(1, { name: 'exchange.bind', source: 'amq.fanout', destination: 'first' }, 'exchange.bind-ok');
    await queue('q', '', 'second');
    await consume('q');
    publish('x', 100, { exchange: 'amq.fanout' });
    await node.advance(100);
    expect(await bodies()).toEqual([]);
    await node.advance(1);
    expect(await bodies()).toEqual(['x']);
    expect([waiting('first'), waiting('second')]).toEqual([0, 0]);
  });

  test('counts its time to live from when it comes to a queue', async () => {
    await declare('fanout');
    await queue('q');
    publish('x', 60_000, { expiration: '1000' });
    await node.advance(60_500);
    const got = await peer.call(1, { name: 'basic.get', queue: 'q', noAck: true }, 'basic.get-ok');
    expect(got.messageCount).toBe(0);
  });

  test('in a transaction waits from its commit; a delay that is none is refused before', async () => {
    await declare('fanout');
    await queue('q');
    await consume('q');
    await peer.call(1, { name: 'tx.select' }, 'tx.select-ok');
    publish('x', 100);
    await node.advance(1_000);
    await peer.call(1, { name: 'tx.commit' }, 'tx.commit-ok');
    await node.advance(100);
    expect(await bodies()).toEqual([]);
    await node.advance(1);
    expect(await bodies()).toEqual(['x']);
    publish('y', 'soon');
    expect((await peer.expect('channel.close')).method.replyText).toBe(
      "PRECONDITION_FAILED - invalid x-delay 'soon': expected a whole number of milliseconds, at most 4294967295 (49 days)",
    );
  });

  test('waits as a dead letter, too, also of a queue that is called as the exchange', async () => {
    await declare('fanout');
    await queue('end');
    await consume('end');
    const args = fieldTable({ 'x-message-ttl': 50, 'x-dead-letter-exchange': 'later' });
    await peer.call(1, { name: 'queue.declare', queue: 'later', arguments: args }, 'queue.declare-ok');
    publish('x', 300, { exchange: '', key: 'later' });
    await node.advance(340);
    expect(await bodies()).toEqual([]);
    await node.advance(15);
    expect(await bodies()).toEqual(['x']);
  });

  test('waits on when its queue is full and refuses, and comes when there is room', async () => {
    await declare('fanout');
    const args = fieldTable({ 'x-max-length': 1, 'x-overflow': 'reject-publish' });
    await peer.call(1, { name: 'queue.declare', queue: 'small', durable: true, arguments: args }, 'queue.declare-ok');
    await peer.call(1, { name: 'queue.bind', queue: 'small', exchange: 'later' }, 'queue.bind-ok');
    publish('first', 100);
    publish('second', 100);
    await node.advance(500);
    expect(waiting()).toBe(1);
    await consume('small');
    expect(await bodies()).toEqual(['first']);
    await node.advance(2_000);
    expect(await bodies()).toEqual(['second']);
    expect(waiting()).toBe(0);
  });

  test('goes in order with others of the same time, small and large', async () => {
    await declare('fanout');
    await queue('q');
    await consume('q');
    for (let i = 0; i < 300; i++) publish(`${i}${i % 50 === 0 ? 'x'.repeat(40_000) : ''}`, 50);
    await node.advance(1_000);
    expect((await bodies()).map((body) => Number.parseInt(body, 10))).toEqual(Array.from({ length: 300 }, (_, i) => i));
    expect(waiting()).toBe(0);
  });
});

describe('over a restart', () => {
  test.each(['stop', 'kill', 'crash'] as const)('%s: what was confirmed is there and due at its time', async (how) => {
    await declare('topic');
    await queue('q', '#');
    await peer.call(1, { name: 'confirm.select' }, 'confirm.select-ok');
    for (const [body, delay] of [
      ['c', 30_000],
      ['a', 10_000],
      ['b', 20_000],
    ] as const)
      publish(body, delay);
    publish('transient', 10_000, { deliveryMode: 1 });
    await peer.all();
    const { clock } = node.platform;
    const publishedMs = clock.wallMs();
    await restart(how, 15_000);
    await consume('q');
    expect(await bodies()).toEqual(['a']);
    await node.advance(publishedMs + 19_990 - clock.wallMs());
    expect(await bodies()).toEqual([]);
    await node.advance(20);
    expect(await bodies()).toEqual(['b']);
    await node.advance(10_000);
    expect(await bodies()).toEqual(['c']);
    expect(waiting()).toBe(0);
    await restart(how);
    expect(waiting()).toBe(0);
  });

  test('many: all come, in order, and stay away afterwards', async () => {
    await declare('fanout');
    await queue('q');
    await peer.call(1, { name: 'confirm.select' }, 'confirm.select-ok');
    for (let i = 0; i < 500; i++) publish(`${i}`, 1_000 + ((i * 7) % 10));
    await peer.all();
    await restart('crash', 60_000);
    await consume('q');
    await node.advance(100);
    const sorted = Array.from({ length: 500 }, (_, i) => i).sort((a, b) => ((a * 7) % 10) - ((b * 7) % 10) || a - b);
    expect((await bodies()).map(Number)).toEqual(sorted);
    await restart('crash');
    expect(waiting()).toBe(0);
  });

  test('what went before the crash does not wait again', async () => {
    await declare('fanout');
    await queue('q');
    publish('x', 100);
    await node.advance(200);
    await node.idle();
    await restart('crash');
    expect(waiting()).toBe(0);
    const got = await peer.call(1, { name: 'basic.get', queue: 'q', noAck: true }, 'basic.get-ok');
    expect(got.messageCount).toBe(0);
  });

  test('a transient exchange and its messages are gone', async () => {
    await declare('fanout', {}, false);
    publish('x', 100);
    await node.idle();
    expect(waiting()).toBe(1);
    await restart('stop');
    expect(vhost().exchanges.has('later')).toBe(false);
  });
});

describe('deleted', () => {
  test('with their exchange, and none comes to another of that name', async () => {
    await declare('fanout');
    publish('x', 1_000);
    await node.idle();
    const method = { name: 'exchange.delete', exchange: 'later', ifUnused: true } as const;
    await peer.call(1, method, 'exchange.delete-ok');
    await declare('fanout');
    await queue('q');
    await consume('q');
    await node.advance(2_000);
    expect(await bodies()).toEqual([]);
    await restart('stop');
    expect(waiting()).toBe(0);
  });

  test('with their virtual host', async () => {
    await declare('fanout');
    publish('x', 1_000);
    await node.idle();
    const { delayed } = vhost().exchanges.get('later')!;
    await node.settle(node.broker.deleteVirtualHost('/'));
    expect(delayed!.count).toBe(0);
    await node.advance(2_000);
    await node.settle(node.broker.putVirtualHost('/', { description: '', tags: [], defaultQueueType: 'classic' }));
  });
});
