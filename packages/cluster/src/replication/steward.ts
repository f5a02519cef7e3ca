import type { Incarnation, JsonValue } from '@chapar/core';
import type { Clock, Log } from '@chapar/platform';
import type { Gossip } from '../gossip.js';
import type { Membership } from '../membership/membership.js';
import { forgottenKey } from '../membership/records.js';
import { Comparison } from './comparison.js';
import { Drain } from './drain.js';
import { ForcedPromotion } from './forced-promotion.js';
import type { QueueMirrorRecord } from './mirror-records.js';
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
  /** Asks another node; rejects when it is out of reach. */
  ask(member: DataId, kind: string, body: JsonValue): Promise<JsonValue>;
}

/** Looks after the copies of mirrored queues: does what people ask for, and sees to it that there are as many as there shall be. */
export class Steward implements OperationsCluster {
  readonly operations: Operations;
  readonly rebalancing: Rebalancing;
  readonly drain: Drain;
  readonly forced: ForcedPromotion;
  private readonly parts: StewardParts;
  private replenishing: Replenishing | null = null;
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
  open(): void {
    const { membership, clock, log } = this.parts;
    const members = {
      nodes: () => this.parts.mirrors.neighbours.open(),
      isForgotten: (member: DataId) => membership.mirror.get(forgottenKey(member)) !== undefined,
    };
    this.comparison = new Comparison(this, this.forced, { clock, log });
    this.replenishing = new Replenishing(this, this.operations, { clock, log }, members);
  }

  close(): void {
    this.replenishing?.close();
    this.comparison?.close();
    this.rebalancing.close();
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
