import type { Incarnation } from '@chapar/core';
import type { Clock, Log } from '@chapar/platform';
import type { Maintenance } from '../membership/maintenance.js';
import { evacuation, type Led, ledQueue } from './balance.js';
import { isShard, type QueueMirrorRecord } from './mirror-records.js';
import type { Operations, OperationsCluster } from './operations.js';
import type { DataId } from './record.js';

/** Queues whose lead is handed over at the same time. */
const atOnceMax = 8;
/** For so long it is tried again to hand over what could not be. Milliseconds. */
const patienceMs = 20_000;
const againMs = 500;

/** What clients come in by. */
export interface Doors {
  /** Nobody new is let in. */
  shut(): Promise<void>;
  /** Those who are there are told to go elsewhere. */
  dismiss(): void;
  reopen(): Promise<void>;
}

export interface DrainView {
  readonly state: 'serving' | 'draining' | 'drained';
  /** How many leads were handed over since it began. */
  readonly moved: number;
  /** Queues that this node still leads, and why, as far as it was tried. */
  readonly left: readonly { readonly vhost: string; readonly name: string; readonly why: string }[];
}

/** This node on its way out of use, and back: its leads go to others, nothing new comes, its clients are told to go elsewhere. */
export class Drain {
  doors: Doors | null = null;
  private readonly cluster: OperationsCluster;
  private readonly operations: Operations;
  private readonly maintenance: Maintenance;
  private readonly clock: Clock;
  private readonly log: Log;
  private state: DrainView['state'] = 'serving';
  private moved = 0;
  private readonly reasons = new Map<Incarnation, string>();
  /** Counts beginnings: what runs on from one that was called off does nothing any more. */
  private round = 0;

  constructor(
    cluster: OperationsCluster,
    operations: Operations,
    maintenance: Maintenance,
    world: { readonly clock: Clock; readonly log: Log },
  ) {
    this.cluster = cluster;
    this.operations = operations;
    this.maintenance = maintenance;
    this.clock = world.clock;
    this.log = world.log;
  }

  view(): DrainView {
    const left = this.led().map(({ incarnation, vhost, name }) => ({
      vhost,
      name,
      why: this.reasons.get(incarnation) ?? '',
    }));
    return { state: this.state, moved: this.moved, left: this.state === 'serving' ? [] : left };
  }

  /** Resolves when it has begun: everybody is going to know that nothing shall come here. Rejects with EtcdError. */
  async begin(): Promise<void> {
    if (this.state !== 'serving') return;
    await this.maintenance.begin();
    this.state = 'draining';
    this.moved = 0;
    this.reasons.clear();
    const round = ++this.round;
    this.log.info({}, 'this node is being drained');
    await this.doors?.shut();
    void this.run(round).catch((error: unknown) => this.log.error({ error }, 'this node could not be drained'));
  }

  /** Rejects with EtcdError. */
  async revive(): Promise<void> {
    if (this.state === 'serving') return;
    await this.maintenance.end();
    this.round++;
    this.state = 'serving';
    await this.doors?.reopen();
    this.log.info({}, 'this node serves again');
  }

  private async run(round: number): Promise<void> {
    const isOn = () => round === this.round;
    const untilMs = this.clock.monotonicMs() + patienceMs;
    for (;;) {
      await this.pass(isOn);
      if (!isOn()) return;
      if (this.led().length === 0 || this.clock.monotonicMs() >= untilMs) break;
      await new Promise<void>((done) => this.clock.after(againMs, done));
    }
    this.doors?.dismiss();
    this.state = 'drained';
    this.log.info({ moved: this.moved, left: this.led().length }, 'this node is drained');
  }

  private led(): QueueMirrorRecord[] {
    return [...this.cluster.records()].filter(({ leader }) => leader === this.cluster.self);
  }

  private async pass(isOn: () => boolean): Promise<void> {
    const mayLead = (id: DataId) => id !== this.cluster.self && this.operations.mayLead(id);
    const queues = this.led().map((record) => ledQueue(record, record, mayLead) as Led<QueueMirrorRecord>);
    const waiting = [...evacuation(queues, this.operations.leads())];
    const worker = async (): Promise<void> => {
      for (let next = waiting.shift(); next !== undefined && isOn(); next = waiting.shift())
        await this.handOver(next.queue, next.to);
    };
    await Promise.all(Array.from({ length: atOnceMax }, worker));
  }

  private async handOver(record: QueueMirrorRecord, to: DataId | null): Promise<void> {
    const { incarnation } = record;
    try {
      if (to === null) throw new Error('no other copy that is in sync is on a node that may lead');
      await this.operations.handOver(incarnation, to);
      if (!isShard(record)) this.moved++;
      this.reasons.delete(incarnation);
    } catch (error) {
      this.reasons.set(incarnation, error instanceof Error ? error.message : String(error));
    }
  }
}
