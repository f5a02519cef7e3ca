import type { SimEtcdPath } from '@chapar/cluster';
import type { SimCluster } from './sim-cluster.js';

const wellPath: Partial<SimEtcdPath> = {
  cut: false,
  delayMs: 0.3,
  watchLagMs: 0,
  requestLoss: 0,
  answerLoss: 0,
  watchLoss: 0,
};

/** What can go wrong with etcd, for all nodes or on the way from one. */
export class EtcdFaults {
  private readonly cluster: SimCluster;

  constructor(cluster: SimCluster) {
    this.cluster = cluster;
  }

  /** No majority: nothing is answered, and no lease ends. Messages go on as ever. */
  down(): void {
    this.said('down');
    this.cluster.troubles.begin('etcd is down');
    this.cluster.etcd.stop();
  }

  up(): void {
    this.said('up');
    this.cluster.etcd.resume();
    this.cluster.troubles.end('etcd is down');
  }

  /** All connections break; leases last their full time from now on. */
  restart(): void {
    this.said('restart');
    this.cluster.troubles.begin('etcd restarts');
    this.cluster.etcd.restart();
    this.cluster.troubles.end('etcd restarts');
  }

  compact(): void {
    this.said('compact');
    this.cluster.etcd.compact();
  }

  full(): void {
    this.said('full');
    this.cluster.troubles.begin('etcd is full');
    this.cluster.etcd.alarms.add('NOSPACE');
  }

  roomy(): void {
    this.said('roomy');
    this.cluster.etcd.alarms.delete('NOSPACE');
    this.cluster.troubles.end('etcd is full');
  }

  /** Nothing gets through: the node's registration ends with its lease. */
  cut(name: string): void {
    this.said(`cut ${name}`);
    this.cluster.troubles.begin(`${name} is cut off etcd`, name);
    this.cluster.member(name).setEtcdPath({ cut: true });
  }

  /** Something short of a cut: late, or lost sometimes. */
  impair(name: string, change: Partial<SimEtcdPath>): void {
    this.said(`${name} ${JSON.stringify(change)}`);
    // Whoever answers waits a second for all nodes to see a change.
    if (Object.keys(change).join() !== 'watchLagMs' || change.watchLagMs! > 600) this.beginBad(name, change);
    this.cluster.member(name).setEtcdPath(change);
  }

  private beginBad(name: string, change: Partial<SimEtcdPath>): void {
    const mayLoseLease = (change.requestLoss ?? 0) > 0 || (change.delayMs ?? 0) > 900;
    this.cluster.troubles.begin(`${name} reaches etcd badly`, ...(mayLoseLease ? [name] : []));
  }

  /** The way from this node is as good as ever. */
  mend(name: string): void {
    this.said(`mend ${name}`);
    this.cluster.member(name).setEtcdPath(wellPath);
    this.cluster.troubles.end(`${name} is cut off etcd`);
    this.cluster.troubles.end(`${name} reaches etcd badly`);
  }

  heal(): void {
    this.up();
    this.roomy();
    for (const name of this.cluster.members.keys()) this.mend(name);
  }

  private said(what: string): void {
    this.cluster.note('world', `etcd ${what}`);
  }
}
