import type { LedQueue, SimEtcd, SimEtcdPath, SimPeers } from '@chapar/cluster';
import type { DiskImage, SimPlatform, SimRandom } from '@chapar/platform';
import type { Cable, CableEnd } from './cable.js';
import type { ClusterWays } from './clustered.js';
import { RunningNode } from './running-node.js';

/** What the nodes of a cluster share. */
export interface MemberShared {
  readonly etcd: SimEtcd;
  readonly peers: SimPeers;
}

/** What the cluster around a member wants to know, and to do. */
export interface MemberOwner {
  /** A process of it can serve. */
  up(member: Member): void;
  /** Its process is gone, by whatever. */
  down(member: Member, how: 'stopped' | 'killed' | 'power cut'): void;
  /** It leads a mirrored queue. */
  leads(member: Member, led: LedQueue): void;
  fault(member: Member, what: string, error: unknown): void;
}

export type MemberState = 'down' | 'starting' | 'up' | 'stopping';

/** One machine of the cluster and the node that runs on it: its disk and its clock survive the processes. */
export class Member implements CableEnd {
  readonly name: string;
  readonly platform: SimPlatform;
  state: MemberState = 'down';
  hasPower = true;
  node: RunningNode | null = null;
  /** Processes so far. */
  life = 0;
  private readonly random: SimRandom;
  private readonly owner: MemberOwner;
  /** Null: the node is alone. */
  private readonly shared: MemberShared | null;
  /** Of the process that runs. */
  ways: ClusterWays | null = null;
  /** What is wrong between it and etcd, for the processes to come too. */
  readonly etcdPath: Partial<SimEtcdPath> = {};
  private cables = new Set<Cable>();

  constructor(name: string, platform: SimPlatform, random: SimRandom, owner: MemberOwner, shared: MemberShared | null) {
    this.name = name;
    this.platform = platform;
    this.random = random;
    this.owner = owner;
    this.shared = shared;
  }

  /** Begins a process; `up` is told when it can serve. */
  start(): void {
    if (this.state !== 'down') return;
    const life = ++this.life;
    this.hasPower = true;
    this.state = 'starting';
    const fault = (what: string, error: unknown) => this.owner.fault(this, what, error);
    this.ways = this.connect();
    const { name, platform, random, ways } = this;
    const leads = (led: LedQueue) => this.owner.leads(this, led);
    RunningNode.start({ name, platform, random, ways, leads, fault }).then(
      (node) => {
        if (life !== this.life || this.state !== 'starting') return;
        this.node = node;
        this.state = 'up';
        this.owner.up(this);
      },
      (error: unknown) => {
        if (life !== this.life || this.state !== 'starting') return;
        fault('the node did not start', error);
        this.kill(true);
      },
    );
  }

  private connect(): ClusterWays | null {
    if (this.shared === null) return null;
    const { platform, name } = this;
    const { etcd, peers } = this.shared;
    const client = etcd.connect(platform.clock, platform.random, platform);
    Object.assign(client.path, { delayMs: 0.3, jitterMs: 0.5 }, this.etcdPath);
    return { client, transport: peers.transport(name, platform) };
  }

  /** Something between it and etcd changes. */
  setEtcdPath(change: Partial<SimEtcdPath>): void {
    Object.assign(this.etcdPath, change);
    if (this.ways !== null) Object.assign(this.ways.client.path, change);
  }

  /** kill -9, or the end of its power: then what was not synced may be lost, and nobody is told. */
  kill(hasPower: boolean): void {
    if (this.state === 'down') {
      this.hasPower &&= hasPower;
      return;
    }
    this.hasPower = hasPower;
    if (hasPower) this.platform.kill();
    else this.platform.crash();
    this.end(hasPower ? 'killed' : 'power cut');
  }

  /** A clean stop; whoever is stopped in the middle of a start or a pause is killed, as an impatient system would. */
  stop(): void {
    if (this.state !== 'up' || this.platform.isPaused) {
      this.kill(true);
      return;
    }
    const { life, node } = this;
    this.state = 'stopping';
    node!.stop().then(
      () => {
        if (life === this.life && this.state === 'stopping') this.exit();
      },
      (error: unknown) => {
        if (life !== this.life || this.state !== 'stopping') return;
        this.owner.fault(this, 'the node did not stop cleanly', error);
        this.exit();
      },
    );
  }

  private exit(): void {
    this.platform.kill();
    this.end('stopped');
  }

  private end(how: 'stopped' | 'killed' | 'power cut'): void {
    this.state = 'down';
    this.node = null;
    if (this.ways !== null) {
      this.ways.client.close();
      this.shared!.peers.kill(this.ways.transport, this.hasPower);
      this.ways = null;
    }
    const { cables } = this;
    this.cables = new Set();
    for (const cable of cables) cable.die(this.hasPower);
    this.owner.down(this, how);
  }

  /** A new, empty disk; only while nothing runs on it. */
  wipe(): void {
    if (this.state !== 'down') throw new Error(`${this.name} runs: its disk cannot be replaced`);
    this.platform.disk.format();
  }

  /** What a backup holds takes the place of what is on the disk. */
  restore(image: DiskImage): void {
    if (this.state !== 'down') throw new Error(`${this.name} runs: its disk cannot be replaced`);
    this.platform.disk.restore(image);
  }

  // -- as the end of cables ------------------------------------------------------------------------------------------

  accept(cable: Cable): boolean {
    if (this.state !== 'up') return false;
    this.cables.add(cable);
    this.pass(() => this.node?.accept(cable));
    return true;
  }

  /** Something happens to the process that is there now, unless it is gone by then. */
  pass(run: () => void): void {
    const { life } = this;
    this.platform.pass(() => {
      if (life === this.life && this.state !== 'down') run();
    });
  }
}
