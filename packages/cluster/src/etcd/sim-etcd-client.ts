import type { Clock, Random } from '@chapar/platform';
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
import type { SimEtcd } from './sim-etcd.js';
import { SimWatch } from './sim-watch.js';

/** A call that is not answered by then has failed, as with the real client. Milliseconds. */
const deadlineMs = 2000;

/** What a client knows of the process that it belongs to: a stopped one hears later. See SimPlatform. */
export interface SimEtcdProcess {
  pass(run: () => void): void;
}

const alwaysRuns: SimEtcdProcess = { pass: (run) => run() };

/** What can be wrong between one client and etcd. */
export interface SimEtcdPath {
  /** Nothing gets through. */
  cut: boolean;
  /** Of a call, each way; and what is added by chance. Milliseconds. */
  delayMs: number;
  jitterMs: number;
  /** Of watched events, beyond `delayMs`. Milliseconds. */
  watchLagMs: number;
  /** Of 1: how many calls never arrive. */
  requestLoss: number;
  /** Of 1: how many transactions are applied and their answer lost. */
  answerLoss: number;
  /** Of 1: at how many of its tidings a watch breaks instead. */
  watchLoss: number;
}

export class SimEtcdClient implements Etcd {
  readonly path: SimEtcdPath = {
    cut: false,
    delayMs: 0.5,
    jitterMs: 0,
    watchLagMs: 0,
    requestLoss: 0,
    answerLoss: 0,
    watchLoss: 0,
  };
  private readonly etcd: SimEtcd;
  private readonly clock: Clock;
  private readonly random: Random;
  private readonly process: SimEtcdProcess;
  private readonly watches = new Set<SimWatch>();
  private closed = false;

  constructor(etcd: SimEtcd, clock: Clock, random: Random, process: SimEtcdProcess = alwaysRuns) {
    this.etcd = etcd;
    this.clock = clock;
    this.random = random;
    this.process = process;
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
    const watch = new SimWatch(this, this.etcd, this.clock, prefix, from, sink);
    this.watches.add(watch);
    watch.tell();
    return () => {
      watch.stop();
      this.watches.delete(watch);
    };
  }

  get isReachable(): boolean {
    return this.etcd.isAvailable && !this.path.cut;
  }

  /** One way, with what chance adds. Milliseconds. */
  get delayMs(): number {
    const { delayMs, jitterMs } = this.path;
    return jitterMs === 0 ? delayMs : delayMs + (this.random.integer(1000) / 1000) * jitterMs;
  }

  /** True in `share` of all cases. */
  chance(share: number): boolean {
    return share > 0 && this.random.integer(1000) < share * 1000;
  }

  /** Something happens in the process, unless this client is not used any more. */
  pass(run: () => void): void {
    this.process.pass(() => {
      if (!this.closed) run();
    });
  }

  /** The connection breaks: watches end, and whoever has one begins anew. */
  reset(): void {
    for (const watch of [...this.watches]) watch.break('the connection was reset');
  }

  forget(watch: SimWatch): void {
    this.watches.delete(watch);
  }

  wake(): void {
    for (const watch of this.watches) watch.tell();
  }

  /** What was sent arrives and takes effect; nothing is heard of it here. */
  close(): void {
    this.closed = true;
    for (const watch of this.watches) watch.stop();
    this.watches.clear();
    this.etcd.forget(this);
  }

  private call<T>(work: () => T, answerLoss = 0): Promise<T> {
    return new Promise((resolve, reject) => {
      const late = () => reject(new EtcdError('unknown', 'etcd did not answer in time'));
      const deadline = this.clock.after(deadlineMs, late);
      const answered = (answer: () => void) => {
        if (!this.isReachable) return;
        this.pass(() => {
          deadline.cancel();
          answer();
        });
      };
      const { scheduler } = this.etcd;
      if (this.chance(this.path.requestLoss)) return;
      scheduler.work(this.delayMs, () => {
        if (!this.isReachable) return;
        let answer: () => void;
        try {
          const result = work();
          answer = () => resolve(result);
        } catch (error) {
          answer = () => reject(error as Error);
        }
        if (!this.chance(answerLoss)) scheduler.work(this.delayMs, () => answered(answer));
      });
    });
  }
}
