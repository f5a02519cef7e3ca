import type { Clock, Timer } from '@chapar/platform';
import type { EtcdRevision, EtcdWatchSink } from './etcd.js';
import type { SimEtcd } from './sim-etcd.js';
import type { SimEtcdClient } from './sim-etcd-client.js';

/** As the watch of the real client: how often it asks for a sign of life, and after how long without any it gives up. Milliseconds. */
const askEveryMs = 2000;
const silenceMaxMs = 5000;

/** One watch of one client. */
export class SimWatch {
  private readonly client: SimEtcdClient;
  private readonly etcd: SimEtcd;
  private readonly clock: Clock;
  private readonly prefix: string;
  private readonly sink: EtcdWatchSink;
  /** What was sent to the client so far ends before this revision. */
  private next: EtcdRevision;
  /** Tidings on their way arrive one after the other. */
  private arrivesMs = 0;
  private heardMs: number;
  private readonly asking: Timer;
  private isOver = false;

  constructor(client: SimEtcdClient, etcd: SimEtcd, clock: Clock, prefix: string, from: number, sink: EtcdWatchSink) {
    this.client = client;
    this.etcd = etcd;
    this.clock = clock;
    this.prefix = prefix;
    this.next = from;
    this.sink = sink;
    this.heardMs = clock.monotonicMs();
    this.asking = clock.every(askEveryMs, () => this.ask());
  }

  /** Something may have happened: it sets out, and arrives when the path allows. */
  tell(): void {
    const { watchLagMs } = this.client.path;
    const upTo = this.etcd.keys.revision;
    this.later(this.client.delayMs + watchLagMs, () => this.send(upTo));
  }

  /** The stream ends for a reason on the way. */
  break(reason: string): void {
    this.client.pass(() => this.end({ compacted: null, reason }));
  }

  stop(): void {
    this.isOver = true;
    this.asking.cancel();
    this.client.forget(this);
  }

  private ask(): void {
    const silentMs = this.clock.monotonicMs() - this.heardMs;
    if (silentMs > silenceMaxMs) {
      this.end({ compacted: null, reason: `nothing was heard for ${Math.round(silentMs)} ms` });
      return;
    }
    const { delayMs } = this.client;
    this.etcd.scheduler.work(delayMs * 2, () => {
      if (this.isOver || !this.client.isReachable) return;
      // What could not get through while the path was cut is sent again by the kernel.
      this.tell();
      this.client.pass(() => {
        if (this.isOver) return;
        this.heardMs = this.clock.monotonicMs();
        this.sink.heard();
      });
    });
  }

  private later(delayMs: number, run: () => void): void {
    const { scheduler } = this.etcd;
    this.arrivesMs = Math.max(this.arrivesMs, scheduler.nowMs + delayMs);
    scheduler.work(this.arrivesMs - scheduler.nowMs, run);
  }

  private send(upTo: EtcdRevision): void {
    if (this.isOver || !this.client.isReachable || this.next > upTo) return;
    const events = this.etcd.keys.since(this.prefix, this.next);
    if (events === null) {
      const { compacted } = this.etcd.keys;
      this.client.pass(() => this.end({ compacted, reason: 'the revision was compacted' }));
      return;
    }
    if (this.client.chance(this.client.path.watchLoss)) {
      this.break('the connection broke');
      return;
    }
    this.next = upTo + 1;
    const told = events.filter(({ modRevision }) => modRevision <= upTo);
    if (told.length === 0) return;
    this.client.pass(() => {
      if (this.isOver) return;
      this.heardMs = this.clock.monotonicMs();
      this.sink.changed(told);
    });
  }

  private end(why: { readonly compacted: EtcdRevision | null; readonly reason: string }): void {
    if (this.isOver) return;
    this.stop();
    this.sink.ended(why);
  }
}
