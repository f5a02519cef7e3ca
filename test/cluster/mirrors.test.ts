import { type LedQueue, type MirrorRecord, mirrorPath, SimPeers } from '@chapar/cluster';
import type { ConfirmSlot, Incarnation, JsonValue, QueueConsumer, QueueDelivery } from '@chapar/core';
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

async function start(member: SimMember): Promise<SimBroker> {
  return SimBroker.start(member, peers, {
    logs: (under) => {
      const logs = new MemoryReplicas(under, member.platform.clock);
      // The kernel has what the process before had written.
      for (const [incarnation, { log }] of disks.get(member)?.held ?? []) logs.keep(incarnation, log);
      disks.set(member, logs);
      return logs;
    },
    prepare: (node) => {
      node.residence.face = (properties) => new FaceStub(properties);
    },
  });
}

async function cluster(count = 3): Promise<SimBroker[]> {
  const brokers: SimBroker[] = [];
  for (const name of ['a', 'b', 'c', 'd', 'e'].slice(0, count)) brokers.push(await start(members.machine(name)));
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
  at.node.membership.mirror.get(mirrorPath(incarnation))?.value as unknown as MirrorRecord;

const replicaOf = (at: SimBroker, incarnation: Incarnation) => disks.get(at.member)!.held.get(incarnation);

/** Publishes bodies as one origin; `confirmed` gets them as they are confirmed. */
class Origin {
  readonly confirmed: string[] = [];
  private readonly name: string;
  private sequence = 0;

  constructor(name = 'origin') {
    this.name = name;
  }

  publish(led: LedQueue, ...bodies: string[]): void {
    for (const body of bodies) {
      const sequence = ++this.sequence;
      expect(led.verdict(this.name, sequence)).toBe('new');
      led.from({ origin: this.name, sequence, low: 0 });
      const slot = { committed: () => this.confirmed.push(body), refused: () => undefined } as unknown as ConfirmSlot;
      led.queue.enqueue(messageOf(Buffer.from(JSON.stringify(['q', body]))), slot);
    }
  }
}

/** What lives in a copy. */
function bodiesAt(at: SimBroker, incarnation: Incarnation): string[] {
  const { entries } = replicaOf(at, incarnation)!.log.state;
  return [...entries].sort(([x], [y]) => x - y).map(([, { bytes }]) => messageOf(bytes).body().toString());
}

function leaderOf(brokers: readonly SimBroker[], incarnation: Incarnation): SimBroker | undefined {
  return brokers.find(({ node }) => node.mirrors.led(incarnation) !== null);
}

function consumer(led: LedQueue, credit: number) {
  const got: { body: string; accept: () => void }[] = [];
  const spec = { tag: 'c', acknowledges: true, exclusive: false, priority: 0, arguments: {}, window: null };
  const attached: QueueConsumer = led.queue.attach(spec, {
    deliver: (_consumer, message, _redelivered, delivery) => {
      got.push({ body: message.body().toString(), accept: () => attached.settle(delivery as QueueDelivery, 'accept') });
      return true;
    },
    detached: () => undefined,
  });
  attached.grant(credit);
  return got;
}

describe('a mirrored queue', () => {
  it('is led where it was declared by the write that declared it', async () => {
    const [a, b, c] = (await cluster()) as [SimBroker, SimBroker, SimBroker];
    const incarnation = await declare(a, 'q');
    const record = recordOf(a, incarnation);
    expect(record).toMatchObject({ leader: a.node.dataId, epoch: 1, min: 2, nonce: 'new', vhost: '/', name: 'q' });
    expect([...record.replicas].sort()).toEqual([a, b, c].map(({ node }) => node.dataId).sort());
    expect(a.node.mirrors.led(incarnation)?.epoch).toBe(1);
    expect([b, c].map(({ node }) => node.mirrors.led(incarnation))).toEqual([null, null]);
    await members.advance(5000);
    expect(recordOf(a, incarnation).nonce).toBe('new');
  });

  it('confirms what all of the set have synced, and followers hear how far', async () => {
    const [a, b, c] = (await cluster()) as [SimBroker, SimBroker, SimBroker];
    const incarnation = await declare(a, 'q');
    const led = a.node.mirrors.led(incarnation)!;
    const origin = new Origin();
    disks.get(c.member)!.syncMs = 50;
    origin.publish(led, 'one', 'two', 'three');
    await members.advance(30);
    expect([origin.confirmed, bodiesAt(b, incarnation)]).toEqual([[], ['one', 'two', 'three']]);
    await members.advance(60);
    expect(origin.confirmed).toEqual(['one', 'two', 'three']);
    await members.advance(500);
    expect([a, b, c].map((each) => replicaOf(each, incarnation)!.committed)).toEqual([4, 4, 4]);
    expect(led.verdict('origin', 2)).toBe('held');
  });

  it('is at rest when nothing happens', async () => {
    const [a, b] = (await cluster()) as [SimBroker, SimBroker];
    const incarnation = await declare(a, 'q');
    await members.advance(2000);
    const operations = [a, b].map((each) => replicaOf(each, incarnation)!.operations);
    const pulls = b.node.mirrors.of(incarnation)!.pullCount;
    await members.advance(20_000);
    expect([a, b].map((each) => replicaOf(each, incarnation)!.operations)).toEqual(operations);
    expect(b.node.mirrors.of(incarnation)!.pullCount).toBe(pulls);
    expect(a.node.mirrors.led(incarnation)!.isShort).toBe(false);
  });

  it('says that settlements are for good when all that count have them', async () => {
    const [a, b, c] = (await cluster()) as [SimBroker, SimBroker, SimBroker];
    const incarnation = await declare(a, 'q');
    const led = a.node.mirrors.led(incarnation)!;
    new Origin().publish(led, 'one', 'two', 'three', 'four');
    led.queue.begin();
    const got = consumer(led, 4);
    await members.advance(50);
    expect(got.map(({ body }) => body)).toEqual(['one', 'two', 'three', 'four']);
    for (const index of [0, 1, 3]) got[index]!.accept();
    const mark = led.mark();
    expect(led.forGood).toBeLessThan(mark);
    let told = 0;
    led.onForGood = () => told++;
    await members.advance(50);
    expect([led.forGood, told]).toEqual([mark, 1]);
    expect([a, b, c].map((each) => bodiesAt(each, incarnation))).toEqual([['three'], ['three'], ['three']]);
    // Two ranges, not three settlements.
    expect(a.node.mirrors.of(incarnation)!.reign!.leader.ledger.number).toBe(2);
  });

  it('is led by another within two seconds when its leader dies and its machine lives', async () => {
    const [a, b, c] = (await cluster()) as [SimBroker, SimBroker, SimBroker];
    const incarnation = await declare(a, 'q');
    const origin = new Origin();
    origin.publish(a.node.mirrors.led(incarnation)!, 'one', 'two');
    await members.advance(100);
    a.kill();
    peers.kill(a.transport, true);
    await members.advance(1500);
    const leader = leaderOf([b, c], incarnation)!;
    expect(leader).toBeDefined();
    expect(leader.node.mirrors.led(incarnation)!.epoch).toBe(2);
    expect(leader.node.mirrors.led(incarnation)!.verdict('origin', 1)).toBe('held');
    expect(bodiesAt(leader, incarnation)).toEqual(['one', 'two']);
    expect(recordOf(leader, incarnation).inSync).not.toContain(a.node.dataId);
  });

  it('waits for the lease when its leader is silent', async () => {
    const [a, b, c] = (await cluster()) as [SimBroker, SimBroker, SimBroker];
    const incarnation = await declare(a, 'q');
    a.kill();
    peers.kill(a.transport, false);
    await members.advance(5000);
    expect(leaderOf([b, c], incarnation)).toBeUndefined();
    await members.advance(8000);
    expect(leaderOf([b, c], incarnation)).toBeDefined();
  });

  it('has its copy back when a node returns, and the node is in the set again', async () => {
    const [a, b, c] = (await cluster()) as [SimBroker, SimBroker, SimBroker];
    const incarnation = await declare(a, 'q');
    a.kill();
    peers.kill(a.transport, true);
    await members.advance(3000);
    const leader = leaderOf([b, c], incarnation)!;
    new Origin().publish(leader.node.mirrors.led(incarnation)!, 'later');
    await members.advance(200);
    const again = await start(a.member);
    await members.advance(6000);
    expect(bodiesAt(again, incarnation)).toEqual(['later']);
    expect(recordOf(leader, incarnation).inSync).toContain(again.node.dataId);
    expect(leaderOf([again, b, c], incarnation)).toBe(leader);
  });

  it('is handed over by a node that stops, without a moment of nobody', async () => {
    const [a, b, c] = (await cluster()) as [SimBroker, SimBroker, SimBroker];
    const incarnations = [await declare(a, 'q1'), await declare(a, 'q2'), await declare(b, 'q3')];
    new Origin().publish(a.node.mirrors.led(incarnations[0]!)!, 'one', 'two');
    await members.advance(10);
    const beforeMs = members.world.scheduler.nowMs;
    await a.settle(a.node.close());
    expect(members.world.scheduler.nowMs - beforeMs).toBeLessThan(300);
    await members.advance(100);
    for (const incarnation of incarnations) expect(leaderOf([b, c], incarnation)).toBeDefined();
    expect(bodiesAt(leaderOf([b, c], incarnations[0]!)!, incarnations[0]!)).toEqual(['one', 'two']);
  });

  it('is gone from all disks when it was deleted', async () => {
    const [a, b, c] = (await cluster()) as [SimBroker, SimBroker, SimBroker];
    const incarnation = await declare(a, 'q');
    const { topology } = a.broker;
    const ended: string[] = [];
    a.node.mirrors.onLeadsNoMore = (led) => ended.push(led.incarnation);
    const metadata = a.node.metadata;
    await a.settle(
      metadata.change(
        [],
        [
          { key: 'queues/%2F/q', value: undefined },
          { key: `mirrors/${incarnation}`, value: undefined },
        ],
      ),
    );
    await members.advance(100);
    expect([a, b, c].map(({ member }) => disks.get(member)!.removed)).toEqual([
      [incarnation],
      [incarnation],
      [incarnation],
    ]);
    expect([ended, topology.vhosts.get('/')!.led.size]).toEqual([[incarnation], 0]);
  });

  it('goes on over links that break', async () => {
    const [a, b, c] = (await cluster()) as [SimBroker, SimBroker, SimBroker];
    const incarnation = await declare(a, 'q');
    const led = a.node.mirrors.led(incarnation)!;
    const origin = new Origin();
    for (let round = 1; round <= 20; round++) {
      origin.publish(led, `${round}`);
      await members.advance(round % 3);
      peers.reset('a', round % 2 === 0 ? 'b' : 'c');
      await members.advance(400);
    }
    await members.advance(1000);
    expect(origin.confirmed).toHaveLength(20);
    expect(led.isOver).toBe(false);
    for (const each of [b, c]) expect(bodiesAt(each, incarnation)).toEqual(bodiesAt(a, incarnation));
  });

  it('is passed on by a leader that is cut off from all others, but not from etcd', async () => {
    const [a, b, c] = (await cluster()) as [SimBroker, SimBroker, SimBroker];
    const incarnation = await declare(a, 'q');
    const origin = new Origin();
    origin.publish(a.node.mirrors.led(incarnation)!, 'before');
    await members.advance(200);
    for (const other of ['b', 'c']) {
      peers.cut('a', other);
      peers.cut(other, 'a');
    }
    await members.advance(8000);
    expect(leaderOf([a, b, c], incarnation)).toBe(a);
    expect(a.node.mirrors.led(incarnation)!.isShort).toBe(false);
    await members.advance(12_000);
    const leader = leaderOf([b, c], incarnation)!;
    expect(a.node.mirrors.led(incarnation)).toBeNull();
    origin.publish(leader.node.mirrors.led(incarnation)!, 'after');
    await members.advance(100);
    expect(origin.confirmed).toEqual(['before', 'after']);
    peers.heal();
    await members.advance(30_000);
    expect(bodiesAt(a, incarnation)).toEqual(['before', 'after']);
    expect(recordOf(leader, incarnation)).toMatchObject({ leader: leader.node.dataId });
    expect(recordOf(leader, incarnation).inSync).toContain(a.node.dataId);
  });

  it('forgets whose publishes it has when their process is long gone', async () => {
    const [a, b, c] = (await cluster()) as [SimBroker, SimBroker, SimBroker];
    const incarnation = await declare(a, 'q');
    const led = a.node.mirrors.led(incarnation)!;
    const gone = '0b7ffa7d-6ab4-4fb5-8dd4-29c3fa1e2b2b';
    const here = b.node.membership.joined.boot;
    for (const origin of [gone, here]) new Origin(origin).publish(led, origin);
    await members.advance(100_000);
    expect([gone, here].map((origin) => led.verdict(origin, 1))).toEqual(['held', 'held']);
    await members.advance(40_000);
    expect([gone, here].map((origin) => led.verdict(origin, 1))).toEqual(['new', 'held']);
    for (const each of [a, b, c])
      expect(
        replicaOf(each, incarnation)!
          .allOriginRows()
          .map(({ origin }) => origin),
      ).toEqual([here]);
  });

  it('goes on where nothing had happened when its links broke', async () => {
    const [a] = (await cluster()) as [SimBroker, SimBroker, SimBroker];
    const incarnation = await declare(a, 'q');
    const led = a.node.mirrors.led(incarnation)!;
    const origin = new Origin();
    origin.publish(led, 'before');
    await members.advance(1000);
    for (let round = 0; round < 3; round++) {
      for (const other of ['b', 'c']) peers.reset('a', other);
      await members.advance(1000);
    }
    origin.publish(led, 'after');
    await members.advance(30);
    expect(origin.confirmed).toEqual(['before', 'after']);
  });

  it('counts a copy that was taken away and given back as a new one', async () => {
    const [a, , c] = (await cluster()) as [SimBroker, SimBroker, SimBroker];
    const incarnation = await declare(a, 'q');
    const { dataId } = c.node;
    new Origin().publish(a.node.mirrors.led(incarnation)!, 'one', 'two');
    await members.advance(100);
    // Several conversations, as after links that broke.
    for (let round = 0; round < 4; round++) {
      peers.reset('a', 'c');
      await members.advance(500);
    }
    const write = (change: (record: MirrorRecord) => MirrorRecord) => {
      const value = change(recordOf(a, incarnation)) as JsonValue;
      return a.settle(a.node.metadata.change([], [{ key: `mirrors/${incarnation}`, value }]));
    };
    const without = (ids: readonly string[]) => ids.filter((id) => id !== dataId);
    await write((record) => ({
      ...record,
      replicas: without(record.replicas),
      inSync: without(record.inSync),
      nonce: 'x',
    }));
    await members.advance(100);
    expect(disks.get(c.member)!.removed).toEqual([incarnation]);
    await write((record) => ({ ...record, replicas: [...record.replicas, dataId], nonce: 'y' }));
    await members.advance(1);
    const { leader } = a.node.mirrors.of(incarnation)!.reign!;
    expect(leader.member(dataId).synced).toBe(0);
    await members.advance(1000);
    expect(bodiesAt(c, incarnation)).toEqual(['one', 'two']);
    expect(recordOf(a, incarnation).inSync).toContain(dataId);
  });

  it('sends no message that was settled while it was read', async () => {
    const [a, b, c] = (await cluster()) as [SimBroker, SimBroker, SimBroker];
    const incarnation = await declare(a, 'q');
    const led = a.node.mirrors.led(incarnation)!;
    const { log, leader } = a.node.mirrors.of(incarnation)!.reign!;
    peers.kill(c.transport, true);
    c.kill();
    // Until c is none of the set any more.
    await members.advance(15_000);
    new Origin().publish(led, ...Array.from({ length: 9 }, (_, i) => `${i + 2}`));
    await members.advance(200);
    expect(leader.committed).toBe(10);
    const stored = replicaOf(a, incarnation)!;
    stored.readsLate = true;
    const again = await start(c.member);
    await members.advance(1000);
    expect(bodiesAt(again, incarnation)).toEqual([]);
    log.settle(4, 7);
    await members.advance(50);
    stored.readsLate = false;
    stored.readNow();
    await members.advance(1000);
    for (const each of [a, b, again]) expect(bodiesAt(each, incarnation)).toEqual(['2', '3', '8', '9', '10']);
    // What was settled was never there: it did not come and go.
    const { end, committed } = replicaOf(again, incarnation)!;
    expect([end, committed]).toEqual([10, 10]);
  });

  it('is pulled by those who hear of its leader before that does itself', async () => {
    const [a, b, c] = (await cluster()) as [SimBroker, SimBroker, SimBroker];
    // Somebody else leads more.
    await declare(a, 'p1');
    await declare(c, 'p2');
    b.member.client.path.watchLagMs = 800;
    const { actor } = await a.client();
    const args = { 'x-queue-type': 'quorum', 'x-queue-leader-locator': 'balanced' };
    const wish = { name: 'q', durable: true, exclusive: false, autoDelete: false, arguments: args };
    void actor.declareQueue(wish);
    await members.advance(400);
    const { incarnation } = a.broker.topology.vhosts.get('/')!.queues.get('q')!;
    expect(recordOf(a, incarnation).leader).toBe(b.node.dataId);
    expect(c.node.mirrors.of(incarnation)!.pullCount).toBe(1);
    expect(b.node.mirrors.of(incarnation)).toBeUndefined();
    await members.advance(600);
    expect(b.node.mirrors.led(incarnation)?.epoch).toBe(1);
    expect(recordOf(a, incarnation).nonce).toBe('new');
  });

  it('travels in answers of bounded size, over lanes that take little at a time', async () => {
    const [a, b, c] = (await cluster()) as [SimBroker, SimBroker, SimBroker];
    const incarnations = [await declare(a, 'q1'), await declare(a, 'q2'), await declare(a, 'q3')];
    for (const other of ['b', 'c']) peers.lag('a', other, 20);
    const bodies = Array.from({ length: 40 }, (_, i) => `${i}${'x'.repeat(150_000)}`);
    for (const incarnation of incarnations) new Origin().publish(a.node.mirrors.led(incarnation)!, ...bodies);
    await members.advance(3000);
    for (const incarnation of incarnations)
      for (const each of [a, b, c]) expect(bodiesAt(each, incarnation)).toEqual(bodies);
    // 6 MB in parts of a megabyte.
    expect(b.node.mirrors.of(incarnations[0]!)!.pullCount).toBeGreaterThan(5);
  });
});
