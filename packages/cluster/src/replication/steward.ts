import {
  type Broker,
  type Guard,
  type Incarnation,
  type JsonValue,
  type MirroringWish,
  mirroringWish,
  Queue,
  type QueueRecord,
  queueKey,
} from '@chapar/core';
import type { Clock, Log } from '@chapar/platform';
import type { Gossip } from '../gossip.js';
import type { Membership } from '../membership/membership.js';
import { forgottenKey, metadataRoom } from '../membership/records.js';
import { nodeKey } from '../session.js';
import { Comparison } from './comparison.js';
import { Converting, type ConvertingNode } from './converting.js';
import { Drain } from './drain.js';
import { ForcedPromotion } from './forced-promotion.js';
import { mirrorPath, type QueueMirrorRecord, type RecordedWish } from './mirror-records.js';
import type { Mirrors } from './mirrors.js';
import { Operations, type OperationsCluster } from './operations.js';
import { Rebalancing } from './rebalancing.js';
import type { DataId } from './record.js';
import { Replenishing } from './replenishing.js';
import type { Replica } from './replica.js';

export interface StewardParts {
  readonly membership: Membership;
  readonly mirrors: Mirrors;
  readonly gossip: Gossip;
  readonly clock: Clock;
  readonly log: Log;
  /** A node that is registered, and not known to be dead, is not linked. */
  isAnyoneComing(): boolean;
  /** Asks another node; rejects when it is out of reach. */
  ask(member: DataId, kind: string, body: JsonValue): Promise<JsonValue>;
}

/** Looks after the copies of mirrored queues: does what people ask for, and sees to it that there are as many as there shall be. */
export class Steward implements OperationsCluster, ConvertingNode {
  readonly operations: Operations;
  readonly rebalancing: Rebalancing;
  readonly drain: Drain;
  readonly forced: ForcedPromotion;
  private readonly parts: StewardParts;
  private replenishing: Replenishing | null = null;
  private converting: Converting | null = null;
  private broker: Broker | null = null;
  private comparison: Comparison | null = null;

  constructor(parts: StewardParts) {
    const { membership, clock, log } = parts;
    this.parts = parts;
    const world = { clock, log };
    this.operations = new Operations(this, world);
    this.rebalancing = new Rebalancing(this, this.operations, world, () => this.nodes());
    this.forced = new ForcedPromotion(this, (incarnation) => parts.mirrors.of(incarnation), clock);
    this.drain = new Drain(this, this.operations, membership.maintenance, world);
  }

  /** The broker is open, and what it knows of copies was read. */
  open(broker: Broker): void {
    const { membership, clock, log } = this.parts;
    this.broker = broker;
    const members = {
      nodes: () => this.parts.mirrors.neighbours.open(),
      isForgotten: (member: DataId) => membership.mirror.get(forgottenKey(member)) !== undefined,
    };
    const asks = (record: QueueMirrorRecord) => this.asks(record);
    this.comparison = new Comparison(this, this.forced, { clock, log });
    this.replenishing = new Replenishing(this, this.operations, { clock, log }, members, asks);
    this.converting = new Converting(this, { clock, log });
  }

  close(): void {
    this.replenishing?.close();
    this.converting?.close();
    this.comparison?.close();
    this.rebalancing.close();
  }

  // -- what policies come to ---------------------------------------------------------------------------------------

  /** Of a mirrored queue that is under no such policy any more: the leader's copy, which has everything, and no other. */
  private asks({ vhost, name, incarnation }: QueueMirrorRecord): RecordedWish | null {
    const queue = this.broker!.topology.vhosts.get(vhost)?.queues.get(name);
    if (queue?.incarnation !== incarnation) return null;
    const wish = mirroringWish(queue.properties, queue.policy.definition);
    return wish === null ? { copies: 1, min: null } : { copies: wish.copies, min: wish.min };
  }

  *unmirrored(): Iterable<readonly [queue: Queue, wish: MirroringWish]> {
    for (const vhost of this.broker!.topology.vhosts.values())
      for (const queue of vhost.queues.values()) {
        if (!(queue instanceof Queue)) continue;
        const wish = mirroringWish(queue.properties, queue.policy.definition);
        if (wish !== null) yield [queue, wish];
      }
  }

  get mayConvert(): boolean {
    const { membership, mirrors } = this.parts;
    return membership.session !== null && !membership.maintenance.isHere && mirrors.isServing;
  }

  async isEveryoneThere(): Promise<boolean> {
    const { gossip, isAnyoneComing } = this.parts;
    await gossip.seen();
    return !gossip.isAnyoneLagging && !isAnyoneComing();
  }

  isLed(incarnation: Incarnation): boolean {
    return this.parts.mirrors.led(incarnation) !== null;
  }

  /** One write: the queue has no home any more, and its record as a mirrored one is there. */
  async convert(queue: Queue, wish: MirroringWish): Promise<void> {
    const { membership, mirrors } = this.parts;
    const { properties, incarnation } = queue;
    const key = metadataRoom + queueKey(properties.vhost, properties.name);
    const found = membership.mirror.get(key);
    const { home, ...record } = (found?.value ?? {}) as unknown as QueueRecord;
    const isOurs = record.incarnation === incarnation && (home === undefined || home === this.self);
    const { session } = membership;
    if (found === undefined || session === null || !isOurs) return;
    const { placement, neighbours } = mirrors;
    const mirror = placement.conversion(properties, wish, this.self, neighbours.open());
    const guards: Guard[] = [
      { key, revision: found.revision },
      { key: mirrorPath(incarnation), revision: 'absent' },
      // The writer sees to that as well, but writes what waits in the next session, too.
      { key: nodeKey(membership.node), revision: session.revision },
    ];
    const value = { ...record, mirrored: true } as unknown as JsonValue;
    await membership.writer.change(guards, [
      { key, value },
      { key: mirrorPath(incarnation), value: mirror as unknown as JsonValue },
    ]);
  }

  // -- the cluster, for operations ---------------------------------------------------------------------------------

  get self(): DataId {
    return this.parts.membership.dataId;
  }

  get copies() {
    const { mirrors } = this.parts;
    return {
      replica: (incarnation: Incarnation): Replica | null => mirrors.of(incarnation)?.replica ?? null,
      look: (incarnation: Incarnation): void => mirrors.of(incarnation)?.tick(mirrors.neighbours),
    };
  }

  records(): Iterable<QueueMirrorRecord> {
    return this.parts.mirrors.allRecords();
  }

  record(incarnation: Incarnation): QueueMirrorRecord | null {
    return this.parts.mirrors.recordOf(incarnation) ?? null;
  }

  isLive(member: DataId): boolean {
    return this.parts.mirrors.neighbours.sessions.has(member);
  }

  get resting(): ReadonlySet<DataId> {
    return this.parts.mirrors.neighbours.resting;
  }

  nameOf(member: DataId): string {
    const { members } = this.parts.membership;
    return members.get(member)?.node ?? `the node ${member}`;
  }

  ask(member: DataId, kind: string, body: JsonValue): Promise<JsonValue> {
    return this.parts.ask(member, kind, body);
  }

  answer(kind: string, answerer: (body: JsonValue) => JsonValue | Promise<JsonValue>): void {
    this.parts.gossip.answer(kind, async (body) => answerer(body));
  }

  private nodes(): readonly DataId[] {
    return [...this.parts.mirrors.neighbours.sessions.keys()];
  }
}
