import { MirroredQueue, SimPeers } from '@chapar/cluster';
import { type Consumer, type Delivery, letterOrigin } from '@chapar/core';
import { SimRandom } from '@chapar/platform';
import { describe, expect, it } from 'vitest';
import { messageOf } from '../support/core-kit.js';
import { MirrorStage } from './mirror-stage.js';
import { SimBroker, type SimClient } from './sim-broker.js';
import { SimMembers } from './sim-members.js';

const numbers = (count: number, from = 1): string[] => Array.from({ length: count }, (_, i) => `m${from + i}`);

/** Three nodes with a mirrored queue, whose leader the test names. */
class Cluster {
  readonly members = new SimMembers();
  readonly peers = new SimPeers(this.members.world.scheduler);
  readonly brokers: SimBroker[] = [];
  readonly stage: MirrorStage;

  constructor(args = {}, seed = 1) {
    this.stage = new MirrorStage(new SimRandom(seed), args);
  }

  static async of(args = {}, seed = 1): Promise<Cluster> {
    const cluster = new Cluster(args, seed);
    for (const name of ['a', 'b', 'c']) {
      cluster.brokers.push(await SimBroker.start(cluster.members.machine(name), cluster.peers));
    }
    await cluster.advance(50);
    await cluster.stage.declare(cluster.brokers[0]!);
    await cluster.advance(50);
    return cluster;
  }

  async clients(): Promise<[SimClient, SimClient, SimClient]> {
    const clients: SimClient[] = [];
    for (const broker of this.brokers) clients.push(await broker.client());
    return clients as [SimClient, SimClient, SimClient];
  }

  /** The one before hears of it `lateMs` later. */
  async lead(node: number, lateMs = 0): Promise<void> {
    const { stage } = this;
    const before = stage.reign;
    stage.lead(this.brokers[node]!);
    if (before === null) return;
    await this.advance(lateMs);
    stage.end(before);
  }

  advance(ms: number): Promise<void> {
    return this.members.advance(ms);
  }
}

const accept = (consumer: Consumer, client: SimClient): void => {
  for (const { delivery } of client.got) consumer.settle(delivery!, 'accept');
};

describe('a mirrored queue under one leader', () => {
  it('is used the same on the node that leads and on others', async () => {
    const cluster = await Cluster.of();
    const clients = await cluster.clients();
    const [a, b, c] = clients;
    await cluster.lead(0);
    for (const [at, client] of clients.entries()) {
      for (const body of numbers(20, at * 100)) await client.publish('', 'm', body, { persistent: at !== 1 });
      await cluster.advance(20);
      expect([client.confirms.size, client.refusals, client.returnedBodies]).toEqual([20, [], []]);
    }
    for (const [at, client] of clients.entries()) {
      const consumer = await client.consume('m', 5);
      await cluster.advance(20);
      expect(client.bodies.length).toBe(5);
      consumer.settle(client.got[1]!.delivery!, 'release');
      for (const one of [0, 2, 3, 4]) consumer.settle(client.got[one]!.delivery!, 'accept');
      await cluster.advance(20);
      expect(client.got.length).toBe(5);
      consumer.grant(1);
      await cluster.advance(20);
      expect([client.got[5]!.body, client.got[5]!.redelivered]).toEqual([client.got[1]!.body, true]);
      consumer.detach();
      await cluster.advance(20);
      expect(cluster.stage.reign!.queue.unsettledCount).toBe(0);
      expect(cluster.stage.reign!.queue.readyCount).toBe(60 - 4 * (at + 1));
    }
    const face = c.actor.vhost.queues.get('m') as MirroredQueue;
    await cluster.advance(50);
    expect([face instanceof MirroredQueue, face.home, face.settlements.isEmpty]).toEqual([true, 'a', true]);
    expect(await c.at.settle(face.counts())).toEqual({ ready: 48, consumers: 0 });
    const got = await b.at.settle(Promise.resolve(b.actor.vhost.queues.get('m')!.get(null)));
    expect(got?.ready).toBe(47);
    expect(await a.at.settle(Promise.resolve(a.actor.purgeQueue('m')))).toBe(47);
    const deleted = b.actor.deleteQueue('m', { ifUnused: true, ifEmpty: true });
    expect(await b.at.settle(Promise.resolve(deleted))).toBe(0);
    expect(clients.map(({ actor }) => actor.vhost.queues.size)).toEqual([0, 0, 0]);
  });

  it('takes each publish once and in order while links break', async () => {
    const cluster = await Cluster.of();
    const [, b, c] = await cluster.clients();
    await cluster.lead(0);
    const consumer = await c.consume('m', 20);
    const seen: string[] = [];
    for (let round = 0; round < 40; round++) {
      if (round < 20) for (const body of numbers(25, round * 25 + 1)) await b.publish('', 'm', body);
      await cluster.advance(0.3);
      if (round < 20) cluster.peers.reset('a', round % 2 === 0 ? 'b' : 'c');
      await cluster.advance(round % 5 === 0 || round >= 20 ? 1000 : 0.7);
      for (const { body, delivery } of c.got.splice(0)) {
        seen.push(body);
        consumer.settle(delivery!, 'accept');
        consumer.grant(1);
      }
    }
    for (let i = 0; i < 60; i++) {
      await cluster.advance(50);
      for (const { body, delivery } of c.got.splice(0)) {
        seen.push(body);
        consumer.settle(delivery!, 'accept');
        consumer.grant(1);
      }
    }
    expect([b.confirms.size, b.refusals.length]).toEqual([500, 0]);
    expect(cluster.stage.bodies).toEqual(numbers(500));
    expect(new Set(seen).size).toBe(500);
    const { queue } = cluster.stage.reign!;
    expect([queue.readyCount, queue.unsettledCount]).toEqual([0, 0]);
  });

  it('takes publishes again when a node that was cut off for long reaches the leader again', async () => {
    const cluster = await Cluster.of();
    const [, b] = await cluster.clients();
    await cluster.lead(0);
    await cluster.advance(50);
    cluster.peers.cut('a', 'b');
    cluster.peers.cut('b', 'a');
    cluster.peers.reset('a', 'b');
    cluster.peers.reset('b', 'a');
    await cluster.advance(100);
    await b.publish('', 'm', 'lost');
    await cluster.advance(20_000);
    expect([b.confirms.size, b.refusals]).toEqual([0, [[1, 'node-down']]]);
    cluster.peers.heal();
    await cluster.advance(5000);
    await b.publish('', 'm', 'again');
    await cluster.advance(50);
    expect([b.confirms.has(2), cluster.stage.bodies]).toEqual([true, ['again']]);
  });
});

describe('when another node leads', () => {
  it('consumers go on with what they hold, and their verdicts count', async () => {
    const cluster = await Cluster.of();
    const [a, b, c] = await cluster.clients();
    await cluster.lead(0);
    for (const body of numbers(10)) await b.publish('', 'm', body);
    const consumers = [await a.consume('m', 2), await b.consume('m', 2), await c.consume('m', 2)];
    await cluster.advance(50);
    expect([a.got.length, b.got.length, c.got.length]).toEqual([2, 2, 2]);
    await cluster.lead(1, 20);
    await cluster.advance(100);
    // Nothing is sent again, and nothing more.
    expect([a.got.length, b.got.length, c.got.length]).toEqual([2, 2, 2]);
    const { queue } = cluster.stage.reign!;
    expect([queue.readyCount, queue.unsettledCount, queue.isHeld]).toEqual([4, 6, false]);
    for (const [at, client] of [a, b, c].entries()) {
      accept(consumers[at]!, client);
      consumers[at]!.grant(2);
    }
    await cluster.advance(100);
    expect([a.ended, b.ended, c.ended]).toEqual([[], [], []]);
    expect([a.got.length + b.got.length + c.got.length, queue.unsettledCount, queue.readyCount]).toEqual([10, 4, 0]);
  });

  it('hears again of verdicts that were lost with the one before', async () => {
    const cluster = await Cluster.of({}, 3);
    const [a, , c] = await cluster.clients();
    await cluster.lead(0);
    for (const body of numbers(12)) await a.publish('', 'm', body);
    const consumer = await c.consume('m', 12);
    await cluster.advance(50);
    // No disk but the leader's hears of them.
    cluster.stage.commitMs = 1e6;
    for (const at of [0, 2, 4, 6, 8, 10]) consumer.settle(c.got[at]!.delivery!, 'accept');
    await cluster.advance(50);
    consumer.grant(10);
    await cluster.advance(50);
    expect(cluster.stage.reign!.log.live.size).toBe(6);
    const before = cluster.stage.reign!;
    const { log: restored } = cluster.stage.lead(cluster.brokers[1]!);
    expect(restored.live.size).toBeGreaterThan(6);
    cluster.stage.end(before);
    await cluster.advance(700);
    const { queue, log } = cluster.stage.reign!;
    expect([log.live.size, queue.unsettledCount, queue.readyCount, c.got.length]).toEqual([6, 6, 0, 12]);
  });

  it('publishes without a verdict come to it, in order and once', async () => {
    const cluster = await Cluster.of();
    const [a, b, c] = await cluster.clients();
    cluster.stage.commitMs = 30;
    await cluster.lead(0);
    for (let round = 0; round < 30; round++) {
      for (const client of [a, b, c])
        for (const body of numbers(5, round * 5)) await client.publish('', 'm', `${client.at.name} ${body}`);
      await cluster.advance(3);
      if (round % 4 === 3) await cluster.lead((round >> 2) % 3, round % 3 === 0 ? 40 : 0);
    }
    await cluster.advance(2000);
    expect([a, b, c].map(({ confirms, refusals }) => [confirms.size, refusals])).toEqual(Array(3).fill([150, []]));
    for (const { at } of [a, b, c]) {
      const own = cluster.stage.bodies.filter((body) => body.startsWith(at.name));
      expect(own).toEqual(numbers(150, 0).map((body) => `${at.name} ${body}`));
    }
  });

  it('dead letters come once, whichever leaders of the queue that they left send them', async () => {
    const cluster = await Cluster.of();
    const clients = await cluster.clients();
    cluster.stage.commitMs = 30;
    await cluster.lead(0);
    const taken: string[] = [];
    const origin = letterOrigin('source');
    // Each of two nodes takes itself for the leader of that queue, and sends them in an order of its own.
    for (let round = 0; round < 40; round++) {
      for (const [client, sequence] of [
        [clients[1], 80 - round],
        [clients[2], 41 + ((round * 7) % 40)],
      ] as const) {
        const { vhost } = client.actor;
        const slot = { committed: () => taken.push(`${sequence}`), refused: () => taken.push('refused') };
        const message = messageOf(vhost.address('', 'm'), `letter ${sequence}`);
        vhost.queues.get('m')!.enqueue(message, slot, { origin, sequence, low: 40 });
        await client.publish('', 'm', `${client.at.name} ${round}`);
      }
      await cluster.advance(3);
      if (round % 5 === 4) cluster.peers.reset('a', round % 2 === 0 ? 'b' : 'c');
      if (round % 8 === 7) await cluster.lead((round >> 3) % 3, round % 3 === 0 ? 40 : 0);
    }
    await cluster.advance(3000);
    const bodies = cluster.stage.bodies.filter((body) => body.startsWith('letter')).sort();
    expect(bodies).toEqual(numbers(40, 41).map((body) => `letter ${body.slice(1)}`));
    expect(taken.sort()).toEqual(numbers(80, 0).map((_, i) => `${41 + (i >> 1)}`));
    // They do not stand in the way of what else a node publishes.
    const others = cluster.stage.bodies.filter((body) => !body.startsWith('letter'));
    expect(others.length).toBe(80);
    expect(clients.map(({ refusals }) => refusals)).toEqual([[], [], []]);
    const face = clients[1].actor.vhost.queues.get('m') as MirroredQueue;
    expect([...face.publishes.all()]).toEqual([]);
  });

  it('tells those consumers that want to hear of it', async () => {
    const cluster = await Cluster.of();
    const [a, b] = await cluster.clients();
    await cluster.lead(0);
    await b.consume('m', 2, { arguments: { 'x-cancel-on-ha-failover': true } });
    await a.consume('m', 0);
    for (const body of numbers(3)) await a.publish('', 'm', body);
    await cluster.advance(50);
    await cluster.lead(2);
    await cluster.advance(600);
    expect([a.ended, b.ended]).toEqual([[], ['node-down']]);
    const { queue } = cluster.stage.reign!;
    expect([queue.readyCount, queue.consumers.size]).toEqual([3, 1]);
  });

  it('exclusive and single active consumers stay what they are', async () => {
    const exclusive = await Cluster.of();
    const [a, b, c] = await exclusive.clients();
    await exclusive.lead(0);
    await b.consume('m', 1, { exclusive: true });
    for (const node of [1, 2, 0]) {
      await exclusive.lead(node);
      await expect(c.consume('m')).rejects.toThrow('ACCESS_REFUSED');
    }
    await a.publish('', 'm', 'x');
    await exclusive.advance(50);
    expect([b.bodies, b.ended]).toEqual([['x'], []]);
    const single = await Cluster.of({ 'x-single-active-consumer': true });
    const clients = await single.clients();
    await single.lead(0);
    await clients[2].consume('m');
    await clients[0].consume('m');
    await clients[1].consume('m');
    for (const node of [1, 2, 0, 1]) {
      await single.lead(node);
      await clients[0].publish('', 'm', `under ${node}`);
      await single.advance(700);
    }
    expect(clients.map(({ got }) => got.length)).toEqual([0, 0, 4]);
  });

  it('questions are asked again; without a leader they fail in time, publishes are refused, and consumers wait', async () => {
    const cluster = await Cluster.of();
    const [a, b] = await cluster.clients();
    const face = b.actor.vhost.queues.get('m') as MirroredQueue;
    const early = face.counts();
    await cluster.advance(1000);
    await cluster.lead(0);
    expect(await b.at.settle(early)).toEqual({ ready: 0, consumers: 0 });
    const consumer = await b.consume('m', 5);
    await cluster.advance(50);
    cluster.stage.end(cluster.stage.reign!);
    await cluster.advance(50);
    await b.publish('', 'm', 'late');
    const stopping = Promise.resolve(consumer.stop());
    const asked = face.counts().then(
      () => 'answered',
      (error: Error) => error.message,
    );
    await cluster.advance(6000);
    expect(await asked).toBe(
      "NOT_FOUND - mirrored queue 'm' in vhost '/' has no leader that can be reached (the last one: a)",
    );
    expect(await stopping).toBe(undefined);
    await expect(a.consume('m')).rejects.toThrow('has no leader');
    await cluster.advance(10_000);
    expect([b.refusals, b.ended]).toEqual([[[1, 'node-down']], []]);
    await cluster.lead(2);
    await cluster.advance(50);
    await b.publish('', 'm', 'again');
    await cluster.advance(50);
    expect([b.confirms.has(2), cluster.stage.bodies]).toEqual([true, ['again']]);
  });
});

/** Publishers and consumers on all nodes, while leaders change, links break, and settlements and commits are lost with leaders. */
async function storm(seed: number): Promise<void> {
  const cluster = await Cluster.of({}, seed);
  const random = new SimRandom(seed);
  const clients = await cluster.clients();
  cluster.stage.commitMs = 1 + random.integer(20);
  await cluster.lead(0);
  const consumers: { consumer: Consumer; held: { delivery: Delivery; body: string }[] }[] = [];
  for (const client of clients) consumers.push({ consumer: await client.consume('m', 10), held: [] });
  const fresh = new Set<string>();
  const accepted = new Set<string>();
  const published = [0, 0, 0];
  const take = (share: number): void => {
    for (const [at, client] of clients.entries()) {
      const { consumer, held } = consumers[at]!;
      for (const { body, redelivered, delivery } of client.got.splice(0)) {
        if (!redelivered) {
          if (fresh.has(body)) throw new Error(`seed ${seed}: ${body} came twice, and not flagged`);
          fresh.add(body);
        }
        held.push({ delivery: delivery!, body });
      }
      if (held.length > 10) throw new Error(`seed ${seed}: ${held.length} messages with a credit of 10`);
      for (let i = held.length - 1; i >= 0; i--) {
        if (random.unit() >= share) continue;
        const [{ delivery, body }] = held.splice(i, 1) as [{ delivery: Delivery; body: string }];
        const isAccepted = share === 1 || random.chance(0.8);
        consumer.settle(delivery, isAccepted ? 'accept' : 'release');
        if (isAccepted) accepted.add(body);
        consumer.grant(1);
      }
    }
  };
  for (let round = 0; round < 150; round++) {
    for (const [at, client] of clients.entries()) {
      for (let i = random.integer(4); i > 0; i--) await client.publish('', 'm', `${at}-${++published[at]!}`);
    }
    await cluster.advance(random.unit() * 6);
    if (random.chance(0.1)) {
      const before = cluster.stage.reign!;
      const others = [0, 1, 2].filter((node) => cluster.brokers[node] !== before.at);
      cluster.stage.lead(
        cluster.brokers[random.chance(0.2) ? cluster.brokers.indexOf(before.at) : others[random.integer(2)]!]!,
      );
      cluster.members.world.scheduler.timer(random.unit() * 40, () => cluster.stage.end(before));
    }
    if (random.chance(0.1)) {
      const [one, other] = [
        ['a', 'b'],
        ['a', 'c'],
        ['b', 'c'],
      ][random.integer(3)] as [string, string];
      cluster.peers.reset(one, other);
    }
    if (random.chance(0.05)) await cluster.advance(random.integer(700));
    take(0.4);
  }
  for (let i = 0; i < 100; i++) {
    await cluster.advance(i < 10 ? 500 : 20);
    take(1);
  }
  const { queue, log } = cluster.stage.reign!;
  expect([seed, queue.readyCount, queue.unsettledCount, log.live.size]).toEqual([seed, 0, 0, 0]);
  for (const [at, client] of clients.entries()) {
    expect([seed, client.confirms.size, client.refusals]).toEqual([seed, published[at], []]);
    const own = cluster.stage.bodies.filter((body) => body.startsWith(`${at}-`));
    expect(own).toEqual(Array.from({ length: published[at]! }, (_, i) => `${at}-${i + 1}`));
    for (const body of own) if (!accepted.has(body)) throw new Error(`seed ${seed}: ${body} was lost`);
  }
}

describe('while leaders change and links break', () => {
  it('nothing is lost, doubled unflagged or out of order', async () => {
    for (let seed = 1; seed <= 10; seed++) await storm(seed);
  });
});
