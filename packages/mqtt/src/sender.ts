import { DIALECT_MQTT, type Dialects, type Message, type Output, type Turn } from '@chapar/core';
import type { Version } from './codec/packet.js';
import { measurePublish, PublishHead, writePublish } from './publish-writer.js';
import { passing, topicBytesOf } from './topic-bridge.js';

const head = new PublishHead();
const nothing = Buffer.alloc(0);

/** Packets up to this are kept for the next subscriber of the same message. Bytes. */
const sharedBytesMax = 4096;
/** The last packet of QoS 0, which many connections may be told alike. */
const shared = Buffer.allocUnsafeSlow(sharedBytesMax);
let sharedMessage: Message | null = null;
let sharedKind = 0;
/** 0: the message was sent once so far and is not in `shared`. */
let sharedBytes = 0;

/** What a client may be told, as it said in CONNECT. */
export interface SenderLimits {
  readonly version: Version;
  /** Infinity: none. [MQTT-3.1.2-24] */
  readonly packetBytesMax: number;
  /** [MQTT-3.1.2-26], [MQTT-3.1.2-27] */
  readonly topicAliasMaximum: number;
}

/** Topic aliases that we give a client, however many it would take. */
const aliasesMax = 64;

/** Writes messages to one client. */
export class Sender {
  private readonly output: Output;
  private readonly dialects: Dialects;
  private readonly turn: Turn;
  private readonly limits: SenderLimits;
  private aliases: Map<Buffer, number> | null = null;
  sentCount = 0;
  /** Of what was sent. Bytes. */
  payloadBytes = 0;
  /** Too large for the client, or of QoS 0 and the client did not read fast enough. */
  droppedCount = 0;

  constructor(output: Output, dialects: Dialects, turn: Turn, limits: SenderLimits) {
    this.output = output;
    this.dialects = dialects;
    this.turn = turn;
    this.limits = limits;
  }

  /** In MQTT's form: once, at the exit. */
  formed(message: Message): Message {
    return message.dialect === DIALECT_MQTT ? message : this.dialects.inDialect(message, DIALECT_MQTT);
  }

  /** A message of QoS 0; of those that go to many alike, the packet is encoded once. */
  sendPlain(message: Message, retain: boolean, subscriptionIds: readonly number[] | null): void {
    const { version, packetBytesMax, topicAliasMaximum } = this.limits;
    const isAlike = subscriptionIds === null && topicAliasMaximum === 0 && message.expirationMs < 0;
    const kind = (version === 5 ? 2 : 0) | (retain ? 1 : 0);
    if (!isAlike || message !== sharedMessage || kind !== sharedKind) {
      if (this.send(message, 0, false, retain, 0, subscriptionIds) && isAlike) {
        sharedMessage = message;
        sharedKind = kind;
        sharedBytes = 0;
      }
      return;
    }
    if (sharedBytes === 0) this.encodeShared(message, retain);
    if (sharedBytes === 0 || sharedBytes > packetBytesMax) {
      this.send(message, 0, false, retain, 0, null);
      return;
    }
    const { output } = this;
    output.reserve(sharedBytes);
    shared.copy(output.slab, output.at, 0, sharedBytes);
    output.at += sharedBytes;
    this.sentCount++;
    this.payloadBytes += message.bodyBytes;
  }

  private encodeShared(message: Message, retain: boolean): void {
    this.fill(message, 0, false, retain, 0, null);
    const bytes = measurePublish(head, message);
    if (bytes > sharedBytesMax || message.parts !== null) return;
    const { output } = this;
    output.reserve(bytes);
    const start = output.at;
    writePublish(output, head, message);
    output.slab.copy(shared, 0, start, output.at);
    // It was only borrowed: the caller copies it in as it will be for the others.
    output.at = start;
    sharedBytes = bytes;
  }

  /** False when the packet is larger than the client takes: it is dropped as if it had been sent. [MQTT-3.1.2-25] */
  send(
    message: Message,
    qos: number,
    dup: boolean,
    retain: boolean,
    packetId: number,
    subscriptionIds: readonly number[] | null,
  ): boolean {
    this.fill(message, qos, dup, retain, packetId, subscriptionIds);
    if (measurePublish(head, message) > this.limits.packetBytesMax) {
      this.droppedCount++;
      return false;
    }
    // One that is retained and passes may be the only one of its topic that the client ever sees.
    if (this.limits.topicAliasMaximum > 0 && message.address !== passing) {
      this.shorten();
      measurePublish(head, message);
    }
    writePublish(this.output, head, message);
    this.sentCount++;
    this.payloadBytes += message.bodyBytes;
    return true;
  }

  private fill(
    message: Message,
    qos: number,
    dup: boolean,
    retain: boolean,
    packetId: number,
    subscriptionIds: readonly number[] | null,
  ): void {
    head.version = this.limits.version;
    head.qos = qos;
    head.dup = dup;
    head.retain = retain;
    head.packetId = packetId;
    head.topic = topicBytesOf(message.address);
    head.topicAlias = 0;
    head.expirySeconds = message.expirationMs < 0 ? -1 : this.expirySecondsLeft(message);
    head.subscriptionIds = subscriptionIds;
  }

  /** [MQTT-3.3.2-6]: what was given, less the time that the message has waited here. */
  private expirySecondsLeft({ expirationMs, receivedAtMs }: Message): number {
    const left = receivedAtMs === 0 ? expirationMs : receivedAtMs + expirationMs - this.turn.nowMs;
    return Math.max(0, Math.ceil(left / 1000));
  }

  /** The first topics get an alias each, and are named by it from the second time on. */
  private shorten(): void {
    const { topic } = head;
    this.aliases ??= new Map();
    const known = this.aliases.get(topic);
    if (known !== undefined) {
      head.topicAlias = known;
      head.topic = nothing;
    } else if (this.aliases.size < Math.min(this.limits.topicAliasMaximum, aliasesMax)) {
      this.aliases.set(topic, (head.topicAlias = this.aliases.size + 1));
    }
  }
}
