import type { Clock, Random, SimScheduler, Timer } from '@chapar/platform';
import type { EtcdTxn, EtcdTxnResult, LeaseId } from './etcd.js';
import { EtcdError } from './etcd.js';
import { SimEtcdClient, type SimEtcdProcess } from './sim-etcd-client.js';
import { type KeysImage, SimKeys } from './sim-keys.js';

/** Of leases that a snapshot brings back. */
const restoredSeconds = 10;

interface Lease {
  readonly ttlSeconds: number;
  timer: Timer;
}

/**
 * An etcd in simulated time: one store that many clients reach, each over a path of its own that can be cut, slowed down, or made to
 * lose answers of what was applied. Its failures are those seen of the real one.
 */
export class SimEtcd {
  readonly keys = new SimKeys();
  readonly scheduler: SimScheduler;
  /** False: no majority. Calls wait for their deadline, watches hear nothing, and no lease ends. */
  private available = true;
  /** What it says of itself; with NOSPACE it takes no more puts. */
  readonly alarms = new Set<'NOSPACE' | 'CORRUPT'>();
  /** The next transaction that puts something finds the quota used up. */
  isFull = false;
  private readonly leases = new Map<LeaseId, Lease>();
  private leaseNumber = 7587;
  private readonly clients = new Set<SimEtcdClient>();

  constructor(scheduler: SimScheduler) {
    this.scheduler = scheduler;
    this.keys.onChange = () => {
      for (const client of this.clients) client.wake();
    };
  }

  /** A client on a machine with this clock, in a process that may be stopped. */
  connect(clock: Clock, random: Random, process?: SimEtcdProcess): SimEtcdClient {
    const client = new SimEtcdClient(this, clock, random, process);
    this.clients.add(client);
    return client;
  }

  get isAvailable(): boolean {
    return this.available;
  }

  stop(): void {
    this.available = false;
  }

  /** There is a majority again; a new leader gives every lease its full time anew, as etcd's does. */
  resume(): void {
    if (this.available) return;
    this.available = true;
    for (const id of this.leases.keys()) this.renew(id);
    for (const client of this.clients) client.wake();
  }

  /** All members were restarted: as `resume`, and every connection is broken. */
  restart(): void {
    this.available = false;
    for (const client of this.clients) client.reset();
    this.resume();
  }

  /** All members were restored from a snapshot, and every connection is broken. Leases that had ended since run once more. */
  restoreFrom(image: KeysImage): void {
    this.available = false;
    for (const client of this.clients) client.reset();
    this.keys.putBack(image);
    for (const { lease } of image.entries.values())
      if (lease !== null && !this.leases.has(lease))
        this.leases.set(lease, { ttlSeconds: restoredSeconds, timer: this.expiry(lease, restoredSeconds) });
    this.resume();
  }

  /** History up to now is forgotten: watches that lag behind end. */
  compact(): void {
    if (this.keys.revision > this.keys.compacted) this.keys.compact(this.keys.revision);
  }

  grant(ttlSeconds: number): LeaseId {
    const id = String(++this.leaseNumber);
    this.leases.set(id, { ttlSeconds, timer: this.expiry(id, ttlSeconds) });
    return id;
  }

  /** Seconds it has from now on; 0: it is over. */
  renew(id: LeaseId): number {
    const lease = this.leases.get(id);
    if (lease === undefined) return 0;
    lease.timer.cancel();
    lease.timer = this.expiry(id, lease.ttlSeconds);
    return lease.ttlSeconds;
  }

  revoke(id: LeaseId): void {
    this.leases.get(id)?.timer.cancel();
    if (this.leases.delete(id)) this.keys.expire(id);
  }

  txn(txn: EtcdTxn): EtcdTxnResult {
    if (this.alarms.has('NOSPACE') && hasPut(txn)) throw outOfSpace();
    if (this.isFull && hasPut(txn)) {
      // As the real one: applied all the same.
      this.isFull = false;
      this.alarms.add('NOSPACE');
      this.keys.txn(txn, (lease) => this.leases.has(lease));
      throw outOfSpace();
    }
    return this.keys.txn(txn, (lease) => this.leases.has(lease));
  }

  /** Leases that have not ended. */
  get leaseCount(): number {
    return this.leases.size;
  }

  forget(client: SimEtcdClient): void {
    this.clients.delete(client);
  }

  private expiry(id: LeaseId, ttlSeconds: number): Timer {
    return this.scheduler.timer(ttlSeconds * 1000, () => {
      if (this.available) this.revoke(id);
    });
  }
}

function hasPut({ success, failure }: EtcdTxn): boolean {
  return [...success, ...failure].some((op) => op.kind === 'put' || (op.kind === 'txn' && hasPut(op.txn)));
}

const outOfSpace = (): EtcdError => new EtcdError('unknown', 'etcdserver: mvcc: database space exceeded');
