import {
  type Broker,
  type Flushable,
  type Guard,
  GuardFailedError,
  type Incarnation,
  type JsonValue,
  type MetadataEvent,
  type Origin,
  PHASE_DECIDE,
  PHASE_PERSIST,
  type Revision,
  sourceOfLetters,
} from '@chapar/core';
import type { Clock, Log, Timer } from '@chapar/platform';
import type { Shards } from '../keyed/shards.js';
import type { Membership } from '../membership/membership.js';
import { maintenancePrefix } from '../membership/records.js';
import { nodeKey, type Session } from '../session.js';
import type { HeldPull } from './answer-lane.js';
import { Copy, type CopyHost } from './copy.js';
import { handOver } from './hand-over.js';
import type { LeaderSettings } from './leader.js';
import type { LedQueue } from './led-queue.js';
import { mirrorPath, mirrorsPrefix, type QueueMirrorRecord } from './mirror-records.js';
import { Neighbours } from './neighbours.js';
import { OriginEnds } from './origin-ends.js';
import { Placement } from './placement.js';
import type { PullLane } from './pull-lane.js';
import type { DataId } from './record.js';
import type { Proposal } from './record-view.js';
import type { Reign } from './reign.js';
import { type Copies, ReplicationLanes } from './replication-lanes.js';
import { followerPatience } from './standing.js';

const tickMs = 200;
/** Whoever waits at a leader says so that often. Milliseconds. */
const stillMs = 1000;
/** And so often it is looked whose publishes need not be known any more. Milliseconds. */
const originsMs = 10_000;

export const mirrorSettings: LeaderSettings = { patience: followerPatience, ledgerMax: 65_536, answerMax: 8192 };

export interface MirrorsParts {
  readonly membership: Membership;
  readonly clock: Clock;
  readonly log: Log;
  /** Links to that node are broken, and its machine says that nobody listens at its address. */
  readonly isRefused: (node: string) => boolean;
  /** Whether this node has known of what is gone from metadata by now. */
  readonly hasKnown: (incarnation: Incarnation) => boolean;
  /** Copies of keyed logs' shards are mirrored as queues are. */
  readonly shards: Shards;
  readonly settings?: LeaderSettings;
}

interface Known {
  readonly record: QueueMirrorRecord;
  readonly revision: Revision;
}

/** This node's copies of mirrored queues: each follows, or leads, what its record says. */
export class Mirrors implements Copies, CopyHost, Flushable {
  /** This node leads a queue, which is open and held. */
  onLeads: ((led: LedQueue) => void) | null = null;
  /** It leads it no more; the queue is gone. */
  onLeadsNoMore: ((led: LedQueue) => void) | null = null;
  readonly log: Log;
  readonly settings: LeaderSettings;
  readonly placement = new Placement();
  readonly neighbours: Neighbours;
  private readonly parts: MirrorsParts;
  private broker: Broker | null = null;
  private replicationLanes: ReplicationLanes | null = null;
  private readonly copies = new Map<Incarnation, Copy>();
  private readonly byNumber = new Map<number, Copy>();
  private numberMax = 0;
  private readonly records = new Map<Incarnation, Known>();
  /** Null: this node has none, or has not yet seen all that came before it. */
  private session: Session | null = null;
  private touched = new Set<Copy>();
  private stopWatches: (() => void)[] = [];
  private timer: Timer | null = null;
  private saidStillAtMs = 0;
  private readonly originEnds = new OriginEnds();
  private lookedAtOriginsMs = 0;
  private isClosed = false;

  constructor(parts: MirrorsParts) {
    const { membership, clock, log, isRefused, settings = mirrorSettings } = parts;
    this.parts = parts;
    this.log = log;
    this.settings = settings;
    this.neighbours = new Neighbours(membership.dataId, isRefused, () => clock.monotonicMs());
  }

  /** Before the broker opens. */
  attach(broker: Broker): void {
    const { clock, log } = this.parts;
    this.broker = broker;
    this.replicationLanes = new ReplicationLanes({ turn: broker.turn, clock, log }, this);
  }

  /** The broker is open. */
  open(): void {
    const { membership } = this.parts;
    const { mirror } = membership;
    this.neighbours.read(membership);
    for (const { key, value, revision } of mirror.under(mirrorsPrefix))
      this.recordSeen(incarnationOf(key), value as unknown as QueueMirrorRecord, revision);
    this.stopWatches = [
      mirror.watch(mirrorsPrefix, mirror.revision, (events) => this.recordsChanged(events)),
      mirror.watch(nodeKey(''), mirror.revision, () => this.neighboursChanged()),
      mirror.watch(maintenancePrefix, mirror.revision, () => this.neighboursChanged()),
    ];
    this.dropStrangers();
    this.later();
  }

  /** A session of this node begins. Nothing is done in it before all that was there when it began was seen. */
  began(session: Session): void {
    const { membership } = this.parts;
    this.ended();
    void membership.mirror.at(session.revision).then(() => {
      if (this.isClosed || membership.session?.revision !== session.revision || this.session !== null) return;
      this.session = session;
      this.neighbours.read(membership);
      for (const copy of this.copies.values()) this.begin(copy);
      this.tickAll();
    });
  }

  /** Its session has begun here, and nothing says that it may be over. */
  get isServing(): boolean {
    return this.session !== null && this.isSure();
  }

  /** The session is over: what was led in it others may lead. */
  ended(): void {
    this.session = null;
    for (const copy of this.copies.values()) copy.end();
  }

  /** The node stops: others lead what it leads. Resolves when they do, or after so long. Milliseconds. */
  async handOver(timeoutMs: number): Promise<void> {
    const { clock } = this.parts;
    await Promise.all([...this.copies.values()].map((copy) => handOver(copy, this, clock, timeoutMs)));
  }

  close(): void {
    this.isClosed = true;
    this.timer?.cancel();
    for (const stop of this.stopWatches) stop();
    this.ended();
    this.replicationLanes?.close();
  }

  get lanes(): ReplicationLanes {
    return this.replicationLanes!;
  }

  // -- what this node has ------------------------------------------------------------------------------------------

  /** Null: this node does not lead it, or not yet. */
  led(incarnation: Incarnation): LedQueue | null {
    const reign = this.copies.get(incarnation)?.reign;
    return reign?.isOpen ? reign : null;
  }

  *allLed(): Iterable<LedQueue> {
    for (const { reign } of this.copies.values()) if (reign?.isOpen) yield reign;
  }

  /** Who has copies of it, as this node knows it. */
  recordOf(incarnation: Incarnation): QueueMirrorRecord | undefined {
    return this.records.get(incarnation)?.record;
  }

  /** Of all mirrored queues, as this node knows them. */
  *allRecords(): Iterable<QueueMirrorRecord> {
    for (const { record } of this.records.values()) yield record;
  }

  [Symbol.iterator](): Iterator<Copy> {
    return this.copies.values();
  }

  of(incarnation: Incarnation): Copy | undefined {
    return this.copies.get(incarnation);
  }

  numbered(number: number): Copy | undefined {
    return this.byNumber.get(number);
  }

  // -- records -----------------------------------------------------------------------------------------------------

  private recordsChanged(events: readonly MetadataEvent[]): void {
    for (const { key, value, revision } of events) {
      const incarnation = incarnationOf(key);
      this.recordSeen(incarnation, value as unknown as QueueMirrorRecord | undefined, revision);
      this.copies.get(incarnation)?.tick(this.neighbours);
    }
  }

  private recordSeen(incarnation: Incarnation, record: QueueMirrorRecord | undefined, revision: Revision): void {
    this.placement.seen(incarnation, record);
    if (record === undefined) this.records.delete(incarnation);
    else this.records.set(incarnation, { record, revision });
    const copy = this.copies.get(incarnation);
    if (!record?.replicas.includes(this.self)) {
      if (copy !== undefined) this.drop(copy);
      return;
    }
    this.neighbours.wrote(record);
    if (copy === undefined) this.begin(this.add(incarnation));
    else copy.seen(record, revision);
  }

  private get self(): DataId {
    return this.parts.membership.dataId;
  }

  private add(incarnation: Incarnation): Copy {
    const stored = this.broker!.topology.parts.logs.replica(incarnation);
    const copy = new Copy(this, ++this.numberMax, this.parts.shards.copy(stored));
    this.copies.set(incarnation, copy);
    this.lanes.added(incarnation);
    this.byNumber.set(copy.number, copy);
    return copy;
  }

  private begin(copy: Copy): void {
    const { session } = this;
    const known = this.records.get(copy.incarnation);
    if (session === null || known === undefined) return;
    copy.begin(this.self, session.revision, known.record, known.revision);
  }

  /** The record says that this node has no copy, or there is none any more. */
  private drop(copy: Copy): void {
    copy.end();
    this.copies.delete(copy.incarnation);
    this.byNumber.delete(copy.number);
    this.touched.delete(copy);
    this.lanes.removed(copy.incarnation);
    this.parts.shards.dropped(copy.incarnation);
    this.broker!.topology.parts.logs.remove(copy.incarnation);
  }

  /** Copies on the disk that no record names: of deleted queues, or of another cluster's. */
  private dropStrangers(): void {
    const { logs } = this.broker!.topology.parts;
    for (const incarnation of [...logs.replicas]) {
      if (this.copies.has(incarnation)) continue;
      if (this.records.has(incarnation) || this.parts.hasKnown(incarnation)) {
        this.log.info({ incarnation }, 'the copy of a mirrored queue that this node has none of any more was dropped');
        logs.remove(incarnation);
      } else {
        this.log.warn({ incarnation }, 'a copy of a mirrored queue that this cluster does not know is set aside');
      }
    }
  }

  // -- time and neighbours -----------------------------------------------------------------------------------------

  private later(): void {
    this.timer = this.parts.clock.after(tickMs, () => {
      this.later();
      this.tickAll();
      const nowMs = this.monotonicMs();
      if (nowMs - this.lookedAtOriginsMs >= originsMs) {
        this.lookedAtOriginsMs = nowMs;
        this.lookAtOrigins(nowMs);
      }
      if (nowMs - this.saidStillAtMs < stillMs) return;
      this.saidStillAtMs = nowMs;
      this.lanes.still();
    });
  }

  private lookAtOrigins(nowMs: number): void {
    const processes = new Set(this.neighbours.boots());
    const isThere = (origin: Origin): boolean => {
      const source = sourceOfLetters(origin);
      return source === null ? processes.has(origin) : this.records.has(source);
    };
    this.originEnds.look(this.reigns(), isThere, nowMs);
  }

  private *reigns(): Iterable<Reign> {
    for (const { reign } of this.copies.values()) if (reign !== null) yield reign;
  }

  private neighboursChanged(): void {
    this.neighbours.read(this.parts.membership);
    this.tickAll();
  }

  /** Something is known of links: somebody may be taken for dead, or again for live. */
  tickAll(): void {
    if (this.session === null) return;
    for (const copy of [...this.copies.values()]) copy.tick(this.neighbours);
  }

  // -- asked by copies ---------------------------------------------------------------------------------------------

  monotonicMs(): number {
    return this.parts.clock.monotonicMs();
  }

  nowMs(): number {
    return this.broker!.turn.exactMs;
  }

  /** By the clock: a timer may be late. */
  isSure(): boolean {
    return this.monotonicMs() < this.parts.membership.sureUntilMs;
  }

  touch(copy: Copy): void {
    if (this.touched.size === 0) {
      const { turn } = this.broker!;
      turn.add(PHASE_DECIDE, this.saying);
      turn.add(PHASE_PERSIST, this);
    }
    this.touched.add(copy);
  }

  /** Before anybody hands the log over, so that a turn's publishes and settlements go to the disk together. */
  private readonly saying: Flushable = {
    endOfTurn: () => {
      for (const { reign } of this.touched) reign?.log.flush();
    },
  };

  endOfTurn(): void {
    const { touched } = this;
    this.touched = new Set();
    // What was settled by the turn's decisions themselves.
    for (const { reign } of touched) reign?.log.flush();
    this.broker!.topology.parts.logs.flush();
    for (const copy of touched) copy.stir();
  }

  laneTo(id: DataId): PullLane | null {
    return this.lanes.to(id);
  }

  heldFor(incarnation: Incarnation): Iterable<HeldPull> {
    return this.lanes.heldFor(incarnation);
  }

  /** A member of the set that is registered: best one that lives, is not being drained, follows, and has the most. */
  successor({ incarnation, reign, replica }: Copy): DataId | null {
    if (reign === null || replica === null) return null;
    const { sessions, resting } = this.neighbours;
    const may = replica.view.record.inSync.filter((id) => id !== this.self && sessions.has(id));
    const rank = (id: DataId) =>
      (this.neighbours.isLive(id) ? 4 : 0) +
      (resting.has(id) ? 0 : 2) +
      (this.lanes.hasPullOf(id, incarnation) ? 1 : 0);
    const has = (id: DataId) => reign.leader.member(id).synced;
    return may.sort((a, b) => rank(b) - rank(a) || has(b) - has(a))[0] ?? null;
  }

  write(copy: Copy, proposal: Proposal, revision: Revision): void {
    const { membership } = this.parts;
    const { next, joiner, absent = [] } = proposal;
    const replica = copy.replica!;
    const key = mirrorPath(copy.incarnation);
    const guards: Guard[] = [
      { key, revision },
      // The writer sees to that as well, but writes what waits in the next session, too.
      { key: nodeKey(membership.node), revision: this.session!.revision },
    ];
    if (joiner !== null) {
      const node = this.neighbours.nodeOf(joiner.id);
      if (node === null) {
        // Nothing was asked.
        copy.refused(proposal, replica);
        return;
      }
      guards.push({ key: nodeKey(node), revision: joiner.session });
    }
    for (const id of absent) {
      const node = membership.members.get(id)?.node;
      if (node === undefined) continue;
      if (this.neighbours.nodeOf(id) !== null) {
        copy.refused(proposal, replica);
        return;
      }
      // Another disk may be registered under that name.
      const key = nodeKey(node);
      guards.push({ key, revision: membership.mirror.get(key)?.revision ?? 'absent' });
    }
    membership.writer.change(guards, [{ key, value: next as JsonValue }]).then(
      () => undefined,
      (error: unknown) => {
        if (error instanceof GuardFailedError) copy.refused(proposal, replica);
        else copy.lost(proposal, replica);
      },
    );
  }

  openQueue(copy: Copy, reign: Reign): void {
    const shard = this.parts.shards.lead(reign);
    if (shard !== null) {
      reign.openShard(shard);
      this.onLeads?.(reign);
      return;
    }
    const known = this.records.get(copy.incarnation);
    const vhost = this.broker!.topology.vhosts.get(known?.record.vhost ?? '');
    const face = vhost?.queues.get(known!.record.name);
    // Its own record may come a moment later.
    if (vhost === undefined || face?.incarnation !== copy.incarnation) return;
    const queue = this.broker!.topology.lead(vhost, face.properties, reign.log, reign.log.found());
    reign.open(queue);
    this.log.debug({ queue: face.name, epoch: reign.epoch }, 'this node leads a mirrored queue');
    this.onLeads?.(reign);
  }

  endedReign(reign: Reign): void {
    if (!reign.isOpen) return;
    if (reign.shard === null) this.broker!.topology.unlead(reign.queue);
    else this.parts.shards.leadsNoMore(reign);
    this.onLeadsNoMore?.(reign);
  }
}

const incarnationOf = (key: string): Incarnation => decodeURIComponent(key.slice(mirrorsPrefix.length));
