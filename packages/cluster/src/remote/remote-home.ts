import type {
  Consumer,
  ConsumerSpec,
  DeliverySink,
  Got,
  Incarnation,
  JsonValue,
  Outcome,
  Position,
  QueueProperties,
  SharedQueue,
  Turn,
  VirtualHost,
} from '@chapar/core';
import type { Clock } from '@chapar/platform';
import {
  FRAME_ASK,
  FRAME_ATTACH,
  FRAME_CREDIT,
  FRAME_GET,
  FRAME_LED,
  FRAME_PASSED,
  FRAME_RESUMED,
  FRAME_STOP,
} from '../peer/frames.js';
import { Outgoing } from '../peer/outgoing.js';
import { referenceTo } from '../peer/queue-reference.js';
import type { Epoch } from '../replication/record.js';
import { EndStream } from './end-stream.js';
import type { FaceLine } from './face-line.js';
import { LineStream } from './line-stream.js';
import type { MirroredQueue } from './mirrored-queue.js';
import { PublishStream } from './publish-stream.js';
import { type ConsumerHost, RemoteConsumer } from './remote-consumer.js';
import { RemoteQueue } from './remote-queue.js';
import { type Request, Requests } from './requests.js';
import { Settlements } from './settlements.js';

/** Of publishes that wait for their verdict; with more, publishers wait. Bytes. */
const keptBytesHigh = 32 * 1024 * 1024;
const keptBytesLow = 16 * 1024 * 1024;
/** What was passed on is told when it is so much: the home lets more than that be under way. Bytes. */
const passedBytesMin = 256 * 1024;
/** An operation on a queue waits so long for a link to its home. Milliseconds. */
const patienceMs = 5000;

export interface RemoteHomeParts {
  readonly turn: Turn;
  readonly clock: Clock;
  /** Of the record of a queue; 0: there is none. */
  revisionOf(queue: SharedQueue): number;
  vhost(name: string): VirtualHost | null;
  /** Publishers had better wait for this peer, or need no longer. */
  onBehind(home: RemoteHome, isBehind: boolean): void;
  /** Mirrored queues that it was said to lead have to look for another leader. */
  onLost(home: RemoteHome): void;
  /** It leads a mirrored queue. */
  onLeads(home: RemoteHome, incarnation: Incarnation, epoch: Epoch): void;
  onLeft(home: RemoteHome, incarnation: Incarnation, epoch: Epoch): void;
  /** For consumers and queues, unique on this node. */
  nextNumber(): number;
  /** This node itself, as the leader of mirrored queues. */
  readonly isOwn: boolean;
}

/** What follows a pair of sessions: the same processes in another one, a process that has begun anew, or nothing. */
export type SessionEnd = 'same' | 'restarted' | 'gone';

/**
 * Another node as the home of queues: all that this node has under way there, and its way back. It outlives links and sessions: a link
 * that breaks is caught up with, a session that ends takes with it what was under way in it.
 */
export class RemoteHome implements ConsumerHost {
  readonly dataId: string;
  node: string;
  readonly out: Outgoing;
  readonly publishes: PublishStream;
  /** To its buffer-less ends. */
  readonly ends: EndStream;
  readonly requests = new Requests();
  readonly queues = new Map<number, RemoteQueue>();
  readonly consumers = new Map<number, RemoteConsumer>();
  /** To the mirrored queues that it leads, by number. */
  readonly lines = new Map<number, FaceLine>();
  readonly lineStream: LineStream;
  private touched: FaceLine[] = [];
  private readonly settlements: Settlements;
  private readonly parts: RemoteHomeParts;
  private dirty: RemoteConsumer[] = [];
  private isBehind = false;
  /** Its registration is there. */
  isRegistered = false;
  isLinked = false;
  /** Since when there was no link, by the monotonic clock; milliseconds. */
  unlinkedSinceMs: number;
  /** It was out of reach for so long that what was under way was given up. */
  isGivenUp = false;

  constructor(parts: RemoteHomeParts, dataId: string, node: string) {
    this.parts = parts;
    this.dataId = dataId;
    this.node = node;
    this.out = new Outgoing(parts.turn, parts.clock, parts.isOwn);
    this.lineStream = new LineStream(this.out);
    this.publishes = new PublishStream(this.out);
    this.ends = new EndStream(this.out);
    this.settlements = new Settlements(this.out);
    this.unlinkedSinceMs = parts.clock.monotonicMs();
  }

  /** Operations on its queues have a chance: it is linked, or will be soon. */
  get isReachable(): boolean {
    return this.isRegistered && !this.isGivenUp;
  }

  /** Publishes are kept for it. */
  get mayPublish(): boolean {
    return this.isReachable && (this.isLinked || this.publishes.keptBytes < keptBytesHigh);
  }

  revisionOf(queue: RemoteQueue): number {
    return this.parts.revisionOf(queue);
  }

  /** Whose addresses a consumer's deliveries have. */
  vhostOf(consumer: RemoteConsumer | undefined): VirtualHost | null {
    return consumer === undefined ? null : this.parts.vhost(consumer.queue.properties.vhost);
  }

  // ---- queues ----------------------------------------------------------------------------------------------------

  queue(properties: QueueProperties): RemoteQueue {
    const queue = new RemoteQueue(this, this.parts.nextNumber(), properties);
    this.queues.set(queue.number, queue);
    return queue;
  }

  queueGone(queue: RemoteQueue): void {
    this.queues.delete(queue.number);
    queue.line.giveUp(null);
    this.publishes.tidy();
    // What was asked of it is answered by its home, which knows better.
    for (const consumer of [...this.consumers.values()]) {
      if (consumer.queue !== queue) continue;
      // Where the queue is gone this is void; where only this node thinks so, nobody may hold anything there.
      for (const position of consumer.claims()) this.settlements.add(consumer, 'release', position);
      this.sayStop(consumer.id);
      consumer.detached('queue-deleted');
    }
  }

  /**
   * The queue is mirrored: `face` stands in its place, and has its consumers. What was published is still answered by the home that it was
   * sent to, and so is what was asked until the face hears of a leader.
   */
  passOn(queue: RemoteQueue, face: MirroredQueue): void {
    queue.heir = face;
    // Also of those that are gone and hold nothing any more.
    const settled = new Set<RemoteConsumer>();
    this.settlements.takeOf(queue, (consumer, outcome, position) => {
      face.settlements.add(consumer, outcome, position);
      settled.add(consumer);
    });
    for (const consumer of this.consumers.values()) {
      if (consumer.queue !== queue) continue;
      consumer.queue = face;
      face.consumers.set(consumer.id, consumer);
    }
    for (const consumer of settled) consumer.queue = face;
  }

  /** What the queue that is mirrored now was asked and has not answered. */
  takeRequests(queue: RemoteQueue): Request[] {
    return this.requests.takeAll((request) => request.queue === queue);
  }

  /** All that was published to it has its verdict, perhaps: then its face goes on. */
  private letGo(queue: RemoteQueue): void {
    const { heir, line } = queue;
    if (heir === null || line.count > 0) return;
    this.queues.delete(queue.number);
    heir.mayPublish = true;
  }

  /** Verdicts on what was published to it came. */
  judged(queue: RemoteQueue): void {
    this.letGo(queue);
    this.weigh();
  }

  // ---- asking ----------------------------------------------------------------------------------------------------

  ask(queue: RemoteQueue, kind: string, body: JsonValue): Promise<unknown> {
    const question = { ...referenceTo(queue), revision: this.revisionOf(queue), kind, body };
    return this.request(queue, (out, id) => {
      out.begin(FRAME_ASK);
      out.need(question.revision);
      out.varint(id);
      out.json({ ...question, ...lineOf(queue) });
    });
  }

  private request(
    queue: RemoteQueue,
    write: (out: Outgoing, id: number) => void,
    holder: RemoteConsumer | null = null,
  ): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (!this.isReachable) {
        reject(queue.unreachable());
        return;
      }
      const deadlineMs = this.parts.clock.monotonicMs() + patienceMs;
      const id = this.requests.add({ queue, holder, deadlineMs, write, answered: resolve, failed: reject });
      if (!this.isLinked) return;
      // What was said before takes effect before.
      this.settlements.flush();
      write(this.out, id);
    });
  }

  async get(queue: RemoteQueue, holder: RemoteConsumer | null, isGone: () => boolean): Promise<Got | null> {
    if (holder !== null) this.consumers.set(holder.id, holder);
    const reference = { ...referenceTo(queue), revision: this.revisionOf(queue) };
    const ask = (out: Outgoing, id: number): void => {
      out.begin(FRAME_GET);
      out.need(reference.revision);
      out.varint(id);
      out.varint(holder?.id ?? 0);
      out.json({ ...reference, ...lineOf(queue) });
    };
    let got: Got | null = null;
    try {
      got = (await this.request(queue, ask, holder)) as Got | null;
    } finally {
      // A face may have its queue's place by now, and remember it.
      if (holder?.holdsNothing === true) holder.queue.host.forget(holder);
    }
    if (got?.delivery == null) return got;
    // Another answer, which brought nothing, may have let it go.
    if (queue.heir !== null) queue.heir.remember(holder!);
    else this.consumers.set(holder!.id, holder!);
    if (!holder!.isDetached && !isGone()) return got;
    holder!.settle(got.delivery, 'release');
    return null;
  }

  // ---- consumers -------------------------------------------------------------------------------------------------

  async attach(queue: RemoteQueue, spec: ConsumerSpec, sink: DeliverySink, credit: number): Promise<Consumer> {
    const consumer = new RemoteConsumer(this.parts.nextNumber(), queue, spec, sink, false);
    consumer.expect(credit);
    consumer.isAsking = true;
    this.consumers.set(consumer.id, consumer);
    try {
      const order = await this.request(queue, (out, id) => {
        const { line } = lineOf(queue);
        this.writeAttach(out, consumer, id, line === undefined ? null : { line, further: [] });
      });
      if (typeof order === 'number') consumer.order = order;
    } catch (error) {
      consumer.queue.host.forget(consumer);
      throw error;
    } finally {
      consumer.isAsking = false;
    }
    return consumer;
  }

  holder(queue: RemoteQueue, spec: ConsumerSpec, sink: DeliverySink): Consumer {
    return new RemoteConsumer(this.parts.nextNumber(), queue, spec, sink, true);
  }

  /** `more`: of one that consumes from a mirrored queue, its line, and what it is to be found with beside what it holds. */
  writeAttach(
    out: Outgoing,
    consumer: RemoteConsumer,
    request: number,
    more: { readonly line: number; readonly further: readonly Position[] } | null = null,
  ): void {
    const { queue, spec, isHolder, stopped } = consumer;
    const credit = consumer.creditAnew();
    const { window: _, ...told } = spec;
    const revision = this.parts.revisionOf(queue);
    consumer.passedToSend = 0;
    out.begin(FRAME_ATTACH);
    out.need(revision);
    out.json({
      request,
      consumer: consumer.id,
      queue: { ...referenceTo(queue), revision },
      spec: told,
      isHolder,
      isStopped: stopped,
      credit: Number.isFinite(credit) ? credit : null,
      claims: more === null ? consumer.claims() : [...consumer.claims(), ...more.further],
      order: consumer.order,
      ...(more === null ? {} : { line: more.line }),
    });
  }

  /** It has something to tell its home at the end of the turn. */
  touch(consumer: RemoteConsumer): void {
    if (consumer.isDirty) return;
    consumer.isDirty = true;
    this.dirty.push(consumer);
    this.out.schedule();
  }

  settle(consumer: RemoteConsumer, position: Position, outcome: Outcome): void {
    this.settlements.add(consumer, outcome, position);
    this.out.schedule();
  }

  /**
   * A message was on its way to a consumer that is forgotten by now: the home counts it among what that one holds. And it may not have
   * heard that the consumer is gone: it would send this message again and again.
   */
  giveBack(consumer: number, position: Position): void {
    if (position > 0) this.settlements.giveBack(consumer, position);
    this.sayStop(consumer);
  }

  /** Nobody waits for the answer; a link that comes again says the same by not naming the consumer. */
  private sayStop(consumer: number): void {
    if (!this.isLinked) return;
    this.settlements.flush();
    this.out.begin(FRAME_STOP);
    this.out.varint(consumer);
    this.out.varint(0);
  }

  /** Resolves when its queue counts it no more, or nobody can tell. */
  async stopConsumer({ queue, id: consumer }: RemoteConsumer): Promise<void> {
    const say = (out: Outgoing, id: number): void => {
      out.begin(FRAME_STOP);
      out.varint(consumer);
      out.varint(id);
    };
    await this.request(queue as RemoteQueue, say).catch(() => undefined);
  }

  /** It holds nothing and gets nothing any more. */
  forget(consumer: RemoteConsumer): void {
    this.consumers.delete(consumer.id);
  }

  // ---- the end of a turn -----------------------------------------------------------------------------------------

  /** Writes what was gathered; only while linked. */
  flush(): void {
    if (!this.isLinked) return;
    this.settlements.flush();
    const { dirty, touched } = this;
    if (dirty.length > 0) {
      this.dirty = [];
      for (const consumer of dirty) {
        consumer.isDirty = false;
        this.tell(consumer);
      }
    }
    if (touched.length === 0) return;
    this.touched = [];
    for (const line of touched) if (this.lines.has(line.number)) line.flush();
  }

  /** What it has to say beside its settlements. */
  tell(consumer: RemoteConsumer): void {
    if (consumer.stopped) return;
    const { out } = this;
    const { passedToSend } = consumer;
    const credit = consumer.takeCreditDue();
    if (credit > 0) {
      out.begin(FRAME_CREDIT);
      out.varint(consumer.id);
      out.varint(Number.isFinite(credit) ? credit + 1 : 0);
    }
    if (passedToSend > passedBytesMin) {
      consumer.passedToSend = 0;
      out.begin(FRAME_PASSED);
      out.varint(consumer.id);
      out.varint(passedToSend);
    }
  }

  /** It has something to say at the end of the turn. */
  touchLine(line: FaceLine): void {
    this.touched.push(line);
    this.out.schedule();
  }

  /** Verdicts came, or publishes went. */
  weigh(): void {
    this.publishes.tidy();
    const { keptBytes } = this.publishes;
    const isBehind = this.isLinked && keptBytes > (this.isBehind ? keptBytesLow : keptBytesHigh);
    if (isBehind === this.isBehind) return;
    this.isBehind = isBehind;
    this.parts.onBehind(this, isBehind);
  }

  /** It leads a mirrored queue, and waits until this node has said what it has of it. */
  leads(incarnation: Incarnation, epoch: Epoch): void {
    this.parts.onLeads(this, incarnation, epoch);
    const { out } = this;
    out.begin(FRAME_LED);
    out.text(incarnation);
    out.varint(epoch);
  }

  left(incarnation: Incarnation, epoch: Epoch): void {
    this.parts.onLeft(this, incarnation, epoch);
  }

  settled(count: number): void {
    this.settlements.done(count);
  }

  // ---- links and sessions ----------------------------------------------------------------------------------------

  /** The link is there: what may have been lost with the last one is said again, before anything new. */
  linked(): void {
    this.isLinked = true;
    this.isGivenUp = false;
    this.publishes.resend();
    this.settlements.resend();
    this.settlements.flush();
    for (const consumer of this.consumers.values()) {
      // One that was not answered is asked for again below, when those that are gone have made room.
      if (!consumer.isAsking && consumer.queue.host === this) this.writeAttach(this.out, consumer, 0);
    }
    for (const line of this.lines.values()) line.resume();
    this.out.begin(FRAME_RESUMED);
    this.requests.resend(this.out);
  }

  unlinked(): void {
    this.isLinked = false;
    this.unlinkedSinceMs = this.parts.clock.monotonicMs();
    for (const line of this.lines.values()) line.face.unlinked();
    this.weigh();
  }

  /** It is not the leader of anything any more, as far as this node can reach it. */
  private loseLines(): void {
    for (const line of [...this.lines.values()]) line.face.lost(line);
    this.parts.onLost(this);
  }

  sessionEnded(how: SessionEnd): void {
    const isBack = how !== 'gone';
    this.isLinked = false;
    this.unlinkedSinceMs = this.parts.clock.monotonicMs();
    this.isRegistered = isBack;
    this.loseLines();
    for (const queue of this.queues.values()) queue.heir?.lostPredecessor();
    this.refuse();
    for (const { line } of this.queues.values()) line.renew();
    this.settlements.clear();
    if (!isBack) this.requests.fail(() => true);
    for (const consumer of [...this.consumers.values()]) {
      // Another node may have what its queue has.
      if (consumer.queue.host !== this) continue;
      const survives = how === 'same' || (isBack && consumer.queue.logs);
      if (survives && !consumer.stopped) consumer.disown();
      else consumer.detached('node-down');
    }
  }

  private refuse(): void {
    this.out.endFrame();
    for (const { line } of this.queues.values()) {
      line.giveUp('node-down');
      // What introduced it may not have come.
      line.isIntroduced = false;
      line.parcel = null;
    }
    for (const queue of [...this.queues.values()]) this.letGo(queue);
    this.weigh();
  }

  /** Called now and then. `holdMs`: how long what is under way waits for a link. */
  tick(nowMs: number, holdMs: number): void {
    if (this.isLinked) return;
    this.requests.fail(({ deadlineMs }) => deadlineMs <= nowMs);
    if (this.isGivenUp || nowMs - this.unlinkedSinceMs < holdMs) return;
    this.isGivenUp = true;
    this.loseLines();
    for (const queue of this.queues.values()) queue.heir?.lostPredecessor();
    this.refuse();
    this.requests.fail(() => true);
    for (const consumer of [...this.consumers.values()])
      if (consumer.queue.host === this) consumer.detached('node-down');
  }
}

/** The line on which a queue that is mirrored now is asked; none: it is not, or nobody leads it. */
function lineOf({ heir }: RemoteQueue): { readonly line?: number } {
  return heir?.line == null ? {} : { line: heir.line.number };
}
