import { type DataId, mirrorPath, type QueueMirrorRecord, SimPeers } from '@chapar/cluster';
import type { Incarnation } from '@chapar/core';
import { beforeEach, describe, expect, it } from 'vitest';
import { MemoryReplicas, messageOf } from '../support/memory-replicas.js';
import { FaceStub } from '../support/mirroring-residence.js';
import { SimBroker } from './sim-broker.js';
import { type SimMember, SimMembers } from './sim-members.js';

let members: SimMembers;
let peers: SimPeers;
/** By machine: what it has in memory here stands for its disk. */
let disks: Map<SimMember, MemoryReplicas>;

beforeEach(() => {
  members = new SimMembers();
  peers = new SimPeers(members.world.scheduler);
  disks = new Map();
});

async function start(name: string): Promise<SimBroker> {
  const member = members.machine(name);
  return SimBroker.start(member, peers, {
    logs: (under) => {
      const logs = new MemoryReplicas(under, member.platform.clock);
      disks.set(member, logs);
      return logs;
    },
    prepare: (node) => {
      node.residence.face = (properties) => new FaceStub(properties);
    },
  });
}

async function cluster(names: string): Promise<SimBroker[]> {
  const brokers: SimBroker[] = [];
  for (const name of names) brokers.push(await start(name));
  await members.advance(1000);
  return brokers;
}

async function declare(at: SimBroker, name: string, args = {}): Promise<Incarnation> {
  const client = await at.client();
  await client.declare(name, { arguments: { 'x-queue-type': 'quorum', ...args } });
  await members.advance(100);
  return at.broker.topology.vhosts.get('/')!.queues.get(name)!.incarnation;
}

const recordOf = (at: SimBroker, incarnation: Incarnation) =>
  at.node.membership.mirror.get(mirrorPath(incarnation))?.value as unknown as QueueMirrorRecord;
const replicaOf = (at: SimBroker, incarnation: Incarnation) => disks.get(at.member)!.held.get(incarnation);
const idsOf = (...brokers: SimBroker[]): DataId[] => brokers.map(({ node }) => node.dataId);
const leads = (brokers: readonly SimBroker[]) => brokers.map(({ node }) => [...node.mirrors.allLed()].length);

describe('copies on real nodes', () => {
  it('are added, removed, and take the lead, whichever node is asked', async () => {
    const [a, b, c, d] = (await cluster('abcd')) as [SimBroker, SimBroker, SimBroker, SimBroker];
    const q = await declare(a, 'q', { 'x-quorum-initial-group-size': 2 });
    const before = recordOf(a, q);
    const spare = [b, c, d].find(({ node }) => !before.replicas.includes(node.dataId))!;
    const follower = [b, c, d].find(({ node }) => before.replicas.includes(node.dataId))!;
    await spare.settle(spare.node.steward.operations.add(q, spare.node.dataId));
    await members.advance(1000);
    expect(recordOf(d, q)).toMatchObject({ min: 2, wish: { copies: 3, min: null } });
    expect(new Set(recordOf(d, q).inSync)).toEqual(new Set(idsOf(a, follower, spare)));
    expect(await d.settle(d.node.steward.operations.handOver(q, spare.node.dataId))).toBe(spare.node.dataId);
    await members.advance(200);
    expect([a, spare].map(({ node }) => node.mirrors.led(q) !== null)).toEqual([false, true]);
    await d.settle(d.node.steward.operations.remove(q, spare.node.dataId));
    await members.advance(5000);
    const { replicas, inSync, leader, min } = recordOf(a, q);
    expect(new Set(replicas)).toEqual(new Set(idsOf(a, follower)));
    expect([inSync.length, min, replicas.includes(leader!)]).toEqual([2, 1, true]);
    expect(spare.node.mirrors.of(q)).toBeUndefined();
    expect(disks.get(spare.member)!.held.has(q)).toBe(false);
  });

  it('lead again within two hundred milliseconds when the lead is handed over', async () => {
    const [a, b] = (await cluster('abc')) as [SimBroker, SimBroker];
    const q = await declare(a, 'q');
    await members.advance(2000);
    const led = a.node.mirrors.led(q)!;
    const handing = a.node.steward.operations.handOver(q, b.node.dataId);
    let fromMs = 0;
    for (let ms = 0; ms < 5000 && b.node.mirrors.led(q) === null; ms += 5) {
      await members.advance(5);
      if (fromMs === 0 && (led.isOver || recordOf(a, q).leader !== a.node.dataId)) fromMs = ms;
      if (b.node.mirrors.led(q) !== null) expect(ms - fromMs).toBeLessThan(150);
    }
    expect(b.node.mirrors.led(q)).not.toBeNull();
    await a.settle(handing);
  });

  it('that come back in the reign in which they were removed count for nothing that they had', async () => {
    const [a, b, c] = (await cluster('abc')) as [SimBroker, SimBroker, SimBroker];
    const q = await declare(a, 'q');
    await members.advance(2000);
    const { operations } = a.node.steward;
    await a.settle(operations.remove(q, c.node.dataId));
    // It comes back before it has heard that it was removed.
    const { leader } = a.node.mirrors.of(q)!.reign!;
    expect([leader.members.has(c.node.dataId), [...leader.removed]]).toEqual([false, idsOf(c)]);
    await a.settle(operations.add(q, c.node.dataId));
    await members.advance(3000);
    expect(recordOf(b, q)).toMatchObject({ leader: a.node.dataId, epoch: 3 });
    expect(new Set(recordOf(b, q).inSync)).toEqual(new Set(idsOf(a, b, c)));
    expect(a.node.mirrors.of(q)!.reign!.leader.member(c.node.dataId).synced).toBe(replicaOf(c, q)!.end);
  });

  it('are not taken into the set again before they have heard that they were removed', async () => {
    const [a, , c] = (await cluster('abc')) as [SimBroker, SimBroker, SimBroker];
    const q = await declare(a, 'q');
    await members.advance(2000);
    const { operations } = a.node.steward;
    // It follows its leader, and hears nothing of etcd.
    c.member.client.path.cut = true;
    await a.settle(operations.remove(q, c.node.dataId));
    await a.settle(operations.add(q, c.node.dataId));
    // Its conversation breaks, and it greets its leader anew with all that it still has.
    const copy = c.node.mirrors.of(q)!;
    copy.laneClosed(a.node.dataId);
    copy.laneOpened(a.node.dataId);
    for (let i = 1; i <= 30; i++) {
      const led = a.node.mirrors.led(q);
      if (led?.verdict('origin', i) === 'new') {
        led.from({ origin: 'origin', sequence: i, low: 0 });
        led.queue.enqueue(messageOf(Buffer.from(JSON.stringify(['q', `m${i}`]))), null);
      }
      await members.advance(100);
    }
    expect(recordOf(a, q).inSync).not.toContain(c.node.dataId);
    c.member.client.path.cut = false;
    await members.advance(6000);
    expect(recordOf(a, q).inSync).toContain(c.node.dataId);
    expect(replicaOf(c, q)!.end).toBe(replicaOf(a, q)!.end);
  });

  it('tell how far behind they are', async () => {
    const [a, , c] = (await cluster('abc')) as [SimBroker, SimBroker, SimBroker];
    const q = await declare(a, 'q');
    await members.advance(2000);
    const status = (await c.settle(c.node.steward.operations.status(q)))!;
    expect(status).toMatchObject({ leader: a.node.dataId, epoch: 1, end: 1, committed: 1, isShort: false });
    expect(status.members.map(({ isInSync, lag, lagMs }) => [isInSync, lag, lagMs])).toEqual([
      [true, 0, 0],
      [true, 0, 0],
      [true, 0, 0],
    ]);
    for (const { silentMs } of status.members) expect(silentMs).toBeLessThan(2000);
  });
});

describe('leads on real nodes', () => {
  it('leave a node that is drained, nothing new comes there, and they come back by and by', async () => {
    const brokers = await cluster('abc');
    const [a, b, c] = brokers as [SimBroker, SimBroker, SimBroker];
    for (let i = 0; i < 9; i++) await declare(a, `q${i}`);
    expect(leads(brokers)).toEqual([9, 0, 0]);
    const { drain } = a.node.steward;
    await a.settle(drain.begin());
    await members.advance(3000);
    expect(drain.view()).toEqual({ state: 'drained', moved: 9, left: [] });
    const [none, ...others] = leads(brokers);
    expect([none, others.reduce((x, y) => x + y)]).toEqual([0, 9]);
    for (const count of others) expect(count).toBeGreaterThan(3);
    const copied = await declare(a, 'new');
    expect(recordOf(b, copied).replicas).not.toContain(a.node.dataId);
    const client = await a.client();
    await client.declare('plain', {});
    await members.advance(500);
    expect(a.broker.topology.vhosts.get('/')!.queues.get('plain')!.home).not.toBeNull();
    await a.settle(drain.revive());
    await members.advance(100);
    expect(c.node.steward.resting.size).toBe(0);
    c.node.steward.rebalancing.begin();
    await members.advance(5000);
    expect(Math.max(...leads(brokers)) - Math.min(...leads(brokers))).toBeLessThanOrEqual(1);
  });

  it('are drained in maintenance until the node starts again', async () => {
    const [a, b] = (await cluster('ab')) as [SimBroker, SimBroker];
    await a.settle(a.node.steward.drain.begin());
    await members.advance(500);
    expect([...b.node.steward.resting]).toEqual(idsOf(a));
    a.kill();
    peers.kill(a.transport, true);
    await members.advance(15_000);
    expect(b.node.steward.resting.size).toBe(0);
  });
});

describe('copies of a queue', () => {
  it('are replenished when a node comes', async () => {
    const [a, b] = (await cluster('ab')) as [SimBroker, SimBroker];
    const q = await declare(a, 'q');
    expect(recordOf(a, q).replicas).toHaveLength(2);
    const c = await start('c');
    await members.advance(10_000);
    expect(recordOf(b, q)).toMatchObject({ min: 2 });
    expect(new Set(recordOf(b, q).inSync)).toEqual(new Set(idsOf(a, b, c)));
  });

  it('are without those of a node that was forgotten, and what was there alone is gone', async () => {
    const [a, b, c] = (await cluster('abc')) as [SimBroker, SimBroker, SimBroker];
    const q = await declare(a, 'q');
    const one = await declare(c, 'one', { 'x-quorum-initial-group-size': 1 });
    expect(recordOf(a, one).replicas).toEqual(idsOf(c));
    c.kill();
    peers.kill(c.transport, true);
    await members.advance(15_000);
    const lost = await b.settle(b.node.membership.members.forget('c'));
    expect(lost.queues).toEqual([{ vhost: '/', name: 'one' }]);
    await members.advance(10_000);
    expect(new Set(recordOf(a, q).replicas)).toEqual(new Set(idsOf(a, b)));
    expect(recordOf(a, one)).toBeUndefined();
    expect(a.broker.topology.vhosts.get('/')!.queues.has('one')).toBe(false);
  });
});
