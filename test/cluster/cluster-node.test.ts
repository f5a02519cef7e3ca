import { SimPeers } from '@chapar/cluster';
import type { ConnectionView } from '@chapar/core';
import { describe, expect, it } from 'vitest';
import { SimBroker, type SimClient } from './sim-broker.js';
import { SimMembers } from './sim-members.js';

/** Three brokers that are one. */
class Cluster {
  readonly members = new SimMembers();
  readonly peers = new SimPeers(this.members.world.scheduler);
  brokers: SimBroker[] = [];

  static async of(...names: string[]): Promise<Cluster> {
    const cluster = new Cluster();
    for (const name of names) {
      cluster.brokers.push(await SimBroker.start(cluster.members.machine(name), cluster.peers));
    }
    return cluster;
  }

  async clients(): Promise<SimClient[]> {
    const clients: SimClient[] = [];
    for (const broker of this.brokers) clients.push(await broker.client());
    return clients;
  }

  advance(ms: number): Promise<void> {
    return this.members.advance(ms);
  }
}

const numbers = (count: number, from = 1): string[] => Array.from({ length: count }, (_, i) => `m${from + i}`);

describe('a queue that lives on one node', () => {
  it('takes publishes on another and is consumed on a third, in order', async () => {
    const cluster = await Cluster.of('a', 'b', 'c');
    const [a, b, c] = (await cluster.clients()) as [SimClient, SimClient, SimClient];
    await a.declare('q');
    for (const body of numbers(100)) await b.publish('', 'q', body);
    await cluster.advance(50);
    expect([b.confirms.size, b.refusals, b.returnedBodies]).toEqual([100, [], []]);
    await c.consume('q');
    await cluster.advance(50);
    expect(c.bodies).toEqual(numbers(100));
  });

  it('is declared again, counted, purged, got from and deleted on another', async () => {
    const cluster = await Cluster.of('a', 'b');
    const [a, b] = (await cluster.clients()) as [SimClient, SimClient];
    await a.declare('q');
    const queue = await b.declare('q');
    expect(queue.home).toBe('a');
    for (const body of numbers(3)) await b.publish('', 'q', body);
    expect(await b.at.settle(Promise.resolve(queue.counts()))).toEqual({ ready: 3, consumers: 0 });
    const spec = { tag: '', acknowledges: true, exclusive: false, priority: 0, arguments: {}, window: null };
    const holder = queue.holder(spec, b);
    const got = await b.at.settle(Promise.resolve(queue.get(holder)));
    expect([got?.message.body().toString(), got?.redelivered, got?.ready]).toEqual(['m1', false, 2]);
    holder.settle(got!.delivery!, 'release');
    const again = await b.at.settle(Promise.resolve(queue.get(null)));
    expect([again?.message.body().toString(), again?.redelivered, again?.ready]).toEqual(['m1', true, 2]);
    expect(await b.at.settle(Promise.resolve(b.actor.purgeQueue('q')))).toBe(2);
    expect(await b.at.settle(Promise.resolve(queue.get(null)))).toBe(null);
    await b.publish('', 'q', 'last');
    const conditions = { ifUnused: true, ifEmpty: true };
    await expect(b.at.settle(Promise.resolve(b.actor.deleteQueue('q', conditions)))).rejects.toThrow('not empty');
    const deleted = b.actor.deleteQueue('q', { ifUnused: true, ifEmpty: false });
    expect(await b.at.settle(Promise.resolve(deleted))).toBe(1);
    expect([a.actor.vhost.queues.size, b.actor.vhost.queues.size]).toEqual([0, 0]);
    expect(queue.deleted).toBe(true);
  });

  it('gives back what a consumer elsewhere rejects, and keeps to its credit', async () => {
    const cluster = await Cluster.of('a', 'b');
    const [a, b] = (await cluster.clients()) as [SimClient, SimClient];
    await a.declare('q');
    for (const body of numbers(10)) await a.publish('', 'q', body);
    const consumer = await b.consume('q', 3);
    await cluster.advance(20);
    expect(b.bodies).toEqual(numbers(3));
    consumer.settle(b.got[1]!.delivery!, 'release');
    consumer.grant(1);
    await cluster.advance(20);
    expect(b.got.slice(3).map(({ body, redelivered }) => [body, redelivered])).toEqual([['m2', true]]);
    for (const { delivery } of b.got) consumer.settle(delivery!, 'accept');
    consumer.grant(3);
    await cluster.advance(20);
    expect(b.bodies.slice(4)).toEqual(['m4', 'm5', 'm6']);
    consumer.detach();
    await cluster.advance(20);
    const queue = a.actor.vhost.localQueue('q')!;
    expect([queue.readyCount, queue.unsettledCount, queue.consumers.size]).toEqual([7, 0, 0]);
  });

  it('tells consumers elsewhere when it is deleted, and lets one alone have it', async () => {
    const cluster = await Cluster.of('a', 'b');
    const [a, b] = (await cluster.clients()) as [SimClient, SimClient];
    await a.declare('q');
    await b.consume('q', 1, { exclusive: true });
    await expect(a.consume('q')).rejects.toThrow('ACCESS_REFUSED');
    const other = await b.at.client();
    await expect(other.consume('q')).rejects.toThrow('ACCESS_REFUSED');
    await a.at.settle(Promise.resolve(a.actor.deleteQueue('q', { ifUnused: false, ifEmpty: false })));
    await cluster.advance(20);
    expect([b.ended, other.ended]).toEqual([['queue-deleted'], []]);
  });
});

describe('what no record holds', () => {
  const transient = { durable: false };

  it('is reached from every node as soon as it is declared and bound', async () => {
    const cluster = await Cluster.of('a', 'b', 'c');
    const [a, b, c] = (await cluster.clients()) as [SimClient, SimClient, SimClient];
    const queue = await a.declare('', { durable: false, exclusive: true });
    expect(queue.name).toMatch(/^amq\.gen-[0-9a-f]{8}\./);
    await b.publish('', queue.name, 'by name');
    await a.bind('amq.topic', queue.name, 'x.*');
    await c.publish('amq.topic', 'x.y', 'by key', { persistent: false });
    await cluster.advance(20);
    expect([b.returnedBodies, c.returnedBodies, b.confirms.size, c.confirms.size]).toEqual([[], [], 1, 1]);
    await a.consume(queue.name);
    await cluster.advance(20);
    expect(a.bodies).toEqual(['by name', 'by key']);
    await expect(b.consume(queue.name)).rejects.toThrow('RESOURCE_LOCKED');
    a.actor.leave();
    await cluster.advance(20);
    await c.publish('amq.topic', 'x.y', 'to nobody');
    expect(c.returnedBodies).toEqual(['to nobody']);
  });

  it('is bound, consumed and deletes itself from another node', async () => {
    const cluster = await Cluster.of('a', 'b');
    const [a, b] = (await cluster.clients()) as [SimClient, SimClient];
    await a.declare('t', { ...transient, autoDelete: true });
    const found = await b.declare('t', { ...transient, autoDelete: true });
    expect(found.home).toBe('a');
    await b.bind('amq.direct', 't', 'k');
    const consumer = await b.consume('t');
    await a.publish('amq.direct', 'k', 'hello', { persistent: false });
    await cluster.advance(20);
    expect(b.bodies).toEqual(['hello']);
    consumer.detach();
    await cluster.advance(20);
    expect([a.actor.vhost.queues.size, b.actor.vhost.queues.size]).toEqual([0, 0]);
  });

  it('goes with its node', async () => {
    const cluster = await Cluster.of('a', 'b');
    const [a, b] = (await cluster.clients()) as [SimClient, SimClient];
    await a.declare('t', transient);
    await b.consume('t');
    cluster.brokers[0]!.kill();
    await cluster.advance(15_000);
    expect([b.ended, b.actor.vhost.queues.size]).toEqual([['node-down'], 0]);
  });
});

describe('when a link breaks', () => {
  it('publishes come once and in order, and consumers go on with what they hold', async () => {
    const cluster = await Cluster.of('a', 'b', 'c');
    const [a, b, c] = (await cluster.clients()) as [SimClient, SimClient, SimClient];
    const seen: string[] = [];
    let flagged = 0;
    await a.declare('q');
    const consumer = await c.consume('q', 20);
    for (let round = 0; round < 20; round++) {
      for (const body of numbers(25, round * 25 + 1)) await b.publish('', 'q', body);
      await cluster.advance(0.3);
      cluster.peers.reset('a', round % 2 === 0 ? 'b' : 'c');
      await cluster.advance(round % 5 === 0 ? 1000 : 0.7);
      for (const one of c.got.splice(0)) {
        seen.push(one.body);
        flagged += one.redelivered ? 1 : 0;
        consumer.settle(one.delivery!, 'accept');
        consumer.grant(1);
      }
    }
    for (let i = 0; i < 100; i++) {
      await cluster.advance(50);
      for (const one of c.got.splice(0)) {
        seen.push(one.body);
        flagged += one.redelivered ? 1 : 0;
        consumer.settle(one.delivery!, 'accept');
        consumer.grant(1);
      }
    }
    expect([b.confirms.size, b.refusals.length]).toEqual([500, 0]);
    expect(seen.length - flagged).toBeLessThanOrEqual(500);
    expect(new Set(seen).size).toBe(500);
    const queue = a.actor.vhost.localQueue('q')!;
    expect([queue.readyCount, queue.unsettledCount]).toEqual([0, 0]);
  });
});

describe('when a home dies', () => {
  it('publishes are refused, consumers cancelled, and it says so; back with its node, messages and all', async () => {
    const cluster = await Cluster.of('a', 'b');
    const [a, b] = (await cluster.clients()) as [SimClient, SimClient];
    await a.declare('q');
    for (const body of numbers(5)) await b.publish('', 'q', body);
    await cluster.advance(20);
    await b.consume('q', 2);
    await cluster.advance(20);
    cluster.brokers[0]!.kill();
    await b.publish('', 'q', 'late');
    await cluster.advance(15_000);
    expect([b.ended, b.refusals]).toEqual([['node-down'], [[6, 'node-down']]]);
    await b.publish('', 'q', 'later');
    await expect(b.consume('q')).rejects.toThrow(
      "home node 'a' of durable queue 'q' in vhost '/' is down or inaccessible",
    );
    expect(b.refusals.length).toBe(2);
    cluster.brokers[0] = await SimBroker.start(cluster.brokers[0]!.member, cluster.peers);
    await cluster.advance(3000);
    const before = b.got.length;
    await b.consume('q');
    await cluster.advance(100);
    expect(b.got.slice(before).map(({ body, redelivered }) => [body, redelivered])).toEqual(
      numbers(5).map((body) => [body, true]),
    );
  });

  it('and is restarted at once, consumers go on without hearing of it', async () => {
    const cluster = await Cluster.of('a', 'b');
    const [a, b] = (await cluster.clients()) as [SimClient, SimClient];
    await a.declare('q');
    for (const body of numbers(5)) await b.publish('', 'q', body);
    const consumer = await b.consume('q', 2);
    await cluster.advance(50);
    cluster.brokers[0]!.kill();
    cluster.brokers[0] = await SimBroker.start(cluster.brokers[0]!.member, cluster.peers);
    await cluster.advance(3000);
    expect([b.ended, b.bodies]).toEqual([[], ['m1', 'm2']]);
    for (const { delivery } of b.got.splice(0)) {
      consumer.settle(delivery!, 'accept');
      consumer.grant(1);
    }
    await cluster.advance(100);
    expect(b.got.map(({ body, redelivered }) => [body, redelivered])).toEqual([
      ['m1', true],
      ['m2', true],
    ]);
  });
});

describe('limits', () => {
  it('of virtual hosts and users count the connections of all nodes, and forget those of a node that is gone', async () => {
    const cluster = await Cluster.of('a', 'b');
    const [a, b] = cluster.brokers as [SimBroker, SimBroker];
    await a.settle(a.broker.records.put('vhost-limits', ['/', 'max-connections'], 2));
    const view = { vhost: '/', principal: { user: 'guest' }, channelCount: 3 } as unknown as ConnectionView;
    a.broker.connections.add(view);
    a.broker.connections.add({ ...view });
    await cluster.advance(1000);
    expect(b.broker.limits.elsewhere.get('a')?.users).toEqual({ guest: { connections: 2, channels: 6 } });
    await expect(b.client()).rejects.toThrow('connection limit');
    a.kill();
    await cluster.advance(15_000);
    await expect(b.client()).resolves.toBeDefined();
  });
});

describe('an alarm', () => {
  it('of one node holds publishers of all, until it ends or the node does', async () => {
    const cluster = await Cluster.of('a', 'b');
    const [a, b] = cluster.brokers as [SimBroker, SimBroker];
    a.broker.alarms.raise('memory', 'memory is short');
    await cluster.advance(50);
    expect(b.broker.alarms.list()).toMatchObject([{ source: 'memory@a', reason: 'memory is short (a)', isTold: true }]);
    a.broker.alarms.clear('memory');
    await cluster.advance(600);
    expect(b.broker.alarms.isRaised).toBe(false);
    a.broker.alarms.raise('disk', 'the disk is full');
    await cluster.advance(50);
    expect(b.broker.alarms.reason).toBe('the disk is full (a)');
    a.kill();
    await cluster.advance(15_000);
    expect(b.broker.alarms.isRaised).toBe(false);
  });
});
