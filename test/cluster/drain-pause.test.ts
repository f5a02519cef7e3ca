import { SimPeers } from '@chapar/cluster';
import { beforeEach, describe, expect, it } from 'vitest';
import { SimBroker, type SimClient } from './sim-broker.js';
import { SimMembers } from './sim-members.js';

const queueCount = 50;
/** One way, between any two nodes. Milliseconds. */
const lagMs = 3;
/** Each queue gets a message so often. Milliseconds. */
const everyMs = 40;
const pauseMsMax = 200;

let members: SimMembers;
let peers: SimPeers;

beforeEach(() => {
  members = new SimMembers(11);
  peers = new SimPeers(members.world.scheduler);
});

/** Publishes to every queue in turn, and notes when each message is confirmed. */
class Load {
  readonly client: SimClient;
  /** By tag: to which queue, and when. */
  private readonly sent: { readonly queue: string; readonly atMs: number }[] = [];
  private readonly seen = new Set<number>();
  /** By queue, the longest time from a publish to its confirm. Milliseconds. */
  readonly longest = new Map<string, number>();

  constructor(client: SimClient) {
    this.client = client;
  }

  async publish(queues: readonly string[]): Promise<void> {
    for (const queue of queues) {
      await this.client.publish('', queue, `${queue} ${this.sent.length}`);
      this.sent.push({ queue, atMs: members.world.scheduler.nowMs });
    }
  }

  look(): void {
    const { nowMs } = members.world.scheduler;
    for (const tag of this.client.confirms) {
      if (this.seen.has(tag)) continue;
      this.seen.add(tag);
      const { queue, atMs } = this.sent[tag - 1]!;
      this.longest.set(queue, Math.max(this.longest.get(queue) ?? 0, nowMs - atMs));
    }
  }

  get unconfirmedCount(): number {
    return this.sent.length - this.seen.size;
  }
}

describe('a node that is drained', () => {
  it(`hands each of ${queueCount} queues over within ${pauseMsMax} ms, under load`, async () => {
    const brokers: SimBroker[] = [];
    for (const name of ['a', 'b', 'c']) brokers.push(await SimBroker.start(members.machine(name), peers));
    const [a, b, c] = brokers as [SimBroker, SimBroker, SimBroker];
    for (const { member } of brokers) member.client.path.delayMs = lagMs;
    for (const from of ['a', 'b', 'c']) for (const to of ['a', 'b', 'c']) if (from !== to) peers.lag(from, to, lagMs);
    await members.advance(1000);
    const declaring = await a.client();
    const queues = Array.from({ length: queueCount }, (_, i) => `q${i}`);
    for (const queue of queues) await declaring.declare(queue, { arguments: { 'x-queue-type': 'quorum' } });
    await members.advance(2000);
    expect([...a.node.mirrors.allLed()]).toHaveLength(queueCount);
    const loads = [new Load(await b.client()), new Load(await c.client())];
    const run = async (ms: number) => {
      for (let doneMs = 0; doneMs < ms; doneMs += everyMs) {
        for (const [i, load] of loads.entries()) await load.publish(queues.slice(i * 25, i * 25 + 25));
        for (let step = 0; step < everyMs; step += 4) {
          await members.advance(4);
          for (const load of loads) load.look();
        }
      }
    };
    await run(500);
    const before = Math.max(...loads.flatMap(({ longest }) => [...longest.values()]));
    expect(before).toBeLessThan(50);
    const draining = a.node.steward.drain.begin();
    for (let tries = 0; tries < 40 && a.node.steward.drain.view().state !== 'drained'; tries++) await run(200);
    await a.settle(draining);
    expect(a.node.steward.drain.view()).toEqual({ state: 'drained', moved: queueCount, left: [] });
    await members.advance(1000);
    for (const load of loads) {
      const { client, longest } = load;
      load.look();
      expect([client.refusals, longest.size, load.unconfirmedCount]).toEqual([[], 25, 0]);
      for (const [queue, ms] of longest) expect(ms, queue).toBeLessThanOrEqual(pauseMsMax);
    }
    expect([...b.node.mirrors.allLed()].length + [...c.node.mirrors.allLed()].length).toBe(queueCount);
  });
});
