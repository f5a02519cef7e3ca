import { setTimeout as sleep } from 'node:timers/promises';
import { BrokerNode } from './broker-node.js';
import { type Landscape, openLandscape } from './landscape/landscape.js';
import type { Place } from './landscape/place.js';
import { RealEtcd } from './real-etcd.js';

export interface RealClusterOptions {
  readonly nodes?: number;
  readonly etcdMembers?: 0 | 1 | 3;
  /** Settings of every node. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly leaseSeconds?: number;
  /** By which nodes know each other; null: they do not use one. */
  readonly secret?: string | null;
  /** Settings of the node at this place. */
  readonly environmentAt?: (place: Place) => Readonly<Record<string, string>>;
  /** A command around the node at this place. */
  readonly wrapperAt?: (place: Place) => readonly string[];
  readonly prefix?: string;
}

/** Of /api/cluster, as far as it is read here. */
interface ClusterAnswer {
  readonly node: string;
  readonly nodes: readonly {
    readonly name: string;
    readonly links?: readonly { readonly to: string; readonly up: boolean; readonly reason?: string }[];
  }[];
}

/** A member of etcd, and where it is. */
export class EtcdNode {
  readonly place: Place;
  readonly etcd: RealEtcd;

  constructor(place: Place, etcd: RealEtcd) {
    this.place = place;
    this.etcd = etcd;
  }

  /** Answers late from now on: it sleeps most of the time. Ends with the function that is returned. */
  slow(sleepMs = 400, wakeMs = 40): () => void {
    let timer: NodeJS.Timeout;
    const fallAsleep = () => {
      this.etcd.signal('SIGSTOP');
      timer = setTimeout(wakeUp, sleepMs);
    };
    const wakeUp = () => {
      this.etcd.signal('SIGCONT');
      timer = setTimeout(fallAsleep, wakeMs);
    };
    fallAsleep();
    return () => {
      clearTimeout(timer);
      this.etcd.signal('SIGCONT');
    };
  }
}

/** Brokers, an etcd and the ways between them; everything is real but the distances. */
export class RealCluster {
  readonly landscape: Landscape;
  /** Those that it began with. */
  readonly nodes: BrokerNode[] = [];
  readonly members: readonly EtcdNode[];
  readonly leaseSeconds: number;
  /** As given to the nodes, without the prefix. */
  readonly endpoints: string;
  private readonly options: RealClusterOptions;
  private readonly made: BrokerNode[] = [];

  private constructor(landscape: Landscape, members: readonly EtcdNode[], options: RealClusterOptions) {
    this.landscape = landscape;
    this.members = members;
    this.options = options;
    this.leaseSeconds = options.leaseSeconds ?? defaultLeaseSeconds;
    this.endpoints = members.map(({ etcd }) => etcd.endpoint).join(',');
  }

  /** All of it up, every node ready. What was started is ended again when something fails. */
  static async start(options: RealClusterOptions = {}): Promise<RealCluster> {
    const cluster = await RealCluster.build(options);
    try {
      for (const node of cluster.nodes) node.start();
      for (const node of cluster.nodes) await node.ready();
    } catch (error) {
      await cluster.close();
      throw error;
    }
    return cluster;
  }

  /** The etcd runs, the nodes are not started. */
  static async build(options: RealClusterOptions = {}): Promise<RealCluster> {
    const landscape = await openLandscape();
    const members = await startMembers(landscape, options.etcdMembers ?? 1);
    const cluster = new RealCluster(landscape, members, options);
    for (const letter of ['a', 'b', 'c', 'd', 'e'].slice(0, options.nodes ?? 3)) {
      cluster.nodes.push(await cluster.makeNode(`chapar@${letter}`));
    }
    return cluster;
  }

  /** One more node at a place of its own, not started; `more` wins over the options of all. */
  async makeNode(name: string, more: Partial<RealClusterOptions> = {}): Promise<BrokerNode> {
    const place = await this.landscape.place(name);
    const isAlone = this.members.length === 0;
    const { prefix = '/chapar', secret = 'a long secret of the tests', ...options } = { ...this.options, ...more };
    const made = await BrokerNode.make({
      name,
      place,
      isAlone,
      wrapper: options.wrapperAt?.(place) ?? [],
      options: isAlone ? [] : ['--etcd', this.endpoints, '--etcd-prefix', prefix],
      environment: {
        ...(isAlone ? {} : { CHAPAR_CLUSTER__LEASE_SECONDS: String(this.leaseSeconds) }),
        ...(isAlone || secret === null ? {} : { CHAPAR_CLUSTER__SECRET: secret }),
        ...options.environmentAt?.(place),
        ...options.environment,
      },
    });
    this.made.push(made);
    return made;
  }

  /** By its letter. */
  node(letter: string): BrokerNode {
    const found = this.nodes.find(({ name }) => name === `chapar@${letter}`);
    if (found === undefined) throw new Error(`there is no node ${letter}`);
    return found;
  }

  /** Everybody else. */
  others(node: BrokerNode): BrokerNode[] {
    return this.nodes.filter((each) => each !== node);
  }

  /** Every node has reached every other one that runs, by its own account. */
  async linked(seconds = 20): Promise<void> {
    const missing = async () => {
      const answers = await Promise.all(this.nodes.map((node) => node.api<ClusterAnswer>('GET', 'cluster')));
      return answers.flatMap(({ node, nodes }) => {
        // One that lost its disk is there twice.
        const links = nodes.filter(({ name }) => name === node).flatMap(({ links = [] }) => links);
        const up = links.filter(({ up }) => up).map(({ to }) => to);
        const others = this.nodes.filter(({ name }) => name !== node && !up.includes(name));
        return others.map(
          ({ name }) => `${node} has not reached ${name}: ${links.find(({ to }) => to === name)?.reason}`,
        );
      });
    };
    let without: string[] = [];
    for (const deadline = Date.now() + seconds * 1000; Date.now() < deadline; await sleep(100)) {
      without = await missing().catch((error: Error) => [error.message]);
      if (without.length === 0) return;
    }
    throw new Error(`after ${seconds} s: ${without.join('; ')}`);
  }

  /** What all nodes called an error, in words. */
  errors(): string[] {
    return this.made.flatMap(({ name, lines }) =>
      lines
        .filter(({ level }) => level === 'error' || level === 'none')
        .map((line) => `${name}: ${JSON.stringify(line)}`),
    );
  }

  /** The last lines of all nodes, for people. */
  said(): string {
    return this.made
      .flatMap(({ name, lines }) => lines.slice(-25).map((line) => `${name} ${JSON.stringify(line)}`))
      .join('\n');
  }

  /** Everything that we started ends, one way or the other, and nothing is left. */
  async close(): Promise<void> {
    for (const node of this.made) await node.dispose();
    for (const { etcd } of this.members) await etcd.stop();
    await this.landscape.close();
  }
}

/** Short, so that stories of its end do not take long. */
const defaultLeaseSeconds = 5;

async function startMembers(landscape: Landscape, count: 0 | 1 | 3): Promise<EtcdNode[]> {
  const names = ['one', 'two', 'three'].slice(0, count);
  const seats: { name: string; place: Place; client: number; peer: number }[] = [];
  for (const name of names) {
    const place = await landscape.place(`etcd-${name}`);
    seats.push({ name, place, client: await place.port(2379), peer: await place.port(2380) });
  }
  const all = seats.map(({ name, place, peer }) => `${name}=http://${place.host}:${peer}`).join(',');
  const quick = ['--heartbeat-interval', '100', '--election-timeout', '1000'];
  const members = seats.map(({ name, place, client, peer }) => {
    return new EtcdNode(place, new RealEtcd(name, client, peer, ['--initial-cluster', all, ...quick], place));
  });
  for (const { etcd } of members) etcd.start();
  for (const { etcd } of members) await etcd.ready();
  return members;
}
