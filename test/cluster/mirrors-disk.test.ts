import { type LedQueue, type MirrorRecord, SimPeers } from '@chapar/cluster';
import type { ConfirmSlot, Incarnation, JsonValue, LogRead } from '@chapar/core';
import { beforeEach, describe, expect, it } from 'vitest';
import { messageOf } from '../support/memory-replicas.js';
import { FaceStub } from '../support/mirroring-residence.js';
import { SimBroker } from './sim-broker.js';
import { type SimMember, SimMembers } from './sim-members.js';

let members: SimMembers;
let peers: SimPeers;

beforeEach(() => {
  members = new SimMembers(3);
  peers = new SimPeers(members.world.scheduler);
});

function start(member: SimMember): Promise<SimBroker> {
  return SimBroker.start(member, peers, {
    prepare: (node) => {
      node.residence.face = (properties) => new FaceStub(properties);
    },
  });
}

async function cluster(): Promise<SimBroker[]> {
  const brokers: SimBroker[] = [];
  for (const name of ['a', 'b', 'c']) brokers.push(await start(members.machine(name)));
  await members.advance(1000);
  return brokers;
}

async function declare(at: SimBroker, name: string): Promise<Incarnation> {
  const client = await at.client();
  await client.declare(name, { arguments: { 'x-queue-type': 'quorum' } });
  await members.advance(100);
  return at.broker.topology.vhosts.get('/')!.queues.get(name)!.incarnation;
}

const origin = { sequence: 0, confirmed: [] as string[] };

function publish(led: LedQueue, bodies: readonly string[]): void {
  for (const body of bodies) {
    led.from({ origin: 'origin', sequence: ++origin.sequence, low: 0 });
    const slot = { committed: () => origin.confirmed.push(body), refused: () => undefined } as unknown as ConfirmSlot;
    led.queue.enqueue(messageOf(Buffer.from(JSON.stringify(['q', body]))), slot);
  }
}

/** What lives in a copy, read from its disk. */
function bodiesAt(at: SimBroker, incarnation: Incarnation): Promise<string[]> {
  const { stored } = at.node.mirrors.of(incarnation)!;
  const read = new Promise<LogRead>((done) => stored.read(1, stored.end, 1e9, done));
  return at.settle(read.then(({ messages }) => messages.map(({ message }) => message.body().toString())));
}

const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => `${from + i}`);

async function leaderOf(brokers: readonly SimBroker[], incarnation: Incarnation): Promise<SimBroker> {
  for (let tries = 0; tries < 150; tries++) {
    const found = brokers.find(({ node }) => node.mirrors.led(incarnation) !== null);
    if (found !== undefined) return found;
    await members.advance(100);
  }
  throw new Error('nobody leads');
}

describe('copies of a mirrored queue on disks', () => {
  beforeEach(() => Object.assign(origin, { sequence: 0, confirmed: [] }));

  it('are the same, and what was confirmed is there after the power failed everywhere', async () => {
    const brokers = await cluster();
    const incarnation = await declare(brokers[0]!, 'q');
    const led = brokers[0]!.node.mirrors.led(incarnation)!;
    publish(led, numbers(1, 200));
    await members.advance(100);
    expect(origin.confirmed).toEqual(numbers(1, 200));
    for (const each of brokers) expect(await bodiesAt(each, incarnation)).toEqual(numbers(1, 200));
    publish(led, numbers(201, 210));
    for (const each of brokers) {
      each.transport.close();
      each.member.client.close();
      each.member.platform.crash();
      peers.kill(each.transport, false);
    }
    await members.advance(100);
    const again: SimBroker[] = [];
    for (const { member } of brokers) again.push(await start(member));
    const leader = await leaderOf(again, incarnation);
    const bodies = await bodiesAt(leader, incarnation);
    expect(bodies.slice(0, 200)).toEqual(numbers(1, 200));
    publish(leader.node.mirrors.led(incarnation)!, ['more']);
    await members.advance(12_000);
    for (const each of again) expect(await bodiesAt(each, incarnation)).toEqual([...bodies, 'more']);
  });

  it('catch up with what they missed, also what is not in memory any more, and lose what was settled', async () => {
    const brokers = await cluster();
    const incarnation = await declare(brokers[0]!, 'q');
    const [a, b, c] = brokers as [SimBroker, SimBroker, SimBroker];
    const first = a.node.mirrors.led(incarnation)!;
    publish(first, numbers(1, 50));
    await members.advance(100);
    c.kill();
    peers.kill(c.transport, true);
    await members.advance(15_000);
    for (let from = 51; from < 3000; from += 50) {
      publish(first, numbers(from, from + 49));
      await members.advance(5);
    }
    await members.advance(100);
    const { log } = a.node.mirrors.of(incarnation)!.reign!;
    log.settle(2, 41);
    log.settle(100, 199);
    await members.advance(100);
    a.kill();
    peers.kill(a.transport, true);
    const again = await start(c.member);
    const leader = await leaderOf([b, again], incarnation);
    expect(leader).toBe(b);
    await members.advance(5000);
    const bodies = await bodiesAt(leader, incarnation);
    expect(bodies).toHaveLength(3000 - 140);
    expect(await bodiesAt(again, incarnation)).toEqual(bodies);
    expect(again.node.mirrors.recordOf(incarnation)!.inSync).toContain(again.node.dataId);
  });

  it('are taken away and given back, and restarted over', async () => {
    const brokers = await cluster();
    const [a, , c] = brokers as [SimBroker, SimBroker, SimBroker];
    const incarnation = await declare(a, 'q');
    publish(a.node.mirrors.led(incarnation)!, numbers(1, 30));
    await members.advance(100);
    const { dataId } = c.node;
    const write = (change: (record: MirrorRecord) => MirrorRecord) => {
      const value = change(a.node.mirrors.recordOf(incarnation)!) as JsonValue;
      return a.settle(a.node.metadata.change([], [{ key: `mirrors/${incarnation}`, value }]));
    };
    const without = (ids: readonly string[]) => ids.filter((id) => id !== dataId);
    await write(({ replicas, inSync, ...rest }) => {
      return { ...rest, replicas: without(replicas), inSync: without(inSync), nonce: 'x' };
    });
    await members.advance(100);
    expect(c.node.mirrors.of(incarnation)).toBeUndefined();
    await write((record) => ({ ...record, replicas: [...record.replicas, dataId], nonce: 'y' }));
    await members.advance(2000);
    expect(await bodiesAt(c, incarnation)).toEqual(numbers(1, 30));
    expect(a.node.mirrors.recordOf(incarnation)!.inSync).toContain(dataId);
    c.kill();
    peers.kill(c.transport, true);
    const again = await start(c.member);
    await members.advance(5000);
    expect(await bodiesAt(again, incarnation)).toEqual(numbers(1, 30));
  });
});

describe('a copy outside the set that an operator makes lead', () => {
  beforeEach(() => Object.assign(origin, { sequence: 0, confirmed: [] }));

  function down(...brokers: SimBroker[]): void {
    for (const each of brokers) {
      each.kill();
      peers.kill(each.transport, true);
    }
  }

  /** `c` has the first thirty, was down when the next twenty came, and is the only one that is there. */
  async function onlyTheLastOne(): Promise<{ incarnation: Incarnation; a: SimBroker; b: SimBroker; c: SimBroker }> {
    const [a, b, c] = (await cluster()) as [SimBroker, SimBroker, SimBroker];
    const incarnation = await declare(a, 'q');
    const led = a.node.mirrors.led(incarnation)!;
    publish(led, numbers(1, 30));
    await members.advance(100);
    down(c);
    await members.advance(15_000);
    publish(led, numbers(31, 50));
    await members.advance(1000);
    expect(origin.confirmed).toEqual(numbers(1, 50));
    expect(a.node.mirrors.recordOf(incarnation)!.inSync).not.toContain(c.node.dataId);
    // The others have let go of this one.
    a.node.mirrors.of(incarnation)!.reign!.log.settle(3, 3);
    await members.advance(1000);
    down(a, b);
    await members.advance(15_000);
    return { incarnation, a, b, c: await start(c.member) };
  }

  it('has what it had; the others keep aside what they let go of, and follow it', async () => {
    const { incarnation, a, b, c } = await onlyTheLastOne();
    await members.advance(20_000);
    expect(c.node.mirrors.led(incarnation)).toBeNull();
    const { forced } = c.node.steward;
    const { present, copies, record } = await c.settle(forced.prospects(incarnation));
    expect(present).toEqual([]);
    expect(copies).toEqual([{ id: c.node.dataId, epoch: 1, end: 31, committed: 31, messages: 30, silentMs: null }]);
    await c.settle(forced.promote(incarnation, c.node.dataId));
    const before = record.epoch;
    const { dataId } = c.node;
    const next = c.node.mirrors.recordOf(incarnation)!;
    expect(next).toMatchObject({ leader: dataId, epoch: before + 1, inSync: [dataId], forced: before + 1, min: 2 });
    const leader = await leaderOf([c], incarnation);
    expect(await bodiesAt(leader, incarnation)).toEqual(numbers(1, 30));
    const again = [await start(b.member), await start(a.member)];
    await members.advance(5000);
    publish(c.node.mirrors.led(incarnation)!, ['new']);
    await members.advance(5000);
    expect(origin.confirmed.at(-1)).toBe('new');
    for (const each of [c, ...again]) expect(await bodiesAt(each, incarnation)).toEqual([...numbers(1, 30), 'new']);
    expect(new Set(c.node.mirrors.recordOf(incarnation)!.inSync)).toEqual(new Set([a, b, c].map((x) => x.node.dataId)));
    for (const { member } of again) expect(await member.settle(asideAt(member))).toEqual(numbers(31, 50));
    expect(await c.settle(asideAt(c.member))).toEqual([]);
    const lags = (await c.settle(c.node.steward.operations.status(incarnation)))!.members.map(({ lag }) => lag);
    expect(lags).toEqual([0, 0, 0]);
    // And they go on as any others, over restarts and with other leaders.
    down(c);
    const other = await leaderOf(again, incarnation);
    publish(other.node.mirrors.led(incarnation)!, ['newer']);
    await members.advance(1000);
    const bodies = [...numbers(1, 30), 'new', 'newer'];
    expect(await bodiesAt(other, incarnation)).toEqual(bodies);
    down(...again);
    await members.advance(15_000);
    const third: SimBroker[] = [];
    for (const { member } of [a, b, c]) third.push(await start(member));
    const last = await leaderOf(third, incarnation);
    await members.advance(5000);
    expect(await bodiesAt(last, incarnation)).toEqual(bodies);
    expect(last.node.mirrors.led(incarnation)!.queue.readyCount).toBe(32);
  });

  it('takes nothing that anybody held of the messages that were lost for one of its own', async () => {
    const { incarnation, c } = await onlyTheLastOne();
    await c.settle(c.node.steward.forced.promote(incarnation, c.node.dataId));
    const led = (await leaderOf([c], incarnation)) && c.node.mirrors.led(incarnation)!;
    publish(led, numbers(101, 150));
    await members.advance(100);
    // What a consumer held when all else was lost, and settles now.
    c.node.mirrors.of(incarnation)!.reign!.log.settle(32, 60);
    await members.advance(100);
    expect(await bodiesAt(c, incarnation)).toEqual([...numbers(1, 30), ...numbers(101, 150)]);
  });

  it('does not lead while a member of the set is there, or comes back just then', async () => {
    const { incarnation, a, c } = await onlyTheLastOne();
    const { forced } = c.node.steward;
    // Etcd hears of it first.
    c.member.client.path.cut = true;
    const asking = forced.promote(incarnation, c.node.dataId).then(
      () => 'done',
      (error: Error) => error.message,
    );
    await members.advance(10);
    const again = await start(a.member);
    c.member.client.path.cut = false;
    await members.advance(15_000);
    expect(await asking).toMatch(
      /a is in sync and running, so nothing has to be lost: hand the lead over instead|etcd has not/,
    );
    expect(again.node.mirrors.led(incarnation)).not.toBeNull();
    const late = forced.promote(incarnation, c.node.dataId);
    await expect(c.settle(late)).rejects.toThrow('in sync and running');
    await members.advance(15_000);
    expect(await bodiesAt(c, incarnation)).toEqual(numbers(1, 50).filter((body) => body !== '2'));
  });
});

/** The bodies of what a node keeps aside. */
async function asideAt({ platform }: SimMember): Promise<string[]> {
  const directory = '/data/aside';
  const names = await platform.disk.list(directory).catch((): string[] => []);
  const bodies: string[] = [];
  for (const name of names) {
    const lines = (await platform.disk.readFile(`${directory}/${name}`)).toString().trimEnd().split('\n');
    for (const line of lines) {
      const { body, routing_key: key, dialect } = JSON.parse(line);
      expect([key, dialect]).toEqual(['q', 'amqp-0-9-1']);
      bodies.push(Buffer.from(body, 'base64').toString());
    }
  }
  return bodies;
}
