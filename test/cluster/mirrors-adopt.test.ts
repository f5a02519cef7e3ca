import { adopt, type DataId, SimPeers } from '@chapar/cluster';
import type { Incarnation } from '@chapar/core';
import { beforeEach, describe, expect, it } from 'vitest';
import { SimBroker, type SimClient } from './sim-broker.js';
import { directory, readIdentityOf, type SimMember, SimMembers } from './sim-members.js';

let members: SimMembers;
let peers: SimPeers;

beforeEach(() => {
  members = new SimMembers(5);
  peers = new SimPeers(members.world.scheduler);
});

const start = (member: SimMember): Promise<SimBroker> => SimBroker.start(member, peers);

function down(...brokers: SimBroker[]): void {
  for (const each of brokers) {
    each.kill();
    peers.kill(each.transport, true);
  }
}

async function cluster(): Promise<[SimBroker, SimBroker, SimBroker]> {
  const brokers: SimBroker[] = [];
  for (const name of ['a', 'b', 'c']) brokers.push(await start(members.machine(name)));
  await members.advance(1000);
  return brokers as [SimBroker, SimBroker, SimBroker];
}

async function declare(at: SimBroker): Promise<Incarnation> {
  await (await at.client()).declare('q', { arguments: { 'x-queue-type': 'quorum' } });
  await members.advance(3000);
  return at.broker.topology.vhosts.get('/')!.queues.get('q')!.incarnation;
}

const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => `${from + i}`);

async function publish(client: SimClient, bodies: readonly string[]): Promise<void> {
  const before = client.confirms.size;
  for (const body of bodies) await client.publish('', 'q', body);
  await members.advance(500);
  expect([client.confirms.size - before, client.refusals]).toEqual([bodies.length, []]);
}

/** All that is in the queue, taken from it at this node. */
async function drained(at: SimBroker): Promise<string[]> {
  const client = await at.client();
  const consumer = await client.consume('q');
  await members.advance(1000);
  for (const { delivery } of client.got) consumer.settle(delivery!, 'accept');
  await members.advance(500);
  return client.bodies;
}

/** Puts the cluster into this etcd again, from one data directory after the other. */
async function adopted(etcd = members.newEtcd(), force: boolean, ...brokers: SimBroker[]): Promise<void> {
  members.etcd = etcd;
  for (const { member } of brokers) {
    const { clock, log, random, disk } = member.platform;
    const dataId = await member.settle(readIdentityOf(member));
    const client = etcd.connect(clock, random);
    const place = { directory, dataId, prefix: '/chapar', force };
    await member.settle(adopt({ etcd: client, clock, log, random, disk, ...place }));
    client.close();
    Object.assign(member, { etcd });
  }
}

const recordAt = (at: SimBroker, incarnation: Incarnation) => at.node.mirrors.recordOf(incarnation)!;
const idOf = ({ node }: SimBroker): DataId => node.dataId;
const leads = (at: SimBroker, incarnation: Incarnation) => at.node.mirrors.led(incarnation) !== null;

describe('mirrored queues whose etcd was lost', () => {
  /** `c` knows nothing of what came after it went, neither messages nor who is in sync, and it remembers first. */
  async function lost(): Promise<{ q: Incarnation; a: SimBroker; b: SimBroker; c: SimBroker }> {
    const [a, b, c] = await cluster();
    const q = await declare(a);
    const client = await b.client();
    await publish(client, numbers(1, 30));
    await members.advance(3000);
    down(c);
    await members.advance(15_000);
    await publish(client, numbers(31, 50));
    expect(recordAt(a, q).inSync).not.toContain(idOf(c));
    // The lead moves, so that epochs are further than what one of them remembers.
    await a.settle(a.node.steward.operations.handOver(q, idOf(b)));
    await members.advance(2000);
    await publish(client, numbers(51, 60));
    await members.advance(3000);
    down(a, b);
    await members.advance(1000);
    return { q, a, b, c };
  }

  it('are led by whoever has the most, also when the oldest copy of the records came first', async () => {
    const { q, a, b, c } = await lost();
    const before = recordAt(b, q).epoch;
    await adopted(members.newEtcd(), false, c, a, b);
    const late = await start(c.member);
    expect(recordAt(late, q)).toMatchObject({ leader: null, adopted: true, epoch: 1001 });
    expect(recordAt(late, q).inSync).toContain(idOf(c));
    await members.advance(25_000);
    expect(leads(late, q)).toBe(false);
    const others = [await start(a.member), await start(b.member)];
    await members.advance(5000);
    const { leader, epoch, inSync, adopted: flag, forced } = recordAt(late, q);
    expect([[idOf(a), idOf(b)].includes(leader!), epoch > before, flag, forced]).toEqual([
      true,
      true,
      undefined,
      undefined,
    ]);
    expect(new Set(inSync)).toEqual(new Set([a, b, c].map(idOf)));
    expect(await drained(others[0]!)).toEqual(numbers(1, 60));
    // As any other queue from now on.
    const client = await late.client();
    await publish(client, ['new']);
    const leading = [late, ...others].find((each) => leads(each, q))!;
    down(leading);
    await members.advance(15_000);
    const rest = [late, ...others].filter((each) => each !== leading);
    expect(rest.some((each) => leads(each, q))).toBe(true);
    expect(await drained(rest[0]!)).toEqual(['new']);
  });

  it('are led when one is missing, after a while, and by nobody with fewer than could have everything', async () => {
    const { q, a, b, c } = await lost();
    await adopted(members.newEtcd(), false, b, c, a);
    const late = await start(c.member);
    await members.advance(60_000);
    expect(leads(late, q)).toBe(false);
    const again = await start(a.member);
    await members.advance(40_000);
    expect(recordAt(late, q).leader).toBe(idOf(a));
    expect(await drained(late)).toEqual(numbers(1, 60));
    expect(leads(again, q)).toBe(true);
    const last = await start(b.member);
    await members.advance(5000);
    expect(recordAt(last, q).inSync).toContain(idOf(b));
  });

  it('are led by the only copy that is left when an operator says so', async () => {
    const { q, a, b, c } = await lost();
    await adopted(members.newEtcd(), false, b, c, a);
    const late = await start(c.member);
    await members.advance(40_000);
    const { forced } = late.node.steward;
    expect((await late.settle(forced.prospects(q))).present).toEqual([]);
    await late.settle(forced.promote(q, idOf(c)));
    await members.advance(1000);
    expect(leads(late, q)).toBe(true);
    expect(await drained(late)).toEqual(numbers(1, 30));
  });
});

describe('mirrored queues whose etcd was restored from an old snapshot', () => {
  it('go on, nobody obeys it, and all that was confirmed is there when the cluster was put there again', async () => {
    const [a, b, c] = await cluster();
    const q = await declare(a);
    const client = await c.client();
    await publish(client, numbers(1, 20));
    const snapshot = members.etcd.keys.image();
    const old = recordAt(a, q);
    await a.settle(a.node.steward.operations.handOver(q, idOf(b)));
    // Long enough that it remembers that.
    await members.advance(3000);
    down(c);
    await members.advance(15_000);
    const other = await a.client();
    await publish(other, numbers(21, 40));
    expect(recordAt(a, q)).toMatchObject({ leader: idOf(b), inSync: [idOf(a), idOf(b)] });
    const { epoch } = recordAt(a, q);
    await members.advance(3000);
    // The old record says that a leads, and that c has everything.
    members.etcd.restoreFrom(snapshot);
    await members.advance(30_000);
    expect(recordAt(a, q)).toMatchObject({ leader: idOf(b), epoch, inSync: [idOf(a), idOf(b)] });
    expect([leads(a, q), leads(b, q)]).toEqual([false, true]);
    expect(a.node.membership.health.view().stranger).toMatch(/older|revision/);
    await publish(other, numbers(41, 60));
    await expect(start(c.member)).rejects.toMatchObject({ reason: 'older-etcd' });
    await members.advance(1000);
    down(a, b);
    await members.advance(30_000);
    await expect(start(b.member)).rejects.toMatchObject({ reason: 'older-etcd' });
    await adopted(members.etcd, true, c, b, a);
    const again: SimBroker[] = [];
    for (const { member } of [c, a, b]) again.push(await start(member));
    await members.advance(10_000);
    expect(recordAt(again[0]!, q).epoch).toBeGreaterThan(Math.max(epoch, old.epoch));
    expect(recordAt(again[0]!, q).inSync).toHaveLength(3);
    expect(await drained(again[0]!)).toEqual(numbers(1, 60));
  });
});
