import { MirroredQueue, SimPeers } from '@chapar/cluster';
import type { Consumer, Delivery } from '@chapar/core';
import { SimRandom } from '@chapar/platform';
import { describe, expect, it } from 'vitest';
import { SimBroker, type SimClient } from './sim-broker.js';
import { SimMembers } from './sim-members.js';

/** Nodes with disks, one of which leads a mirrored queue that all of them have a copy of. */
class Cluster {
  readonly members = new SimMembers();
  readonly peers = new SimPeers(this.members.world.scheduler);
  readonly brokers: SimBroker[] = [];
  private readonly dead = new Set<SimBroker>();

  static async of(...names: string[]): Promise<Cluster> {
    const cluster = new Cluster();
    for (const name of names) cluster.brokers.push(await SimBroker.start(cluster.members.machine(name), cluster.peers));
    await cluster.advance(500);
    return cluster;
  }

  async declare(args = {}): Promise<void> {
    const client = await this.brokers[0]!.client();
    await client.declare('m', { arguments: { 'x-queue-type': 'quorum', ...args } });
    await this.advance(200);
  }

  get leader(): number {
    return this.brokers.findIndex((at) => !this.dead.has(at) && at.broker.topology.vhosts.get('/')!.led.has('m'));
  }

  kill(node: number): void {
    this.dead.add(this.brokers[node]!);
    this.brokers[node]!.kill();
  }

  async restart(node: number): Promise<void> {
    this.brokers[node] = await SimBroker.start(this.brokers[node]!.member, this.peers);
  }

  advance(ms: number): Promise<void> {
    return this.members.advance(ms);
  }
}

describe('a mirrored queue whose leader dies', () => {
  it('goes on under another node, with all that was confirmed, and those who use it hear nothing', async () => {
    const cluster = await Cluster.of('a', 'b', 'c');
    await cluster.declare();
    const [b, c] = [await cluster.brokers[1]!.client(), await cluster.brokers[2]!.client()];
    expect(b.actor.vhost.queues.get('m')).toBeInstanceOf(MirroredQueue);
    expect(cluster.leader).toBe(0);
    for (let i = 1; i <= 50; i++) await b.publish('', 'm', `m${i}`);
    const consumer = await c.consume('m', 10);
    await cluster.advance(50);
    expect([b.confirms.size, c.got.length]).toEqual([50, 10]);
    cluster.kill(0);
    for (let i = 51; i <= 60; i++) await b.publish('', 'm', `m${i}`);
    await cluster.advance(3000);
    expect(cluster.leader).toBeGreaterThan(0);
    expect([b.confirms.size, b.refusals, c.ended, c.got.length]).toEqual([60, [], [], 10]);
    for (const { delivery } of c.got) consumer.settle(delivery!, 'accept');
    consumer.grant(Number.POSITIVE_INFINITY);
    await cluster.advance(100);
    expect(c.bodies).toEqual(Array.from({ length: 60 }, (_, i) => `m${i + 1}`));
    expect(c.got.slice(0, 10).some(({ redelivered }) => redelivered)).toBe(false);
    for (const { delivery } of c.got.slice(10)) consumer.settle(delivery!, 'accept');
    await cluster.restart(0);
    await cluster.advance(2000);
    expect(await c.at.settle(Promise.resolve(c.actor.vhost.queues.get('m')!.counts()))).toEqual({
      ready: 0,
      consumers: 1,
    });
    const asked = c.actor.deleteQueue('m', { ifUnused: false, ifEmpty: true });
    expect(await c.at.settle(Promise.resolve(asked))).toBe(0);
    await cluster.advance(100);
    expect([c.ended, cluster.leader]).toEqual([['queue-deleted'], -1]);
  });

  it('is led by its own node again after that lost its session, without its process noticing', async () => {
    const cluster = await Cluster.of('a', 'b', 'c');
    await cluster.declare();
    const clients: SimClient[] = [];
    for (const broker of cluster.brokers) clients.push(await broker.client());
    const [a, b] = clients as [SimClient, SimClient];
    const consumer = await a.consume('m', 1);
    await b.publish('', 'm', 'one');
    await b.publish('', 'm', 'two');
    await cluster.advance(50);
    expect(a.bodies).toEqual(['one']);
    // Nothing gets from the leader to anybody, nor to etcd, for longer than its lease.
    for (const other of ['b', 'c'])
      for (const [x, y] of [
        ['a', other],
        [other, 'a'],
      ] as const)
        cluster.peers.cut(x, y);
    cluster.brokers[0]!.member.client.path.cut = true;
    await a.publish('', 'm', 'three');
    await cluster.advance(14_000);
    expect(cluster.leader).toBeGreaterThan(-1);
    for (const other of ['b', 'c'])
      for (const [x, y] of [
        ['a', other],
        [other, 'a'],
      ] as const)
        cluster.peers.mend(x, y);
    cluster.brokers[0]!.member.client.path.cut = false;
    await cluster.advance(10_000);
    expect([a.confirms.size, a.refusals.length, a.ended]).toEqual([1, 0, []]);
    consumer.settle(a.got[0]!.delivery!, 'accept');
    consumer.grant(10);
    await cluster.advance(200);
    expect(a.bodies.slice(1)).toEqual(['two', 'three']);
  });
});

/** Nodes that die and come back, one at a time, links that break, publishers and consumers on those that are there. */
async function storm(seed: number): Promise<void> {
  const random = new SimRandom(seed);
  const cluster = await Cluster.of('a', 'b', 'c');
  await cluster.declare();
  const fail = (what: string): never => {
    throw new Error(`seed ${seed}: ${what}`);
  };
  const confirmed = new Set<string>();
  const accepted = new Set<string>();
  const fresh = new Set<string>();
  /** Of one process: its client, what it published, what its consumer holds. */
  const uses: { client: SimClient; bodies: string[]; consumer: Consumer; held: [Delivery, string][] }[] = [];
  let lives = 0;
  const use = async (node: number) => {
    const client = await cluster.brokers[node]!.client();
    uses[node] = { client, bodies: [], consumer: await client.consume('m', 5), held: [] };
    lives++;
  };
  const look = (share: number) => {
    for (const [node, { client, bodies, consumer, held }] of uses.entries()) {
      for (const tag of client.confirms) confirmed.add(bodies[tag - 1]!);
      for (const { body, redelivered, delivery } of client.got.splice(0)) {
        if (!redelivered && fresh.has(body)) fail(`${body} came twice, and not flagged`);
        fresh.add(body);
        held.push([delivery!, body]);
      }
      if (client.ended.length > 0) fail(`the consumer on ${node} was ended: ${client.ended}`);
      for (let i = held.length - 1; i >= 0; i--) {
        if (random.unit() >= share) continue;
        const [[delivery, body]] = held.splice(i, 1) as [[Delivery, string]];
        const accepts = share === 1 || random.chance(0.8);
        consumer.settle(delivery, accepts ? 'accept' : 'release');
        if (accepts) accepted.add(body);
        consumer.grant(1);
      }
    }
  };
  for (const node of [0, 1, 2]) await use(node);
  let down = -1;
  for (let round = 0; round < 120; round++) {
    for (const [node, { client, bodies }] of uses.entries()) {
      if (node === down) continue;
      for (let i = random.integer(4); i > 0; i--) {
        bodies.push(`${node}.${lives}-${bodies.length + 1}`);
        await client.publish('', 'm', bodies.at(-1)!);
      }
    }
    await cluster.advance(random.unit() * 8);
    look(0.4);
    if (random.chance(0.08)) {
      const [one, other] = [
        ['a', 'b'],
        ['a', 'c'],
        ['b', 'c'],
      ][random.integer(3)] as [string, string];
      cluster.peers.reset(one, other);
    }
    if (down === -1 && random.chance(0.06)) {
      down = random.chance(0.7) ? Math.max(cluster.leader, 0) : random.integer(3);
      look(0);
      cluster.kill(down);
    } else if (down !== -1 && random.chance(0.1)) {
      await cluster.advance(random.integer(3000));
      await cluster.restart(down);
      await use(down);
      down = -1;
    }
    if (random.chance(0.03)) await cluster.advance(random.integer(2500));
  }
  if (down !== -1) {
    await cluster.restart(down);
    await use(down);
  }
  for (let i = 0; i < 80; i++) {
    await cluster.advance(i < 10 ? 1500 : 20);
    look(1);
  }
  for (const { client, bodies } of uses) {
    const { confirms, refusals } = client;
    if (confirms.size + refusals.length !== bodies.length) fail(`${confirms.size} of ${bodies.length} were confirmed`);
    const others = refusals.filter(([, why]) => why !== 'not-enough-copies');
    if (others.length > 0) fail(`refused: ${others}`);
  }
  for (const body of confirmed) if (!accepted.has(body)) fail(`${body} was confirmed and lost`);
  const { queue } = cluster.brokers[cluster.leader]!.node.mirrors.led(
    cluster.brokers[0]!.broker.topology.vhosts.get('/')!.queues.get('m')!.incarnation,
  )!;
  expect([seed, queue.readyCount, queue.unsettledCount]).toEqual([seed, 0, 0]);
}

describe('while nodes die and come back', () => {
  it('nothing that was confirmed is lost, and nothing comes twice without being flagged', async () => {
    for (let seed = 1; seed <= 4; seed++) await storm(seed);
  });
});
