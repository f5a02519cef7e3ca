import type {
  Delivery,
  DetachReason,
  Got,
  Message,
  Outcome,
  Position,
  Queue,
  Refusal,
  Topology,
  Turn,
} from '@chapar/core';
import { brokerError } from '@chapar/core';
import type { Clock } from '@chapar/platform';
import type { FrameCursor } from '../peer/frame-cursor.js';
import {
  FRAME_ANSWER,
  FRAME_ASK,
  FRAME_ATTACH,
  FRAME_ATTACHED,
  FRAME_CREDIT,
  FRAME_DETACHED,
  FRAME_DIRECT,
  FRAME_GET,
  FRAME_GOT,
  FRAME_LED,
  FRAME_LINE,
  FRAME_LINE_PUBLISHES,
  FRAME_LINE_SETTLE,
  FRAME_PASSED,
  FRAME_PUBLISHES,
  FRAME_REFUSED,
  FRAME_RESUMED,
  FRAME_SETTLE,
  FRAME_SETTLED,
  FRAME_STOP,
  FRAME_VERDICT,
} from '../peer/frames.js';
import { AddressBook, MessageReader, writeMessage } from '../peer/message-form.js';
import type { Outgoing } from '../peer/outgoing.js';
import { type QueueReference, queueOf } from '../peer/queue-reference.js';
import { detachReasonOf, detachReasons, type ErrorForm, formOfError, outcomes, refusals } from '../peer/refusals.js';
import { PUBLISH_MESSAGE, PUBLISH_QUEUE, PUBLISH_SAME, PUBLISH_USE } from '../remote/publish-stream.js';
import type { LedQueue } from '../replication/led-queue.js';
import type { Origin } from '../replication/origins.js';
import { DeliveryStream } from './delivery-stream.js';
import { GuestConsumer } from './guest-consumer.js';
import type { GuestLine, LineSink } from './guest-line.js';
import { type AttachBody, GuestLines, type PlaceBody, writeLost } from './guest-lines.js';
import { Intake } from './intake.js';
import { LazyNews } from './lazy-news.js';
import type { Leads } from './leads.js';
import { mirroredSince, takerOf } from './mirrored-since.js';
import { answerTo, type Question } from './questions.js';
import type { NumberedIntake } from './verdicts.js';

export interface GuestParts {
  readonly turn: Turn;
  readonly topology: Topology;
  readonly clock: Clock;
  readonly out: Outgoing;
  readonly leads: Leads;
  /** The peer's process. */
  readonly origin: Origin;
}

/** Intakes of queues that are gone are let go when there are so many. */
const intakesTidyAt = 4096;

/** Another node, in one of its sessions, as a user of the queues of this one: what it publishes, consumes and asks here. */
export class Guest implements LineSink {
  private readonly parts: GuestParts;
  private readonly out: Outgoing;
  private readonly deliveries: DeliveryStream;
  private readonly lazy: LazyNews;
  /** Settlements were carried out up to this number, and that was told up to that one. */
  private settledUpTo = 0;
  private settledTold = 0;
  private readonly reader = new MessageReader();
  private readonly gotBook = new AddressBook();
  private readonly intakes = new Map<number, Intake>();
  private readonly consumers = new Map<number, GuestConsumer>();
  private readonly lines: GuestLines;
  private isLinked = false;
  private isOver = false;
  private tidyAt = intakesTidyAt;

  constructor(parts: GuestParts) {
    this.parts = parts;
    this.out = parts.out;
    this.deliveries = new DeliveryStream(parts.out);
    const { turn, out, leads, origin, topology } = parts;
    this.lines = new GuestLines({ turn, out, leads, origin, topology }, this, this.consumers);
    this.lazy = new LazyNews(parts.clock, (verdicts) => this.tellLazy(verdicts));
  }

  get consumerCount(): number {
    return this.consumers.size;
  }

  // ---- links and sessions ----------------------------------------------------------------------------------------

  linked(): void {
    this.isLinked = true;
    this.lazy.clear();
    if (this.settledUpTo > 0) {
      this.settledTold = 0;
      this.lazy.settled();
    }
    for (const intake of this.intakes.values()) intake.verdicts.retell();
    this.lines.linked();
  }

  unlinked(): void {
    this.isLinked = false;
    for (const consumer of this.consumers.values()) consumer.suspend();
    this.lines.unlinked();
  }

  /** The peer's session is over, or nothing was heard of it for long: what its consumers hold is ready again. */
  leave(): void {
    const consumers = [...this.consumers.values()];
    this.consumers.clear();
    for (const consumer of consumers) consumer.leave();
  }

  end(): void {
    this.isOver = true;
    this.isLinked = false;
    this.lazy.clear();
    this.leave();
    this.lines.end();
    this.intakes.clear();
  }

  /** The way to the peer has room. */
  drained(): void {
    for (const consumer of this.consumers.values()) consumer.resume();
  }

  /** What nobody waits for is told now. */
  private tellLazy(verdicts: Iterable<readonly [intake: NumberedIntake, upTo: number]>): void {
    if (!this.isLinked) return;
    for (const [intake, upTo] of verdicts) this.writeVerdict(intake, upTo);
    this.lines.tell();
    if (this.settledUpTo === this.settledTold) return;
    this.settledTold = this.settledUpTo;
    this.out.begin(FRAME_SETTLED);
    this.out.varint(this.settledUpTo);
  }

  // ---- frames ----------------------------------------------------------------------------------------------------

  /** False: not a frame for a guest. Throws for what is no frame of ours. */
  receive(type: number, cursor: FrameCursor): boolean {
    switch (type) {
      case FRAME_PUBLISHES:
        this.publishes(cursor);
        return true;
      case FRAME_SETTLE:
        this.settle(cursor);
        return true;
      case FRAME_CREDIT: {
        const consumer = cursor.varint();
        const credit = cursor.varint();
        const granted = credit === 0 ? Number.POSITIVE_INFINITY : credit - 1;
        this.lines.behind(consumer, () => this.consumers.get(consumer)?.grant(granted));
        return true;
      }
      case FRAME_PASSED:
        this.consumers.get(cursor.varint())?.passed(cursor.varint());
        return true;
      case FRAME_GET:
        this.get(cursor);
        return true;
      case FRAME_ATTACH:
        this.attach(cursor.json() as AttachBody);
        return true;
      case FRAME_STOP: {
        const consumer = cursor.varint();
        const request = cursor.varint();
        this.lines.behind(consumer, () => this.stop(consumer, request));
        return true;
      }
      case FRAME_ASK:
        this.ask(cursor);
        return true;
      case FRAME_DIRECT:
        this.direct(cursor);
        return true;
      case FRAME_RESUMED:
        this.resumed();
        return true;
      case FRAME_LINE:
        this.lines.introduced(cursor);
        return true;
      case FRAME_LINE_PUBLISHES:
        this.lines.publishes(cursor, this.reader);
        return true;
      case FRAME_LINE_SETTLE:
        this.lines.settle(cursor);
        return true;
      case FRAME_LED:
        this.lines.said(cursor);
        return true;
      default:
        return false;
    }
  }

  // ---- publishes -------------------------------------------------------------------------------------------------

  private publishes(cursor: FrameCursor): void {
    this.reader.clear();
    let message: Message | null = null;
    while (!cursor.isAtEnd) {
      const entry = cursor.byte();
      const number = cursor.varint();
      if (entry === PUBLISH_QUEUE) {
        this.introduce(number, cursor.text(), cursor.text(), cursor.text());
        continue;
      }
      const intake = this.intakes.get(number);
      if (intake === undefined) throw new Error(`a peer publishes to queue ${number} that it has not introduced`);
      if (entry === PUBLISH_USE) {
        intake.verdicts.use(cursor.varint(), cursor.varint());
        continue;
      }
      const wants = cursor.byte() === 1;
      if (entry === PUBLISH_MESSAGE) message = this.reader.read(cursor, this.vhostOf(intake));
      else if (entry !== PUBLISH_SAME) throw new Error(`a peer sent an unknown entry ${entry}`);
      intake.take(message!, wants);
    }
  }

  private vhostOf({ queue }: Intake) {
    return queue === null ? null : (this.parts.topology.vhosts.get(queue.properties.vhost) ?? null);
  }

  private introduce(number: number, vhost: string, name: string, incarnation: string): void {
    if (this.intakes.has(number)) return;
    const { topology, turn } = this.parts;
    const queue = takerOf(topology, { vhost, name, incarnation });
    this.intakes.set(number, new Intake(turn, number, queue, this));
    if (this.intakes.size < this.tidyAt) return;
    for (const [each, intake] of this.intakes) if (intake.isIdle) this.intakes.delete(each);
    this.tidyAt = Math.max(intakesTidyAt, this.intakes.size * 2);
  }

  verdict(intake: NumberedIntake, upTo: number, isAwaited: boolean): void {
    if (!this.isLinked) return;
    if (isAwaited) this.writeVerdict(intake, upTo);
    else this.lazy.verdict(intake, upTo);
  }

  private writeVerdict(intake: NumberedIntake, upTo: number): void {
    this.lazy.forget(intake);
    this.out.begin(FRAME_VERDICT);
    this.out.varint(intake.number);
    this.out.varint(upTo);
  }

  refused(intake: NumberedIntake, sequence: number, why: Refusal): void {
    if (!this.isLinked) return;
    this.out.begin(FRAME_REFUSED);
    this.out.varint(intake.number);
    this.out.varint(sequence);
    this.out.byte(refusals.indexOf(why));
  }

  // ---- mirrored queues that this node leads ------------------------------------------------------------------------

  sayLeads(led: LedQueue): void {
    this.lines.sayLeads(led);
  }

  sayLeft(led: LedQueue): void {
    this.lines.sayLeft(led);
  }

  forGood(line: GuestLine): void {
    this.lines.forGood(line);
    this.lazy.settled();
  }

  writeLost(consumer: number, lost: readonly Position[]): void {
    if (this.isLinked) writeLost(this.out, consumer, lost);
  }

  private direct(cursor: FrameCursor): void {
    const vhost = this.parts.topology.vhosts.get(cursor.text());
    this.reader.clear();
    const message = this.reader.read(cursor, vhost ?? null);
    vhost?.directQueues.get(message.address.routingKey)?.enqueue(message, null);
  }

  // ---- consumers -------------------------------------------------------------------------------------------------

  private attach(body: AttachBody): void {
    if (body.line !== undefined) {
      this.lines.attach(body);
      return;
    }
    if (mirroredSince(this.parts.topology, body.queue) !== null) return;
    const credit = body.credit ?? Number.POSITIVE_INFINITY;
    try {
      const existing = this.consumers.get(body.consumer);
      const consumer = existing ?? this.newConsumer(body, this.queueNamed(body.queue));
      if (body.isStopped && !body.isHolder) consumer.stop();
      if (body.request > 0) this.attached(body.request, consumer.order);
      else this.place(body, consumer.order);
      if (existing !== undefined || body.request === 0) consumer.reconcile(body.claims, credit);
      else consumer.grant(credit);
      this.forgetIfOver(consumer);
    } catch (error) {
      if (body.request > 0) this.attached(body.request, formOfError(error));
      else this.writeDetached(body.consumer, detachReasonOf(error, 'queue-deleted'));
    }
  }

  private queueNamed(reference: QueueReference): Queue {
    const queue = queueOf(this.parts.topology, reference);
    if (queue === null) throw brokerError('queueNotFound', { queue: reference.name, vhost: reference.vhost });
    return queue;
  }

  private newConsumer({ consumer: id, spec, isHolder }: AttachBody, queue: Queue): GuestConsumer {
    const consumer = new GuestConsumer(id, queue, spec, isHolder, this);
    this.consumers.set(id, consumer);
    return consumer;
  }

  /** `said`: the consumer's place among all, or why there is none; with request 0 of one that came back. */
  attached(request: number, said: number | PlaceBody | ErrorForm): void {
    this.out.begin(FRAME_ATTACHED);
    this.out.varint(request);
    this.out.json(said);
  }

  /** Says where one that came back stands, if it was told something else. */
  place({ consumer, order: known }: AttachBody, order: number): void {
    if (order !== known && this.isLinked) this.attached(0, { consumer, order });
  }

  /** The peer has named all consumers that go on. */
  private resumed(): void {
    for (const [id, consumer] of this.consumers) {
      if (consumer.isClaimed) continue;
      this.consumers.delete(id);
      consumer.leave();
    }
  }

  private stop(id: number, request: number): void {
    const consumer = this.consumers.get(id);
    consumer?.stop();
    if (consumer !== undefined) this.forgetIfOver(consumer);
    this.answer(request, { answer: null });
  }

  forgetIfOver(consumer: GuestConsumer): void {
    if (consumer.isOver && !consumer.isHolder) this.consumers.delete(consumer.id);
  }

  write(consumer: GuestConsumer, position: Position, redelivered: boolean, message: Message): boolean {
    this.deliveries.write(consumer.id, position, redelivered, message);
    return !this.out.isClogged;
  }

  detached(consumer: GuestConsumer, why: DetachReason): void {
    if (why === 'moved') {
      // The peer hears of the next leader, and goes on there.
      if (this.consumers.get(consumer.id) === consumer) this.consumers.delete(consumer.id);
      return;
    }
    this.forgetIfOver(consumer);
    if (!this.isOver) this.writeDetached(consumer.id, why);
  }

  writeDetached(id: number, why: DetachReason): void {
    if (!this.isLinked) return;
    this.out.begin(FRAME_DETACHED);
    this.out.varint(id);
    this.out.byte(detachReasons.indexOf(why));
  }

  private settle(cursor: FrameCursor): void {
    const number = cursor.varint();
    // It came already, over the link that broke.
    if (number <= this.settledUpTo) return;
    this.settledUpTo = number;
    const consumer = this.consumers.get(cursor.varint());
    const outcome: Outcome = outcomes[cursor.byte()]!;
    const first = cursor.varint();
    const count = cursor.varint();
    this.lazy.settled();
    if (consumer === undefined) return;
    consumer.settle(outcome, first, count);
    this.forgetIfOver(consumer);
  }

  // ---- requests --------------------------------------------------------------------------------------------------

  private get(cursor: FrameCursor): void {
    const request = cursor.varint();
    const holderId = cursor.varint();
    const reference = cursor.json() as QueueReference & { readonly line?: number };
    const line = this.lineOf(reference);
    if (line === null) return;
    const answer = async (): Promise<void> => {
      const queue = line?.queue ?? this.queueNamed(reference);
      const holder = holderId === 0 ? null : this.holder(holderId, queue, reference);
      const got = await queue.get(holder?.holder ?? null, () => this.isOver || !this.isLinked || line?.isOver === true);
      // Whoever leads next is asked again.
      if (line?.isOver || (got === null && queue.succession.heir !== null)) return;
      if (got?.delivery != null) holder!.got(got.delivery);
      this.writeGot(request, got);
    };
    const begin = (): void => {
      answer().catch((error: unknown) => {
        if (!line?.isOver) this.writeGotError(request, error);
      });
    };
    if (line === undefined) begin();
    else line.inOrder(begin);
  }

  /** Undefined: the queue is not mirrored. Null: this is not, or not so, for this node any more. */
  private lineOf(asked: QueueReference & { readonly line?: number }): GuestLine | null | undefined {
    if (asked.line !== undefined) return this.lines.find(asked.line);
    return mirroredSince(this.parts.topology, asked) === null ? undefined : null;
  }

  private holder(id: number, queue: Queue, reference: QueueReference): GuestConsumer {
    const existing = this.consumers.get(id);
    if (existing?.queue === queue) return existing;
    const spec = { tag: '', acknowledges: true, exclusive: false, priority: 0, arguments: {} };
    const body = {
      request: 0,
      consumer: id,
      queue: reference,
      spec,
      isHolder: true,
      isStopped: false,
      credit: 0,
      claims: [],
    };
    return this.newConsumer(body, queue);
  }

  private writeGot(request: number, got: Got | null): void {
    const { out } = this;
    if (!this.isLinked) return;
    out.begin(FRAME_GOT);
    out.varint(request);
    if (got === null) {
      out.byte(0);
      return;
    }
    out.byte(got.redelivered ? 2 : 1);
    out.varint(got.ready);
    out.varint((got.delivery as Delivery | null)?.position ?? 0);
    this.gotBook.clear();
    writeMessage(out, this.gotBook, got.message);
  }

  private writeGotError(request: number, error: unknown): void {
    if (!this.isLinked) return;
    this.out.begin(FRAME_GOT);
    this.out.varint(request);
    this.out.byte(3);
    this.out.json(formOfError(error));
  }

  private ask(cursor: FrameCursor): void {
    const request = cursor.varint();
    const question = cursor.json() as Question & { readonly line?: number };
    const line = this.lineOf(question);
    if (line === null) return;
    const answer = async (): Promise<void> => {
      // Before it has begun nobody knows who uses it.
      if (line?.queue.isHeld) await line.queue.begun();
      // Whoever leads next is asked again.
      if (line?.isOver) return;
      const found = await answerTo(this.parts.topology, question);
      // A deletion ends the lead, too.
      if (!line?.isOver || question.kind === 'delete') this.answer(request, { answer: found });
    };
    answer().catch((error: unknown) => {
      if (!line?.isOver) this.answer(request, { error: formOfError(error) });
    });
  }

  private answer(request: number, answer: object): void {
    if (!this.isLinked) return;
    this.out.begin(FRAME_ANSWER);
    this.out.varint(request);
    this.out.json(answer);
  }
}
