import type {
  ConsumerSpec,
  Delivery,
  DetachReason,
  Got,
  JsonValue,
  Message,
  Outcome,
  Position,
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
import { detachReasons, formOfError, outcomes, refusals } from '../peer/refusals.js';
import { PUBLISH_MESSAGE, PUBLISH_QUEUE, PUBLISH_SAME, PUBLISH_USE } from '../remote/publish-stream.js';
import { DeliveryStream } from './delivery-stream.js';
import { GuestConsumer } from './guest-consumer.js';
import { Intake } from './intake.js';
import { LazyNews } from './lazy-news.js';
import { answerTo } from './questions.js';

interface AttachBody {
  readonly request: number;
  readonly consumer: number;
  readonly queue: QueueReference;
  readonly spec: Omit<ConsumerSpec, 'window'>;
  readonly isHolder: boolean;
  readonly isStopped: boolean;
  readonly credit: number | null;
  readonly claims: readonly Position[];
}

export interface GuestParts {
  readonly turn: Turn;
  readonly topology: Topology;
  readonly clock: Clock;
  readonly out: Outgoing;
}

/** Intakes of queues that are gone are let go when there are so many. */
const intakesTidyAt = 4096;

/** Another node, in one of its sessions, as a user of the queues of this one: what it publishes, consumes and asks here. */
export class Guest {
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
  private isLinked = false;
  private isOver = false;
  private tidyAt = intakesTidyAt;

  constructor(parts: GuestParts) {
    this.parts = parts;
    this.out = parts.out;
    this.deliveries = new DeliveryStream(parts.out);
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
    for (const intake of this.intakes.values()) intake.retell();
  }

  unlinked(): void {
    this.isLinked = false;
    for (const consumer of this.consumers.values()) consumer.suspend();
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
    this.intakes.clear();
  }

  /** The way to the peer has room. */
  drained(): void {
    for (const consumer of this.consumers.values()) consumer.resume();
  }

  /** What nobody waits for is told now. */
  private tellLazy(verdicts: Iterable<readonly [intake: Intake, upTo: number]>): void {
    if (!this.isLinked) return;
    for (const [intake, upTo] of verdicts) this.writeVerdict(intake, upTo);
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
        const consumer = this.consumers.get(cursor.varint());
        const credit = cursor.varint();
        consumer?.grant(credit === 0 ? Number.POSITIVE_INFINITY : credit - 1);
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
      case FRAME_STOP:
        this.stop(cursor.varint(), cursor.varint());
        return true;
      case FRAME_ASK:
        this.ask(cursor);
        return true;
      case FRAME_DIRECT:
        this.direct(cursor);
        return true;
      case FRAME_RESUMED:
        this.resumed();
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
        intake.use(cursor.varint(), cursor.varint());
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
    const queue = queueOf(this.parts.topology, { vhost, name, incarnation });
    this.intakes.set(number, new Intake(this.parts.turn, number, queue, this));
    if (this.intakes.size < this.tidyAt) return;
    for (const [each, intake] of this.intakes) if (intake.isIdle) this.intakes.delete(each);
    this.tidyAt = Math.max(intakesTidyAt, this.intakes.size * 2);
  }

  verdict(intake: Intake, upTo: number, isAwaited: boolean): void {
    if (!this.isLinked) return;
    if (isAwaited) this.writeVerdict(intake, upTo);
    else this.lazy.verdict(intake, upTo);
  }

  private writeVerdict(intake: Intake, upTo: number): void {
    this.lazy.forget(intake);
    this.out.begin(FRAME_VERDICT);
    this.out.varint(intake.number);
    this.out.varint(upTo);
  }

  refused(intake: Intake, sequence: number, why: Refusal): void {
    if (!this.isLinked) return;
    this.out.begin(FRAME_REFUSED);
    this.out.varint(intake.number);
    this.out.varint(sequence);
    this.out.byte(refusals.indexOf(why));
  }

  private direct(cursor: FrameCursor): void {
    const vhost = this.parts.topology.vhosts.get(cursor.text());
    this.reader.clear();
    const message = this.reader.read(cursor, vhost ?? null);
    vhost?.directQueues.get(message.address.routingKey)?.enqueue(message, null);
  }

  // ---- consumers -------------------------------------------------------------------------------------------------

  private attach(body: AttachBody): void {
    const credit = body.credit ?? Number.POSITIVE_INFINITY;
    try {
      const existing = this.consumers.get(body.consumer);
      const consumer = existing ?? this.newConsumer(body);
      if (body.isStopped && !body.isHolder) consumer.stop();
      if (body.request > 0) this.attached(body.request, null);
      if (existing !== undefined || body.request === 0) consumer.reconcile(body.claims, credit);
      else consumer.grant(credit);
      this.forgetIfOver(consumer);
    } catch (error) {
      if (body.request > 0) this.attached(body.request, error);
      else this.writeDetached(body.consumer, 'queue-deleted');
    }
  }

  private newConsumer({ consumer: id, queue: reference, spec, isHolder }: AttachBody): GuestConsumer {
    const queue = queueOf(this.parts.topology, reference);
    if (queue === null) throw brokerError('queueNotFound', { queue: reference.name, vhost: reference.vhost });
    const consumer = new GuestConsumer(id, queue, spec, isHolder, this);
    this.consumers.set(id, consumer);
    return consumer;
  }

  private attached(request: number, error: unknown): void {
    this.out.begin(FRAME_ATTACHED);
    this.out.varint(request);
    this.out.json(error === null ? null : formOfError(error));
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

  private forgetIfOver(consumer: GuestConsumer): void {
    if (consumer.isOver && !consumer.isHolder) this.consumers.delete(consumer.id);
  }

  write(consumer: GuestConsumer, position: Position, redelivered: boolean, message: Message): boolean {
    this.deliveries.write(consumer.id, position, redelivered, message);
    return !this.out.isClogged;
  }

  detached(consumer: GuestConsumer, why: DetachReason): void {
    this.forgetIfOver(consumer);
    if (!this.isOver) this.writeDetached(consumer.id, why);
  }

  private writeDetached(id: number, why: DetachReason): void {
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
    const reference = cursor.json() as QueueReference;
    const answer = async (): Promise<void> => {
      const queue = queueOf(this.parts.topology, reference);
      if (queue === null) throw brokerError('queueNotFound', { queue: reference.name, vhost: reference.vhost });
      const holder = holderId === 0 ? null : this.holder(holderId, reference);
      const got = await queue.get(holder?.holder ?? null, () => this.isOver || !this.isLinked);
      if (got?.delivery != null) holder!.got(got.delivery);
      this.writeGot(request, got);
    };
    answer().catch((error: unknown) => this.writeGotError(request, error));
  }

  private holder(id: number, queue: QueueReference): GuestConsumer {
    const spec = { tag: '', acknowledges: true, exclusive: false, priority: 0, arguments: {} };
    const body = { request: 0, consumer: id, queue, spec, isHolder: true, isStopped: false, credit: 0, claims: [] };
    return this.consumers.get(id) ?? this.newConsumer(body);
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
    const question = cursor.json() as QueueReference & { readonly kind: string; readonly body: JsonValue };
    answerTo(this.parts.topology, question).then(
      (answer) => this.answer(request, { answer }),
      (error: unknown) => this.answer(request, { error: formOfError(error) }),
    );
  }

  private answer(request: number, answer: object): void {
    if (!this.isLinked) return;
    this.out.begin(FRAME_ANSWER);
    this.out.varint(request);
    this.out.json(answer);
  }
}
