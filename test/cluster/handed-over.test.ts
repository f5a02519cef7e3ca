import { SimPeers } from '@chapar/cluster';
import { SimRandom } from '@chapar/platform';
import { describe, expect, it } from 'vitest';
import { SimBroker, type SimClient } from './sim-broker.js';
import { SimMembers } from './sim-members.js';

/** Three nodes with disks, a mirrored queue with copies on all of them, and clients on each. */
class Scene {
  readonly members = new SimMembers();
  readonly peers = new SimPeers(this.members.world.scheduler);
  readonly brokers: SimBroker[] = [];
  readonly clients: SimClient[] = [];
  readonly confirmed = new Map<string, number>();
  nowMs = 0;
  /** The longest time between a publish and its confirm. */
  longestMs = 0;
  private readonly waiting: { client: SimClient; tag: number; body: string; atMs: number }[] = [];
  private published = 0;

  static async of(...names: string[]): Promise<Scene> {
    const scene = new Scene();
    for (const name of names) scene.brokers.push(await SimBroker.start(scene.members.machine(name), scene.peers));
    await scene.members.advance(1000);
    for (const broker of scene.brokers) scene.clients.push(await broker.client());
    await scene.clients[0]!.declare('m', { arguments: { 'x-queue-type': 'quorum' } });
    await scene.members.advance(1000);
    return scene;
  }

  get leader(): number {
    return this.brokers.findIndex(({ broker }) => broker.topology.vhosts.get('/')!.led.has('m'));
  }

  get incarnation(): string {
    return this.brokers[0]!.broker.topology.vhosts.get('/')!.queues.get('m')!.incarnation;
  }

  /** Time passes, in which each client publishes every few milliseconds. */
  async work(ms: number): Promise<void> {
    for (const until = this.nowMs + ms; this.nowMs < until; this.nowMs += 2) {
      const client = this.clients[this.nowMs % this.clients.length]!;
      const body = `m${++this.published}`;
      this.waiting.push({ client, tag: await client.publish('', 'm', body), body, atMs: this.nowMs });
      await this.members.advance(2);
      this.look();
    }
  }

  private look(): void {
    for (const each of [...this.waiting]) {
      if (!each.client.confirms.has(each.tag)) continue;
      this.waiting.splice(this.waiting.indexOf(each), 1);
      this.longestMs = Math.max(this.longestMs, this.nowMs - each.atMs);
      this.confirmed.set(each.body, each.atMs);
    }
  }

  async rest(): Promise<void> {
    await this.members.advance(3000);
    this.nowMs += 3000;
    for (const { client } of this.waiting) expect(client.refusals).toEqual([]);
    const { longestMs } = this;
    this.look();
    this.longestMs = longestMs;
  }

  get open(): number {
    return this.waiting.length;
  }

  /** Everything that is in the queue. */
  async drained(): Promise<string[]> {
    const client = this.clients[1]!;
    const consumer = await client.consume('m');
    await this.members.advance(2000);
    for (const { delivery } of client.got) consumer.settle(delivery!, 'accept');
    return client.bodies;
  }
}

describe('a lead that is handed over', () => {
  it('is elsewhere within two hundred milliseconds, again and again, and nothing is refused, lost or doubled', async () => {
    const scene = await Scene.of('a', 'b', 'c');
    const random = new SimRandom(7);
    for (let i = 0; i < 6; i++) {
      await scene.work(60 + random.integer(100));
      const from = scene.leader;
      const to = (from + 1 + random.integer(2)) % 3;
      const asked = scene.brokers[random.integer(3)]!.node.steward.operations;
      let outcome: unknown = null;
      asked.handOver(scene.incarnation, scene.brokers[to]!.node.dataId).then(
        (leader) => (outcome = leader),
        (error: unknown) => (outcome = error),
      );
      for (let waited = 0; outcome === null && waited < 2000; waited += 10) await scene.work(10);
      expect(outcome).toBe(scene.brokers[to]!.node.dataId);
      await scene.work(300);
      expect(scene.leader).toBe(to);
    }
    expect(scene.longestMs).toBeLessThan(200);
    await scene.rest();
    expect(scene.open).toBe(0);
    const bodies = await scene.drained();
    expect([...bodies].sort()).toEqual([...scene.confirmed.keys()].sort());
    expect(new Set(scene.clients.flatMap(({ ended }) => ended)).size).toBe(0);
  });

  it('is taken from a node that is drained, under work', async () => {
    const scene = await Scene.of('a', 'b', 'c');
    await scene.work(300);
    const [a] = scene.brokers as [SimBroker];
    void a.node.steward.drain.begin();
    await scene.work(1000);
    expect(a.node.steward.drain.view()).toEqual({ state: 'drained', moved: 1, left: [] });
    expect(scene.leader).toBeGreaterThan(0);
    expect(scene.longestMs).toBeLessThan(200);
    await scene.rest();
    expect(scene.open).toBe(0);
  });
});
