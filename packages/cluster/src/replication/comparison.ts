import type { Incarnation } from '@chapar/core';
import type { Clock, Log, Timer } from '@chapar/platform';
import type { CopyReport, ForcedPromotion } from './forced-promotion.js';
import type { QueueMirrorRecord } from './mirror-records.js';
import type { OperationsCluster } from './operations.js';
import { comparedMin, type DataId, isAdopted } from './record.js';

const everyMs = 500;
/** Those who could come back get so long before the copies that are there decide. Milliseconds. */
const patienceMs = 30_000;
/** Queues at a time. */
const atOnceMax = 8;

/**
 * Finds leaders for queues whose records were adopted: whichever copy has come furthest, when all have been asked, or after a while so many that
 * one of them has whatever was confirmed. One node does it for each queue: the first of its members that is there.
 */
export class Comparison {
  private readonly cluster: OperationsCluster;
  private readonly forced: ForcedPromotion;
  private readonly clock: Clock;
  private readonly log: Log;
  private readonly sinceMs = new Map<Incarnation, number>();
  private readonly underWay = new Set<Incarnation>();
  private readonly timer: Timer;

  constructor(
    cluster: OperationsCluster,
    forced: ForcedPromotion,
    world: { readonly clock: Clock; readonly log: Log },
  ) {
    this.cluster = cluster;
    this.forced = forced;
    this.clock = world.clock;
    this.log = world.log;
    this.timer = world.clock.every(everyMs, () => this.tick());
  }

  close(): void {
    this.timer.cancel();
  }

  private tick(): void {
    const nowMs = this.clock.monotonicMs();
    for (const record of this.cluster.records()) {
      const { incarnation, replicas } = record;
      if (!isAdopted(record)) {
        if (this.sinceMs.size > 0) this.sinceMs.delete(incarnation);
        continue;
      }
      if (!this.sinceMs.has(incarnation)) this.sinceMs.set(incarnation, nowMs);
      const first = replicas.find((id) => this.cluster.isLive(id));
      if (first !== this.cluster.self || this.underWay.has(incarnation) || this.underWay.size >= atOnceMax) continue;
      this.underWay.add(incarnation);
      this.compare(record, nowMs - this.sinceMs.get(incarnation)!)
        .catch((error: unknown) => this.log.debug({ error, incarnation }, 'tried again'))
        .finally(() => this.underWay.delete(incarnation));
    }
  }

  private async compare(record: QueueMirrorRecord, waitedMs: number): Promise<void> {
    const { incarnation, replicas, vhost, name } = record;
    const { copies } = await this.forced.prospects(incarnation);
    const needed = waitedMs < patienceMs ? replicas.length : comparedMin(record);
    if (copies.length < needed) return;
    const chosen = furthest(copies, record);
    await this.forced.elect(incarnation, chosen);
    this.log.info(
      { vhost, queue: name, leader: chosen },
      'the copies of an adopted queue were compared, and it is led again',
    );
  }
}

/** Of equals whoever was in the set, as far as that is known. */
function furthest(copies: readonly CopyReport[], { inSync }: QueueMirrorRecord): DataId {
  const [best] = copies as [CopyReport];
  const equals = copies.filter(({ epoch, end }) => epoch === best.epoch && end === best.end);
  return (equals.find(({ id }) => inSync.includes(id)) ?? best).id;
}
