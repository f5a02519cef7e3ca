import {
  type Actor,
  type Alarms,
  andThen,
  type BrokerError,
  brokerError,
  type ChannelView,
  type ConfirmSink,
  type ConsumerView,
  type Later,
  type Message,
  type Principal,
  Publisher,
  type PublishTag,
  type Refusal,
  type Target,
} from '@chapar/core';
import {
  decodeMethod,
  FRAME_BODY,
  FRAME_HEADER,
  FRAME_HEADER_BYTES,
  FRAME_METHOD,
  METHOD,
  type MethodInput,
} from './codec/index.js';
import type { Connection } from './connection.js';
import { Consumption } from './consumption.js';
import { writeReturn } from './delivery-frames.js';
import { replyText } from './faults.js';
import { methodIdAt } from './frame-reader.js';
import { Held } from './held.js';
import { onMethod } from './methods.js';
import { addBody, beginContent, type Content, publish, publishContent } from './publish.js';
import type { Transaction } from './transaction.js';
import { Verdicts } from './verdicts.js';

const CLASS_BASIC = 60;
const METHOD_PUBLISH = 40;
const CONTENT_HEADER_BYTES = 12;

/** One channel: its frames in order, the content that they build up, what it publishes and consumes. AMQP 0-9-1 §2.2.5, §4.7. */
export class Channel implements ConfirmSink, ChannelView {
  readonly connection: Connection;
  readonly number: number;
  readonly actor: Actor;
  readonly publisher: Publisher;
  readonly consumption: Consumption;
  confirms = false;
  transaction: Transaction | null = null;
  /** The queue declared last, which an empty queue name stands for. */
  lastQueue = '';
  private readonly verdicts = new Verdicts(this);
  private content: Content | null = null;
  /** Frames that wait until something is decided (a declaration on disk, a permission asked elsewhere). */
  private readonly held: Held;
  private readonly alarms: Alarms;
  /** Publishes wait for an alarm to end; verdicts on deliveries do not. */
  private blocked = false;
  private closing = false;
  private gone = false;

  constructor(connection: Connection, number: number, actor: Actor) {
    this.connection = connection;
    this.number = number;
    this.actor = actor;
    this.publisher = new Publisher(actor, connection.parts.broker.turn, this);
    this.consumption = new Consumption(this);
    this.held = new Held(connection);
    this.alarms = connection.parts.broker.alarms;
  }

  get principal(): Principal {
    return this.actor.principal;
  }

  /** Nothing but goodbyes is said any more. */
  get isClosing(): boolean {
    return this.closing || this.gone;
  }

  // ---- frames ----------------------------------------------------------------------------------------------------

  /** See FrameSink. Most of all that ever comes here is a whole publish, which is taken in one go. */
  frame(chunk: Buffer, at: number, next: number, end: number): number {
    if (chunk[at] === FRAME_METHOD && chunk[at + 10] === METHOD_PUBLISH && chunk[at + 8] === CLASS_BASIC) {
      const after = this.wholePublish(chunk, at, next, end);
      if (after > 0) return after;
    }
    const isWithinPublish = this.content !== null;
    try {
      this.take(chunk, at, next);
    } catch (error) {
      this.fail(error, isWithinPublish ? METHOD.BASIC_PUBLISH : methodIdAt(chunk, at, next));
    }
    return next;
  }

  /**
   * basic.publish, its header and its whole body, when they stand in one piece and nothing is odd about them. Returns where they end,
   * or 0 when the careful way has to look.
   */
  private wholePublish(chunk: Buffer, at: number, next: number, end: number): number {
    if (
      this.closing ||
      this.held.isHolding ||
      this.alarms.isRaised ||
      this.content !== null ||
      this.transaction !== null
    )
      return 0;
    const names = at + FRAME_HEADER_BYTES + 6;
    const keyAt = names + 1 + chunk[names]!;
    const bitsAt = keyAt + 1 + chunk[keyAt]!;
    if (bitsAt + 2 !== next) return 0;
    // The bit `immediate`, or class and method numbers above 255.
    if (chunk[bitsAt]! > 1 || chunk[at + 7] !== 0 || chunk[at + 9] !== 0) return 0;
    const header = next + FRAME_HEADER_BYTES;
    if (header + CONTENT_HEADER_BYTES + 3 > end || !this.isNextFrame(chunk, next, FRAME_HEADER)) return 0;
    const headerEnd = header + u32(chunk, next + 3);
    if (headerEnd >= end || chunk[headerEnd] !== 0xce || headerEnd < header + CONTENT_HEADER_BYTES + 2) return 0;
    if (chunk[header] !== 0 || chunk[header + 1] !== CLASS_BASIC || u32(chunk, header + 4) !== 0) return 0;
    const bodyBytes = u32(chunk, header + 8);
    let body = headerEnd + 1;
    let after = body;
    if (bodyBytes > 0) {
      body += FRAME_HEADER_BYTES;
      after = body + bodyBytes + 1;
      if (after > end || !this.isNextFrame(chunk, headerEnd + 1, FRAME_BODY)) return 0;
      if (u32(chunk, headerEnd + 4) !== bodyBytes || chunk[after - 1] !== 0xce) return 0;
    }
    const { frameBytesMax, messageBytesMax } = this.connection;
    if (headerEnd - header > frameBytesMax || bodyBytes > frameBytesMax || bodyBytes > messageBytesMax) return 0;
    const target = this.connection.targets.find(this.publisher, chunk, names, bitsAt);
    if (target === null) return 0;
    try {
      const properties = header + CONTENT_HEADER_BYTES;
      const pending = publish(
        this,
        target,
        chunk[bitsAt] === 1,
        chunk,
        properties,
        headerEnd,
        body,
        body + bodyBytes,
        null,
        bodyBytes,
      );
      if (pending !== undefined) this.wait(pending, METHOD.BASIC_PUBLISH);
    } catch (error) {
      this.fail(error, METHOD.BASIC_PUBLISH);
    }
    return after;
  }

  private isNextFrame(chunk: Buffer, at: number, type: number): boolean {
    return chunk[at] === type && ((chunk[at + 1]! << 8) | chunk[at + 2]!) === this.number;
  }

  private take(chunk: Buffer, at: number, next: number): void {
    if (this.held.isHolding) {
      // In a transaction verdicts have their place between its commits.
      if (this.blocked && this.transaction === null && isVerdict(chunk, at, next))
        this.takeMethod(chunk, at + FRAME_HEADER_BYTES, next - 1);
      else this.held.add(chunk, at, next);
      return;
    }
    if (this.alarms.isRaised && methodIdAt(chunk, at, next) === METHOD.BASIC_PUBLISH && !this.closing) {
      this.blocked = true;
      this.held.hold();
      this.held.add(chunk, at, next);
      this.connection.blocked.add(this);
      return;
    }
    const type = chunk[at]!;
    const payload = at + FRAME_HEADER_BYTES;
    if (this.closing) this.whileClosing(type, chunk, payload, next - 1);
    else if (type === FRAME_METHOD) this.takeMethod(chunk, payload, next - 1);
    else if (type === FRAME_HEADER) this.takeHeader(chunk, payload, next - 1);
    else if (type === FRAME_BODY) this.takeBody(chunk.subarray(payload, next - 1));
    else if (type === 8) throw brokerError('heartbeatOnChannel', { channel: this.number });
    else throw brokerError('frameType', { type });
  }

  private takeMethod(chunk: Buffer, start: number, end: number): void {
    if (this.content !== null) throw this.contentExpected('a method');
    const method = decodeMethod(chunk, start, end);
    if (method.name === 'basic.publish') {
      this.beginPublish(method, chunk, start + 6, end - 1);
      return;
    }
    const pending = onMethod(this, method);
    if (pending !== undefined) this.wait(pending, method.id);
  }

  private contentExpected(got: string): BrokerError {
    const error = this.content!.header === null ? 'expectedHeader' : 'expectedBody';
    return brokerError(error, { channel: this.number, got });
  }

  // ---- content -----------------------------------------------------------------------------------------------------

  private beginPublish(
    method: { mandatory: boolean; immediate: boolean },
    chunk: Buffer,
    names: number,
    bits: number,
  ): void {
    if (method.immediate) throw brokerError('immediate', {});
    const { targets } = this.connection;
    const known = targets.find(this.publisher, chunk, names, bits);
    const target = known ?? targets.resolve(this.publisher, chunk, names, bits);
    const pending = andThen(target, (found) => {
      this.content = beginContent(found, method.mandatory);
    });
    if (pending !== undefined) this.wait(pending, METHOD.BASIC_PUBLISH);
  }

  private takeHeader(chunk: Buffer, start: number, end: number): void {
    const { content } = this;
    if (content === null) throw brokerError('unexpectedContent', { channel: this.number, got: 'a content header' });
    if (content.header !== null) throw this.contentExpected('a content header');
    if (end - start < CONTENT_HEADER_BYTES) {
      throw brokerError('malformedFrame', { what: 'a content header', reason: `${end - start} bytes are too few` });
    }
    const classId = chunk.readUInt16BE(start);
    if (classId !== CLASS_BASIC) throw this.contentExpected(`a content header for class ${classId}`);
    const bodyBytes = chunk.readUInt32BE(start + 4) * 0x100000000 + chunk.readUInt32BE(start + 8);
    const bytesMax = this.connection.messageBytesMax;
    if (bodyBytes > bytesMax) {
      this.content = null;
      throw brokerError('messageTooLarge', { bytes: bodyBytes, bytesMax });
    }
    const properties = Buffer.from(chunk.subarray(start + CONTENT_HEADER_BYTES, end));
    content.header = { properties, bodyBytes };
    if (bodyBytes === 0) this.contentComplete(content);
  }

  private takeBody(payload: Buffer): void {
    const { content } = this;
    if (content === null) throw brokerError('unexpectedContent', { channel: this.number, got: 'a content body' });
    if (content.header === null) throw this.contentExpected('a content body');
    if (addBody(content, this.number, payload)) this.contentComplete(content);
  }

  private contentComplete(content: Content): void {
    this.content = null;
    const pending = publishContent(this, content);
    if (pending !== undefined) this.wait(pending, METHOD.BASIC_PUBLISH);
  }

  // ---- publishing --------------------------------------------------------------------------------------------------

  /** Further targets of a message at the same exchange. */
  targets(exchange: string, keys: readonly string[]): Later<Target[]> {
    const found: Target[] = [];
    const add = (target: Target): void => {
      found.push(target);
    };
    const done = keys.reduce<Later<void>>(
      (before, key) => andThen(before, () => andThen(this.publisher.target(exchange, key), add)),
      undefined,
    );
    return andThen(done, () => found);
  }

  acceptOne(target: Target, message: Message, mandatory: boolean): void {
    if (this.transaction === null) this.publisher.publish(target, message, mandatory, this.confirms);
    else this.transaction.add({ targets: [target], message, mandatory });
  }

  accept(targets: readonly Target[], message: Message, mandatory: boolean): void {
    if (this.transaction === null) this.publisher.publishMany(targets, message, mandatory, this.confirms);
    else this.transaction.add({ targets, message, mandatory });
  }

  /** The reply-to of a request that is answered over this channel; 406 when it consumes no replies. */
  replyAddress(): string {
    const { reply } = this.consumption;
    if (reply === null) throw brokerError('replyConsumerMissing', {});
    return reply.address;
  }

  confirmed(upTo: PublishTag): void {
    if (this.transaction !== null) this.transaction.confirmed(upTo);
    else this.verdicts.confirmed(upTo);
  }

  confirmedAlone(tag: PublishTag): void {
    if (this.transaction === null) this.verdicts.confirmedAlone(tag);
  }

  refused(tag: PublishTag, why: Refusal): void {
    if (this.transaction !== null) this.transaction.refused(why);
    else this.verdicts.refused(tag);
  }

  returned(message: Message): void {
    if (this.isClosing) return;
    const { output, frameBytesMax } = this.connection;
    writeReturn(output, this.number, frameBytesMax, 312, 'NO_ROUTE', message);
  }

  // ---- waiting -----------------------------------------------------------------------------------------------------

  /** Frames of this channel wait until `pending` is settled; its failure is the failure of the method. */
  wait(pending: Promise<void>, methodId: number): void {
    this.held.hold();
    pending.catch((error: unknown) => this.fail(error, methodId)).finally(() => this.release());
  }

  /** Until what was sent on this channel has taken effect; null when it has. What an alarm holds is not waited for. */
  rest(): Promise<void> | null {
    return this.held.isHolding && !this.blocked ? this.held.rest() : null;
  }

  /** The alarm is over, or the channel is: what waited goes on, in order. */
  unblock(): void {
    this.blocked = false;
    this.release();
  }

  private release(): void {
    // By way of the connection: it, or this channel, may be gone meanwhile, and the number opened anew.
    this.held.release((chunk, at, next) => this.connection.frame(chunk, at, next, next));
  }

  // ---- answers and endings -----------------------------------------------------------------------------------------

  send(method: MethodInput): void {
    if (!this.gone) this.connection.sendOn(this.number, method);
  }

  /** The pipe has room again. */
  resume(): void {
    this.consumption.resume();
  }

  /** Whatever was thrown for this channel: closes it, or the connection when the error says so. */
  fail(error: unknown, methodId: number): void {
    if (this.gone || this.closing) return;
    const wrong = this.connection.asBrokerError(error);
    if (wrong.scope === 'connection') {
      this.connection.fail(wrong, { id: methodId });
      return;
    }
    const { log } = this.connection.parts;
    log.info(
      { peer: this.connection.name, channel: this.number, code: wrong.code },
      `channel closed: ${wrong.message}`,
    );
    this.send({
      name: 'channel.close',
      replyCode: wrong.code,
      replyText: replyText(wrong.message),
      classId: methodId >>> 16,
      methodId: methodId & 0xffff,
    });
    this.closing = true;
    this.giveBack();
    if (!this.blocked) return;
    this.connection.blocked.delete(this);
    this.unblock();
  }

  /** Until the peer's close-ok everything is discarded; a close that crossed with ours is answered. */
  private whileClosing(type: number, chunk: Buffer, start: number, end: number): void {
    if (type !== FRAME_METHOD || end - start < 4) return;
    const id = chunk.readUInt32BE(start);
    if (id === METHOD.CHANNEL_CLOSE_OK) this.end();
    else if (id === METHOD.CHANNEL_CLOSE) this.send({ name: 'channel.close-ok' });
  }

  /** The peer's own channel.close. */
  closedByPeer(): void {
    this.giveBack();
    this.send({ name: 'channel.close-ok' });
    this.end();
  }

  private end(): void {
    this.gone = true;
    this.connection.forgetChannel(this);
  }

  private giveBack(): void {
    this.content = null;
    this.transaction = null;
    this.consumption.close();
  }

  /** The connection is going. */
  leave(): void {
    if (!this.closing) this.giveBack();
    this.gone = true;
  }

  // ---- what administrators see -------------------------------------------------------------------------------------

  get transactional(): boolean {
    return this.transaction !== null;
  }

  get unacknowledgedCount(): number {
    return this.consumption.unsettled.count;
  }

  get unconfirmedCount(): number {
    return this.publisher.confirms.waitingCount;
  }

  get uncommittedCount(): number {
    return this.transaction?.publishCount ?? 0;
  }

  get acksUncommittedCount(): number {
    return this.transaction?.verdictCount ?? 0;
  }

  get prefetchCount(): number {
    return this.consumption.prefetch;
  }

  get globalPrefetchCount(): number {
    return this.consumption.globalPrefetch;
  }

  get consumers(): Iterable<ConsumerView> {
    return this.consumption.list();
  }

  get consumerCount(): number {
    return this.consumption.consumerCount;
  }

  get publishedCount(): number {
    return this.publisher.statistics.published;
  }

  get confirmedCount(): number {
    return this.publisher.statistics.confirmed;
  }

  get returnedCount(): number {
    return this.publisher.statistics.returned;
  }

  get deliveredCount(): number {
    return this.consumption.deliveredCount;
  }

  get acknowledgedCount(): number {
    return this.consumption.acknowledgedCount;
  }
}

function u32(chunk: Buffer, at: number): number {
  return ((chunk[at]! << 24) | (chunk[at + 1]! << 16) | (chunk[at + 2]! << 8) | chunk[at + 3]!) >>> 0;
}

/** basic.ack, nack or reject: what drains the broker passes while publishes wait. */
function isVerdict(chunk: Buffer, at: number, next: number): boolean {
  const id = methodIdAt(chunk, at, next);
  return id === METHOD.BASIC_ACK || id === METHOD.BASIC_NACK || id === METHOD.BASIC_REJECT;
}
