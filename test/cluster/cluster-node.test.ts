import { SimPeers } from '@chapar/cluster';
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

describe('a queue that lives on one node', () => {
  it('takes publishes on another and is consumed on a third, in order', async () => {
    const cluster = await Cluster.of('a', 'b', 'c');
    const [a, b, c] = (await cluster.clients()) as [SimClient, SimClient, SimClient];
    await a.declare('q');
    for (let i = 1; i <= 100; i++) await b.publish('', 'q', `m${i}`);
    await cluster.advance(50);
    expect([b.confirms.size, b.refusals, b.returnedBodies]).toEqual([100, [], []]);
    await c.consume('q');
    await cluster.advance(50);
    expect(c.bodies).toEqual(Array.from({ length: 100 }, (_, i) => `m${i + 1}`));
  });
});
