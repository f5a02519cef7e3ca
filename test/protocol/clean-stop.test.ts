import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type FieldValue, fieldTable } from '../../packages/amqp091/src/codec/index.js';
import type { LogStore } from '../../packages/core/src/index.js';
import { SimNode } from './sim-node.js';
import type { SimPeer } from './sim-peer.js';

const count = 20;
/** Long enough to be stopped within. */
const slowSyncMs = 50;

let node: SimNode;
let peer: SimPeer;
beforeEach(async () => {
  node = await SimNode.start();
  peer = await node.channel();
  await queue('end');
});
afterEach(() => node.stop());

type Table = { [name: string]: FieldValue };

const queue = (name: string, args: Table = {}) =>
  peer.call(1, { name: 'queue.declare', queue: name, durable: true, arguments: fieldTable(args) }, 'queue.declare-ok');

const waiting = (name: string) => node.broker.topology.vhosts.get('/')!.localQueue(name)!.readyCount;
const underWay = (name: string) => node.broker.topology.vhosts.get('/')!.localQueue(name)!.outbox?.count ?? 0;

/** Confirmed, each with its number for a body. */
async function publish(routingKey: string, exchange = '', headers: Table = {}): Promise<void> {
  await peer.call(1, { name: 'confirm.select' }, 'confirm.select-ok');
  const properties = { deliveryMode: 2, headers: fieldTable(headers) };
  for (let i = 0; i < count; i++) peer.publish(1, routingKey, String(i), { exchange, properties });
  await peer.expect('basic.ack');
}

/** What is in the queue `end` a second after the next start. */
async function afterRestart(): Promise<string[]> {
  await node.stop();
  node.platform.disk.delayMs.sync = 0;
  node = await SimNode.start({ platform: node.platform });
  await node.advance(1_000);
  peer = await node.channel();
  await peer.call(1, { name: 'basic.consume', queue: 'end', consumerTag: 'c', noAck: true }, 'basic.consume-ok');
  return (await peer.all()).map(({ body }) => body!.toString());
}

const once = Array.from({ length: count }, (_, i) => String(i));

describe('a clean stop', () => {
  test('ends the stay of dead letters whose target commits meanwhile, so that they do not come twice', async () => {
    await queue('work', { 'x-message-ttl': 100, 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': 'end' });
    await publish('work');
    node.platform.disk.delayMs.sync = slowSyncMs;
    await node.advance(101);
    expect([waiting('work'), waiting('end'), underWay('work')]).toEqual([0, count, count]);
    const { logs } = node.broker as unknown as { logs: LogStore };
    const record = logs.delivered.bind(logs);
    const underWayThen: number[] = [];
    logs.delivered = (...mark) => {
      underWayThen.push(underWay('work'));
      record(...mark);
    };
    await node.settle(node.broker.close());
    expect(underWayThen).toEqual([0, 0]);
    expect(await afterRestart()).toEqual(once);
    expect(underWay('work')).toBe(0);
  });

  test('leaves what expires meanwhile to the next start', async () => {
    await queue('work', { 'x-message-ttl': 100, 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': 'end' });
    await publish('work');
    node.platform.disk.delayMs.sync = slowSyncMs;
    await node.advance(90);
    // What comes after the doors have closed, which takes its time with peers that say nothing.
    await node.settle(node.broker.close());
    await node.advance(1_000);
    expect([waiting('work'), waiting('end'), underWay('work')]).toEqual([count, 0, 0]);
    expect(await afterRestart()).toEqual(once);
  });

  test('ends the wait of delayed messages whose queues commit meanwhile', async () => {
    const args = fieldTable({ 'x-delayed-type': 'fanout' });
    const exchange = { exchange: 'later', type: 'x-delayed-message', durable: true, arguments: args } as const;
    await peer.call(1, { name: 'exchange.declare', ...exchange }, 'exchange.declare-ok');
    await peer.call(1, { name: 'queue.bind', queue: 'end', exchange: 'later', routingKey: '' }, 'queue.bind-ok');
    await publish('', 'later', { 'x-delay': 100 });
    node.platform.disk.delayMs.sync = slowSyncMs;
    await node.advance(105);
    const { delayed } = node.broker.topology.vhosts.get('/')!.exchanges.get('later')!;
    expect([waiting('end'), delayed!.count]).toEqual([count, count]);
    await node.settle(node.broker.close());
    expect(delayed!.count).toBe(0);
    expect(await afterRestart()).toEqual(once);
  });
});
