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

const settled = (client: SimClient, consumer: Consumer, outcome: 'accept' | 'release' = 'accept'): string[] => {
  const got = client.got.splice(0);
  for (const { delivery } of got) consumer.settle(delivery!, outcome);
  return got.map(({ body }) => body);
};

describe('a queue that comes under a policy with ha-mode', () => {
  it('has copies with all its messages, which outlive its home', async () => {
    const [a, b, c] = await cluster();
    const [at, from] = [await a.client(), await b.client()];
    await at.declare('q');
    await publish(at, numbers(50));
    await publish(from, numbers(50, 51));
    await publish(at, ['transient'], { persistent: false });
    await members.advance(200);
    expect([at.confirms.size, from.confirms.size]).toEqual([51, 50]);
    await setPolicy(c, { 'ha-mode': 'all' });
    await members.advance(10_000);
    expect([a, b, c].map((each) => faceAt(each) instanceof MirroredQueue)).toEqual([true, true, true]);
    expect(recordOf(b)).toMatchObject({ leader: a.node.dataId, min: 2, wish: { copies: 'all', min: null } });
    expect(recordOf(b)!.inSync.length).toBe(3);
    a.kill();
    await members.advance(15_000);
    expect(await drained(from)).toEqual([...numbers(100), 'transient']);
  });
});
