import type { Incarnation } from '@chapar/core';
import type { Clock, Log, Timer } from '@chapar/platform';
import type { QueueMirrorRecord, RecordedWish } from './mirror-records.js';
import type { Operations, OperationsCluster, Order } from './operations.js';
import type { DataId } from './record.js';
import { type Landscape, replenishment } from './replenishment.js';
import { anotherWish, askedOf, isSameWish } from './wishes.js';

const everyMs = 2000;
/** So many queues of this node at a time: each new copy is read from the start. */
const atOnceMax = 8;

/** Sees to it that the queues that this node leads have the copies that they shall have. */
export class Replenishing {
  private readonly cluster: OperationsCluster;
  private readonly operations: Operations;
  private readonly clock: Clock;
  private readonly log: Log;
  private readonly isForgotten: (member: DataId) => boolean;
  private readonly nodes: () => ReadonlyMap<DataId, string>;
  private readonly goneAtMs = new Map<DataId, number>();
  private readonly underWay = new Set<Incarnation>();
  private readonly timer: Timer;
  private readonly asks: (record: QueueMirrorRecord) => RecordedWish | null;

  /** `nodes`: those that may get copies, with their names. `asks`: what a queue's arguments and policies come to; null: nobody knows now. */
  constructor(
    cluster: OperationsCluster,
    operations: Operations,
    world: { readonly clock: Clock; readonly log: Log },
    members: { nodes(): ReadonlyMap<DataId, string>; isForgotten(member: DataId): boolean },
    asks: (record: QueueMirrorRecord) => RecordedWish | null = () => null,
  ) {
    this.asks = asks;
    this.cluster = cluster;
    this.operations = operations;
    this.clock = world.clock;
    this.log = world.log;
    this.nodes = () => members.nodes();
    this.isForgotten = (member) => members.isForgotten(member);
    this.timer = world.clock.every(everyMs, () => this.tick());
  }

  close(): void {
    this.timer.cancel();
  }

  private tick(): void {
    let landscape: Landscape | null = null;
    for (const record of this.cluster.records()) {
      if (record.leader !== this.cluster.self || this.underWay.has(record.incarnation)) continue;
      if (this.underWay.size >= atOnceMax) return;
      landscape ??= this.landscape();
      const order = this.change(record) ?? replenishment(record, landscape);
      if (order === null) continue;
      const { incarnation, vhost, name } = record;
      this.underWay.add(incarnation);
      this.operations
        .order(incarnation, order)
        .then(() => this.log.info({ vhost, queue: name, ...order }, 'the copies of a mirrored queue were replenished'))
        .catch((error: unknown) => this.log.debug({ error, vhost, queue: name, ...order }, 'tried again'))
        .finally(() => this.underWay.delete(incarnation));
    }
  }

  /** What its arguments and policies come to is something else than before, or fewer disks have to have it than could. */
  private change(record: QueueMirrorRecord): Order | null {
    const now = this.asks(record);
    const before = askedOf(record);
    const asked = now ?? before;
    const wish = isSameWish(asked, before) ? record.wish : asked;
    const order = { what: 'wish', wish, asked } as const;
    return anotherWish(wish, asked)(record, '') === 'done' ? null : order;
  }

  private landscape(): Landscape {
    const nodes = this.nodes();
    const copies = new Map<DataId, number>();
    const nowMs = this.clock.monotonicMs();
    for (const { replicas } of this.cluster.records())
      for (const id of replicas) {
        copies.set(id, (copies.get(id) ?? 0) + 1);
        if (this.cluster.isLive(id)) this.goneAtMs.delete(id);
        else if (!this.goneAtMs.has(id)) this.goneAtMs.set(id, nowMs);
      }
    const awayMs = (id: DataId) => nowMs - (this.goneAtMs.get(id) ?? nowMs);
    const nameOf = (id: DataId) => this.cluster.nameOf(id);
    return { nodes, copies, awayMs, nameOf, isForgotten: this.isForgotten };
  }
}
