import {
  type Actor,
  type Arguments,
  type ConnectionView,
  type DetachReason,
  type Flushable,
  noArguments,
  Output,
  PHASE_DECIDE,
  type Principal,
  type Publisher,
} from '@chapar/core';
import type { Wire, WireSink } from '@chapar/platform';
import { Client } from './client.js';
import { ackReason, readAck, writeAck } from './codec/ack.js';
import { connack, disconnect, PINGRESP_PACKET } from './codec/answers.js';
import { type Connect, readConnect, speaks5, UnsupportedVersionError } from './codec/connect.js';
import { readDisconnect } from './codec/disconnect.js';
import { MqttError, malformed, protocolError } from './codec/error.js';
import { assertFlags } from './codec/flags.js';
import {
  AUTH,
  CONNECT,
  DISCONNECT,
  PINGREQ,
  PUBACK,
  PUBCOMP,
  PUBLISH,
  PUBREC,
  PUBREL,
  packetName,
  SUBSCRIBE,
  UNSUBSCRIBE,
} from './codec/packet.js';
import { PacketReader } from './codec/packet-reader.js';
import { REASON } from './codec/reason.js';
import type { MqttDoor } from './door.js';
import { faultOf } from './faults.js';
import { bodyOf, Held } from './held.js';
import { Inbound } from './inbound.js';
import type { MqttListener } from './listener.js';
import { Liveness } from './liveness.js';
import { type Opened, openSession } from './opening.js';
import type { Replay } from './retained/replay.js';
import { Sender } from './sender.js';
import type { Session } from './session.js';
import { subscribe, unsubscribe } from './subscribing.js';

/** Answers may wait for a peer up to this many times what deliveries may. */
const answersFactor = 16;
/** Characters of a reason string. */
const reasonLengthMax = 200;
/** How long a peer that was hung up on may take to go. */
const goneMs = 5000;

/** `connect`: nothing came yet; `opening`: CONNECT came and is being decided. */
type State = 'connect' | 'opening' | 'open' | 'closed';

/** One client: owns its wire, reads its packets, holds its session while it is connected (§4.2). */
export class Connection extends Client implements WireSink, ConnectionView, Flushable {
  readonly door: MqttDoor;
  readonly listener: MqttListener;
  readonly output: Output;
  receiveMaximum: number;
  /** Retained messages on their way; null: there were none yet. */
  replay: Replay | null = null;
  readonly liveness: Liveness;
  private readonly reader: PacketReader;
  private readonly held = new Held();
  private stateNow: State = 'connect';
  private requestsProblem = true;
  private isAdmitted = false;
  /** What the client takes; Infinity: anything. */
  private packetBytesMax = Number.POSITIVE_INFINITY;
  private topicAliasMaximum = 0;
  private actorNow: Actor | null = null;
  private sessionNow: Session | null = null;
  /** Null: it has published nothing yet. */
  inboundMade: Inbound | null = null;
  /** Null: it was sent nothing yet. */
  senderMade: Sender | null = null;
  /** A decision is awaited: packets wait, but for acknowledgements. */
  private isBusy = false;
  private isPaused = false;
  /** More waits for the client than deliveries may fill up: they stopped. */
  private isThirsty = false;
  private endBeforeMs = Number.POSITIVE_INFINITY;
  private heartbeat = 0;

  constructor(door: MqttDoor, wire: Wire, listener: MqttListener) {
    const { broker } = door;
    const { clock } = broker.platform;
    super(wire, clock.wallMs());
    this.door = door;
    this.listener = listener;
    this.receiveMaximum = listener.limits.inFlightMax;
    this.output = new Output(wire, broker.turn, () => this.flushed());
    this.reader = new PacketReader(this, listener.connectBytesMax);
    this.liveness = new Liveness(wire, clock.monotonicMs(), broker.limits.node);
  }

  // ---- the wire --------------------------------------------------------------------------------------------------

  received(chunk: Buffer): void {
    if (this.stateNow === 'closed') return;
    try {
      this.reader.read(chunk);
    } catch (error) {
      this.fail(error);
    }
    this.regulate();
  }

  drained(): void {
    this.liveness.drained();
    this.endOfTurn();
  }

  private flushed(): void {
    if ((this.isThirsty || this.isPaused) && this.wire.unsentBytes === 0) this.door.broker.turn.add(PHASE_DECIDE, this);
  }

  endOfTurn(): void {
    if (this.stateNow === 'closed') return;
    this.regulate();
    if (!this.isThirsty) return;
    this.isThirsty = false;
    this.sessionNow?.outboundMade?.resume();
    this.replay?.goOn();
  }

  ended(): void {
    this.hangUp();
  }

  closed(error: Error | null): void {
    this.leave();
    this.stateNow = 'closed';
    if (error !== null) this.door.log.debug({ peer: this.name, error: error.message }, 'connection broke');
    this.door.forget(this);
  }

  /** Nothing more is read of a peer whose packets wait in numbers, or that does not read its answers. */
  private regulate(): void {
    if (this.stateNow === 'closed') return;
    const shall = this.held.isFull || !this.mayAnswer;
    if (shall === this.isPaused) return;
    this.isPaused = shall;
    if (shall) this.wire.pause();
    else this.wire.resume();
  }

  // ---- packets ---------------------------------------------------------------------------------------------------

  packet(chunk: Buffer, at: number, bodyAt: number, next: number): boolean {
    if (this.stateNow === 'closed') return false;
    const type = chunk[at]! >> 4;
    if (this.mustWait(type)) this.held.add(chunk, at, next);
    else this.take(type, chunk, at, bodyAt, next);
    return !this.isOver;
  }

  /** Order is kept: behind one that waits wait all but those that let the broker get rid of something. */
  private mustWait(type: number): boolean {
    if (type === PUBACK || type === PUBREC || type === PUBCOMP || type === PINGREQ) return this.stateNow === 'opening';
    if (this.isBusy || !this.held.isEmpty) return true;
    return type === PUBLISH && this.door.broker.alarms.isRaised && this.stateNow === 'open';
  }

  private take(type: number, chunk: Buffer, at: number, bodyAt: number, next: number): void {
    if (this.stateNow === 'connect') {
      this.takeConnect(type, chunk, at, bodyAt, next);
      return;
    }
    if (type === PUBLISH) {
      const waiting = this.inbound.publish(chunk, at, bodyAt, next);
      if (waiting !== null) this.waitFor(waiting);
      return;
    }
    assertFlags(type, chunk[at]! & 0x0f, this.version);
    if (type >= PUBACK && type <= PUBCOMP) this.takeAck(type, chunk, bodyAt, next);
    else if (type === SUBSCRIBE) this.waitFor(subscribe(this, this.opened, chunk, at, bodyAt, next));
    else if (type === UNSUBSCRIBE) this.waitFor(unsubscribe(this, this.opened, chunk, at, bodyAt, next));
    else if (type === PINGREQ) this.ping(bodyAt, next);
    else if (type === DISCONNECT) this.goodbye(chunk, bodyAt, next);
    // [MQTT-3.1.0-2]
    else if (type === CONNECT) throw protocolError('a second CONNECT');
    // There is no enhanced authentication here. [MQTT-4.12.0-6]
    else if (type === AUTH && this.version === 5) throw protocolError('AUTH without an Authentication Method');
    else
      throw this.version === 5
        ? protocolError(`${packetName(type)} of a client`)
        : malformed(`${packetName(type)} of a client`);
  }

  private takeAck(type: number, chunk: Buffer, bodyAt: number, next: number): void {
    const packetId = readAck(chunk, type, bodyAt, next, this.version);
    const { outbound } = this.session;
    if (type === PUBACK) outbound.puback(packetId);
    else if (type === PUBCOMP) outbound.pubcomp(packetId);
    else if (type === PUBREL) this.inbound.pubrel(packetId);
    else if (ackReason >= 0x80) outbound.refused(packetId);
    else if (!outbound.pubrec(packetId)) writeAck(this.output, PUBREL, packetId, REASON.packetIdNotFound, this.version);
    this.replay?.goOn();
  }

  private ping(bodyAt: number, next: number): void {
    if (bodyAt !== next) throw malformed('a PINGREQ with a body');
    // [MQTT-3.12.4-1]
    this.output.append(PINGRESP_PACKET);
  }

  /** What comes meanwhile waits, and goes on when it is decided. */
  private waitFor(deciding: Promise<void>): void {
    this.isBusy = true;
    deciding.then(
      () => this.decided(),
      (error: unknown) => {
        this.fail(error);
        this.decided();
      },
    );
  }

  private decided(): void {
    this.isBusy = false;
    this.goOn();
  }

  /** Packets that waited, as far as nothing stands against them. An alarm ended, or something was decided. */
  goOn(): void {
    const { held, door } = this;
    while (!held.isEmpty && !this.isBusy && this.stateNow !== 'closed') {
      const packet = held.shift();
      const type = packet[0]! >> 4;
      if (type === PUBLISH && door.broker.alarms.isRaised) {
        held.unshift(packet);
        break;
      }
      try {
        this.take(type, packet, 0, bodyOf(packet), packet.length);
      } catch (error) {
        this.fail(error);
      }
    }
    this.regulate();
  }

  // ---- opening -----------------------------------------------------------------------------------------------------

  private takeConnect(type: number, chunk: Buffer, at: number, bodyAt: number, next: number): void {
    // [MQTT-3.1.0-1]
    if (type !== CONNECT) {
      this.door.said(this, chunk, at);
      this.hangUp();
      return;
    }
    let wish: Connect;
    try {
      if ((chunk[at]! & 0x0f) !== 0) throw malformed('reserved flags of CONNECT are set');
      wish = readConnect(chunk, at, bodyAt, next);
      this.version = wish.version;
    } catch (error) {
      this.beAbleToRefuse(error, speaks5(chunk, bodyAt, next));
      throw error;
    }
    this.stateNow = 'opening';
    this.reader.packetBytesMax = this.listener.packetBytesMax;
    this.requestsProblem = wish.requestProblem;
    this.packetBytesMax = wish.packetBytesMax;
    this.waitFor(openSession(this, wish).then((opened) => this.open(opened, wish)));
  }

  /** Who speaks another level [MQTT-3.1.2-2], or 5.0 with something wrong (§4.13.1), is answered in the form that it knows. */
  private beAbleToRefuse(error: unknown, is5: boolean): void {
    if (error instanceof UnsupportedVersionError) this.version = error.level >= 5 ? 5 : 4;
    else if (is5) this.version = 5;
    else return;
    this.stateNow = 'opening';
  }

  /** Throws MqttError when its listener lets nobody in now. */
  admit(): void {
    this.listener.admit();
    this.isAdmitted = true;
  }

  private open(opened: Opened | null, wish: Connect): void {
    if (opened === null || this.isOver) return;
    const { session, actor, answer } = opened;
    this.actorNow = actor;
    this.sessionNow = session;
    const { broker } = this.door;
    if (this.version === 5) this.receiveMaximum = Math.min(wish.receiveMaximum, 65_535);
    this.topicAliasMaximum = wish.topicAliasMaximum;
    this.heartbeat = opened.keepAliveSeconds;
    this.liveness.opened(opened.keepAliveSeconds);
    this.stateNow = 'open';
    broker.connections.add(this);
    this.output.append(answer);
    this.door.log.info({ peer: this.name, client: session.clientId, user: actor.principal.user }, 'connection opened');
    session.attach(this);
    opened.begin();
  }

  // ---- what deliveries ask -----------------------------------------------------------------------------------------

  sendPubrel(packetId: number): void {
    writeAck(this.output, PUBREL, packetId, REASON.success, this.version);
  }

  mayDeliverMore(): boolean {
    this.output.flushLarge();
    if (this.output.waitingBytes < this.door.broker.limits.node.unsentBytesMax) return true;
    this.isThirsty = true;
    return false;
  }

  /** False when a peer should read before it gets more. */
  get mayAnswer(): boolean {
    this.output.flushLarge();
    return this.output.waitingBytes < this.door.broker.limits.node.unsentBytesMax * answersFactor;
  }

  queueGone(why: DetachReason): void {
    const { takeovers } = this.door;
    if (why === 'fenced' && takeovers !== null) {
      takeovers.fenced(this.session);
      return;
    }
    this.fail(new MqttError(REASON.administrativeAction, `the session's queue is gone (${why})`));
  }

  // ---- endings -----------------------------------------------------------------------------------------------------

  /** DISCONNECT of the client (§3.14.4). */
  private goodbye(chunk: Buffer, bodyAt: number, next: number): void {
    const { reason, sessionExpirySeconds } = readDisconnect(chunk, bodyAt, next, this.version);
    const { session } = this;
    if (sessionExpirySeconds > 0 && session.expirySeconds === 0)
      throw protocolError('a Session Expiry Interval of a session that was to end with its connection');
    if (sessionExpirySeconds >= 0) session.expirySeconds = this.door.boundedExpiry(sessionExpirySeconds);
    // [MQTT-3.14.4-3]
    if (reason === REASON.success) this.door.sessions.takeBackWill(session);
    this.hangUp();
  }

  /** Whatever was thrown while working for this peer: the reason code for it, then the end. §4.13 */
  fail(error: unknown): void {
    if (this.isOver) return;
    const wrong = faultOf(error, this.door, this.name);
    this.door.log.warn({ peer: this.name, reason: wrong.reason }, `connection closed: ${wrong.message}`);
    this.say(wrong);
    this.hangUp();
  }

  /** In CONNACK while there was none, else in DISCONNECT, which only 5.0 has. */
  say({ reason, message }: MqttError): void {
    const text = this.requestsProblem ? message.slice(0, reasonLengthMax) : null;
    const answer = this.goodbyeWith(reason, text);
    // [MQTT-3.2.2-19], [MQTT-3.14.2-3]
    const short = answer !== null && answer.length > this.packetBytesMax ? this.goodbyeWith(reason, null) : answer;
    if (short !== null) this.output.append(short);
  }

  private goodbyeWith(reason: number, text: string | null): Buffer | null {
    if (this.stateNow === 'opening')
      return connack(this.version, reason, false, text === null ? {} : { reasonString: text });
    return this.stateNow === 'open' && this.version === 5 ? disconnect(reason, text) : null;
  }

  /** Another connection has the client identifier now. [MQTT-3.1.4-3] */
  takenOver(): void {
    this.fail(new MqttError(REASON.sessionTakenOver, 'another connection came with this client identifier'));
  }

  /** An administrator, or the end of the broker. */
  close(reason: string): void {
    const isStopping = this.door.isStopping;
    this.fail(new MqttError(isStopping ? REASON.serverShuttingDown : REASON.administrativeAction, reason));
  }

  /** Writes what there is and ends the wire. */
  hangUp(): void {
    if (this.stateNow === 'closed') return;
    this.leave();
    this.stateNow = 'closed';
    this.output.flush();
    this.wire.end();
    this.endBeforeMs = this.door.broker.platform.clock.monotonicMs() + goneMs;
  }

  /** The peer does not listen: nothing more is said. */
  private drop(): void {
    this.leave();
    this.stateNow = 'closed';
    this.wire.destroy();
  }

  private leave(): void {
    if (this.isPaused) this.wire.resume();
    this.isPaused = false;
    this.held.clear();
    if (this.isAdmitted) this.listener.left();
    this.isAdmitted = false;
    this.door.broker.connections.delete(this);
    const { sessionNow } = this;
    if (sessionNow === null) {
      this.actorNow?.leave();
      return;
    }
    const dropped = this.senderMade?.droppedCount || undefined;
    if (this.stateNow === 'open')
      this.door.log.info({ peer: this.name, client: sessionNow.clientId, dropped }, 'connection closed');
    this.door.sessions.disconnected(sessionNow, this);
    this.actorNow?.leave();
  }

  /** Once a second. */
  tick(nowMs: number): void {
    if (nowMs >= this.endBeforeMs) {
      this.wire.destroy();
      return;
    }
    if (this.stateNow === 'closed') return;
    const verdict = this.liveness.tick(nowMs, this.output.waitingBytes, !this.isPaused);
    if (verdict === null) return;
    if (verdict === 'silent') {
      // [MQTT-3.1.2-22]
      this.fail(new MqttError(REASON.keepAliveTimeout, 'nothing came for one and a half times the keep-alive'));
    } else {
      this.door.log.warn({ peer: this.name }, `connection closed: ${verdict}`);
      this.drop();
    }
  }

  // ---- what it is -------------------------------------------------------------------------------------------------

  get isOver(): boolean {
    return this.stateNow === 'closed';
  }

  /** Made with the first message: many clients only publish, and others only listen. */
  get sender(): Sender {
    const { version, packetBytesMax, topicAliasMaximum } = this;
    const { dialects, turn } = this.door.broker;
    this.senderMade ??= new Sender(this.output, dialects, turn, { version, packetBytesMax, topicAliasMaximum });
    return this.senderMade;
  }

  private get inbound(): Inbound {
    this.inboundMade ??= new Inbound(this, this.session);
    return this.inboundMade;
  }

  get session(): Session {
    return this.sessionNow!;
  }

  get actor(): Actor {
    return this.actorNow!;
  }

  private get opened(): { readonly session: Session; readonly actor: Actor } {
    return { session: this.sessionNow!, actor: this.actorNow! };
  }

  get principal(): Principal {
    return this.actorNow!.principal;
  }

  get vhost(): string {
    return this.actorNow!.vhost.name;
  }

  get clientProperties(): Arguments {
    return this.sessionNow === null ? noArguments : { product: 'MQTT client', client_id: this.sessionNow.clientId };
  }

  get userProvidedName(): string {
    return this.sessionNow?.clientId ?? '';
  }

  get state(): 'running' | 'flow' | 'closing' {
    if (this.stateNow !== 'open') return 'closing';
    return this.isPaused || this.door.broker.alarms.isRaised ? 'flow' : 'running';
  }

  get frameBytesMax(): number {
    return this.listener.packetBytesMax;
  }

  get heartbeatSeconds(): number {
    return this.heartbeat;
  }

  get publisher(): Publisher | null {
    return this.inboundMade?.publisher ?? null;
  }
}
