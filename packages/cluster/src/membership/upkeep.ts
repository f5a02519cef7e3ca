import type { Clock, Log, Timer } from '@chapar/platform';
import { type Etcd, EtcdError, type EtcdRevision } from '../etcd/etcd.js';
import type { Mirror } from '../mirror.js';
import type { Writer } from '../writer.js';
import type { Members } from './members.js';
import { sweepBindings } from './stale-bindings.js';

export interface UpkeepOptions {
  readonly etcd: Etcd;
  readonly clock: Clock;
  readonly log: Log;
  readonly mirror: Mirror;
  readonly writer: Writer;
  readonly members: Members;
  /** Of this node, while it is sure of it; null: it has none. */
  readonly session: () => EtcdRevision | null;
}

/** How often it is looked at what is to be done. Milliseconds. */
const everyMs = 60_000;
/** Of history that stays, for watches that were cut. Milliseconds. */
const historyMs = 10 * 60_000;
/** Between two sweeps. Milliseconds. */
const sweepEveryMs = 10 * 60_000;

/** What one node does for all, the one that is registered longest: etcd's history is compacted, what has no meaning any more is deleted. */
export class Upkeep {
  private readonly options: UpkeepOptions;
  private readonly timer: Timer;
  /** Which revision it was when; oldest first, every minute. */
  private readonly samples: { readonly atMs: number; readonly revision: EtcdRevision }[] = [];
  private sweptMs = Number.NEGATIVE_INFINITY;
  private compacted: EtcdRevision = 0;
  private isWorking = false;

  constructor(options: UpkeepOptions) {
    this.options = options;
    this.timer = options.clock.every(everyMs, () => void this.work());
  }

  /** Whether that one is us. */
  get isOurs(): boolean {
    const session = this.options.session();
    return session !== null && this.options.members.registrations().every((other) => other.session >= session);
  }

  close(): void {
    this.timer.cancel();
  }

  private async work(): Promise<void> {
    const { log, mirror } = this.options;
    const due = this.sample();
    // An etcd that is not obeyed is not written to either.
    if (!this.isOurs || this.isWorking || mirror.stranger !== null) return;
    this.isWorking = true;
    try {
      if (due > this.compacted) await this.compact(due);
      await this.sweep();
    } catch (error) {
      if (!(error instanceof EtcdError)) throw error;
      log.warn({ error }, 'upkeep of etcd failed; tried again');
    } finally {
      this.isWorking = false;
    }
  }

  /** The newest revision that is old enough to be forgotten; 0: there is none. */
  private sample(): EtcdRevision {
    const { clock, mirror } = this.options;
    const nowMs = clock.monotonicMs();
    this.samples.push({ atMs: nowMs, revision: mirror.revision });
    let due = 0;
    while (this.samples.length > 0 && this.samples[0]!.atMs <= nowMs - historyMs) due = this.samples.shift()!.revision;
    return due;
  }

  private async compact(revision: EtcdRevision): Promise<void> {
    try {
      await this.options.etcd.compact(revision);
      this.options.log.debug({ revision }, 'the history of etcd up to this revision was compacted');
    } catch (error) {
      // Somebody else did it, or etcd does so by itself.
      if (!(error instanceof EtcdError) || error.outcome !== 'refused') throw error;
      this.options.log.debug({ error }, 'etcd refused a compaction');
    }
    this.compacted = revision;
  }

  private async sweep(): Promise<void> {
    const { clock, mirror, writer, log } = this.options;
    const nowMs = clock.monotonicMs();
    if (nowMs - this.sweptMs < sweepEveryMs) return;
    this.sweptMs = nowMs;
    const swept = await sweepBindings(mirror, writer);
    if (swept > 0) log.info({ bindings: swept }, 'bindings whose queue or exchange is gone were deleted from etcd');
  }
}
