import type { Incarnation, JsonValue } from '@chapar/core';
import type { Clock, Log } from '@chapar/platform';
import type { Leader } from './leader.js';
import type { QueueMirrorRecord, RecordedWish } from './mirror-records.js';
import { minOf } from './placement.js';
import type { DataId } from './record.js';
import type { Replica } from './replica.js';
import { type LeaderReport, reportOf } from './report.js';
import {
  addition,
  anotherWish,
  askedOf,
  CannotError,
  exchange,
  handover,
  LeadsNoMoreError,
  removal,
  type WishedFor,
} from './wishes.js';

/** This node's copies, as far as operations need them. */
export interface OwnCopies {
  /** Null: this node has no copy of the queue. */
  replica(incarnation: Incarnation): Replica | null;
  /** What should be written of this queue is asked now, and not at the next tick. */
  look(incarnation: Incarnation): void;
}

/** The cluster, as far as operations need it. */
export interface OperationsCluster {
  readonly self: DataId;
  readonly copies: OwnCopies;
  /** Of all mirrored queues, as this node knows them. */
  records(): Iterable<QueueMirrorRecord>;
  record(incarnation: Incarnation): QueueMirrorRecord | null;
  /** Registered, as this node knows. */
  isLive(member: DataId): boolean;
  /** Nodes that are being drained. */
  readonly resting: ReadonlySet<DataId>;
  /** For people. */
  nameOf(member: DataId): string;
  /** Asks another node; rejects when it is out of reach. */
  ask(member: DataId, kind: string, body: JsonValue): Promise<JsonValue>;
  answer(kind: string, answerer: (body: JsonValue) => JsonValue | Promise<JsonValue>): void;
}

/** What the leader of a queue is asked to bring about. A type, so that it is JSON. */
export type Order =
  | { readonly what: 'add' | 'remove'; readonly member: DataId; readonly isByHand: boolean }
  | { readonly what: 'hand over'; readonly member: DataId }
  | { readonly what: 'exchange'; readonly member: DataId; readonly by: DataId }
  | { readonly what: 'wish'; readonly wish: RecordedWish; readonly asked: RecordedWish };

type Outcome = { readonly is: 'done' } | { readonly is: 'refused' | 'later'; readonly why: string };

const orderKind = 'mirror.order';
const reportKind = 'mirror.report';

/** Whoever gives an order waits so long for it to be carried out, over changes of leaders. Milliseconds. */
const orderMsMax = 15_000;
/** And a leader tries so long. */
const carryOutMsMax = 5000;
const againMs = 100;
/** A member that is not heard for longer may hang. Milliseconds. */
const muteMsMax = 2500;
/** For a moment in which nothing is under way it is waited so long. Milliseconds. */
const restMsMax = 50;
/** While an order waits for something the record is looked at so often. Milliseconds. */
const lookEveryMs = 5;

/** What people do with the copies of a queue. Asked of any node, and carried out by the leader, who alone writes the record of its reign. */
export class Operations {
  private readonly cluster: OperationsCluster;
  private readonly clock: Clock;
  private readonly log: Log;

  constructor(cluster: OperationsCluster, world: { readonly clock: Clock; readonly log: Log }) {
    this.cluster = cluster;
    this.clock = world.clock;
    this.log = world.log;
    cluster.answer(orderKind, (body) => {
      const { incarnation, order } = body as unknown as { incarnation: Incarnation; order: Order };
      return this.carryOut(incarnation, order);
    });
    cluster.answer(reportKind, (incarnation) => this.report(incarnation as Incarnation));
  }

  /** The node gets a copy. Resolves when the record says so; the copy joins the set when it has caught up. Rejects with CannotError. */
  async add(incarnation: Incarnation, member: DataId): Promise<void> {
    this.assertThere(member);
    await this.order(incarnation, { what: 'add', member, isByHand: true });
  }

  /** The node's copy goes, with its part in the set. One that leads hands the lead over first. Rejects with CannotError. */
  async remove(incarnation: Incarnation, member: DataId): Promise<void> {
    await this.order(incarnation, { what: 'remove', member, isByHand: true });
  }

  /** `to` leads from now on; null: whoever of the set leads the fewest. Resolves with who it is. Rejects with CannotError. */
  async handOver(incarnation: Incarnation, to: DataId | null): Promise<DataId> {
    const record = this.recordOf(incarnation);
    const member = to ?? this.successor(record);
    if (member === null) throw new CannotError('no other copy that is in sync is on a node that may lead');
    if (record.leader === member) return member;
    this.assertThere(member);
    if (this.cluster.resting.has(member)) throw new CannotError(`${this.cluster.nameOf(member)} is in maintenance`);
    await this.order(incarnation, { what: 'hand over', member });
    return member;
  }

  /** What the leader knows of the copies; null: nobody leads, or who does is out of reach. */
  async status(incarnation: Incarnation): Promise<LeaderReport | null> {
    const leader = this.recordOf(incarnation).leader;
    if (leader === null) return null;
    if (leader === this.cluster.self) return this.report(incarnation);
    try {
      return (await this.cluster.ask(leader, reportKind, incarnation)) as LeaderReport | null;
    } catch (error) {
      this.log.debug({ error, incarnation }, 'the leader of a mirrored queue did not say how its copies are');
      return null;
    }
  }

  /** How many queues each node leads. */
  leads(): Map<DataId, number> {
    const leads = new Map<DataId, number>();
    for (const { leader } of this.cluster.records())
      if (leader !== null) leads.set(leader, (leads.get(leader) ?? 0) + 1);
    return leads;
  }

  mayLead(member: DataId): boolean {
    return this.cluster.isLive(member) && !this.cluster.resting.has(member);
  }

  private successor({ inSync, leader }: QueueMirrorRecord): DataId | null {
    const leads = this.leads();
    const count = (id: DataId) => leads.get(id) ?? 0;
    const able = inSync.filter((id) => id !== leader && this.mayLead(id)).sort((a, b) => count(a) - count(b));
    return able[0] ?? null;
  }

  private recordOf(incarnation: Incarnation): QueueMirrorRecord {
    const record = this.cluster.record(incarnation);
    if (record === null) throw new CannotError('the queue is not mirrored, or gone');
    return record;
  }

  private assertThere(member: DataId): void {
    if (!this.cluster.isLive(member)) throw new CannotError(`${this.cluster.nameOf(member)} is not there`);
  }

  // -- the way to the leader ---------------------------------------------------------------------------------------

  /** Brings it about, whoever leads. Rejects with CannotError. */
  async order(incarnation: Incarnation, order: Order): Promise<void> {
    const untilMs = this.clock.monotonicMs() + orderMsMax;
    let why = 'nobody leads the queue';
    while (this.clock.monotonicMs() < untilMs) {
      const outcome = await this.orderOnce(incarnation, order);
      if (outcome.is === 'done') return;
      if (outcome.is === 'refused') throw new CannotError(outcome.why);
      why = outcome.why;
      await new Promise<void>((done) => this.clock.after(againMs, done));
    }
    throw new CannotError(`it could not be done within ${orderMsMax / 1000} s: ${why}`);
  }

  private async orderOnce(incarnation: Incarnation, order: Order): Promise<Outcome> {
    const record = this.recordOf(incarnation);
    const { leader, replicas } = record;
    if (leader === null || !this.cluster.isLive(leader)) return { is: 'later', why: 'nobody leads the queue' };
    if (order.what === 'remove' && order.member === leader && replicas.length > 1) {
      const successor = this.successor(record);
      if (successor === null)
        return {
          is: 'refused',
          why: 'it leads the queue, and no other copy that is in sync is on a node that may lead',
        };
      return this.lead(incarnation, leader, { what: 'hand over', member: successor }, 'the lead is handed over first');
    }
    return this.lead(incarnation, leader, order, null);
  }

  /** `next`: what remains to be done when this is; null: nothing. */
  private async lead(incarnation: Incarnation, leader: DataId, order: Order, next: string | null): Promise<Outcome> {
    try {
      const outcome =
        leader === this.cluster.self
          ? await this.carryOut(incarnation, order)
          : ((await this.cluster.ask(leader, orderKind, { incarnation, order })) as Outcome);
      return outcome.is === 'done' && next !== null ? { is: 'later', why: next } : outcome;
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      return { is: 'later', why: `${this.cluster.nameOf(leader)}, which leads it, did not answer: ${why}` };
    }
  }

  // -- as the leader -----------------------------------------------------------------------------------------------

  private report(incarnation: Incarnation): LeaderReport | null {
    const replica = this.cluster.copies.replica(incarnation);
    if (replica === null || replica.leader === null) return null;
    return reportOf(replica.leader, replica.view.record, this.clock.monotonicMs());
  }

  private carryOut(incarnation: Incarnation, order: Order): Promise<Outcome> {
    const leader = this.cluster.copies.replica(incarnation)?.leader ?? null;
    if (leader === null) return Promise.resolve({ is: 'later', why: 'its leader has not begun yet' });
    return new Promise((resolve) => {
      const untilMs = this.clock.monotonicMs() + carryOutMsMax;
      let isOver = false;
      const over = (outcome: Outcome): void => {
        isOver = true;
        resolve(outcome);
      };
      const ended = (error: Error | null) => over(outcomeOf(error));
      const wish = { next: this.wishedFor(order, leader), ended };
      leader.wishes.add(wish);
      const look = (): void => {
        if (isOver) return;
        this.cluster.copies.look(incarnation);
        if (isOver) return;
        if (this.clock.monotonicMs() < untilMs) this.clock.after(lookEveryMs, look);
        else {
          leader.wishes.drop(wish);
          over({ is: 'later', why: 'it was not done in time' });
        }
      };
      look();
    });
  }

  private wishedFor(order: Order, leader: Leader): WishedFor {
    const { incarnation } = leader;
    const sinceMs = this.clock.monotonicMs();
    if (order.what === 'hand over')
      return handover(order.member, () => this.mayTakeOver(leader, order.member, sinceMs));
    const minFor = (copies: number) => minOf(this.recordOf(incarnation).wish, copies);
    if (order.what === 'wish') return anotherWish(order.wish, order.asked);
    if (order.what === 'exchange') return anew(exchange(order.member, order.by, minFor), leader);
    const wished = order.what === 'add' ? anew(addition(order.member, minFor), leader) : removal(order.member, minFor);
    return order.isByHand ? byHand(wished) : wished;
  }

  /**
   * It has all that this leader has, or, where that never comes to rest, what it had a moment ago; and it is not mute: it would hardly begin
   * to lead. What is taken here from then on is not committed, and is sent to the next leader by whoever sent it. To hold publishes up
   * would gain nothing, and would last as long as etcd does not say what became of the write.
   */
  private mayTakeOver(leader: Leader, id: DataId, sinceMs: number): boolean {
    const { synced, changesSynced, heardAtMs } = leader.member(id);
    const nowMs = this.clock.monotonicMs();
    if (nowMs - heardAtMs > muteMsMax || !leader.member(id).isCaughtUp()) return false;
    return (synced >= leader.end && changesSynced >= leader.ledger.number) || nowMs - sinceMs >= restMsMax;
  }
}

/**
 * Who comes back in the reign in which it was removed may not have heard of that yet: it would say what it has, be taken into the set for
 * it, and then let go of it. So it comes back with an epoch of its own, and whoever follows in that one has heard of all before.
 */
function anew(wished: WishedFor, { removed }: Leader): WishedFor {
  return (record, nonce) => {
    const next = wished(record, nonce);
    if (typeof next === 'string') return next;
    const isBack = next.replicas.some((id) => removed.has(id) && !record.replicas.includes(id));
    return isBack ? { ...next, epoch: next.epoch + 1 } : next;
  };
}

/** Whoever adds or removes a copy wants as many from now on, whatever was wished before; until its policy comes to something else. */
function byHand(wished: WishedFor): WishedFor {
  return (record, nonce) => {
    const next = wished(record, nonce);
    if (typeof next === 'string' || next.replicas.length === record.replicas.length) return next;
    const before = record as QueueMirrorRecord;
    return { ...next, wish: { ...before.wish, copies: next.replicas.length }, asked: askedOf(before) };
  };
}

function outcomeOf(error: Error | null): Outcome {
  if (error === null) return { is: 'done' };
  if (error instanceof LeadsNoMoreError) return { is: 'later', why: 'its leader changed' };
  return { is: 'refused', why: error.message };
}
