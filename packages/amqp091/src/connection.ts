import {
  type Actor,
  type Arguments,
  type BrokerError,
  brokerError,
  type ChannelView,
  type ConnectionView,
  certificateUser,
  type Flushable,
  PHASE_DECIDE,
  type Principal,
} from '@chapar/core';
import { type Endpoint, endpointText, type TlsSession, type Wire, type WireSink } from '@chapar/platform';
import { argumentsOf } from './argument-values.js';
import { Blocked } from './blocked.js';
import { Channel } from './channel.js';
import {
  decodeMethod,
  encodeMethod,
  FRAME_BODY,
  FRAME_HEADER_BYTES,
  FRAME_HEARTBEAT,
  FRAME_METHOD,
  HEARTBEAT_FRAME,
  type Method,
  type MethodInput,
  PROTOCOL_HEADER,
} from './codec/index.js';
import type { DoorParts } from './door.js';
import { EarlyFrames } from './early-frames.js';
import { contentName, faultOf, forcedEnd, notChannelZero, replyText } from './faults.js';
import { assertFrameEnd, FrameReader, methodIdAt } from './frame-reader.js';
import { type Agreement, Handshake } from './handshake.js';
import { Liveness } from './liveness.js';
import { Opening } from './opening.js';
import { Output } from './output.js';
import { Reading } from './reading.js';
import { Targets } from './targets.js';

/** Frames of the handshake may be this large whatever is negotiated later (client properties, tokens). Bytes. */
const handshakeFrameBytesMax = 16 * 1024;
/** Answers may wait for a peer up to this many times what deliveries may: acknowledgements of those must still be read. */
const answersFactor = 16;
/** How long a peer may take to answer connection.close before it is hung up on. */
const closingMs = 5000;

/** `header`: nothing came yet; `closing`: connection.close was sent and its answer is awaited, all else is ignored. */
type State = 'header' | 'handshake' | 'open' | 'closing' | 'closed';

/** One peer: owns its wire, what it writes, its channels. AMQP 0-9-1 §2.2, §4. */
export class Connection implements WireSink, ConnectionView, Flushable {
  readonly protocol = 'AMQP 0-9-1';
  readonly parts: DoorParts;
  readonly output: Output;
  readonly reading: Reading;
  readonly targets = new Targets();
  readonly blocked = new Blocked(this);
  readonly connectedAtMs: number;
  private readonly wire: Wire;
  private readonly reader: FrameReader;
  private readonly liveness: Liveness;
  private readonly onGone: () => void;
  private readonly byNumber = new Map<number, Channel>();
  private stateNow: State = 'header';
  private readonly handshake: Handshake;
  private readonly early: EarlyFrames;
  private actor: Actor | null = null;
  private agreement: Agreement;
  private opening: Opening | null = null;
  /** More waits for the peer than it may ask for without reading it: nothing more of it is read. */
  private isFlooded = false;
  /** Channels whose deliveries wait for room in the pipe. */
  private readonly thirsty = new Set<Channel>();
  /** Of an ending connection: when it is hung up on, or its wire destroyed. Monotonic milliseconds. */
  private endBeforeMs = Number.POSITIVE_INFINITY;

  constructor(parts: DoorParts, wire: Wire, onGone: () => void) {
    this.parts = parts;
    this.wire = wire;
    this.onGone = onGone;
    const { broker } = parts;
    const { clock } = broker.platform;
    this.connectedAtMs = clock.wallMs();
    this.reading = new Reading(wire);
    this.output = new Output(wire, broker.turn, broker.dialects, () => this.flushed());
    this.reader = new FrameReader(this, handshakeFrameBytesMax);
    const { channelsMax, frameBytesMax } = broker.limits.node;
    this.agreement = { channelsMax, frameBytesMax, heartbeatSeconds: 0 };
    this.handshake = new Handshake(parts, this, this);
    this.early = new EarlyFrames(this, this.handshake);
    this.liveness = new Liveness(wire, clock.monotonicMs(), broker.limits.node);
  }

  // ---- the wire --------------------------------------------------------------------------------------------------

  received(chunk: Buffer): void {
    if (this.stateNow === 'closed') return;
    try {
      const rest = this.stateNow === 'header' ? this.readHeader(chunk) : chunk;
      if (rest !== null) this.reader.read(rest);
    } catch (error) {
      this.fail(error);
    }
    if (!this.isFlooded && !this.mayAnswer) {
      this.isFlooded = true;
      this.reading.hold();
    }
  }

  drained(): void {
    this.liveness.drained();
    this.endOfTurn();
  }

  /** The kernel took all of it at once: those who wait for room go on in the next turn, so that others have theirs. */
  private flushed(): void {
    if ((this.thirsty.size > 0 || this.isFlooded) && this.wire.unsentBytes === 0)
      this.parts.broker.turn.add(PHASE_DECIDE, this);
  }

  endOfTurn(): void {
    if (this.isFlooded) {
      this.isFlooded = false;
      this.reading.release();
    }
    if (this.thirsty.size === 0) return;
    const waiting = [...this.thirsty];
    this.thirsty.clear();
    for (const channel of waiting) channel.resume();
  }

  ended(): void {
    this.hangUp();
  }

  closed(error: Error | null): void {
    this.leave();
    this.stateNow = 'closed';
    if (error !== null) this.parts.log.debug({ peer: this.name, error: error.message }, 'connection broke');
    this.onGone();
  }

  /** The first eight bytes decide; whoever says something else is told what we speak, and hung up on. */
  private readHeader(chunk: Buffer): Buffer | null {
    this.opening ??= new Opening();
    const opened = this.opening.take(chunk);
    if (opened.header === 'wrong') this.refuseProtocol(opened.first);
    if (opened.header !== 'right') return null;
    this.opening = null;
    this.stateNow = 'handshake';
    this.handshake.start();
    return opened.rest.length > 0 ? opened.rest : null;
  }

  private refuseProtocol(first: Buffer): void {
    const spoken = this.parts.options.recognise(first) ?? 'something else';
    const { port } = this.wire.local;
    this.parts.log.warn(
      { peer: this.name, firstBytes: first.subarray(0, 8).toString('hex') },
      `a client speaks ${spoken} to port ${port}, which takes AMQP 0-9-1: it was answered AMQP 0-9-1 and hung up on`,
    );
    this.output.append(PROTOCOL_HEADER);
    this.hangUp();
  }

  // ---- frames ----------------------------------------------------------------------------------------------------

  frame(chunk: Buffer, at: number, next: number, end: number): number {
    assertFrameEnd(chunk, at, next);
    const number = (chunk[at + 1]! << 8) | chunk[at + 2]!;
    if (this.stateNow === 'open' && number !== 0) {
      const channel = this.byNumber.get(number);
      if (channel !== undefined) return channel.frame(chunk, at, next, end);
    }
    try {
      this.take(number, chunk, at, next);
    } catch (error) {
      this.fail(error, { id: methodIdAt(chunk, at, next) });
    }
    return this.stateNow === 'closed' ? -1 : next;
  }

  /** A frame of no open channel. */
  private take(number: number, chunk: Buffer, at: number, next: number): void {
    const type = chunk[at]!;
    const { stateNow } = this;
    if (stateNow === 'closed') return;
    if (type === FRAME_HEARTBEAT) this.heartbeat(number);
    else if (type < FRAME_METHOD || type > FRAME_BODY) throw brokerError('frameType', { type });
    else if (stateNow === 'handshake') this.early.add(number, chunk, at, next);
    else if (type === FRAME_METHOD) this.method(number, decodeMethod(chunk, at + FRAME_HEADER_BYTES, next - 1));
    else if (stateNow === 'open') throw brokerError('channelNotOpen', { channel: number, got: contentName(type) });
  }

  private method(number: number, method: Method): void {
    if (this.stateNow === 'closing') this.whileClosing(method);
    else if (number === 0) this.onChannelZero(method);
    else this.openChannel(number, method);
  }

  private onChannelZero(method: Method): void {
    if (method.name === 'connection.close') this.goodbye();
    else if (method.name === 'connection.update-secret') this.send({ name: 'connection.update-secret-ok' });
    else if (method.name.startsWith('connection.')) {
      throw brokerError('unexpectedMethod', { method: method.name, when: 'on an open connection' });
    } else {
      throw notChannelZero(method.name, 0);
    }
  }

  private openChannel(number: number, method: Method): void {
    // The answer to a close that crossed with ours, for a channel that both have forgotten.
    if (method.name === 'channel.close-ok') return;
    if (method.name.startsWith('connection.')) throw notChannelZero(method.name, number);
    if (method.name !== 'channel.open') throw brokerError('channelNotOpen', { channel: number, got: method.name });
    const { channelsMax } = this.agreement;
    if (this.byNumber.size >= channelsMax || number > channelsMax) {
      throw brokerError('channelLimit', { count: Math.max(this.byNumber.size, number), limit: channelsMax });
    }
    this.parts.broker.limits.assertChannel(this.principal.user);
    this.byNumber.set(number, new Channel(this, number, this.actor!));
    this.sendOn(number, { name: 'channel.open-ok' });
  }

  private heartbeat(number: number): void {
    if (number !== 0) throw brokerError('heartbeatOnChannel', { channel: number });
  }

  // ---- output ----------------------------------------------------------------------------------------------------

  send(method: MethodInput): void {
    this.sendOn(0, method);
  }

  sendOn(channel: number, method: MethodInput): void {
    if (this.stateNow !== 'closed') this.output.append(encodeMethod(channel, method));
  }

  /** False when enough waits for the peer; the channel is resumed once it has read that. */
  mayDeliverMore(channel: Channel): boolean {
    this.output.flushLarge();
    if (this.output.waitingBytes < this.parts.broker.limits.node.unsentBytesMax) return true;
    this.thirsty.add(channel);
    return false;
  }

  /** False when a peer should read before it gets more answers: messages got and returned, confirms, replies. */
  get mayAnswer(): boolean {
    return this.output.waitingBytes < this.parts.broker.limits.node.unsentBytesMax * answersFactor;
  }

  get messageBytesMax(): number {
    return this.parts.broker.limits.node.messageBytesMax;
  }

  get frameBytesMax(): number {
    return this.agreement.frameBytesMax;
  }

  // ---- handshake peer ----------------------------------------------------------------------------------------------

  get loopback(): boolean {
    const { address } = this.wire.remote;
    return address === '::1' || address.startsWith('127.') || address.startsWith('::ffff:127.');
  }

  get isShakingHands(): boolean {
    return this.stateNow === 'handshake';
  }

  get peerName(): string {
    return endpointText(this.wire.remote);
  }

  get certificateUser(): string | null {
    const certificate = this.wire.tls?.peerCertificate ?? null;
    return certificate === null ? null : certificateUser(certificate, this.parts.options.certificateLogin);
  }

  agreed(agreement: Agreement): void {
    this.agreement = agreement;
    this.reader.frameBytesMax = agreement.frameBytesMax;
    this.liveness.agreed(agreement.heartbeatSeconds);
  }

  opened(actor: Actor): void {
    if (this.stateNow !== 'handshake') return;
    this.actor = actor;
    this.stateNow = 'open';
    this.parts.broker.connections.add(this);
    this.liveness.opened();
    const { user } = actor.principal;
    this.parts.log.info({ peer: this.name, user, vhost: actor.vhost.name }, 'connection opened');
  }

  clientHas(capability: string): boolean {
    return this.handshake.clientHas(capability);
  }

  // ---- endings -----------------------------------------------------------------------------------------------------

  /** A channel is done: its number may be opened again. */
  forgetChannel(channel: Channel): void {
    this.byNumber.delete(channel.number);
    this.thirsty.delete(channel);
    this.blocked.delete(channel);
  }

  /** Whatever was thrown while working for this peer: the field's code for it, at the smallest scope. */
  fail(error: unknown, method?: { readonly id: number }): void {
    if (this.stateNow === 'closed' || this.stateNow === 'closing') return;
    const wrong = this.asBrokerError(error);
    this.parts.log.warn({ peer: this.name, code: wrong.code }, `connection closed: ${wrong.message}`);
    this.sayClose(wrong.code, wrong.message, method?.id ?? 0);
  }

  asBrokerError(error: unknown): BrokerError {
    return faultOf(error, this.parts, this.name);
  }

  /** An administrator, or the end of the broker. */
  close(reason: string): void {
    if (this.stateNow === 'open') {
      const { code, message } = forcedEnd(this.actor!, this.parts.broker.users, reason);
      this.sayClose(code, message, 0);
    } else if (this.stateNow !== 'closing') {
      this.hangUp();
    }
  }

  private sayClose(replyCode: number, text: string, methodId: number): void {
    const [classId, id] = [methodId >>> 16, methodId & 0xffff];
    this.send({ name: 'connection.close', replyCode, replyText: replyText(text), classId, methodId: id });
    this.leave();
    this.stateNow = 'closing';
    this.setDeadline();
  }

  private whileClosing(method: Method): void {
    if (method.name === 'connection.close-ok') this.hangUp();
    else if (method.name === 'connection.close') this.send({ name: 'connection.close-ok' });
  }

  /** The peer's connection.close has its turn behind what its channels still wait for. */
  private goodbye(): void {
    const waiting = [...this.byNumber.values()].flatMap((channel) => channel.rest() ?? []);
    if (waiting.length === 0) {
      this.closedByPeer();
      return;
    }
    this.reading.hold();
    void Promise.all(waiting).then(() => this.closedByPeer());
  }

  closedByPeer(): void {
    this.send({ name: 'connection.close-ok' });
    this.hangUp();
  }

  /** Writes what there is and ends the wire. */
  hangUp(): void {
    if (this.stateNow === 'closed') return;
    this.leave();
    this.stateNow = 'closed';
    this.output.flush();
    this.wire.end();
    this.setDeadline();
  }

  /** A peer that does not answer a goodbye, or never reads it, is not waited for any longer. */
  private setDeadline(): void {
    this.endBeforeMs = this.parts.broker.platform.clock.monotonicMs() + closingMs;
  }

  /** Gives everything back to the core: what channels hold, exclusive queues. */
  private leave(): void {
    this.reading.end();
    for (const channel of [...this.byNumber.values()]) channel.leave();
    this.byNumber.clear();
    this.thirsty.clear();
    this.blocked.clear();
    this.parts.broker.connections.delete(this);
    this.actor?.leave();
    if (this.actor !== null) this.parts.log.info({ peer: this.name }, 'connection closed');
    this.actor = null;
  }

  /** Once a second. */
  tick(nowMs: number): void {
    if (nowMs >= this.endBeforeMs) {
      if (this.stateNow === 'closing') this.hangUp();
      else this.wire.destroy();
      return;
    }
    const verdict = this.liveness.tick(nowMs, this.output.waitingBytes, !this.reading.isHeld);
    if (verdict === 'beat') this.output.append(HEARTBEAT_FRAME);
    else if (verdict !== null) this.overdue(verdict);
  }

  private overdue(verdict: 'silent' | 'handshake' | 'stalled'): void {
    const { node } = this.parts.broker.limits;
    if (verdict === 'silent') {
      this.parts.log.warn({ peer: this.name }, 'connection closed: nothing came for two heartbeat intervals');
      this.drop();
    } else if (verdict === 'stalled') {
      const { message } = brokerError('slowReader', { seconds: node.stalledSeconds, bytes: this.output.waitingBytes });
      this.parts.log.warn({ peer: this.name }, `connection closed: ${message}`);
      this.drop();
    } else if (this.stateNow === 'handshake') {
      this.fail(brokerError('handshakeTimeout', { seconds: node.handshakeSeconds }));
    } else {
      this.hangUp();
    }
  }

  /** The peer does not listen: nothing more is said. */
  private drop(): void {
    this.leave();
    this.stateNow = 'closed';
    this.wire.destroy();
  }

  // ---- what administrators see -------------------------------------------------------------------------------------

  get name(): string {
    return `${endpointText(this.wire.remote)} -> ${endpointText(this.wire.local)}`;
  }

  get principal(): Principal {
    return this.actor!.principal;
  }

  get vhost(): string {
    return this.actor!.vhost.name;
  }

  get local(): Endpoint {
    return this.wire.local;
  }

  get remote(): Endpoint {
    return this.wire.remote;
  }

  get tls(): TlsSession | null {
    return this.wire.tls;
  }

  get clientProperties(): Arguments {
    return argumentsOf(this.handshake.clientProperties);
  }

  get userProvidedName(): string {
    const name = this.handshake.clientProperties['connection_name'];
    return typeof name === 'string' ? name : '';
  }

  get authMechanism(): string {
    return this.handshake.mechanism;
  }

  get state(): 'running' | 'flow' | 'blocked' | 'blocking' | 'closing' {
    if (this.stateNow !== 'open') return 'closing';
    const { alarms } = this.parts.broker;
    if (alarms.isRaised) return alarms.isTold ? (this.blocked.isEmpty ? 'blocking' : 'blocked') : 'flow';
    return this.reading.isHeld ? 'flow' : 'running';
  }

  get channelsMax(): number {
    return this.agreement.channelsMax;
  }

  get heartbeatSeconds(): number {
    return this.agreement.heartbeatSeconds;
  }

  get receivedBytes(): number {
    return this.wire.receivedBytes;
  }

  get sentBytes(): number {
    return this.wire.sentBytes;
  }

  get unsentBytes(): number {
    return this.wire.unsentBytes;
  }

  get channels(): Iterable<ChannelView> {
    return this.byNumber.values();
  }

  get channelCount(): number {
    return this.byNumber.size;
  }
}
