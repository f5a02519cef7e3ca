import { MirroredQueue, mirrorPath, type QueueMirrorRecord, SimPeers } from '@chapar/cluster';
import type { Consumer, JsonValue } from '@chapar/core';
import { beforeEach, describe, expect, it } from 'vitest';
import { SimBroker, type SimClient } from './sim-broker.js';
import { type SimMember, SimMembers } from './sim-members.js';

const numbers = (count: number, from = 1): string[] => Array.from({ length: count }, (_, i) => `m${from + i}`);

let members: SimMembers;
let peers: SimPeers;

beforeEach(() => {
  members = new SimMembers();
  peers = new SimPeers(members.world.scheduler);
});

const start = (member: SimMember): Promise<SimBroker> => SimBroker.start(member, peers);

async function cluster(names = 'abc'): Promise<[SimBroker, SimBroker, SimBroker]> {
  const brokers: SimBroker[] = [];
  for (const name of names) brokers.push(await start(members.machine(name)));
  await members.advance(500);
  return brokers as [SimBroker, SimBroker, SimBroker];
}

async function setPolicy(at: SimBroker, definition: { [key: string]: JsonValue } | null): Promise<void> {
  const { records } = at.broker;
  const value = { pattern: '^q', 'apply-to': 'queues', priority: 0, definition: definition ?? {} };
  if (definition === null) await at.settle(records.delete('policies', '/', 'ha'));
  else await at.settle(records.put('policies', ['/', 'ha'], value));
}

const recordOf = (at: SimBroker, name = 'q'): QueueMirrorRecord | undefined => {
  const { incarnation } = at.broker.topology.vhosts.get('/')!.queues.get(name)!;
  return at.node.membership.mirror.get(mirrorPath(incarnation))?.value as unknown as QueueMirrorRecord | undefined;
};

const faceAt = ({ broker }: SimBroker, name = 'q') => broker.topology.vhosts.get('/')!.queues.get(name)!;

async function publish(client: SimClient, bodies: readonly string[], more = {}): Promise<void> {
  for (const body of bodies) await client.publish('', 'q', body, more);
}

/** All that waits, taken by a new consumer. */
async function drained(client: SimClient): Promise<string[]> {
  const from = client.got.length;
  const consumer = await client.consume('q');
  await members.advance(1000);
  const got = client.got.slice(from).filter((each) => each.consumer === consumer);
  for (const { delivery } of got) consumer.settle(delivery!, 'accept');
  consumer.detach();
  await members.advance(200);
  return got.map(({ body }) => body);
}

/** Publishes a message on each node, over and over, and takes what comes with a few in hand, while `meanwhile` goes on. */
class Work {
  readonly published = new Map<SimClient, string[]>();
  readonly seen: { body: string; redelivered: boolean; position: number }[] = [];
  private readonly consumers = new Map<SimClient, Consumer>();
  private number = 0;

  static async of(clients: readonly SimClient[], credit = 3): Promise<Work> {
    const work = new Work();
    for (const client of clients) {
      work.published.set(client, []);
      work.consumers.set(client, await client.consume('q', credit));
    }
    return work;
  }

  async round(persistent: boolean, settles = true): Promise<void> {
    for (const [client, published] of this.published) {
      const body = `${client.at.name}${++this.number}`;
      published.push(body);
      await client.publish('', 'q', body, { persistent });
    }
    if (settles) this.settle();
  }

  settle(): void {
    for (const [client, consumer] of this.consumers)
      for (const { body, redelivered, delivery } of client.got.splice(0)) {
        this.seen.push({ body, redelivered, position: delivery!.position });
        consumer.settle(delivery!, 'accept');
        consumer.grant(1);
      }
  }

  async play(ms: number, settles = true): Promise<void> {
    for (let at = 0; at < ms; at++) {
      await this.round(at % 3 > 0, settles);
      await members.advance(1);
    }
  }

  async rest(): Promise<void> {
    for (let i = 0; i < 200; i++) {
      this.settle();
      await members.advance(20);
    }
  }
}

describe('a queue that comes under a policy with ha-mode', () => {
  it('has copies with all its messages, which outlive its home', async () => {
    const [a, b, c] = await cluster();
    const [at, from] = [await a.client(), await b.client()];
    await at.declare('q');
    await publish(at, numbers(50));
    await publish(at, ['transient'], { persistent: false });
    await members.advance(100);
    await publish(from, numbers(50, 51));
    await members.advance(200);
    expect([at.confirms.size, from.confirms.size]).toEqual([51, 50]);
    await setPolicy(c, { 'ha-mode': 'all' });
    await members.advance(10_000);
    expect([a, b, c].map((each) => faceAt(each) instanceof MirroredQueue)).toEqual([true, true, true]);
    expect(recordOf(b)).toMatchObject({ leader: a.node.dataId, min: 2, wish: { copies: 'all', min: null } });
    expect(recordOf(b)!.inSync.length).toBe(3);
    a.kill();
    await members.advance(15_000);
    expect(await drained(from)).toEqual([...numbers(50), 'transient', ...numbers(50, 51)]);
  });

  it.each([5, 17])(
    'goes on under publishers and consumers on all nodes, %i ms apart, which notice nothing',
    async (lagMs) => {
      const nodes = await cluster();
      for (const from of nodes) for (const to of nodes) peers.lag(from.name, to.name, lagMs);
      const clients: SimClient[] = [];
      for (const node of nodes) clients.push(await node.client());
      await clients[0]!.declare('q');
      const work = await Work.of(clients);
      await work.play(50);
      await setPolicy(nodes[1], { 'ha-mode': 'all' });
      await work.play(700);
      expect(nodes.map((each) => faceAt(each) instanceof MirroredQueue)).toEqual([true, true, true]);
      await work.play(50);
      await work.rest();
      for (const client of clients) {
        const published = work.published.get(client)!;
        expect([client.confirms.size, client.refusals, client.ended]).toEqual([published.length, [], []]);
        const inOrder = [...work.seen].sort((x, y) => x.position - y.position);
        const own = inOrder.filter(({ body }) => body.startsWith(client.at.name)).map(({ body }) => body);
        expect(own).toEqual(published);
      }
      expect(work.seen.filter(({ redelivered }) => redelivered)).toEqual([]);
      expect(nodes[0].node.mirrors.led(faceAt(nodes[0]).incarnation)?.queue.unsettledCount).toBe(0);
    },
  );

  it('flags what was delivered before, and nothing else', async () => {
    const nodes = await cluster();
    const [a, b] = [await nodes[0].client(), await nodes[1].client()];
    await a.declare('q');
    await publish(a, numbers(6));
    const consumer = await a.consume('q', 2);
    await members.advance(50);
    consumer.detach();
    await setPolicy(nodes[2], { 'ha-mode': 'all' });
    await members.advance(3000);
    await b.consume('q');
    await members.advance(200);
    expect(b.got.map(({ body, redelivered }) => [body, redelivered])).toEqual(
      numbers(6).map((body, at) => [body, at < 2]),
    );
  });

  it('leaves what is in hands there, and its acknowledgements count', async () => {
    const nodes = await cluster();
    const clients: SimClient[] = [];
    for (const node of nodes) clients.push(await node.client());
    const [a, b] = clients as [SimClient, SimClient, SimClient];
    await a.declare('q');
    await publish(a, numbers(12));
    const consumers = [await a.consume('q', 3), await b.consume('q', 3)];
    const gotten = await b.at.settle(Promise.resolve(faceAt(b.at).get(faceAt(b.at).holder(consumers[1]!.spec, b))));
    await members.advance(100);
    const held = [a.got.splice(0), b.got.splice(0)];
    await setPolicy(nodes[2], { 'ha-mode': 'exactly', 'ha-params': 2 });
    await members.advance(5000);
    expect([a.got, b.got]).toEqual([[], []]);
    for (const [at, consumer] of consumers.entries()) {
      consumer.settle(held[at]![0]!.delivery!, 'accept');
      consumer.settle(held[at]![1]!.delivery!, 'release');
    }
    gotten!.delivery!.consumer.settle(gotten!.delivery!, 'accept');
    await members.advance(1000);
    nodes[0].kill();
    await members.advance(15_000);
    const left = await drained(clients[2]!);
    const settled = [held[0]![0]!.body, held[1]![0]!.body, gotten!.message.body().toString()];
    expect([...left, ...settled, ...held[1]!.slice(2).map(({ body }) => body)].sort()).toEqual(numbers(12).sort());
  });

  it('is whole whenever its home dies', async () => {
    // The same seed does the same up to the kill.
    const mirroredAtMs = await story(async (nodes, work) => {
      for (let ms = 0; ; ms++) {
        if (recordOf(nodes[1]) !== undefined) return ms;
        await work.play(1);
      }
    });
    for (let at = 0; at < killsNear; at++) {
      await story(async (nodes, work) => {
        await work.play(mirroredAtMs - 3);
        await work.play(Math.floor(at / 2), at % 4 > 0);
        await members.advance(at % 2 === 0 ? 0 : 0.5);
        nodes[0].kill();
        await members.advance(at % 3 === 0 ? 15_000 : 200);
        await start(nodes[0].member);
        await members.advance(5000);
        await work.rest();
        const rest = await drained(await nodes[2].client());
        const seen = [...work.seen.map(({ body }) => body), ...rest];
        for (const [client, published] of work.published) {
          const confirmed = published.filter((_, index) => client.confirms.has(index + 1));
          expect([at, confirmed.filter((body) => !seen.includes(body))]).toEqual([at, []]);
        }
        const bodies = work.seen.map(({ body }) => body);
        const twice = work.seen.filter(({ body, redelivered }, index) => !redelivered && bodies.indexOf(body) < index);
        expect([at, twice]).toEqual([at, []]);
        expect([at, recordOf(nodes[2])?.inSync.length]).toEqual([at, 3]);
      });
    }
  }, 120_000);
});

describe('a mirrored queue whose policy changes', () => {
  const nodesOf = (at: SimBroker) =>
    recordOf(at)!
      .inSync.map((id) => at.node.membership.members.get(id)!.node)
      .sort();

  it('gets more copies, fewer, and those on the nodes that are named, the lead with them', async () => {
    const nodes = await cluster('abcd');
    const [a, b] = [await nodes[0].client(), await nodes[1].client()];
    await a.declare('q');
    await publish(a, numbers(20));
    await members.advance(100);
    const steps: [{ [key: string]: JsonValue }, number, number][] = [
      [{ 'ha-mode': 'exactly', 'ha-params': 2 }, 2, 1],
      [{ 'ha-mode': 'exactly', 'ha-params': 3, 'min-in-sync': 3 }, 3, 3],
      [{ 'ha-mode': 'all' }, 4, 2],
      [{ 'ha-mode': 'exactly', 'ha-params': 2 }, 2, 1],
    ];
    for (const [definition, copies, min] of steps) {
      await setPolicy(nodes[1], definition);
      await members.advance(30_000);
      expect([definition, recordOf(nodes[1])!.inSync.length, recordOf(nodes[1])!.replicas.length]).toEqual([
        definition,
        copies,
        copies,
      ]);
      expect([definition, recordOf(nodes[1])!.min, recordOf(nodes[1])!.leader]).toEqual([
        definition,
        min,
        nodes[0].node.dataId,
      ]);
    }
    await setPolicy(nodes[1], { 'ha-mode': 'nodes', 'ha-params': ['c', 'd'] });
    const consumer = await b.consume('q', 1);
    await members.advance(40_000);
    expect([nodesOf(nodes[1]), recordOf(nodes[1])!.replicas.length]).toEqual([['c', 'd'], 2]);
    expect(b.ended).toEqual([]);
    consumer.settle(b.got[0]!.delivery!, 'accept');
    consumer.detach();
    await members.advance(100);
    expect([b.bodies, await drained(a)]).toEqual([['m1'], numbers(19, 2)]);
  });

  it('keeps what people changed by hand until it changes', async () => {
    const nodes = await cluster('abcd');
    await (await nodes[0].client()).declare('q');
    await setPolicy(nodes[1], { 'ha-mode': 'exactly', 'ha-params': 2 });
    await members.advance(10_000);
    const { replicas, incarnation } = recordOf(nodes[0])!;
    const spare = nodes.find(({ node }) => !replicas.includes(node.dataId))!;
    await nodes[2].settle(nodes[2].node.steward.operations.add(incarnation, spare.node.dataId));
    await members.advance(20_000);
    expect(recordOf(nodes[0])!.inSync.length).toBe(3);
    await setPolicy(nodes[1], { 'ha-mode': 'exactly', 'ha-params': 2, 'max-length': 10 });
    await members.advance(20_000);
    expect(recordOf(nodes[0])!.inSync.length).toBe(3);
    await setPolicy(nodes[1], { 'ha-mode': 'exactly', 'ha-params': 1 });
    await members.advance(20_000);
    expect(recordOf(nodes[0])!.inSync.length).toBe(1);
  });

  it("has its leader's copy alone when the policy ends, with everything, and others again when one comes back", async () => {
    const nodes = await cluster();
    const [a, b] = [await nodes[0].client(), await nodes[1].client()];
    await a.declare('q');
    await publish(a, numbers(20));
    await setPolicy(nodes[1], { 'ha-mode': 'all', 'min-in-sync': 3 });
    await members.advance(10_000);
    expect(recordOf(nodes[0])).toMatchObject({ min: 3 });
    await setPolicy(nodes[1], null);
    await members.advance(30_000);
    const alone = recordOf(nodes[0])!;
    expect([alone.replicas, alone.inSync, alone.min]).toEqual([[nodes[0].node.dataId], [nodes[0].node.dataId], 1]);
    expect(nodes[1].member.store.logs.replicas).toEqual([]);
    await publish(b, numbers(20, 21));
    await members.advance(100);
    expect(b.confirms.size).toBe(20);
    await setPolicy(nodes[1], { 'ha-mode': 'all' });
    await members.advance(10_000);
    expect(recordOf(nodes[0])!.inSync.length).toBe(3);
    nodes[0].kill();
    await members.advance(15_000);
    expect(await drained(b)).toEqual(numbers(40));
  });
});

/** Half a millisecond apart, from 3 ms before the queue is mirrored on. */
const killsNear = 14;

/** Three nodes, work on two of them with a queue of the third, and a policy that comes. */
async function story<T>(goesOn: (nodes: [SimBroker, SimBroker, SimBroker], work: Work) => Promise<T>): Promise<T> {
  members = new SimMembers();
  peers = new SimPeers(members.world.scheduler);
  const nodes = await cluster();
  const clients = [await nodes[1].client(), await nodes[2].client()];
  await (await nodes[0].client()).declare('q');
  const work = await Work.of(clients);
  await work.play(10);
  await setPolicy(nodes[1], { 'ha-mode': 'all' });
  return goesOn(nodes, work);
}
