import type { Clock, Log, Timer } from '@chapar/platform';
import { type Etcd, type EtcdStatus, readKeys } from '../etcd/etcd.js';
import type { Mirror } from '../mirror.js';
import { clusterKey } from './records.js';

/** How often etcd is asked. Milliseconds. */
const askEveryMs = 5000;

/** etcd as people want to know it. */
export interface EtcdView {
  /** It answers a linearizable read: it has a majority, and this node reaches it. */
  readonly reachable: boolean;
  /** Since when that is so; milliseconds since 1970. */
  readonly sinceMs: number;
  /** Why not, in etcd's or the network's words; null while it is reachable. */
  readonly error: string | null;
  /** Why what answers is not obeyed (another cluster, an older state); null: it is. */
  readonly stranger: string | null;
  /** `NOSPACE`, `CORRUPT`. */
  readonly alarms: readonly string[];
  readonly version: string | null;
  readonly databaseBytes: number | null;
  readonly databaseBytesInUse: number | null;
}

/** What an alarm of etcd means for us. */
const meanings: { readonly [alarm: string]: string } = {
  NOSPACE:
    'its quota is used up, and it takes no changes: compact and defragment it, or raise --quota-backend-bytes, then disarm the alarm',
  CORRUPT: 'the data of its members differ: see its documentation on corruption',
};

/** Asks etcd how it is, and says in the log what changed. */
export class EtcdHealth {
  private readonly etcd: Etcd;
  private readonly mirror: Mirror;
  private readonly clock: Clock;
  private readonly log: Log;
  private readonly prefix: string;
  private timer: Timer | null = null;
  private isAsking = false;
  private reachable = true;
  private sinceMs: number;
  private error: string | null = null;
  private status: EtcdStatus | null = null;
  /** Something in the view other than sizes changed. */
  onChange: ((view: EtcdView) => void) | null = null;

  constructor(etcd: Etcd, world: { readonly clock: Clock; readonly log: Log }, prefix: string, mirror: Mirror) {
    this.etcd = etcd;
    this.clock = world.clock;
    this.log = world.log;
    this.prefix = prefix;
    this.mirror = mirror;
    this.sinceMs = world.clock.wallMs();
    mirror.onStranger = () => this.onChange?.(this.view());
  }

  start(): void {
    this.timer = this.clock.every(askEveryMs, () => void this.ask());
    void this.ask();
  }

  close(): void {
    this.timer?.cancel();
    this.mirror.onStranger = null;
  }

  view(): EtcdView {
    const { reachable, sinceMs, error, status } = this;
    return {
      reachable,
      sinceMs,
      error,
      stranger: this.mirror.stranger,
      alarms: status?.alarms ?? [],
      version: status?.version ?? null,
      databaseBytes: status?.databaseBytes ?? null,
      databaseBytesInUse: status?.databaseBytesInUse ?? null,
    };
  }

  private async ask(): Promise<void> {
    if (this.isAsking) return;
    this.isAsking = true;
    try {
      await readKeys(this.etcd, [this.prefix + clusterKey]);
      this.noteReach(null);
      this.noteStatus(await this.etcd.status());
    } catch (error) {
      if (this.timer !== null) this.noteReach(error instanceof Error ? error.message : String(error));
    } finally {
      this.isAsking = false;
    }
  }

  private noteReach(error: string | null): void {
    this.error = error;
    if ((error === null) === this.reachable) return;
    this.reachable = error === null;
    this.sinceMs = this.clock.wallMs();
    if (error === null) this.log.info({}, 'etcd can be reached again');
    else {
      this.log.warn(
        { reason: error },
        'etcd cannot be reached: messages go on, and nothing durable can be declared or changed until it can',
      );
    }
    this.onChange?.(this.view());
  }

  private noteStatus(status: EtcdStatus): void {
    const before = this.status?.alarms ?? [];
    this.status = status;
    const raised = status.alarms.filter((alarm) => !before.includes(alarm));
    const ended = before.filter((alarm) => !status.alarms.includes(alarm));
    for (const alarm of raised)
      this.log.error({ alarm }, `etcd has raised ${alarm}: ${meanings[alarm] ?? 'see its documentation'}`);
    for (const alarm of ended) this.log.info({ alarm }, `etcd has ended ${alarm}`);
    if (raised.length + ended.length > 0) this.onChange?.(this.view());
  }
}
