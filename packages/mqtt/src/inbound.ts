import {
  BrokerError,
  type ConfirmSink,
  DIALECT_MQTT,
  Message,
  PHASE_DECIDE,
  type Provenance,
  Publisher,
  PublishSlot,
  type PublishTag,
  type Refusal,
  type Target,
} from '@chapar/core';
import { Acknowledgements } from './acknowledgements.js';
import { type Arrival, Arrivals } from './arrivals.js';
import { writeAck } from './codec/ack.js';
import { MqttError, protocolError } from './codec/error.js';
import { PUBACK, PUBCOMP, PUBREC, type Version } from './codec/packet.js';
import { PublishView, readPublish } from './codec/publish.js';
import { REASON } from './codec/reason.js';
import type { Connection } from './connection.js';
import { originProperty } from './origin.js';
import type { Received, ReceivedLog } from './received.js';
import type { Session } from './session.js';
import { editedProperties, markStored, storedForm } from './stored-publish.js';
import { Targets, type TopicTarget } from './targets.js';
import type { WriteSink } from './write-sink.js';

/** Filled and read within one publish, by one connection at a time. */
const view = new PublishView();

/** What a topic alias stands for. */
interface Alias {
  readonly topic: Buffer;
  /** Null: the client may not publish there, or might not when it named it. */
  readonly target: Target | null;
}

/** Ten years, the longest time to live that a queue takes. */
const expirationMsMax = 315_360_000_000;

/** What a client publishes (§3.3, §4.3): from its PUBLISH to our PUBACK or PUBREC, and from its PUBREL to our PUBCOMP. */
export class Inbound implements ConfirmSink {
  private readonly connection: Connection;
  private readonly session: Session;
  readonly publisher: Publisher;
  private readonly version: Version;
  /** Of a payload. */
  private readonly bytesMax: number;
  private readonly targets: Targets;
  private readonly acknowledgements = new Acknowledgements();
  /** Of what was published. Bytes. */
  payloadBytes = 0;
  private aliases: Alias[] | null = null;
  /** Of QoS 2, whose identifiers are on their way into another log; null: there were none yet. */
  private arrivals: Arrivals | null = null;
  private isUnrouted = false;
  private isRefused = false;
  /** Of identifiers that came, in the same log as their messages, and of those that are forgotten; null: there were none yet. */
  private confirming: WriteSink | null = null;
  private completing: WriteSink | null = null;
  private readonly answer = (packetId: number, exactlyOnce: boolean, reason: number): void =>
    this.acknowledge(packetId, exactlyOnce, reason);

  constructor(connection: Connection, session: Session) {
    this.connection = connection;
    this.session = session;
    this.version = connection.version;
    this.bytesMax = connection.door.broker.limits.node.messageBytesMax;
    this.targets = new Targets(connection.door.settings.exchange);
    this.publisher = new Publisher(connection.actor, connection.door.broker.turn, this);
  }

  /** The PUBLISH at `at`. A promise when it has to wait for a decision; then it is published when it is there, from bytes of its own. */
  publish(chunk: Buffer, at: number, bodyAt: number, next: number): Promise<void> | null {
    readPublish(chunk, at, bodyAt, next, this.version, view);
    if (view.qos === 2 && this.isOverMaximum()) {
      throw new MqttError(REASON.receiveMaximumExceeded, 'more messages are under way than Receive Maximum allows');
    }
    this.assertSize();
    const { topicStart, topicEnd, topicAlias } = view;
    let target: Target | null;
    if (topicStart === topicEnd) {
      const alias = this.aliased(topicAlias);
      target = alias.target;
      if (target === null || !this.publisher.isCurrent(target))
        return this.wait(alias.topic, 0, alias.topic.length, chunk, at, bodyAt, next);
    } else {
      const found = this.targets.find(this.publisher, chunk, topicStart, topicEnd);
      if (found === null) return this.wait(chunk, topicStart, topicEnd, chunk, at, bodyAt, next);
      if (topicAlias > 0) this.setAlias(topicAlias, found);
      target = found.target;
    }
    this.take(target, chunk, at);
    return null;
  }

  /** The packet may be as large as the largest message and what stands before it; its payload may not. */
  private assertSize(): void {
    const bytes = view.payloadEnd - view.payloadStart;
    const { bytesMax } = this;
    if (bytes > bytesMax)
      throw new MqttError(REASON.packetTooLarge, `a message of ${bytes} bytes; at most ${bytesMax} are taken`);
  }

  /** The topic has to be looked up and allowed first, which mostly is done at once. */
  private wait(
    name: Buffer,
    start: number,
    end: number,
    chunk: Buffer,
    at: number,
    bodyAt: number,
    next: number,
  ): Promise<void> | null {
    let found: TopicTarget | Promise<TopicTarget>;
    try {
      found = this.targets.resolve(this.publisher, name, start, end);
    } catch (error) {
      this.refuse(error, name, start, end);
      return null;
    }
    if (!(found instanceof Promise)) {
      if (view.topicAlias > 0) this.setAlias(view.topicAlias, found);
      this.take(found.target, chunk, at);
      return null;
    }
    return found.then(
      (target) => {
        if (this.connection.isOver) return;
        readPublish(chunk, at, bodyAt, next, this.version, view);
        if (view.topicAlias > 0) this.setAlias(view.topicAlias, target);
        this.take(target.target, chunk, at);
      },
      (error: unknown) => {
        if (this.connection.isOver) return;
        readPublish(chunk, at, bodyAt, next, this.version, view);
        this.refuse(error, name, start, end);
      },
    );
  }

  // ---- topic aliases -------------------------------------------------------------------------------------------------

  private aliased(alias: number): Alias {
    if (alias === 0) throw new MqttError(REASON.protocolError, 'a PUBLISH without topic and topic alias');
    this.assertAlias(alias);
    const found = this.aliases?.[alias];
    if (found === undefined) throw protocolError(`topic alias ${alias} stands for nothing yet`);
    return found;
  }

  private setAlias(alias: number, target: Alias): void {
    this.assertAlias(alias);
    this.aliases ??= [];
    this.aliases[alias] = target;
  }

  /** [MQTT-3.3.2-9] */
  private assertAlias(alias: number): void {
    const { topicAliasMaximum } = this.connection.door.settings;
    if (alias > topicAliasMaximum)
      throw new MqttError(REASON.topicAliasInvalid, `topic alias ${alias}; at most ${topicAliasMaximum}`);
  }

  // ---- publishing ----------------------------------------------------------------------------------------------------

  /** The message in `view`, to a target that was checked. */
  private take(target: Target, chunk: Buffer, at: number): void {
    const { qos, packetId } = view;
    const { received, receivedLog } = this.session;
    const isUnsure = qos === 2 && received.takeUnsure(packetId);
    if (qos === 2 && !isUnsure && received.has(packetId)) {
      // [MQTT-4.3.3-10]: it came before; what was not heard is said again, what is still owed will be.
      if (received.isAnswered(packetId)) this.say(PUBREC, packetId, REASON.success);
      else if (this.arrivals?.has(packetId) !== true) this.askFor(packetId);
      return;
    }
    const message = this.messageOf(target, chunk, at);
    if (qos === 2 && receivedLog?.isApart === true) {
      this.arrivals ??= this.newArrivals(received, receivedLog);
      this.arrivals.add(target, message, packetId, view.retain, isUnsure);
      return;
    }
    if (view.retain) this.keepRetained(target, message, qos);
    if (qos === 0) {
      this.publisher.publish(target, message, false, false);
      return;
    }
    const log = qos === 2 ? receivedLog : null;
    // Owed before it is published: a queue that is full refuses at once.
    this.acknowledgements.push(log === null ? packetId : 0, qos === 2, REASON.success);
    if (qos === 2) received.add(packetId);
    const reason = this.hand(target, message);
    if (log === null) this.acknowledgements.sayOfLast(reason);
    else this.logReceived(log, packetId, reason);
  }

  private newArrivals(received: Received, log: ReceivedLog): Arrivals {
    const publish = (arrival: Arrival): void => this.publishArrived(arrival);
    return new Arrivals(received, log, publish, () => this.relieved());
  }

  /** It came on a connection that is gone. */
  private askFor(packetId: number): void {
    this.session.received.whenAnswered(packetId, (isTaken) => {
      if (isTaken) this.say(PUBREC, packetId, REASON.success);
      else if (!this.connection.isOver)
        this.connection.fail(new MqttError(REASON.implementationSpecific, 'a message was not taken'));
    });
  }

  /** Publishes it; what is known at once of its answer. */
  private hand(target: Target, message: Message, from?: Provenance): number {
    this.isUnrouted = false;
    this.isRefused = false;
    this.publisher.publish(target, message, this.version === 5, true, from);
    if (this.isRefused) return REASON.quotaExceeded;
    return this.isUnrouted ? REASON.noMatchingSubscribers : REASON.success;
  }

  /** Its identifier is in the log. */
  private publishArrived({ target, message, packetId, retain, from }: Arrival): void {
    if (retain) this.keepRetained(target!, message!, 2, from);
    this.acknowledgements.push(packetId, true, REASON.success);
    this.acknowledgements.sayOfLast(this.hand(target!, message!, from));
  }

  /** Its session's messages do not wait in such numbers any more. */
  private relieved(): void {
    const { connection } = this.session;
    if (connection !== null) connection.door.broker.turn.add(PHASE_DECIDE, connection);
  }

  /** The answer waits for both, message and identifier, and for those before them. */
  private logReceived(log: ReceivedLog, packetId: number, reason: number): void {
    const { confirms } = this.publisher;
    const tag = confirms.begin();
    this.acknowledgements.push(packetId, true, reason);
    if (reason >= 0x80) {
      confirms.confirm(tag);
      return;
    }
    confirms.await(tag);
    this.confirming ??= { written: (_, at) => confirms.confirm(at) };
    log.received(packetId, this.confirming, tag);
  }

  private messageOf(target: Target, chunk: Buffer, at: number): Message {
    const { qos, payloadStart, payloadEnd, propertiesStart, propertiesEnd } = view;
    markStored(chunk, at, propertiesEnd - propertiesStart);
    const expirationMs = view.expirySeconds < 0 ? -1 : Math.min(view.expirySeconds * 1000, expirationMsMax);
    const bodyBytes = payloadEnd - payloadStart;
    this.payloadBytes += bodyBytes;
    const message = new Message(
      target.address,
      DIALECT_MQTT,
      qos > 0,
      -1,
      expirationMs,
      chunk,
      at,
      payloadStart,
      payloadStart,
      payloadEnd,
      null,
      bodyBytes,
    );
    if (!this.session.subscriptions.hasNoLocal) return message;
    const properties = editedProperties(message, [], originProperty(this.session.clientId));
    const form = storedForm(qos, view.retain, properties);
    const body = Buffer.from(chunk.subarray(payloadStart, payloadEnd));
    return new Message(
      target.address,
      DIALECT_MQTT,
      qos > 0,
      -1,
      expirationMs,
      form,
      0,
      form.length,
      0,
      0,
      [body],
      bodyBytes,
    );
  }

  private keepRetained(target: Target, message: Message, qos: number, from?: Provenance): void {
    const { retained } = this.connection.door;
    if (qos === 0) {
      retained.set(this.session.vhost.name, target.address, message, null);
      return;
    }
    // The acknowledgement waits until the retained message is as safe as the others.
    const { confirms } = this.publisher;
    const tag = confirms.begin();
    confirms.await(tag);
    this.acknowledgements.push(0, false, REASON.success);
    retained.set(this.session.vhost.name, target.address, message, new PublishSlot(confirms, tag, 1), from);
  }

  /**
   * [MQTT-3.3.4-7]: the client was told our Receive Maximum. Only of QoS 2 can it be much that is under way, as long as the client does not
   * release it; well-known clients flood with QoS 1 whatever they were told, and are acknowledged within the turn.
   */
  private isOverMaximum(): boolean {
    const { received } = this.session;
    if (this.version !== 5 || received.has(view.packetId)) return false;
    return received.size >= this.connection.listener.limits.receiveMaximum;
  }

  /** Not a wrong of the whole connection where 5.0 has an answer for it. §3.3.5 */
  private refuse(error: unknown, name: Buffer, start: number, end: number): void {
    const { qos, packetId, topicAlias } = view;
    const reason = refusalReason(error);
    if (reason === null || this.version !== 5 || qos === 0) throw error;
    // The packet was not wrong: the client goes on with its alias, and is refused again. §3.3.2.3.4
    if (topicAlias > 0) this.setAlias(topicAlias, { topic: Buffer.from(name.subarray(start, end)), target: null });
    const tag = this.publisher.confirms.begin();
    this.acknowledgements.push(packetId, qos === 2, reason);
    this.publisher.confirms.confirm(tag);
  }

  // ---- confirms ------------------------------------------------------------------------------------------------------

  confirmed(upTo: PublishTag): void {
    this.acknowledgements.take(upTo, this.answer);
  }

  /** Answers keep the order of the messages: this one is said with those before it. */
  confirmedAlone(): void {}

  refused(tag: PublishTag, why: Refusal): void {
    this.isRefused = true;
    this.acknowledgements.refuse(tag, why === 'queue-full' ? REASON.quotaExceeded : REASON.implementationSpecific);
  }

  returned(): void {
    this.isUnrouted = true;
  }

  private acknowledge(packetId: number, exactlyOnce: boolean, reason: number): void {
    const { received, receivedLog } = this.session;
    if (this.connection.isOver && receivedLog?.isApart !== true) return;
    this.arrivals?.answered(packetId);
    if (reason < 0x80) {
      if (exactlyOnce) received.answered(packetId);
      this.say(exactlyOnce ? PUBREC : PUBACK, packetId, reason);
    } else if (exactlyOnce && received.delete(packetId) && receivedLog !== null) {
      // Then it is another message's, which must not be taken for this one, also when another node has the session.
      receivedLog.forgotten(packetId, { written: (id) => this.sayRefused(PUBREC, id, reason) });
    } else this.sayRefused(exactlyOnce ? PUBREC : PUBACK, packetId, reason);
  }

  /** Before 5.0 there is no word for it: the client keeps the message, and comes again. [MQTT-3.3.5-2] of 3.1.1 */
  private sayRefused(type: number, packetId: number, reason: number): void {
    if (this.connection.isOver) return;
    if (this.version === 5) this.say(type, packetId, reason);
    else this.connection.fail(new MqttError(reason, 'a message was not taken'));
  }

  /** PUBREL: the identifier is free again. [MQTT-4.3.3-11] */
  pubrel(packetId: number): void {
    const { received, receivedLog, wasFound } = this.session;
    if (!received.delete(packetId)) {
      // Whose PUBCOMP was lost with the connection releases it again. That is no error (§3.7.2.1), but some clients take 0x92 for one
      // and report a message as failed that was taken.
      const reason = wasFound ? REASON.success : REASON.packetIdNotFound;
      // One that another connection has released may be on its way out of the log yet.
      if (receivedLog?.isApart !== true) this.say(PUBCOMP, packetId, reason);
      else receivedLog.forgotten(packetId, { written: (id) => this.say(PUBCOMP, id, reason) });
      return;
    }
    if (receivedLog === null) {
      this.say(PUBCOMP, packetId, REASON.success);
      return;
    }
    // Once the client has heard PUBCOMP it uses the identifier for another message, which must not be taken for this one.
    this.completing ??= { written: (id) => this.say(PUBCOMP, id, REASON.success) };
    receivedLog.forgotten(packetId, this.completing);
  }

  private say(type: number, packetId: number, reason: number): void {
    if (this.connection.isOver) return;
    writeAck(this.connection.output, type, packetId, reason, this.version);
  }

  get unconfirmedCount(): number {
    return this.acknowledgements.count;
  }
}

/** Null: it ends the connection. */
function refusalReason(error: unknown): number | null {
  if (error instanceof MqttError) return error.reason === REASON.notAuthorized ? error.reason : null;
  if (!(error instanceof BrokerError)) return null;
  if (error.key === 'accessRefused' || error.key === 'topicAccessRefused') return REASON.notAuthorized;
  return error.key === 'exchangeNotFound' ? REASON.implementationSpecific : null;
}
