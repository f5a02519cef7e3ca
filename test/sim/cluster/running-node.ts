import { amqp091Dialect } from '@chapar/amqp091';
import type { ClusterNode, LedQueue } from '@chapar/cluster';
import { type Authorizer, Broker, Memory, type NodeLimits, type Queue } from '@chapar/core';
import type { SimPlatform, SimRandom } from '@chapar/platform';
import type { Store } from '@chapar/store';
import { SimUsers } from '../../protocol/sim-users.js';
import type { Cable } from './cable.js';
import { type ClusterWays, joinCluster, openSimStore } from './clustered.js';
import { SimDoor } from './door.js';

const limits: NodeLimits = {
  connectionsMax: Number.POSITIVE_INFINITY,
  channelsMax: 2047,
  frameBytesMax: 131_072,
  heartbeatSeconds: 60,
  handshakeSeconds: 10,
  messageBytesMax: 1024 * 1024,
  unsentBytesMax: 512 * 1024,
  stalledSeconds: 60,
};

/** Nobody is refused: permissions are the business of other tests. */
const everybody: Authorizer = { version: 1, vhost: () => true, resource: () => true, topic: () => true };

export interface NodeOptions {
  readonly name: string;
  readonly platform: SimPlatform;
  readonly random: SimRandom;
  /** Null: it is alone. */
  readonly ways: ClusterWays | null;
  /** It leads a mirrored queue. */
  readonly leads: (led: LedQueue) => void;
  /** Something happened in the process that must not. */
  readonly fault: (what: string, error: unknown) => void;
}

/** One life of a node: the real store and core on a simulated machine, with doors of the simulation. */
export class RunningNode {
  readonly name: string;
  readonly platform: SimPlatform;
  readonly broker: Broker;
  readonly fault: (what: string, error: unknown) => void;
  private readonly store: Store;
  /** Null: it is alone. */
  readonly cluster: ClusterNode | null;
  private readonly random: SimRandom;
  private readonly doors = new Set<SimDoor>();

  private constructor(
    { name, platform, random, fault }: NodeOptions,
    store: Store,
    cluster: ClusterNode | null,
    broker: Broker,
  ) {
    this.name = name;
    this.platform = platform;
    this.random = random;
    this.fault = fault;
    this.store = store;
    this.cluster = cluster;
    this.broker = broker;
    broker.alarms.listen(() => {
      for (const door of this.doors) door.goOn();
    });
  }

  static async start(options: NodeOptions): Promise<RunningNode> {
    const { platform, name, ways } = options;
    const joined = ways === null ? null : await joinCluster(name, platform, ways);
    const cluster = joined?.node ?? null;
    const store = joined?.store ?? (await openSimStore(platform));
    const users = new SimUsers();
    users.add('guest');
    const broker = new Broker({
      platform,
      metadata: cluster?.metadata ?? store.metadata,
      logs: store.logs,
      users,
      authenticator: users,
      authorizer: everybody,
      identity: { node: name, clusterName: 'sim', product: 'Chapar', productVersion: '4.1.0', version: '0.1.0' },
      limits,
      // A few messages of each queue stay in memory, the rest is read back.
      residence: cluster?.residence ?? null,
      memory: new Memory(512, 64 * 1024),
    });
    broker.dialects.add(amqp091Dialect);
    cluster?.attach(broker);
    if (cluster !== null) listenToLeads(cluster, options);
    await broker.open();
    await cluster?.begin();
    return new RunningNode(options, store, cluster, broker);
  }

  accept(cable: Cable): void {
    this.doors.add(new SimDoor(this, cable, this.random));
  }

  forget(door: SimDoor): void {
    this.doors.delete(door);
  }

  /** A clean stop, as on SIGTERM. */
  async stop(): Promise<void> {
    for (const door of [...this.doors]) door.hangUp('CONNECTION_FORCED - shutdown');
    await this.cluster?.close();
    await this.broker.close();
    await this.store.close();
  }

  get connectionCount(): number {
    return this.doors.size;
  }

  /** The queues whose messages are here. */
  queues(): Queue[] {
    const vhost = this.broker.topology.vhosts.get('/');
    return vhost === undefined ? [] : [...vhost.localQueues()];
  }
}

/** Somebody watches who leads what. */
function listenToLeads({ mirrors }: ClusterNode, { leads }: NodeOptions): void {
  const { onLeads } = mirrors;
  mirrors.onLeads = (led) => {
    leads(led);
    onLeads?.(led);
  };
}
