import type { Incarnation, JsonValue, Position } from '@chapar/core';
import type { Clock } from '@chapar/platform';
import type { Copy } from './copy.js';
import type { QueueMirrorRecord } from './mirror-records.js';
import type { OperationsCluster } from './operations.js';
import type { DataId, Epoch } from './record.js';
import { CannotError } from './wishes.js';

const reportKind = 'mirror.copy';
const promoteKind = 'mirror.promote';

/** For the write that makes a copy lead it is waited so long. Milliseconds. */
const promoteMsMax = 5000;
const lookEveryMs = 10;

/** How far one copy has come, by its own word. A type, so that it is JSON. */
export type CopyReport = {
  readonly id: DataId;
  /** The last reign that it has something of. */
  readonly epoch: Epoch;
  /** Where it ends; up to where it knows that it is committed; and how many messages live in it. */
  readonly end: Position;
  readonly committed: Position;
  readonly messages: number;
  /** Since when it has not heard its leader; null: it has not since its process began. Milliseconds. */
  readonly silentMs: number | null;
};

/** What there is to choose from, and what is known to have been. */
export interface Prospects {
  readonly record: QueueMirrorRecord;
  /** Of the set, those that are registered: while there is one, nobody else has to lead. */
  readonly present: readonly DataId[];
  /** The copies that answer; those with the most first. */
  readonly copies: readonly CopyReport[];
}

/** Whether a copy has come further than another: of histories that agreed once the one with the later epoch has more, and of equals the longer. */
export function isFurther(a: CopyReport, b: CopyReport): boolean {
  return a.epoch > b.epoch || (a.epoch === b.epoch && a.end > b.end);
}

/** When no member of a queue's set is coming back, an operator may make another copy lead, and is told what may be missing then. */
export class ForcedPromotion {
  private readonly cluster: OperationsCluster;
  private readonly copy: (incarnation: Incarnation) => Copy | undefined;
  private readonly clock: Clock;

  /** `copy`: this node's. */
  constructor(cluster: OperationsCluster, copy: (incarnation: Incarnation) => Copy | undefined, clock: Clock) {
    this.cluster = cluster;
    this.copy = copy;
    this.clock = clock;
    cluster.answer(reportKind, (incarnation) => this.report(incarnation as Incarnation));
    cluster.answer(promoteKind, (incarnation) => this.carryOut(incarnation as Incarnation).then(() => true));
  }

  /** Rejects with CannotError when the queue is not mirrored. */
  async prospects(incarnation: Incarnation): Promise<Prospects> {
    const record = this.recordOf(incarnation);
    const { cluster } = this;
    const live = record.replicas.filter((id) => cluster.isLive(id));
    const reports = await Promise.all(live.map((id) => this.reportOf(id, incarnation)));
    const copies = reports.filter((report) => report !== null).sort((a, b) => (isFurther(a, b) ? -1 : 1));
    return { record, present: record.inSync.filter((id) => cluster.isLive(id)), copies };
  }

  /** `member` leads from now on, with what it has; what else was confirmed is lost. Resolves when the record says so. Rejects with CannotError. */
  async promote(incarnation: Incarnation, member: DataId): Promise<void> {
    const record = this.recordOf(incarnation);
    const { cluster } = this;
    this.assertNobody(record);
    if (!record.replicas.includes(member)) throw new CannotError(`${cluster.nameOf(member)} has no copy of the queue`);
    if (!cluster.isLive(member)) throw new CannotError(`${cluster.nameOf(member)} is not there`);
    if (member === cluster.self) await this.carryOut(incarnation);
    else await this.ask(member, incarnation);
  }

  private async ask(member: DataId, incarnation: Incarnation): Promise<void> {
    try {
      await this.cluster.ask(member, promoteKind, incarnation);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new CannotError(`${this.cluster.nameOf(member)} did not do it: ${why}`);
    }
  }

  private async reportOf(id: DataId, incarnation: Incarnation): Promise<CopyReport | null> {
    if (id === this.cluster.self) return this.report(incarnation);
    try {
      return (await this.cluster.ask(id, reportKind, incarnation as JsonValue)) as CopyReport | null;
    } catch {
      // It is registered and out of reach, or of an older version: it cannot be chosen.
      return null;
    }
  }

  private report(incarnation: Incarnation): CopyReport | null {
    const copy = this.copy(incarnation);
    if (copy === undefined) return null;
    const { end, committed, starts, liveCount } = copy.stored;
    const silentMs = copy.heardAtMs === null ? null : this.clock.monotonicMs() - copy.heardAtMs;
    const epoch = starts.at(-1)?.epoch ?? 0;
    return { id: this.cluster.self, epoch, end, committed, messages: liveCount, silentMs };
  }

  // -- on the node whose copy it is --------------------------------------------------------------------------------

  private async carryOut(incarnation: Incarnation): Promise<void> {
    const { clock, cluster } = this;
    const untilMs = clock.monotonicMs() + promoteMsMax;
    let isAsked = false;
    while (clock.monotonicMs() < untilMs) {
      const record = this.recordOf(incarnation);
      if (record.leader === cluster.self && this.copy(incarnation)?.replica?.leader != null) return;
      this.assertNobody(record);
      if (!isAsked) isAsked = this.copy(incarnation)?.promote() ?? false;
      await new Promise<void>((done) => clock.after(lookEveryMs, done));
    }
    const state = isAsked ? 'it was asked for, and etcd has not answered' : 'its copy takes no part now';
    throw new CannotError(`it could not be done within ${promoteMsMax / 1000} s: ${state}`);
  }

  private assertNobody({ inSync }: QueueMirrorRecord): void {
    const { cluster } = this;
    const present = inSync.filter((id) => cluster.isLive(id));
    if (present.length === 0) return;
    const names = present.map((id) => cluster.nameOf(id)).join(', ');
    throw new CannotError(
      `${names} ${present.length === 1 ? 'is' : 'are'} in sync and running, so nothing has to be lost: hand the lead over instead (transfer)`,
    );
  }

  private recordOf(incarnation: Incarnation): QueueMirrorRecord {
    const record = this.cluster.record(incarnation);
    if (record === null) throw new CannotError('the queue is not mirrored, or gone');
    return record;
  }
}
