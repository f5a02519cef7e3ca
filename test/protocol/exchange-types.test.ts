import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type BasicProperties, type FieldValue, fieldTable } from '../../packages/amqp091/src/codec/index.js';
import { type Binding, type ExchangeType, exchangeTypes, type Router } from '../../packages/core/src/index.js';
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

async function declare(type: string, args: Table = {}, more: object = {}): Promise<void> {
  const method = { name: 'exchange.declare', exchange: 'e', type, arguments: fieldTable(args), ...more } as const;
  await peer.call(1, method, 'exchange.declare-ok');
}

/** Queues of their own, bound and consumed without acknowledgement under their names as tags. */
async function sinks(bindings: readonly (readonly [queue: string, routingKey: string])[]): Promise<void> {
  for (const [queue, routingKey] of bindings) {
    await peer.call(1, { name: 'queue.declare', queue, exclusive: true }, 'queue.declare-ok');
    await peer.call(1, { name: 'queue.bind', queue, exchange: 'e', routingKey }, 'queue.bind-ok');
    await peer.call(1, { name: 'basic.consume', queue, consumerTag: queue, noAck: true }, 'basic.consume-ok');
  }
}

/** To which sinks the messages went, in order. */
async function reached(messages: readonly { key?: string; properties?: BasicProperties }[]): Promise<string[]> {
  for (const { key = '', properties = {} } of messages) peer.publish(1, key, 'x', { exchange: 'e', properties });
  return (await peer.all()).map(({ method }) => (method.name === 'basic.deliver' ? method.consumerTag : method.name));
}

async function refusal(method: Parameters<SimPeer['send']>[1]): Promise<[number, string]> {
  peer.send(1, method);
  const { method: close } = await peer.expect('channel.close');
  return [close.replyCode, close.replyText];
}

const four = ['q1', 'q2', 'q3', 'q4'].map((queue) => [queue, '1'] as const);
const numbered = (count: number) => Array.from({ length: count }, (_, i) => String(i));

describe('x-consistent-hash', () => {
  test('a key goes one way, keys together every way, also after a restart', async () => {
    await declare('x-consistent-hash', {}, { durable: true });
    await sinks(four);
    const messages = numbered(60).map((key) => ({ key }));
    const first = await reached(messages);
    expect(first).toHaveLength(60);
    expect(new Set(first)).toEqual(new Set(['q1', 'q2', 'q3', 'q4']));
    await node.stop();
    node = await SimNode.start({ platform: node.platform });
    peer = await node.channel();
    await declare('x-consistent-hash', {}, { durable: true });
    await sinks(four.toReversed());
    expect((await reached(messages)).toSorted()).toEqual(first.toSorted());
    expect(await reached([messages[7]!])).toEqual([first[7]]);
  });

  test.each([
    ['hash-header', 'user', (value: string) => ({ headers: fieldTable({ user: value }) })],
    ['hash-property', 'message_id', (value: string) => ({ messageId: value })],
    ['hash-property', 'correlation_id', (value: string) => ({ correlationId: value })],
    ['hash-property', 'timestamp', (value: string) => ({ timestamp: Number(value) })],
  ])('by %s %s', async (argument, name, propertiesOf) => {
    await declare('x-consistent-hash', { [argument]: name });
    await sinks(four);
    const ways = new Set<string>();
    for (const value of numbered(40)) {
      // The routing key has no part in it, so no route may be remembered for it.
      const properties = propertiesOf(value);
      const [way, again] = await reached([
        { key: 'same', properties },
        { key: 'other', properties },
      ]);
      expect(again).toBe(way);
      ways.add(way!);
    }
    expect(ways.size).toBe(4);
    const without = await reached([{ key: 'a' }, { key: 'b' }, { key: 'c' }]);
    expect(new Set(without).size).toBe(1);
  });

  test.each([
    [
      { 'hash-header': 'h', 'hash-property': 'timestamp' },
      "invalid arg 'hash-property' for exchange 'e' in vhost '/': hash-header and hash-property are mutually exclusive",
    ],
    [
      { 'hash-property': 'app_id' },
      "invalid arg 'hash-property' for exchange 'e' in vhost '/': expected correlation_id, message_id, timestamp, got 'app_id'",
    ],
  ])('%o is refused', async (args, text) => {
    const method = { name: 'exchange.declare', exchange: 'e', type: 'x-consistent-hash' } as const;
    expect(await refusal({ ...method, arguments: fieldTable(args) })).toEqual([406, `PRECONDITION_FAILED - ${text}`]);
  });

  test('a weight that is none is refused', async () => {
    await declare('x-consistent-hash');
    await peer.call(1, { name: 'queue.declare', queue: 'q', exclusive: true }, 'queue.declare-ok');
    const text =
      "PRECONDITION_FAILED - invalid arg 'routing_key' for exchange 'e' in vhost '/': expected the weight of the binding, an integer from 1 up in text, got 'heavy'";
    expect(await refusal({ name: 'queue.bind', queue: 'q', exchange: 'e', routingKey: 'heavy' })).toEqual([406, text]);
  });

  test('declared again to hash something else goes on as before', async () => {
    await declare('x-consistent-hash', { 'hash-header': 'user', note: 'x' });
    await declare('x-consistent-hash', { 'hash-header': 'other' });
    await declare('x-consistent-hash', { 'hash-property': 'message_id' });
    await declare('x-consistent-hash');
    await sinks(four);
    const messages = numbered(30).map((key) => {
      return { key, properties: { headers: fieldTable({ user: 'one', other: key }), messageId: key } };
    });
    expect(new Set(await reached(messages)).size).toBe(1);
  });

  test('without a binding a message goes to the alternate, or comes back', async () => {
    await declare('x-consistent-hash');
    peer.publish(1, 'k', 'x', { exchange: 'e', mandatory: true });
    expect((await peer.expect('basic.return')).method.replyCode).toBe(312);
  });
});

test('x-modulus-hash: a key goes one way, keys together every way', async () => {
  await declare('x-modulus-hash');
  await sinks(four.map(([queue]) => [queue, 'not a number']));
  const messages = numbered(40).map((key) => ({ key }));
  const ways = await reached(messages);
  expect(new Set(ways).size).toBe(4);
  expect(await reached(messages)).toEqual(ways);
});

test('x-random: each message goes one way, and messages of one key go every way', async () => {
  await declare('x-random');
  await sinks(four);
  const ways = await reached(Array.from({ length: 100 }, () => ({ key: 'k' })));
  expect(ways).toHaveLength(100);
  expect(new Set(ways).size).toBe(4);
});

describe('a type of exchange that was added', () => {
  /** The example of docs/EXCHANGES.md: to the bindings with the longest key that the routing key begins with. */
  class LongestPrefixRouter implements Router {
    readonly decidesBy = 'routing-key';
    private readonly bindings = new Set<Binding>();

    add(binding: Binding): void {
      this.bindings.add(binding);
    }

    remove(binding: Binding): void {
      this.bindings.delete(binding);
    }

    route(routingKey: string, _subject: unknown, match: (binding: Binding) => void): void {
      const fitting = [...this.bindings].filter((binding) => routingKey.startsWith(binding.routingKey));
      const longest = Math.max(...fitting.map((binding) => binding.routingKey.length));
      for (const binding of fitting) if (binding.routingKey.length === longest) match(binding);
    }
  }

  const longestPrefixType: ExchangeType = {
    name: 'x-longest-prefix',
    description: 'to the longest binding key that the routing key begins with',
    create: () => new LongestPrefixRouter(),
  };

  // What the line in exchange-types.ts does.
  const types = exchangeTypes as Map<string, ExchangeType>;
  beforeEach(() => void types.set(longestPrefixType.name, longestPrefixType));
  afterEach(() => void types.delete(longestPrefixType.name));

  test('is declared, stored, bound and routed by like the others', async () => {
    await declare('x-longest-prefix', {}, { durable: true });
    await node.stop();
    node = await SimNode.start({ platform: node.platform });
    peer = await node.channel();
    await declare('x-longest-prefix', {}, { durable: true });
    await sinks([
      ['all', ''],
      ['berlin', '+4930'],
      ['germany', '+49'],
    ]);
    expect(await reached([{ key: '+4930123' }, { key: '+4940' }, { key: '+33' }])).toEqual([
      'berlin',
      'germany',
      'all',
    ]);
  });
});
