import {
  brokerError,
  type ConfirmSlot,
  type Consumer,
  type ConsumerSpec,
  type DeliverySink,
  type EffectivePolicy,
  type Got,
  type Heir,
  type Incarnation,
  type JsonValue,
  type Message,
  noPolicy,
  type Outcome,
  type Position,
  type Provenance,
  type QueueConsumer,
  type QueueCounts,
  type QueueProperties,
  type QueueRules,
  rulesOf,
  type SharedQueue,
} from '@chapar/core';
import { GuestConsumer } from '../guest/guest-consumer.js';
import { FRAME_ASK, FRAME_GET, FRAME_STOP } from '../peer/frames.js';
import type { Outgoing } from '../peer/outgoing.js';
import { referenceTo } from '../peer/queue-reference.js';
import type { Epoch } from '../replication/record.js';
import { FaceLine } from './face-line.js';
import { FaceRequests } from './face-requests.js';
import { KeptPublishes } from './kept-publishes.js';
import { KeptSettlements } from './kept-settlements.js';
import { type ConsumerHost, RemoteConsumer } from './remote-consumer.js';
import type { RemoteHome } from './remote-home.js';
import { RemoteQueue } from './remote-queue.js';

/** An operation waits so long for a leader. Milliseconds. */
const patienceMs = 5000;

/** What faces need of the node. */
export interface FaceParts {
  nowMs(): number;
  /** For lines and consumers, unique on this node. */
  nextNumber(): number;
  revisionOf(queue: SharedQueue): number;
  /** More bytes, or fewer, are kept for leaders. */
  keep(bytes: number): void;
  /** So much is kept that no more is taken. */
  readonly isFull: boolean;
  /** It was deleted, and nobody waits for an answer. */
  forget(face: MirroredQueue): void;
}

/**
 * A mirrored queue as this node's doors see it, whoever leads it: it keeps what a leader may not have on enough disks yet, and says it
 * to the next one. Doors hear nothing of a change.
 */
export class MirroredQueue implements Heir, ConsumerHost {
  readonly name: string;
  readonly incarnation: Incarnation;
  readonly logs = true;
  readonly mayRefuse = true;
  properties: QueueProperties;
  deleted = false;
  policy: EffectivePolicy = noPolicy;
  rules: QueueRules;
  readonly publishes: KeptPublishes;
  readonly settlements = new KeptSettlements();
  readonly consumers = new Map<number, RemoteConsumer>();
  /** To who leads it, as far as this node has heard; null: nobody does. */
  line: FaceLine | null = null;
  /** The last one that was heard of. */
  private leader: RemoteHome | null = null;
  epoch: Epoch = 0;
  /** It was mirrored while this node knew it as one that lives in one place. */
  isSuccessor = false;
  /** The queue that it was before it was mirrored, on another node, until somebody leads it; null: none. */
  private predecessor: RemoteQueue | null = null;
  /** False: what was published to the queue that it was has no verdict yet, and must not be overtaken. */
  private isFree = true;
  private readonly parts: FaceParts;
  private readonly requests: FaceRequests;
  /** Since when nobody was reached that leads it. By the monotonic clock, milliseconds. */
  private lostSinceMs: number;
  /** For so long that nothing is kept any more. */
  private isGivenUp = false;

  constructor(parts: FaceParts, properties: QueueProperties) {
    this.parts = parts;
    this.properties = properties;
    this.name = properties.name;
    this.incarnation = properties.incarnation;
    this.rules = rulesOf(properties.arguments);
    this.publishes = new KeptPublishes((bytes) => parts.keep(bytes));
    this.requests = new FaceRequests(this);
    this.lostSinceMs = parts.nowMs();
  }

  /** Where consumers say what they have to say. */
  get host(): ConsumerHost {
    return this;
  }

  /** The node of the last leader; empty when none was heard of. */
  get home(): string {
    return this.leader?.node ?? '';
  }

  /** The data id of that node. */
  get leaderId(): string | null {
    return this.leader?.dataId ?? null;
  }

  private get isLinked(): boolean {
    return this.line?.isLinked === true;
  }

  applyPolicy(policy: EffectivePolicy): void {
    this.policy = policy;
    this.rules = rulesOf(this.properties.arguments, policy.definition);
  }

  assertReachable(): void {
    if (!this.isLinked && this.parts.nowMs() - this.lostSinceMs >= patienceMs) throw this.unreachable();
  }

  unreachable(): Error {
    const { name, vhost } = this.properties;
    if (this.deleted) return brokerError('queueNotFound', { queue: name, vhost });
    return brokerError('queueLeaderless', { queue: name, vhost, leader: this.home === '' ? 'unknown' : this.home });
  }

  // ---- publish -----------------------------------------------------------------------------------------------------

  enqueue(message: Message, slot: ConfirmSlot | null, from?: Provenance): void {
    if (this.deleted) {
      slot?.committed();
      return;
    }
    if (this.isGivenUp || this.parts.isFull) {
      slot?.refused('node-down');
      return;
    }
    const sequence = this.publishes.push(message, slot, from);
    if (this.isLinked && this.isFree) this.line!.publish(sequence, message, slot !== null, from);
  }

  get mayPublish(): boolean {
    return this.isFree;
  }

  set mayPublish(mayPublish: boolean) {
    const hasWaited = mayPublish && !this.isFree;
    this.isFree = mayPublish;
    if (hasWaited && this.isLinked) this.line!.publishAgain();
  }

  // ---- what it was before it was mirrored --------------------------------------------------------------------------

  /** It was this queue until now. Where that lived on another node, what is under way there is answered there. */
  succeed(queue: SharedQueue): void {
    this.isSuccessor = true;
    if (!(queue instanceof RemoteQueue)) return;
    this.predecessor = queue;
    this.isFree = queue.line.count === 0;
    queue.host.passOn(queue, this);
    if (this.isFree) queue.host.judged(queue);
  }

  /** Goes on for a consumer of this node's, where the queue lived. Those of other nodes come by themselves. */
  inherit(consumer: QueueConsumer): RemoteConsumer | null {
    if (consumer.sink instanceof GuestConsumer) return null;
    const heir = RemoteConsumer.after(this.parts.nextNumber(), this, consumer);
    this.consumers.set(heir.id, heir);
    return heir;
  }

  /** The node that it lived on is gone, or somebody leads it now: what was asked and not answered is asked of whoever leads. */
  lostPredecessor(next: RemoteHome | null = null): void {
    const { predecessor } = this;
    if (predecessor === null) return;
    this.predecessor = null;
    const { host } = predecessor;
    // What it has sent has come, where it leads; of other ways nobody knows when it comes.
    if (host !== next) for (const id of this.consumers.keys()) host.consumers.delete(id);
    for (const request of host.takeRequests(predecessor)) this.requests.add(request);
  }

  // ---- asked of the leader -----------------------------------------------------------------------------------------

  /** The leader notes it when it is asked for counts, as every declaration does. */
  used(): void {}

  counts(): Promise<QueueCounts> {
    return this.ask('counts') as Promise<QueueCounts>;
  }

  purge(): Promise<number> {
    return this.ask('purge') as Promise<number>;
  }

  /** Asks whoever leads, behind what was said here before; see `questions`. Rejects with BrokerError. */
  ask(kind: string, body: JsonValue = null): Promise<unknown> {
    const question = { ...referenceTo(this), kind, body };
    const write = (out: Outgoing, id: number): void => {
      out.begin(FRAME_ASK);
      out.need(this.revision);
      out.varint(id);
      out.json({ ...question, revision: this.revision, line: this.line!.number });
    };
    return this.request(write);
  }

  async get(holder: Consumer | null, isGone: () => boolean = () => false): Promise<Got | null> {
    if (isGone()) return null;
    const own = holder as RemoteConsumer | null;
    if (own !== null) this.remember(own);
    const write = (out: Outgoing, id: number): void => {
      out.begin(FRAME_GET);
      out.need(this.revision);
      out.varint(id);
      out.varint(own?.id ?? 0);
      out.json({ ...referenceTo(this), revision: this.revision, line: this.line!.number });
    };
    let got: Got | null = null;
    try {
      got = (await this.request(write, own)) as Got | null;
    } finally {
      if (own?.holdsNothing === true) this.forget(own);
    }
    if (got?.delivery == null) return got;
    // Another answer, which brought nothing, may have let it go.
    this.remember(own!);
    if (!own!.isDetached && !isGone()) return got;
    own!.settle(got.delivery, 'release');
    return null;
  }

  remember(consumer: RemoteConsumer): void {
    this.consumers.set(consumer.id, consumer);
    this.line?.home.consumers.set(consumer.id, consumer);
  }

  private get revision(): number {
    return this.parts.revisionOf(this);
  }

  private request(write: (out: Outgoing, id: number) => void, holder: RemoteConsumer | null = null): Promise<unknown> {
    return new Promise((answered, failed) => {
      const deadlineMs = this.parts.nowMs() + patienceMs;
      this.requests.add({ queue: this, holder, deadlineMs, write, answered, failed });
    });
  }

  // ---- consumers ---------------------------------------------------------------------------------------------------

  async attach(spec: ConsumerSpec, sink: DeliverySink, credit = 0): Promise<Consumer> {
    const consumer = new RemoteConsumer(this.parts.nextNumber(), this, spec, sink, false);
    consumer.expect(credit);
    consumer.isAsking = true;
    this.consumers.set(consumer.id, consumer);
    this.line?.home.consumers.set(consumer.id, consumer);
    const write = (out: Outgoing, id: number): void => {
      this.line!.home.writeAttach(out, consumer, id, { line: this.line!.number, further: [] });
    };
    try {
      consumer.order = (await this.request(write)) as number;
    } catch (error) {
      this.forget(consumer);
      throw error;
    } finally {
      consumer.isAsking = false;
    }
    return consumer;
  }

  holder(spec: ConsumerSpec, sink: DeliverySink): Consumer {
    return new RemoteConsumer(this.parts.nextNumber(), this, spec, sink, true);
  }

  touch(consumer: RemoteConsumer): void {
    if (this.isLinked) this.line!.touch(consumer);
  }

  settle(consumer: RemoteConsumer, position: Position, outcome: Outcome): void {
    if (this.deleted) return;
    this.settlements.add(consumer, outcome, position);
    if (this.isLinked) this.line!.touch(null);
  }

  settledForGood(): Promise<boolean> {
    return new Promise((resolve) => this.settlements.whenForGood(resolve));
  }

  /** Resolves when the queue counts it no more, or nobody can tell. */
  async stopConsumer({ id: consumer }: RemoteConsumer): Promise<void> {
    const say = (out: Outgoing, id: number): void => {
      out.begin(FRAME_STOP);
      out.varint(consumer);
      out.varint(id);
    };
    if (!this.deleted) await this.request(say).catch(() => undefined);
  }

  forget({ id }: RemoteConsumer): void {
    this.consumers.delete(id);
    this.line?.home.consumers.delete(id);
    this.predecessor?.host.consumers.delete(id);
  }

  // ---- leaders -----------------------------------------------------------------------------------------------------

  /** `home` leads from this epoch on, and knows of nothing that was said to others. */
  move(home: RemoteHome, epoch: Epoch): void {
    const isAnother = this.epoch > 0 && epoch > this.epoch;
    this.leave();
    this.lostPredecessor(home);
    this.epoch = epoch;
    this.leader = home;
    this.isGivenUp = false;
    const line = new FaceLine(this.parts.nextNumber(), this, home, epoch);
    this.line = line;
    if (isAnother) this.cancel();
    home.lines.set(line.number, line);
    for (const consumer of this.consumers.values()) home.consumers.set(consumer.id, consumer);
    this.settlements.renew();
    if (home.isLinked) line.begin();
    this.requests.moveTo(home);
  }

  /** Those that want to hear of it when another node leads. */
  private cancel(): void {
    for (const consumer of [...this.consumers.values()]) {
      if (consumer.endsWithLeader && !consumer.isAsking) consumer.detached('node-down');
    }
  }

  /** Who led is gone, or leads no more. */
  lost(line: FaceLine): void {
    // Who had it deleted is answered still.
    if (this.line !== line || this.deleted) return;
    // Since then at the latest: publishes do not wait anew because the node was given up.
    if (line.isLinked) this.lostSinceMs = this.parts.nowMs();
    this.leave();
  }

  private leave(): void {
    const { line } = this;
    if (line === null) return;
    this.line = null;
    line.end();
    const { home } = line;
    home.lines.delete(line.number);
    for (const id of this.consumers.keys()) home.consumers.delete(id);
    this.requests.takeBack(home);
  }

  /** The link to the leader is there again. */
  relinked(): void {
    this.isGivenUp = false;
  }

  /** The link to the leader broke. */
  unlinked(): void {
    this.lostSinceMs = this.parts.nowMs();
  }

  /** Called now and then. `holdMs`: how long publishes wait for a leader. */
  tick(nowMs: number, holdMs: number): void {
    if (this.isLinked && !this.deleted) return;
    // Whoever was asked long ago was asked in vain only since the leader went.
    if (this.lostSinceMs + patienceMs <= nowMs) this.requests.fail((deadlineMs) => deadlineMs <= nowMs);
    if (this.deleted) {
      if (this.requests.isEmpty) this.parts.forget(this);
      return;
    }
    if (this.isGivenUp || nowMs - this.lostSinceMs < holdMs) return;
    this.isGivenUp = true;
    this.publishes.giveUp('node-down');
  }

  // ---- the end -----------------------------------------------------------------------------------------------------

  delete(): void {
    if (this.deleted) return;
    this.deleted = true;
    this.lostSinceMs = this.parts.nowMs();
    this.publishes.giveUp(null);
    this.predecessor?.host.queueGone(this.predecessor);
    this.lostPredecessor();
    this.settlements.clear();
    for (const consumer of [...this.consumers.values()]) consumer.detached('queue-deleted');
    // Who has it deleted is answered by the leader, which counts what went with it.
    const { line } = this;
    if (line === null) this.requests.fail(() => true);
    else for (const id of this.consumers.keys()) line.home.consumers.delete(id);
    line?.home.lines.delete(line.number);
    this.consumers.clear();
    if (this.requests.isEmpty) this.parts.forget(this);
  }
}
