import { afterEach, beforeEach, expect, test } from 'vitest';
import { fieldTable } from '../../packages/amqp091/src/codec/index.js';
import { SimNode } from './sim-node.js';
import type { SimPeer, SimPeerOptions } from './sim-peer.js';

let node: SimNode;
let peer: SimPeer;
beforeEach(async () => {
  node = await SimNode.start();
  peer = await connect();
});
afterEach(() => node.stop());

async function connect(options: SimPeerOptions = {}): Promise<SimPeer> {
  const made = await node.channel(options);
  const args = fieldTable({ 'x-consumer-timeout': 60_000 });
  await made.call(1, { name: 'queue.declare', queue: 'q', arguments: args }, 'queue.declare-ok');
  return made;
}

const consume = (consumerTag: string, args: { [name: string]: number } = {}, on = peer, channel = 1) =>
  on.call(channel, { name: 'basic.consume', queue: 'q', consumerTag, arguments: fieldTable(args) }, 'basic.consume-ok');

test('a consumer that does not settle is cancelled; its channel lives, and late verdicts do no harm', async () => {
  await consume('slow');
  peer.publish(1, 'q', 'a');
  await peer.expect('basic.deliver');
  await node.advance(59_000);
  expect(await peer.names()).toEqual([]);
  await node.advance(1_200);
  const { method } = await peer.expect('basic.cancel');
  expect(method).toMatchObject({ consumerTag: 'slow', noWait: true });
  expect(node.logged('a consumer held messages longer')).toBe(true);
  peer.send(1, { name: 'basic.ack', deliveryTag: 1 });
  await peer.silence();
  // Somebody else gets it, flagged; also the same tag on the same channel.
  await consume('slow');
  const again = await peer.expect('basic.deliver');
  expect(again.method).toMatchObject({ consumerTag: 'slow', redelivered: true, deliveryTag: 2 });
  peer.send(1, { name: 'basic.ack', deliveryTag: 2 });
  await peer.silence();
  const queue = node.broker.topology.vhosts.get('/')!.localQueue('q')!;
  expect([queue.readyCount, queue.unsettledCount]).toEqual([0, 0]);
});

test.each([
  ['ack of all', { name: 'basic.ack', deliveryTag: 0, multiple: true }],
  ['nack', { name: 'basic.nack', deliveryTag: 1, requeue: true }],
  ['reject', { name: 'basic.reject', deliveryTag: 1 }],
  ['recover', { name: 'basic.recover-async', requeue: true }],
] as const)('a late %s does no harm', async (_name, verdict) => {
  await consume('slow');
  peer.publish(1, 'q', 'a');
  await node.advance(61_000);
  expect(await peer.names()).toEqual(['basic.deliver', 'basic.cancel']);
  peer.send(1, verdict);
  await peer.silence();
  peer.send(1, { name: 'basic.get', queue: 'q' });
  expect((await peer.expect('basic.get-ok')).method.redelivered).toBe(true);
});

test('other channels and their consumers are left alone', async () => {
  await peer.call(1, { name: 'basic.qos', prefetchCount: 1 }, 'basic.qos-ok');
  await consume('slow');
  await peer.open(2);
  await consume('patient', { 'x-consumer-timeout': 600_000 }, peer, 2);
  peer.publish(1, 'q', 'a');
  peer.publish(1, 'q', 'b');
  await node.advance(61_000);
  const received = await peer.all();
  const told = received.map(({ method, body }) => `${method.name} ${body ?? ''}`.trim());
  expect(told).toEqual(['basic.deliver a', 'basic.deliver b', 'basic.cancel', 'basic.deliver a']);
  expect(received[3]!.method).toMatchObject({ consumerTag: 'patient', redelivered: true });
});

test('what was taken with basic.get is taken back silently', async () => {
  peer.publish(1, 'q', 'a');
  peer.send(1, { name: 'basic.get', queue: 'q' });
  await peer.expect('basic.get-ok');
  await node.advance(61_000);
  expect(await peer.names()).toEqual([]);
  peer.send(1, { name: 'basic.get', queue: 'q' });
  expect((await peer.expect('basic.get-ok')).method.redelivered).toBe(true);
  peer.send(1, { name: 'basic.ack', deliveryTag: 1 });
  peer.send(1, { name: 'basic.ack', deliveryTag: 2 });
  await peer.silence();
});

test('a consumer has its own limit, and is refused with a bad one', async () => {
  await consume('hasty', { 'x-consumer-timeout': 5_000 });
  peer.publish(1, 'q', 'a');
  await node.advance(5_200);
  expect(await peer.names()).toEqual(['basic.deliver', 'basic.cancel']);
  peer.send(1, { name: 'basic.consume', queue: 'q', arguments: fieldTable({ 'x-consumer-timeout': -1 }) });
  const { method } = await peer.expect('channel.close');
  expect(method.replyText).toBe(
    "PRECONDITION_FAILED - invalid arg 'x-consumer-timeout' for queue 'q' in vhost '/': expected an integer of at least 0, got '-1'",
  );
});
