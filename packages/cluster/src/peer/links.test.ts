import { SimWorld } from '@chapar/platform';
import { describe, expect, it } from 'vitest';
import { SimEtcd } from '../etcd/sim-etcd.js';
import { Mirror } from '../mirror.js';
import { Registration } from '../session.js';
import type { Lane, LaneKind } from './lane.js';
import { Links, type Peer } from './links.js';
import { SimPeers } from './sim-transport.js';

const prefix = '/chapar/';
const port = 25672;

/** Nodes that are linked in simulated time. */
class Cluster {
  readonly world = new SimWorld(5);
  readonly etcd = new SimEtcd(this.world.scheduler);
  readonly peers = new SimPeers(this.world.scheduler);

  async node(name: string, secret = 'secret') {
    const { clock, log, random } = this.world.machine(`${name}-${this.world.scheduler.nowMs}`);
    const client = this.etcd.connect(clock, random);
    const mirror = new Mirror(client, { clock, log }, prefix);
    await this.world.scheduler.settle(mirror.open());
    /** Lanes that are open, as `opened bulk b@17`. */
    const open = new Set<string>();
    const departed: string[] = [];
    const note = (how: string) => (peer: Peer, kind: LaneKind, lane: Lane) => {
      const text = `${how} ${kind} ${peer.node}@${peer.session}`;
      open.add(text);
      lane.open({ received: () => undefined, drained: () => undefined, closed: () => open.delete(text) });
    };
    const transport = this.peers.transport(name);
    const links = new Links(
      { transport, mirror, clock, random, log, cluster: 'c', node: name, secret },
      {
        arrived: () => undefined,
        opened: note('opened'),
        accepted: note('accepted'),
        departed: (peer) => departed.push(`${peer.node}@${peer.session}`),
      },
    );
    await links.listen(name, port);
    const record = { dataId: name, boot: name, address: `${name}:${port}`, versions: {} };
    const options = { etcd: client, mirror, clock, log, prefix, node: name, record, leaseSeconds: 10 };
    const registration = new Registration(options);
    registration.onBegan = ({ revision }) => links.begin(revision);
    registration.onEnded = () => links.end();
    registration.start();
    await this.advance(300);
    const kill = () => {
      clock.stop();
      client.close();
      transport.close();
    };
    return { name, client, links, registration, open, departed, kill };
  }

  advance(ms: number): Promise<void> {
    return this.world.scheduler.advance(ms);
  }
}

type Node = Awaited<ReturnType<Cluster['node']>>;

/** All lanes that a node has to these. */
function lanesTo(others: readonly Node[]): string[] {
  const lanes = others.flatMap(({ name, registration }) =>
    ['opened', 'accepted'].flatMap((how) =>
      ['bulk', 'control', 'replication'].map((kind) => `${how} ${kind} ${name}@${registration.session?.revision}`),
    ),
  );
  return lanes.sort();
}

function expectLinked(...nodes: Node[]): void {
  for (const node of nodes) {
    expect([...node.open].sort()).toEqual(lanesTo(nodes.filter((other) => other !== node)));
  }
}

describe('the links of a cluster', () => {
  it('lead from every node to every other', async () => {
    const cluster = new Cluster();
    const [a, b, c] = [await cluster.node('a'), await cluster.node('b'), await cluster.node('c')];
    expectLinked(a, b, c);
  });

  it('come back when they were reset', async () => {
    const cluster = new Cluster();
    const [a, b, c] = [await cluster.node('a'), await cluster.node('b'), await cluster.node('c')];
    cluster.peers.reset('a', 'b');
    await cluster.advance(1);
    expect(a.open.size + b.open.size).toBe(12);
    await cluster.advance(500);
    expectLinked(a, b, c);
    expect([a.departed, b.departed, c.departed]).toEqual([[], [], []]);
  });

  it('end with the registration of a node that died, and begin with its next session', async () => {
    const cluster = new Cluster();
    const [a, b] = [await cluster.node('a'), await cluster.node('b')];
    const session = b.registration.session!.revision;
    b.kill();
    await cluster.advance(5000);
    expect([a.open.size, a.departed]).toEqual([0, []]);
    await cluster.advance(8000);
    expect(a.departed).toEqual([`b@${session}`]);
    const again = await cluster.node('b');
    await cluster.advance(1000);
    expectLinked(a, again);
  });

  it('know a node that restarts before its lease is over by its new session', async () => {
    const cluster = new Cluster();
    const [a, b] = [await cluster.node('a'), await cluster.node('b')];
    const session = b.registration.session!.revision;
    b.kill();
    const again = await cluster.node('b');
    await cluster.advance(2500);
    expect(a.departed).toEqual([`b@${session}`]);
    expectLinked(a, again);
  });

  it('wait for etcd to tell of a session that a peer speaks in', async () => {
    const cluster = new Cluster();
    const a = await cluster.node('a');
    a.client.path.watchLagMs = 1500;
    const b = await cluster.node('b');
    expect(a.open.size).toBe(0);
    await cluster.advance(4000);
    expectLinked(a, b);
  });

  it('are refused to a node that does not know the secret', async () => {
    const cluster = new Cluster();
    const [a, b] = [await cluster.node('a'), await cluster.node('b', 'another')];
    await cluster.advance(10_000);
    expect([a.open.size, b.open.size]).toEqual([0, 0]);
  });

  it('of a node that lost its session are over on both sides', async () => {
    const cluster = new Cluster();
    const [a, b] = [await cluster.node('a'), await cluster.node('b')];
    b.client.path.cut = true;
    await cluster.advance(15_000);
    expect(a.open.size).toBe(0);
    expect(b.open.size).toBe(0);
    b.client.path.cut = false;
    await cluster.advance(10_000);
    expectLinked(a, b);
  });
});
