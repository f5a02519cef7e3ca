import type { Clock, Random, SimScheduler, Timer } from '@chapar/platform';
import type {
  Etcd,
  EtcdEntry,
  EtcdRevision,
  EtcdStatus,
  EtcdTxn,
  EtcdTxnResult,
  EtcdWatchSink,
  LeaseId,
} from './etcd.js';
import { EtcdError } from './etcd.js';
import { SimKeys } from './sim-keys.js';

/** A call that is not answered by then has failed, as with the real client. Milliseconds. */
const deadlineMs = 2000;
/** How often a watch says that it is alive. */
const progressMs = 2000;

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
  /** False: no majority. Calls wait for their deadline, watches hear nothing, and no lease ends. */
  private available = true;
  /** What it says of itself; with NOSPACE it takes no more puts. */
  readonly alarms = new Set<'NOSPACE' | 'CORRUPT'>();
  private readonly leases = new Map<LeaseId, Lease>();
  private leaseNumber = 7587;
  private readonly clients = new Set<SimEtcdClient>();
  private readonly scheduler: SimScheduler;

  constructor(scheduler: SimScheduler) {
    this.scheduler = scheduler;
    this.keys.onChange = () => {
      for (const client of this.clients) client.wake();
    };
  }

  /** A client on a machine with this clock. */
  connect(clock: Clock, random: Random): SimEtcdClient {
    const client = new SimEtcdClient(this, clock, random);
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
    if (this.alarms.has('NOSPACE') && hasPut(txn)) {
      throw new EtcdError('refused', 'etcdserver: mvcc: database space exceeded');
    }
    return this.keys.txn(txn, (lease) => this.leases.has(lease));
  }

  private expiry(id: LeaseId, ttlSeconds: number): Timer {
    return this.scheduler.timer(ttlSeconds * 1000, () => {
      if (this.available) this.revoke(id);
    });
  }

  forget(client: SimEtcdClient): void {
    this.clients.delete(client);
  }
}

/** What can be wrong between one client and etcd. */
export interface SimEtcdPath {
  /** Nothing gets through. */
  cut: boolean;
  /** Of a call, each way. Milliseconds. */
  delayMs: number;
  /** Of watched events, beyond `delayMs`. Milliseconds. */
  watchLagMs: number;
  /** Of 1: how many transactions are applied and their answer lost. */
  answerLoss: number;
}

export class SimEtcdClient implements Etcd {
  readonly path: SimEtcdPath = { cut: false, delayMs: 0.5, watchLagMs: 0, answerLoss: 0 };
  private readonly etcd: SimEtcd;
  private readonly clock: Clock;
  private readonly random: Random;
  private readonly watches = new Set<SimWatch>();
  private closed = false;

  constructor(etcd: SimEtcd, clock: Clock, random: Random) {
    this.etcd = etcd;
    this.clock = clock;
    this.random = random;
  }

  range(prefix: string): Promise<{ readonly revision: EtcdRevision; readonly entries: readonly EtcdEntry[] }> {
    return this.call(() => ({ revision: this.etcd.keys.revision, entries: this.etcd.keys.under(prefix) }));
  }

  txn(txn: EtcdTxn): Promise<EtcdTxnResult> {
    return this.call(() => this.etcd.txn(txn), this.path.answerLoss);
  }

  grantLease(ttlSeconds: number): Promise<LeaseId> {
    return this.call(() => this.etcd.grant(ttlSeconds));
  }

  keepLease(lease: LeaseId): Promise<number> {
    return this.call(() => this.etcd.renew(lease));
  }

  revokeLease(lease: LeaseId): Promise<void> {
    return this.call(() => this.etcd.revoke(lease));
  }

  compact(revision: EtcdRevision): Promise<void> {
    return this.call(() => this.etcd.keys.compact(revision));
  }

  status(): Promise<EtcdStatus> {
    return this.call(() => ({
      version: 'simulated',
      databaseBytes: 0,
      databaseBytesInUse: 0,
      hasLeader: this.etcd.isAvailable,
      alarms: [...this.etcd.alarms],
    }));
  }

  watch(prefix: string, from: EtcdRevision, sink: EtcdWatchSink): () => void {
    const watch = new SimWatch(this, this.etcd.keys, this.clock, prefix, from, sink);
    this.watches.add(watch);
    watch.tell();
    return () => {
      watch.stop();
      this.watches.delete(watch);
    };
  }

  get isReachable(): boolean {
    return this.etcd.isAvailable && !this.path.cut && !this.closed;
  }

  /** The connection breaks: watches end, and whoever has one begins anew. */
  reset(): void {
    for (const watch of [...this.watches]) {
      this.watches.delete(watch);
      watch.end({ compacted: null, reason: 'the connection was reset' });
    }
  }

  wake(): void {
    for (const watch of this.watches) watch.tell();
  }

  close(): void {
    this.closed = true;
    for (const watch of this.watches) watch.stop();
    this.watches.clear();
    this.etcd.forget(this);
  }

  private call<T>(work: () => T, answerLoss = 0): Promise<T> {
    return new Promise((resolve, reject) => {
      const { delayMs } = this.path;
      const deadline = this.clock.after(deadlineMs, () =>
        reject(new EtcdError('unknown', 'etcd did not answer in time')),
      );
      this.clock.after(delayMs, () => {
        if (!this.isReachable) return;
        let answer: () => void;
        try {
          const result = work();
          answer = () => resolve(result);
        } catch (error) {
          answer = () => reject(error as Error);
        }
        if (answerLoss > 0 && this.random.integer(1000) < answerLoss * 1000) return;
        this.clock.after(delayMs, () => {
          if (!this.isReachable) return;
          deadline.cancel();
          answer();
        });
      });
    });
  }
}

/** One watch of one client. */
class SimWatch {
  private readonly client: SimEtcdClient;
  private readonly keys: SimKeys;
  private readonly clock: Clock;
  private readonly prefix: string;
  private readonly sink: EtcdWatchSink;
  private next: EtcdRevision;
  private due: Timer | null = null;
  private readonly progress: Timer;
  private stopped = false;

  constructor(client: SimEtcdClient, keys: SimKeys, clock: Clock, prefix: string, from: number, sink: EtcdWatchSink) {
    this.client = client;
    this.keys = keys;
    this.clock = clock;
    this.prefix = prefix;
    this.next = from;
    this.sink = sink;
    this.progress = clock.every(progressMs, () => this.tell());
  }

  /** Something may have happened. */
  tell(): void {
    if (this.stopped || this.due !== null) return;
    const { delayMs, watchLagMs } = this.client.path;
    this.due = this.clock.after(delayMs + watchLagMs, () => {
      this.due = null;
      this.send();
    });
  }

  private send(): void {
    if (this.stopped || !this.client.isReachable) return;
    const events = this.keys.since(this.prefix, this.next);
    if (events === null) {
      this.end({ compacted: this.keys.compacted, reason: 'the revision was compacted' });
      return;
    }
    this.next = this.keys.revision + 1;
    if (events.length === 0) this.sink.heard();
    else this.sink.changed(events);
  }

  end(why: { readonly compacted: EtcdRevision | null; readonly reason: string }): void {
    if (this.stopped) return;
    this.stop();
    this.sink.ended(why);
  }

  stop(): void {
    this.stopped = true;
    this.due?.cancel();
    this.progress.cancel();
  }
}

function hasPut({ success, failure }: EtcdTxn): boolean {
  return [...success, ...failure].some((op) => op.kind === 'put' || (op.kind === 'txn' && hasPut(op.txn)));
}
