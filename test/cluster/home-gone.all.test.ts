import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { skipUnless } from '../support/skip.js';
import type { BrokerNode } from './broker-node.js';
import { Guest, until } from './guest.js';
import { RealCluster } from './real-cluster.js';
import { hasEtcd } from './real-etcd.js';

const noEtcd = skipUnless(hasEtcd, 'etcd is not installed (Debian: etcd-server, etcd-client)');
const leaseSeconds = 3;

let cluster: RealCluster;
let [a, b, c]: BrokerNode[] = [];
let guests: Guest[] = [];
let names = 0;

beforeAll(async () => {
  if (noEtcd) return;
  cluster = await RealCluster.start({ leaseSeconds });
  [a, b, c] = cluster.nodes;
});
afterAll(() => cluster?.close());
afterEach(async ({ task }) => {
  if (task.result?.state === 'fail') console.log(cluster.said());
  for (const guest of guests) await guest.close();
  guests = [];
  for (const node of cluster.nodes) {
    if (!node.isRunning) node.start();
    await node.ready();
  }
});

async function at(node: BrokerNode | undefined): Promise<Guest> {
  const guest = await Guest.at(node!);
  guests.push(guest);
  return guest;
}

const down = (queue: string, node: BrokerNode | undefined) =>
  `NOT_FOUND - home node '${node!.name}' of durable queue '${queue}' in vhost '/' is down or inaccessible`;

async function registrationEnds(guest: Guest, queue: string, node: BrokerNode | undefined): Promise<void> {
  const text = down(queue, node);
  await until('the queue is answered with its node', async () => {
    return (await guest.refusal((channel) => channel.checkQueue(queue))).includes(text);
  });
}

describe.skipIf(noEtcd)('a durable queue whose only node is gone', { timeout: 60_000 }, () => {
  test('is not found, by the name of its node, ends its consumers, refuses what wants a confirm, and is back with its node', async () => {
    const [home, one, other] = [await at(c), await at(a), await at(b)];
    const queue = `line-${++names}`;
    await home.channel.assertQueue(queue, { durable: true });
    await one.channel.prefetch(1);
    const inbox = await one.consume(queue);
    for (const text of ['1', '2', '3']) await other.publish(queue, text, { persistent: true });
    await inbox.next('none');
    await c!.kill9();

    // Nobody knows yet whether it comes back: what is published waits.
    const early = other.publish(queue, 'early', { persistent: true }).then(
      () => 'confirmed',
      (error: Error) => error.message,
    );
    await inbox.cancelled();
    expect(await early).toBe('message nacked');
    await expect(other.publish(queue, 'late', { persistent: true })).rejects.toThrow('message nacked');
    await expect(other.publish(queue, 'late', { mandatory: true })).rejects.toThrow('message nacked');
    const text = down(queue, c);
    for (const guest of [one, other]) {
      expect(await guest.refusal((channel) => channel.checkQueue(queue))).toContain(text);
      expect(await guest.refusal((channel) => channel.consume(queue, () => {}))).toContain(text);
      expect(await guest.refusal((channel) => channel.get(queue))).toContain(text);
      expect(await guest.refusal((channel) => channel.purgeQueue(queue))).toContain(text);
      expect(await guest.refusal((channel) => channel.assertQueue(queue, { durable: true }))).toContain(text);
    }

    c!.start();
    await c!.ready();
    await until('it is found', async () => (await other.count(queue)).messages === 3);
    // The one that was held may or may not have reached the disk; it was never confirmed.
    const again = await other.consume(queue);
    expect(await again.take(3)).toEqual(['1', '2', '3']);
    expect(again.texts.slice(0, 3)).toEqual(['1 again', '2 again', '3 again']);
    await other.publish(queue, '4', { persistent: true });
    expect(await again.take(1)).toEqual(['4']);
  });

  test('keeps its consumers when the node is back in time', async () => {
    const [home, one, other] = [await at(c), await at(a), await at(b)];
    const queue = `line-${++names}`;
    await home.channel.assertQueue(queue, { durable: true });
    const inbox = await one.consume(queue);
    await other.publish(queue, 'before', { persistent: true });
    expect(await inbox.take(1)).toEqual(['before']);
    await c!.kill9();
    // Whether it is refused or waits: the publisher is told.
    const meanwhile = other.publish(queue, 'meanwhile', { persistent: true }).then(
      () => 'confirmed',
      (error: Error) => error.message,
    );
    c!.start();
    await c!.ready();
    const fate = await meanwhile;
    expect(fate).toMatch(/^(confirmed|message nacked)$/);
    await until('it takes messages', async () => {
      await other.publish(queue, 'after', { persistent: true });
      return true;
    });
    await until('the last has come', () => inbox.texts.some((text) => text.startsWith('after')));
    if (fate === 'confirmed') expect(inbox.texts.some((text) => text.startsWith('meanwhile'))).toBe(true);
    expect(inbox.isCancelled).toBe(false);
  });

  test('nacks one of many only', async () => {
    const [home, one, other] = [await at(c), await at(a), await at(b)];
    const [exchange, gone, stays] = [`fan-${++names}`, `line-${++names}`, `line-${++names}`];
    await other.channel.assertExchange(exchange, 'fanout');
    await home.channel.assertQueue(gone, { durable: true });
    await other.channel.assertQueue(stays, { durable: true });
    for (const queue of [gone, stays]) await other.channel.bindQueue(queue, exchange, '');
    await one.publish('', 'to both', { exchange, persistent: true });
    await c!.kill9();
    await registrationEnds(one, gone, c);
    await expect(one.publish('', 'to one', { exchange })).rejects.toThrow('message nacked');
    // A channel without confirms loses nothing but the message of that queue.
    expect(await one.count(stays)).toMatchObject({ messages: 2 });
    c!.start();
    await c!.ready();
    await until('both take it', async () => {
      await one.publish('', 'to both', { exchange });
      return true;
    });
    expect((await one.count(gone)).messages).toBe(2);
  });

  test('takes the queues of connections and transient ones with it', async () => {
    const [home, one, other] = [await at(c), await at(a), await at(b)];
    const exchange = `news-${++names}`;
    await other.channel.assertExchange(exchange, 'fanout');
    const { queue } = await home.channel.assertQueue('', { exclusive: true });
    const named = `passing-${++names}`;
    await home.channel.assertQueue(named, { durable: false });
    for (const each of [queue, named]) await home.channel.bindQueue(each, exchange, '');
    const inbox = await other.consume(named);
    await one.publish('', 'hello', { exchange, mandatory: true });
    await c!.kill9();
    await inbox.cancelled();
    await until('it is gone', async () => {
      const said = await one.refusal((channel) => channel.checkQueue(named));
      return said.includes(`NOT_FOUND - no queue '${named}' in vhost '/'`);
    });
    await one.publish('', 'nobody', { exchange, mandatory: true });
    expect(one.returned).toEqual(['nobody']);
    // Anybody may have the name now.
    await one.channel.assertQueue(named, { durable: false });
    await other.publish(named, 'hello', { mandatory: true });
    expect(await one.channel.deleteQueue(named)).toEqual({ messageCount: 1 });
    c!.start();
    await c!.ready();
    const back = await at(c);
    expect(await back.refusal((channel) => channel.checkQueue(named))).toContain('NOT_FOUND');
  });

  test('is deleted elsewhere only when it is back', async () => {
    const [home, one] = [await at(c), await at(a)];
    const queue = `line-${++names}`;
    await home.channel.assertQueue(queue, { durable: true });
    await c!.kill9();
    await registrationEnds(one, queue, c);
    expect(await one.refusal((channel) => channel.deleteQueue(queue))).toContain(down(queue, c));
    c!.start();
    await c!.ready();
    await sleep(100);
    await until('it is found', async () => (await one.count(queue)).messages === 0);
    await one.channel.deleteQueue(queue);
  });
});
