import type { DiskImage } from '@chapar/platform';
import { EtcdFaults } from './etcd-faults.js';
import type { SimCluster } from './sim-cluster.js';

/** What can go wrong in a cluster, as verbs; each is noted in the trace, and as a trouble where it may excuse something. */
export class Faults {
  readonly etcd: EtcdFaults;
  private readonly backups = new Map<string, DiskImage>();
  private readonly cluster: SimCluster;

  constructor(cluster: SimCluster) {
    this.cluster = cluster;
    this.etcd = new EtcdFaults(cluster);
  }

  // -- nodes ---------------------------------------------------------------------------------------------------------

  kill(name: string): void {
    this.said(`kill ${name}`);
    this.cluster.member(name).kill(true);
  }

  powerCut(name: string): void {
    this.said(`power-cut ${name}`);
    this.cluster.member(name).kill(false);
  }

  stop(name: string): void {
    this.said(`stop ${name}`);
    // It is leaving from now on.
    this.cluster.troubles.begin(`${name} is down`, name);
    this.cluster.member(name).stop();
  }

  start(name: string): void {
    this.said(`start ${name}`);
    this.cluster.member(name).start();
  }

  pause(name: string): void {
    const { platform, state } = this.cluster.member(name);
    if (state === 'down' || platform.isPaused) return;
    this.said(`pause ${name}`);
    this.cluster.troubles.begin(`${name} is stopped`, name);
    platform.pause();
  }

  resume(name: string): void {
    const { platform } = this.cluster.member(name);
    if (!platform.isPaused) return;
    this.said(`resume ${name}`);
    platform.resume();
    this.cluster.troubles.end(`${name} is stopped`);
  }

  /** Its disk is replaced by an empty one; it must be down. */
  wipe(name: string): void {
    this.said(`wipe ${name}`);
    this.cluster.member(name).wipe();
    this.cluster.troubles.wiped(name);
  }

  /** A copy of its disk is kept. */
  backUp(name: string): void {
    this.said(`backup ${name}`);
    this.backups.set(name, this.cluster.member(name).platform.disk.image());
  }

  /** The copy takes the place of what is on its disk; it must be down. */
  restore(name: string): void {
    this.said(`restore ${name}`);
    const image = this.backups.get(name);
    if (image === undefined) throw new Error(`there is no backup of ${name}`);
    this.cluster.member(name).restore(image);
    this.cluster.troubles.wiped(name);
  }

  // -- machines ------------------------------------------------------------------------------------------------------

  /** How long a sync takes; 0: as before. Milliseconds. */
  slowDisk(name: string, ms: number): void {
    this.said(`disk ${name} ${ms}ms`);
    this.cluster.member(name).platform.disk.delayMs.sync = ms;
  }

  jumpClock(name: string, ms: number): void {
    this.said(`clock ${name} ${ms}ms`);
    this.cluster.member(name).platform.clock.jumpWall(ms);
  }

  // -- the ways between nodes ----------------------------------------------------------------------------------------

  cut(from: string, to: string): void {
    this.said(`cut ${from} -> ${to}`);
    this.cluster.troubles.begin(`${from} -> ${to} is cut`, from, to);
    this.cluster.peers.cut(from, to);
  }

  mend(from: string, to: string): void {
    this.said(`mend ${from} -> ${to}`);
    this.cluster.peers.mend(from, to);
    this.cluster.troubles.end(`${from} -> ${to} is cut`);
  }

  reset(a: string, b: string): void {
    this.said(`reset ${a} - ${b}`);
    this.cluster.troubles.broke(a, b);
    this.cluster.peers.reset(a, b);
  }

  lag(from: string, to: string, ms: number): void {
    this.said(`lag ${from} -> ${to} ${ms}ms`);
    this.cluster.peers.lag(from, to, ms);
    const what = `${from} -> ${to} is slow`;
    if (ms >= 100) this.cluster.troubles.begin(what, from, to);
    else this.cluster.troubles.end(what);
  }

  // -- everything ----------------------------------------------------------------------------------------------------

  /** Everything that is broken is repaired, and every node runs. */
  heal(): void {
    this.said('heal');
    const { peers, members, troubles } = this.cluster;
    peers.heal();
    this.etcd.heal();
    for (const { name, platform } of members.values()) {
      if (platform.isPaused) this.resume(name);
      platform.disk.delayMs.sync = 1;
    }
    troubles.endAllBut((what) => what.endsWith(' is down'));
    for (const { name, state } of members.values()) if (state === 'down') this.start(name);
  }

  private said(what: string): void {
    this.cluster.note('world', what);
  }
}
