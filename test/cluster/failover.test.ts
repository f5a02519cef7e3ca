import { MirroredQueue, SimPeers } from '@chapar/cluster';
import { type Consumer, type Delivery, Window } from '@chapar/core';
import { SimRandom } from '@chapar/platform';
import { describe, expect, it } from 'vitest';
import { SimBroker, type SimClient } from './sim-broker.js';
import { SimMembers } from './sim-members.js';

/** Nodes with disks, one of which leads a mirrored queue that all of them have a copy of. */
class Cluster {
  readonly members = new SimMembers();
  readonly peers = new SimPeers(this.members.world.scheduler);
  readonly brokers: SimBroker[] = [];
  private readonly dead = new Set<SimBroker>();

  static async of(...names: string[]): Promise<Cluster> {
    const cluster = new Cluster();
    for (const name of names) cluster.brokers.push(await SimBroker.start(cluster.members.machine(name), cluster.peers));
    await cluster.advance(500);
    return cluster;
  }

  async declare(args = {}): Promise<void> {
    const client = await this.brokers[0]!.client();
    await client.declare('m', { arguments: { 'x-queue-type': 'quorum', ...args } });
    await this.advance(200);
  }

  get leader(): number {
    return this.brokers.findIndex((at) => !this.dead.has(at) && at.broker.topology.vhosts.get('/')!.led.has('m'));
  }

  kill(node: number): void {
    this.dead.add(this.brokers[node]!);
    this.brokers[node]!.kill();
  }

  async restart(node: number): Promise<void> {
    this.brokers[node] = await SimBroker.start(this.brokers[node]!.member, this.peers);
  }

  /** Nothing gets from a node to anybody, nor to etcd; or all is well again. */
  isolate(node: number, isCut: boolean): void {
    const { name, member } = this.brokers[node]!;
    member.client.path.cut = isCut;
    for (const other of this.brokers) {
      if (other.name === name) continue;
      const ways = [
        [name, other.name],
        [other.name, name],
      ] as const;
      for (const [from, to] of ways) {
        if (isCut) this.peers.cut(from, to);
        else this.peers.mend(from, to);
      }
    }
  }

  advance(ms: number): Promise<void> {
    return this.members.advance(ms);
  }
}

describe('a mirrored queue whose leader dies', () => {
  it('goes on under another node, with all that was confirmed, and those who use it hear nothing', async () => {
    const cluster = await Cluster.of('a', 'b', 'c');
    await cluster.declare();
    const [b, c] = [await cluster.brokers[1]!.client(), await cluster.brokers[2]!.client()];
    expect(b.actor.vhost.queues.get('m')).toBeInstanceOf(MirroredQueue);
    expect(cluster.leader).toBe(0);
    for (let i = 1; i <= 50; i++) await b.publish('', 'm', `m${i}`);
    const consumer = await c.consume('m', 10);
    await cluster.advance(50);
    expect([b.confirms.size, c.got.length]).toEqual([50, 10]);
    cluster.kill(0);
    for (let i = 51; i <= 60; i++) await b.publish('', 'm', `m${i}`);
    await cluster.advance(3000);
    expect(cluster.leader).toBeGreaterThan(0);
    expect([b.confirms.size, b.refusals, c.ended, c.got.length]).toEqual([60, [], [], 10]);
    for (const { delivery } of c.got) consumer.settle(delivery!, 'accept');
    consumer.grant(Number.POSITIVE_INFINITY);
    await cluster.advance(100);
    expect(c.bodies).toEqual(Array.from({ length: 60 }, (_, i) => `m${i + 1}`));
    expect(c.got.slice(0, 10).some(({ redelivered }) => redelivered)).toBe(false);
    for (const { delivery } of c.got.slice(10)) consumer.settle(delivery!, 'accept');
    await cluster.restart(0);
    await cluster.advance(2000);
    expect(await c.at.settle(Promise.resolve(c.actor.vhost.queues.get('m')!.counts()))).toEqual({
      ready: 0,
      consumers: 1,
    });
    const asked = c.actor.deleteQueue('m', { ifUnused: false, ifEmpty: true });
    expect(await c.at.settle(Promise.resolve(asked))).toBe(0);
    await cluster.advance(100);
    expect([c.ended, cluster.leader]).toEqual([['queue-deleted'], -1]);
  });

  it('is led by its own node again after that lost its session, without its process noticing', async () => {
    const cluster = await Cluster.of('a', 'b', 'c');
    await cluster.declare();
    const clients: SimClient[] = [];
    for (const broker of cluster.brokers) clients.push(await broker.client());
    const [a, b] = clients as [SimClient, SimClient];
    const consumer = await a.consume('m', 1);
    await b.publish('', 'm', 'one');
    await b.publish('', 'm', 'two');
    await cluster.advance(50);
    expect(a.bodies).toEqual(['one']);
    // For longer than its lease.
    cluster.isolate(0, true);
    await a.publish('', 'm', 'three');
    await cluster.advance(14_000);
    expect(cluster.leader).toBeGreaterThan(-1);
    cluster.isolate(0, false);
    await cluster.advance(10_000);
    expect([a.confirms.size, a.refusals.length, a.ended]).toEqual([1, 0, []]);
    consumer.settle(a.got[0]!.delivery!, 'accept');
    consumer.grant(10);
    await cluster.advance(200);
    expect(a.bodies.slice(1)).toEqual(['two', 'three']);
  });
});

/** One process's clients: what they published, and what their consumers hold in a window that they share. */
class Use {
  readonly client: SimClient;
  readonly bodies: string[] = [];
  readonly held: { readonly consumer: Consumer; readonly delivery: Delivery; readonly body: string }[] = [];
  readonly window = new Window(6);
  consumers: Consumer[] = [];

  constructor(client: SimClient) {
    this.client = client;
  }

  async consume(): Promise<void> {
    this.consumers.push(await this.client.consume('m', 5, { window: this.window }));
  }
}

/** Nodes that die, or are cut off, and come back, one at a time; links that break; publishers and consumers on those that are there. */
class Storm {
  private readonly seed: number;
  private readonly random: SimRandom;
  private readonly cluster: Cluster;
  private readonly uses: Use[] = [];
  private readonly confirmed = new Set<string>();
  private readonly accepted = new Set<string>();
  private readonly fresh = new Set<string>();
  private lives = 0;
  private down = -1;
  private isolated = -1;

  private constructor(seed: number, cluster: Cluster) {
    this.seed = seed;
    this.random = new SimRandom(seed);
    this.cluster = cluster;
  }

  static async run(seed: number): Promise<void> {
    const cluster = await Cluster.of('a', 'b', 'c');
    await cluster.declare();
    const storm = new Storm(seed, cluster);
    for (const node of [0, 1, 2]) await storm.use(node);
    for (let round = 0; round < 120; round++) await storm.round();
    await storm.calm();
  }

  private fail(what: string): never {
    throw new Error(`seed ${this.seed}: ${what}`);
  }

  private async use(node: number): Promise<void> {
    const use = new Use(await this.cluster.brokers[node]!.client());
    this.uses[node] = use;
    this.lives++;
    await use.consume();
    await use.consume();
  }

  private async round(): Promise<void> {
    const { random, cluster } = this;
    for (const [node, use] of this.uses.entries()) if (node !== this.down) await this.work(node, use);
    await cluster.advance(random.unit() * 8);
    this.look(0.4);
    if (random.chance(0.08)) {
      const names = ['a', 'b', 'c'].filter((_, node) => node !== this.down);
      cluster.peers.reset(names[0]!, names[1]!);
    }
    await this.harm();
    if (random.chance(0.03)) await cluster.advance(random.integer(2500));
  }

  private async work(node: number, use: Use): Promise<void> {
    const { random } = this;
    for (let i = random.integer(4); i > 0; i--) {
      const body = `${node}.${this.lives}-${use.bodies.length + 1}`;
      use.bodies.push(body);
      await use.client.publish('', 'm', body, { persistent: random.chance(0.5) });
    }
    if (!random.chance(0.05)) return;
    const [consumer] = use.consumers.splice(0, 1);
    if (consumer === undefined) return;
    if (random.chance(0.5)) void consumer.stop();
    else {
      consumer.detach();
      const others = <T extends { readonly consumer: Consumer }>(all: T[]) =>
        all.splice(0).filter((each) => each.consumer !== consumer);
      use.held.push(...others(use.held));
      use.client.got.push(...others(use.client.got));
    }
    use.client.consume('m', 5, { window: use.window }).then(
      (next) => use.consumers.push(next),
      () => undefined,
    );
  }

  private async harm(): Promise<void> {
    const { random, cluster } = this;
    if (this.down === -1 && this.isolated === -1) {
      if (!random.chance(0.08)) return;
      const node = random.chance(0.7) ? Math.max(cluster.leader, 0) : random.integer(3);
      if (random.chance(0.5)) {
        this.look(0);
        this.down = node;
        cluster.kill(node);
      } else {
        this.isolated = node;
        cluster.isolate(node, true);
        if (random.chance(0.5)) await cluster.advance(random.integer(12_000));
      }
    } else if (random.chance(0.1)) {
      if (this.down !== -1) await cluster.advance(random.integer(3000));
      await this.heal();
    }
  }

  private async heal(): Promise<void> {
    const { down, isolated, cluster } = this;
    this.down = this.isolated = -1;
    if (isolated !== -1) cluster.isolate(isolated, false);
    if (down === -1) return;
    await cluster.restart(down);
    await this.use(down);
  }

  private look(share: number): void {
    for (const [node, use] of this.uses.entries()) {
      const { client, bodies, held } = use;
      for (const tag of client.confirms) this.confirmed.add(bodies[tag - 1]!);
      for (const { body, redelivered, delivery, consumer } of client.got.splice(0)) {
        if (!redelivered && this.fresh.has(body)) this.fail(`${body} came twice, and not flagged`);
        if (!redelivered) this.fresh.add(body);
        held.push({ consumer, delivery: delivery!, body });
      }
      if (client.ended.length > 0) this.fail(`a consumer on ${node} was ended: ${client.ended}`);
      if (held.length > 6) this.fail(`${held.length} messages in a window of 6`);
      for (let i = held.length - 1; i >= 0; i--) if (this.random.unit() < share) this.settle(use, i, share);
    }
  }

  private settle({ held }: Use, at: number, share: number): void {
    const [{ consumer, delivery, body }] = held.splice(at, 1) as [Use['held'][number]];
    const accepts = share === 1 || this.random.chance(0.8);
    consumer.settle(delivery, accepts ? 'accept' : 'release');
    if (accepts) this.accepted.add(body);
    consumer.grant(1);
  }

  private async calm(): Promise<void> {
    const { cluster } = this;
    await this.heal();
    for (let i = 0; i < 100; i++) {
      await cluster.advance(i < 14 ? 1500 : 20);
      this.look(1);
    }
    for (const { client, bodies } of this.uses) {
      const { confirms, refusals } = client;
      if (confirms.size + refusals.length !== bodies.length)
        this.fail(`${confirms.size} of ${bodies.length} were confirmed, and ${refusals.length} refused`);
    }
    for (const body of this.confirmed) if (!this.accepted.has(body)) this.fail(`${body} was confirmed and lost`);
    const queue = cluster.brokers[cluster.leader]!.broker.topology.vhosts.get('/')!.led.get('m')!;
    const expected = this.uses.reduce((sum, { consumers }) => sum + consumers.length, 0);
    expect([this.seed, queue.readyCount, queue.unsettledCount, queue.consumers.size]).toEqual([
      this.seed,
      0,
      0,
      expected,
    ]);
  }
}

describe('while nodes die and come back', () => {
  it('nothing that was confirmed is lost, and nothing comes twice without being flagged', async () => {
    for (let seed = 1; seed <= 4; seed++) await Storm.run(seed);
  });
});
