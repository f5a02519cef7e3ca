import { setTimeout as sleep } from 'node:timers/promises';
import type { SimRandom } from '../../packages/platform/src/sim/random.js';
import type { BrokerNode } from './broker-node.js';
import type { Place } from './landscape/place.js';
import type { EtcdNode, RealCluster } from './real-cluster.js';

/** Something that goes wrong at one place, and its end. */
interface Upset {
  readonly what: string;
  begin(): Promise<void> | void;
  end(): Promise<void> | void;
}

/** Goes from one upset to the next until its time is over; two may overlap. A seed plays the same ones, at about the same times. */
export class Storm {
  /** What was done, with the seconds at which it began and ended. */
  readonly diary: string[] = [];
  private readonly cluster: RealCluster;
  private readonly random: SimRandom;
  private readonly beganMs = performance.now();
  /** Places that something is being done to. */
  private readonly busy = new Set<Place>();

  constructor(cluster: RealCluster, random: SimRandom) {
    this.cluster = cluster;
    this.random = random;
  }

  /** Everything is as before when it resolves: all programs run, all ways are open. */
  async rage(seconds: number): Promise<void> {
    const untilMs = performance.now() + seconds * 1000;
    await Promise.all([this.walk(untilMs), this.walk(untilMs)]);
    this.cluster.landscape.healAll();
    for (const node of this.cluster.nodes) await node.ready();
  }

  private async walk(untilMs: number): Promise<void> {
    while (performance.now() < untilMs) {
      const lastsMs = 200 + this.random.integer(this.cluster.leaseSeconds * 1500);
      const upset = this.choose();
      if (upset !== null) {
        const from = this.seconds();
        await upset.begin();
        await sleep(lastsMs);
        await upset.end();
        this.diary.push(`${from} - ${this.seconds()} s: ${upset.what}`);
      }
      await sleep(this.random.integer(1000));
    }
  }

  private seconds(): string {
    return ((performance.now() - this.beganMs) / 1000).toFixed(1);
  }

  private choose(): Upset | null {
    const { random, cluster } = this;
    const kinds = [
      () => this.killed(pick(random, cluster.nodes)),
      () => this.paused(pick(random, cluster.nodes)),
      () => this.restarted(pick(random, cluster.nodes)),
      () => this.etcdAway(pick(random, cluster.members)),
      ...(cluster.landscape.whyNoCuts === null ? [() => this.parted(), () => this.parted(), () => this.broken()] : []),
    ];
    return pick(random, kinds)();
  }

  /** Null when one of these places is busy already. */
  private at(places: readonly Place[], upset: Upset): Upset | null {
    if (places.some((place) => this.busy.has(place))) return null;
    for (const place of places) this.busy.add(place);
    const end = async () => {
      await upset.end();
      for (const place of places) this.busy.delete(place);
    };
    return { what: upset.what, begin: () => upset.begin(), end };
  }

  private killed(node: BrokerNode): Upset | null {
    const begin = () => node.kill9();
    return this.at([node.place], { what: `${node.name} is killed`, begin, end: () => this.revive(node) });
  }

  private restarted(node: BrokerNode): Upset | null {
    const begin = () => node.stop();
    return this.at([node.place], { what: `${node.name} is stopped`, begin, end: () => this.revive(node) });
  }

  /** Ready only where it can be: etcd may be away, or the ways cut. */
  private async revive(node: BrokerNode): Promise<void> {
    node.start();
    await Promise.race([node.ready(), sleep(5000)]);
  }

  private paused(node: BrokerNode): Upset | null {
    const [begin, end] = [() => node.pause(), () => node.resume()];
    return this.at([node.place], { what: `${node.name} stands still`, begin, end });
  }

  private etcdAway({ place, etcd }: EtcdNode): Upset | null {
    const begin = () => etcd.kill();
    const end = () => {
      etcd.start();
      return etcd.ready().catch(() => {});
    };
    return this.at([place], { what: `etcd ${etcd.name} is killed`, begin, end });
  }

  private broken(): Upset | null {
    const { random, cluster } = this;
    const node = pick(random, cluster.nodes);
    const other = pick(random, cluster.others(node));
    return this.at([node.place, other.place], {
      what: `connections between ${node.name} and ${other.name} are broken`,
      begin: () => cluster.landscape.breakConnections(node.place, other.place),
      end: () => {},
    });
  }

  /** One node from another or from everybody, one way or both. */
  private parted(): Upset | null {
    const { random, cluster } = this;
    const node = pick(random, cluster.nodes);
    const others = cluster.others(node).map(({ place }) => place);
    const members = cluster.members.map(({ place }) => place);
    const far = pick(random, [[pick(random, others)], others, members, [...others, ...members]]);
    const ways = pick(random, ['in', 'out', 'both']);
    const each = (how: (from: Place, to: Place) => void) => {
      for (const place of far) {
        if (ways !== 'out') how(place, node.place);
        if (ways !== 'in') how(node.place, place);
      }
    };
    const names = far.map(({ name }) => name).join(', ');
    return this.at([node.place], {
      what: `${node.name} is cut off from ${names} (${ways})`,
      begin: () => each((from, to) => cluster.landscape.cut(from, to)),
      // Another one may have been cut in the same place meanwhile, and be healed with this one.
      end: () => each((from, to) => cluster.landscape.heal(from, to)),
    });
  }
}

function pick<T>(random: SimRandom, list: readonly T[]): T {
  return list[random.integer(list.length)]!;
}
