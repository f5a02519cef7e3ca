import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type FieldValue, fieldTable } from '../../packages/amqp091/src/codec/index.js';
import { SimNode } from './sim-node.js';
import type { SimPeer } from './sim-peer.js';

let node: SimNode;
let peer: SimPeer;
beforeEach(async () => {
  node = await SimNode.start();
  peer = await node.channel();
});
afterEach(() => node.stop());

const exchanges = () => [...node.broker.topology.vhosts.get('/')!.exchanges.keys()];

async function declare(exchange: string, type = 'direct', more: object = {}): Promise<void> {
  await peer.call(1, { name: 'exchange.declare', exchange, type, ...more }, 'exchange.declare-ok');
}

/** A queue of its own, consumed without acknowledgement under its name as the tag. */
async function sink(queue: string): Promise<void> {
  await peer.call(1, { name: 'queue.declare', queue, exclusive: true }, 'queue.declare-ok');
  await peer.call(1, { name: 'basic.consume', queue, consumerTag: queue, noAck: true }, 'basic.consume-ok');
}

async function bind(queue: string, exchange: string, routingKey: string, args: { [name: string]: FieldValue } = {}) {
  const method = { name: 'queue.bind', queue, exchange, routingKey, arguments: fieldTable(args) } as const;
  await peer.call(1, method, 'queue.bind-ok');
}

async function link(source: string, destination: string, routingKey = '') {
  await peer.call(1, { name: 'exchange.bind', source, destination, routingKey }, 'exchange.bind-ok');
}

/** To which sinks a message went. */
async function reached(exchange: string, routingKey: string, headers: { [name: string]: FieldValue } = {}) {
  peer.publish(1, routingKey, 'x', { exchange, properties: { headers: fieldTable(headers) } });
  const tags = (await peer.all()).map(({ method }) =>
    method.name === 'basic.deliver' ? method.consumerTag : method.name,
  );
  return tags.sort();
}

describe('exchange.declare', () => {
  test('the pre-declared ones are there, and may be declared as they are', async () => {
    const known = ['', 'amq.direct', 'amq.fanout', 'amq.headers', 'amq.match', 'amq.rabbitmq.trace', 'amq.topic'];
    expect(exchanges().sort()).toEqual(known);
    await declare('amq.topic', 'topic', { durable: true });
    await declare('amq.match', 'whatever', { passive: true });
  });

  test('again as it is, passively, and without waiting', async () => {
    await declare('e', 'topic', { durable: true, autoDelete: true, internal: true });
    await declare('e', 'topic', { durable: true, autoDelete: true, internal: true });
    await declare('e', '', { passive: true });
    peer.send(1, { name: 'exchange.declare', exchange: 'quiet', type: 'fanout', durable: true, noWait: true });
    await peer.silence();
    expect(exchanges()).toContain('quiet');
  });

  test.each([
    ['type', { type: 'fanout' }, "received 'fanout' but current is 'direct'"],
    ['durable', { durable: true }, "received 'true' but current is 'false'"],
    ['auto_delete', { autoDelete: true }, "received 'true' but current is 'false'"],
    ['internal', { internal: true }, "received 'true' but current is 'false'"],
    [
      'alternate-exchange',
      { arguments: fieldTable({ 'alternate-exchange': 'a' }) },
      "received 'a' but current is none",
    ],
  ])('as something else: inequivalent %s', async (argument, more, how) => {
    await declare('e');
    peer.send(1, { name: 'exchange.declare', exchange: 'e', type: 'direct', ...more });
    const { method } = await peer.expect('channel.close');
    const text = `PRECONDITION_FAILED - inequivalent arg '${argument}' for exchange 'e' in vhost '/': ${how}`;
    expect([method.replyCode, method.replyText]).toEqual([406, text]);
  });

  test.each([
    [{ exchange: 'missing', passive: true }, 404, "NOT_FOUND - no exchange 'missing' in vhost '/'"],
    [{ exchange: '' }, 403, 'ACCESS_REFUSED - operation not permitted on the default exchange'],
    [{ exchange: '', passive: true }, 403, 'ACCESS_REFUSED - operation not permitted on the default exchange'],
    [{ exchange: 'amq.mine' }, 403, "ACCESS_REFUSED - exchange name 'amq.mine' contains reserved prefix 'amq.*'"],
    [{ exchange: 'amq.direct', durable: true, type: 'fanout' }, 406, 'PRECONDITION_FAILED - inequivalent arg'],
    [
      { exchange: 'e', arguments: fieldTable({ 'alternate-exchange': 5 }) },
      406,
      "PRECONDITION_FAILED - invalid arg 'alternate-exchange' for exchange 'e' in vhost '/'",
    ],
  ])('%o is refused with %i', async (wish, code, text) => {
    peer.send(1, { name: 'exchange.declare', type: 'direct', ...wish });
    const { method } = await peer.expect('channel.close');
    expect([method.replyCode, method.replyText.slice(0, text.length)]).toEqual([code, text]);
  });

  test('durable ones survive a restart with their bindings, others do not', async () => {
    await declare('stays', 'topic', { durable: true, arguments: fieldTable({ 'alternate-exchange': 'other' }) });
    await declare('other', 'fanout', { durable: true });
    await declare('goes', 'topic');
    await link('stays', 'other', 'a.#');
    await node.stop();
    node = await SimNode.start({ platform: node.platform });
    peer = await node.channel();
    await declare('stays', 'topic', { durable: true, arguments: fieldTable({ 'alternate-exchange': 'other' }) });
    expect(exchanges()).not.toContain('goes');
    await sink('q');
    await bind('q', 'other', '');
    expect(await reached('stays', 'a.b')).toEqual(['q']);
  });
});

describe('exchange.delete', () => {
  test('one that is not there is no error, nor is doing it without waiting', async () => {
    await peer.call(1, { name: 'exchange.delete', exchange: 'missing', ifUnused: true }, 'exchange.delete-ok');
    await declare('e', 'direct', { durable: true });
    peer.send(1, { name: 'exchange.delete', exchange: 'e', noWait: true });
    await peer.silence();
    expect(exchanges()).not.toContain('e');
  });

  test('if-unused minds bindings from it', async () => {
    await declare('e');
    await sink('q');
    await bind('q', 'e', 'k');
    peer.send(1, { name: 'exchange.delete', exchange: 'e', ifUnused: true });
    expect((await peer.expect('channel.close')).method.replyText).toBe(
      "PRECONDITION_FAILED - exchange 'e' in vhost '/' in use",
    );
  });

  test('takes its bindings along', async () => {
    await declare('front', 'fanout', { durable: true });
    await declare('back', 'fanout', { durable: true });
    await sink('q');
    await link('front', 'back');
    await bind('q', 'back', '');
    expect(await reached('front', '')).toEqual(['q']);
    await peer.call(1, { name: 'exchange.delete', exchange: 'back' }, 'exchange.delete-ok');
    expect(await reached('front', '')).toEqual([]);
    await declare('back', 'fanout', { durable: true });
    expect(await reached('front', '')).toEqual([]);
  });

  test('one that deletes itself goes with its last binding', async () => {
    await declare('e', 'direct', { autoDelete: true });
    await sink('q');
    await bind('q', 'e', 'a');
    await bind('q', 'e', 'b');
    await peer.call(1, { name: 'queue.unbind', queue: 'q', exchange: 'e', routingKey: 'a' }, 'queue.unbind-ok');
    await peer.silence();
    expect(exchanges()).toContain('e');
    peer.send(1, { name: 'queue.delete', queue: 'q' });
    expect((await peer.names()).sort()).toEqual(['basic.cancel', 'queue.delete-ok']);
    expect(exchanges()).not.toContain('e');
  });
});

describe('routing', () => {
  test('direct: the key as it is; binding twice is one binding', async () => {
    await declare('e');
    await sink('a');
    await sink('b');
    await bind('a', 'e', 'k');
    await bind('a', 'e', 'k');
    await bind('b', 'e', 'k');
    await bind('b', 'e', 'K');
    expect(await reached('e', 'k')).toEqual(['a', 'b']);
    expect(await reached('e', 'K')).toEqual(['b']);
    expect(await reached('e', '')).toEqual([]);
    await peer.call(1, { name: 'queue.unbind', queue: 'a', exchange: 'e', routingKey: 'k' }, 'queue.unbind-ok');
    expect(await reached('e', 'k')).toEqual(['b']);
  });

  test('fanout: everything, each queue once', async () => {
    await declare('e', 'fanout');
    await sink('a');
    await bind('a', 'e', 'x');
    await bind('a', 'e', 'y');
    expect(await reached('e', 'z')).toEqual(['a']);
  });

  test('topic: words, one, many', async () => {
    await declare('e', 'topic');
    for (const [queue, key] of Object.entries({
      all: '#',
      important: '*.*.important',
      not: '#.notImportant',
      ab: 'a.b',
    })) {
      await sink(queue);
      await bind(queue, 'e', key);
    }
    expect(await reached('e', 'a.b')).toEqual(['ab', 'all']);
    expect(await reached('e', 'x.y.important')).toEqual(['all', 'important']);
    expect(await reached('e', 'notImportant')).toEqual(['all', 'not']);
    expect(await reached('e', '')).toEqual(['all']);
  });

  test('headers: all, any, with x-', async () => {
    await declare('e', 'headers');
    for (const match of ['all', 'any', 'all-with-x', 'any-with-x']) {
      await sink(match);
      await bind(match, 'e', '', { 'x-match': match, colour: 'red', size: 5, 'x-shape': 'round' });
    }
    expect(await reached('e', '', { colour: 'red', size: 5 })).toEqual(['all', 'any', 'any-with-x']);
    expect(await reached('e', '', { colour: 'blue', size: 5 })).toEqual(['any', 'any-with-x']);
    expect(await reached('e', '', { 'x-shape': 'round' })).toEqual(['any-with-x']);
    expect(await reached('e', '', { colour: 'red', size: 5, 'x-shape': 'round' })).toEqual([
      'all',
      'all-with-x',
      'any',
      'any-with-x',
    ]);
    expect(await reached('e', '')).toEqual([]);
  });

  test('headers: nested tables and values of every type are compared', async () => {
    await declare('e', 'headers');
    await sink('q');
    await bind('q', 'e', '', {
      where: fieldTable({ $integer: 'abc' }),
      big: 2n ** 60n,
      list: [1, 'a'],
      not: Number.NaN,
    });
    const same = { where: fieldTable({ $integer: 'abc' }), big: 2n ** 60n, list: [1, 'a'], not: Number.NaN };
    expect(await reached('e', '', same)).toEqual(['q']);
    expect(await reached('e', '', { ...same, big: 2n ** 60n + 1n })).toEqual([]);
    expect(await reached('e', '', { ...same, where: fieldTable({ $integer: 'abd' }) })).toEqual([]);
  });

  test('from exchange to exchange, around in circles, each queue once', async () => {
    await declare('a', 'topic');
    await declare('b', 'fanout');
    await sink('q');
    await link('a', 'b', 'go.*');
    await link('b', 'a', '');
    await bind('q', 'b', '');
    await bind('q', 'a', 'go.#');
    expect(await reached('a', 'go.on')).toEqual(['q']);
    expect(await reached('a', 'stay')).toEqual([]);
    await peer.call(
      1,
      { name: 'exchange.unbind', source: 'a', destination: 'b', routingKey: 'go.*' },
      'exchange.unbind-ok',
    );
    await bind('q', 'b', '');
    await peer.call(1, { name: 'queue.unbind', queue: 'q', exchange: 'a', routingKey: 'go.#' }, 'queue.unbind-ok');
    expect(await reached('a', 'go.on')).toEqual([]);
  });

  test('what matches nothing goes to the alternate, also through cycles of alternates', async () => {
    await declare('rest', 'fanout');
    await declare('e', 'direct', { arguments: fieldTable({ 'alternate-exchange': 'rest' }) });
    await declare('loop', 'direct', { arguments: fieldTable({ 'alternate-exchange': 'loop' }) });
    await sink('q');
    await sink('others');
    await bind('q', 'e', 'k');
    await bind('others', 'rest', '');
    expect(await reached('e', 'k')).toEqual(['q']);
    expect(await reached('e', 'unknown')).toEqual(['others']);
    peer.publish(1, 'k', 'x', { exchange: 'loop', mandatory: true });
    expect(await peer.names()).toEqual(['basic.return']);
  });

  test('the default exchange leads to the queue of that name', async () => {
    await sink('q');
    expect(await reached('', 'q')).toEqual(['q']);
    expect(await reached('', 'other')).toEqual([]);
  });

  test('an internal exchange takes messages from others only', async () => {
    await declare('inner', 'fanout', { internal: true });
    await link('amq.direct', 'inner', 'k');
    await sink('q');
    await bind('q', 'inner', '');
    expect(await reached('amq.direct', 'k')).toEqual(['q']);
    expect(await reached('inner', 'k')).toEqual(['channel.close']);
  });
});

describe('bind and unbind', () => {
  test.each([
    [{ name: 'exchange.bind', source: 'missing', destination: 'amq.fanout' }, 404, "no exchange 'missing'"],
    [{ name: 'exchange.bind', source: 'amq.fanout', destination: 'missing' }, 404, "no exchange 'missing'"],
    [{ name: 'exchange.bind', source: '', destination: 'amq.fanout' }, 403, 'default exchange'],
    [{ name: 'exchange.bind', source: 'amq.fanout', destination: '' }, 403, 'default exchange'],
    [{ name: 'exchange.unbind', source: '', destination: 'amq.fanout' }, 403, 'default exchange'],
    [{ name: 'queue.bind', queue: 'missing', exchange: 'amq.fanout' }, 404, "no queue 'missing'"],
    [{ name: 'queue.unbind', queue: 'q', exchange: '' }, 403, 'default exchange'],
  ] as const)('%o is refused with %i', async (method, code, text) => {
    peer.send(1, method);
    const close = (await peer.expect('channel.close')).method;
    expect(close.replyCode).toBe(code);
    expect(close.replyText).toContain(text);
  });

  test('unbinding what is not there is no error', async () => {
    const nothing = { source: 'missing', destination: 'missing', routingKey: 'k' };
    await peer.call(1, { name: 'exchange.unbind', ...nothing }, 'exchange.unbind-ok');
    await peer.call(1, { name: 'queue.unbind', queue: 'missing', exchange: 'amq.direct' }, 'queue.unbind-ok');
    await peer.call(1, { name: 'queue.unbind', queue: 'missing', exchange: 'missing' }, 'queue.unbind-ok');
  });

  test('without waiting, with an x-match that it cannot have', async () => {
    await peer.call(1, { name: 'queue.declare', queue: 'q' }, 'queue.declare-ok');
    const bad = fieldTable({ 'x-match': 'some' });
    peer.send(1, { name: 'queue.bind', queue: 'q', exchange: 'amq.headers', noWait: true });
    peer.send(1, { name: 'exchange.bind', source: 'amq.headers', destination: 'amq.fanout', noWait: true });
    peer.send(1, { name: 'exchange.unbind', source: 'amq.headers', destination: 'amq.fanout', noWait: true });
    peer.send(1, { name: 'queue.bind', queue: 'q', exchange: 'amq.headers', arguments: bad });
    const { method } = await peer.expect('channel.close');
    expect([method.replyCode, method.replyText]).toEqual([
      406,
      "PRECONDITION_FAILED - invalid arg 'x-match' for exchange 'amq.headers' in vhost '/': expected all, any, all-with-x or any-with-x, got \"some\"",
    ]);
  });
});
