import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { skipUnless } from '../support/skip.js';
import { Guest, until } from './guest.js';
import { type EtcdNode, RealCluster } from './real-cluster.js';
import { hasEtcd, RealEtcd } from './real-etcd.js';

const noEtcd = skipUnless(hasEtcd, 'etcd is not installed (Debian: etcd-server, etcd-client)');
const leaseSeconds = 3;

let cluster: RealCluster;
let guests: Guest[] = [];
let names = 0;
const own = (name: string) => `${name}-${++names}`;

beforeAll(async () => {
  if (noEtcd) return;
  cluster = await RealCluster.start({ leaseSeconds, etcdMembers: 3 });
});
afterAll(() => cluster?.close());
afterEach(async ({ task }) => {
  if (task.result?.state === 'fail') console.log(cluster.said());
  for (const guest of guests) await guest.close();
  guests = [];
});

async function everywhere(): Promise<[Guest, Guest, Guest]> {
  guests = await Promise.all(cluster.nodes.map((node) => Guest.at(node)));
  return guests as [Guest, Guest, Guest];
}

/** All that clients do without anything new that has to outlive them; each between three nodes. */
async function work(queue: string, exchange: string): Promise<void> {
  for (const [i, one] of guests.entries()) {
    const [next, third] = [guests[(i + 1) % 3]!, guests[(i + 2) % 3]!];
    const inbox = await one.consume(queue);
    const confirms = Array.from({ length: 50 }, (_, n) => next.publish('key', `${n}`, { exchange, persistent: true }));
    expect(await inbox.take(50)).toEqual(Array.from({ length: 50 }, (_, n) => `${n}`));
    await Promise.all(confirms);
    await one.channel.cancel(inbox.tag);
    // Queues of a connection and their bindings are nobody's business but the nodes'.
    const { queue: mine } = await one.channel.assertQueue('', { exclusive: true });
    await one.channel.bindQueue(mine, exchange, 'mine');
    await third.publish('mine', 'hello', { exchange, mandatory: true });
    await third.publish(mine, 'by its name', { mandatory: true });
    expect(third.returned).toEqual([]);
    expect(await (await one.consume(mine)).take(2)).toEqual(['hello', 'by its name']);
    await one.channel.deleteQueue(mine);
  }
}

async function prepare(): Promise<{ queue: string; exchange: string }> {
  const [first, second] = await everywhere();
  const [queue, exchange] = [own('line'), own('news')];
  await second.channel.assertExchange(exchange, 'direct');
  await first.channel.assertQueue(queue, { durable: true });
  await first.channel.bindQueue(queue, exchange, 'key');
  return { queue, exchange };
}

/** What has to be written to etcd is refused by name, and works again when it can be. */
async function refusesNewNames(queue: string): Promise<void> {
  const said = await guests[0]!.refusal((channel) => channel.assertQueue(own('new'), { durable: true }));
  expect(said).toMatch(/406.*etcd/);
  // What is there already is answered from memory.
  for (const guest of guests) await guest.channel.assertQueue(queue, { durable: true });
}

async function takesNewNames(): Promise<void> {
  for (const guest of guests) {
    await until('a durable queue can be declared', async () => {
      const said = await guest.refusal((channel) => channel.assertQueue(own('new'), { durable: true }));
      return said === 'it was allowed';
    });
  }
}

async function stopAll(): Promise<void> {
  for (const { etcd } of cluster.members) await etcd.kill();
}

async function startAll(): Promise<void> {
  for (const { etcd } of cluster.members) etcd.start();
  for (const { etcd } of cluster.members) await etcd.ready();
}

describe.skipIf(noEtcd)('routing, publishing and consuming go on', { timeout: 60_000 }, () => {
  test('without etcd, longer than any lease, and after it came back', async () => {
    const { queue, exchange } = await prepare();
    await work(queue, exchange);
    await stopAll();
    await work(queue, exchange);
    await refusesNewNames(queue);
    await sleep((leaseSeconds + 2) * 1000);
    await work(queue, exchange);
    await startAll();
    await work(queue, exchange);
    await takesNewNames();
    await work(queue, exchange);
  });

  test('when the leader of etcd dies, and new names are taken again', async () => {
    const { queue, exchange } = await prepare();
    for (const { etcd } of cluster.members) {
      await etcd.kill();
      await work(queue, exchange);
      await takesNewNames();
      etcd.start();
      await etcd.ready();
    }
    await work(queue, exchange);
  });

  test('when etcd has no majority', async () => {
    const { queue, exchange } = await prepare();
    const [one, two] = cluster.members;
    for (const member of [one, two]) await member!.etcd.kill();
    await work(queue, exchange);
    await refusesNewNames(queue);
    await sleep((leaseSeconds + 2) * 1000);
    await work(queue, exchange);
    for (const member of [one, two]) member!.etcd.start();
    for (const member of [one, two]) await member!.etcd.ready();
    await takesNewNames();
    await work(queue, exchange);
  });

  test('when etcd is slow', async () => {
    const { queue, exchange } = await prepare();
    const stops = cluster.members.map((member) => member.slow(300, 60));
    try {
      for (let i = 0; i < 3; i++) await work(queue, exchange);
      await takesNewNames();
    } finally {
      for (const stop of stops) stop();
    }
    await work(queue, exchange);
  });

  test('when another etcd stands in its place, which is not written to', async () => {
    const { queue, exchange } = await prepare();
    const [, second] = guests;
    for (const { etcd } of cluster.members) await etcd.kill();
    const [{ etcd }] = cluster.members as [EtcdNode];
    const alone = new RealEtcd(
      'default',
      etcd.clientPort,
      etcd.peerPort,
      ['--initial-cluster', `default=http://${cluster.members[0]!.place.host}:${etcd.peerPort}`],
      cluster.members[0]!.place,
    );
    alone.start();
    await alone.ready();
    await work(queue, exchange);
    await refusesNewNames(queue);
    await sleep((leaseSeconds + 1) * 1000);
    await work(queue, exchange);
    expect(alone.ctl('get', '--prefix', '--keys-only', '/').trim()).toBe('');
    await alone.stop();
    await startAll();
    await takesNewNames();
    await work(queue, exchange);
    expect(await second!.count(queue)).toMatchObject({ messages: 0 });
  });

  test('and a node that restarts meanwhile waits, alive and not ready', async () => {
    const { queue, exchange } = await prepare();
    const [first, , third] = cluster.nodes;
    await stopAll();
    await third!.kill9();
    third!.start();
    await until('it lives', async () => (await third!.ask('GET', '/health/live')).status === 200);
    await sleep(2000);
    expect((await third!.ask('GET', '/health/ready')).status).toBe(503);
    await expect(Guest.at(third!)).rejects.toThrow();
    await guests[1]!.publish('key', 'goes on', { exchange });
    expect(await guests[1]!.count(queue)).toMatchObject({ messages: 1 });
    await startAll();
    await third!.ready();
    await guests.pop()!.close();
    guests.push(await Guest.at(third!));
    await guests[2]!.channel.purgeQueue(queue);
    await work(queue, exchange);
    expect((await first!.ask('GET', '/health/ready')).status).toBe(200);
  });
});
