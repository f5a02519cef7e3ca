import { PacketCursor } from './cursor.js';
import { MqttError, malformed, protocolError } from './error.js';
import { CONNECT, type Qos, type Version } from './packet.js';
import { parseOne } from './parse.js';
import { PROPERTY, WILL, walkProperties } from './properties.js';
import { REASON } from './reason.js';

/** What the broker is to publish when the client goes without a goodbye (§3.1.2.5). */
export interface WillWish {
  readonly topic: string;
  readonly payload: Buffer;
  readonly qos: Qos;
  readonly retain: boolean;
  /** As in PUBLISH: without the delay, in their order. */
  readonly properties: Buffer;
  readonly delaySeconds: number;
  /** -1: none. */
  readonly expirySeconds: number;
}

/** A client's wish to connect (§3.1). Numbers are what the specification takes an absent one for. */
export interface Connect {
  readonly version: Version;
  /** Another broker, which marks its level; before 5.0. */
  readonly isBridge: boolean;
  readonly clientId: string;
  readonly cleanStart: boolean;
  readonly keepAliveSeconds: number;
  readonly username: string | null;
  readonly password: Buffer | null;
  readonly will: WillWish | null;
  /** 0: ends with the connection; 0xFFFFFFFF: never. Before 5.0: 0 with a clean session, else never. */
  readonly sessionExpirySeconds: number;
  readonly receiveMaximum: number;
  /** Infinity: none told. */
  readonly packetBytesMax: number;
  readonly topicAliasMaximum: number;
  readonly requestProblem: boolean;
  readonly requestResponse: boolean;
  readonly authMethod: string | null;
}

/** A level that we do not speak; the answer has the form of `version`. */
export class UnsupportedVersionError extends Error {
  readonly level: number;

  constructor(level: number) {
    super(`protocol level ${level} is not spoken here`);
    this.level = level;
  }
}

export const sessionNeverExpires = 0xffff_ffff;

/** Reads the CONNECT at `at`. Throws MqttError, or UnsupportedVersionError. */
export function readConnect(buf: Buffer, at: number, bodyAt: number, next: number): Connect {
  const checked = checkConnect(buf, bodyAt, next);
  const packet = parseOne(buf.subarray(at, next), checked.version);
  if (packet.cmd !== 'connect') throw malformed('not a CONNECT');
  const properties = packet.properties ?? {};
  const cleanStart = packet.clean ?? false;
  const expiry = checked.version === 5 ? (properties.sessionExpiryInterval ?? 0) : cleanStart ? 0 : sessionNeverExpires;
  return {
    version: checked.version,
    isBridge: checked.isBridge,
    clientId: packet.clientId,
    cleanStart,
    keepAliveSeconds: packet.keepalive ?? 0,
    username: packet.username ?? null,
    password: checked.hasPassword ? Buffer.from(packet.password ?? []) : null,
    will: checked.will,
    sessionExpirySeconds: expiry,
    receiveMaximum: properties.receiveMaximum ?? 65_535,
    packetBytesMax: properties.maximumPacketSize ?? Number.POSITIVE_INFINITY,
    topicAliasMaximum: properties.topicAliasMaximum ?? 0,
    requestProblem: properties.requestProblemInformation ?? true,
    requestResponse: properties.requestResponseInformation ?? false,
    authMethod: properties.authenticationMethod ?? null,
  };
}

/** Whether a CONNECT is one of 5.0, whatever is wrong with the rest of it. */
export function speaks5(buf: Buffer, bodyAt: number, next: number): boolean {
  return next - bodyAt > 6 && buf.toString('latin1', bodyAt, bodyAt + 7) === '\0\x04MQTT\x05';
}

interface Checked {
  readonly version: Version;
  readonly isBridge: boolean;
  readonly hasPassword: boolean;
  readonly will: WillWish | null;
}

/** The raw bytes, against all that the specification says of them: mqtt-packet lets much of it through. */
function checkConnect(buf: Buffer, bodyAt: number, next: number): Checked {
  const cursor = new PacketCursor(buf, bodyAt, next);
  const version = readVersion(cursor);
  const isBridge = buf[cursor.at - 1]! >= 0x80;
  const flags = cursor.u8();
  const hasUser = (flags & 0x80) !== 0;
  const hasPassword = (flags & 0x40) !== 0;
  checkFlags(flags, version);
  cursor.u16();
  let authMethod = false;
  let authData = false;
  if (version === 5) {
    walkProperties(cursor, CONNECT, (id) => {
      if (id === PROPERTY.authMethod) authMethod = true;
      else if (id === PROPERTY.authData) authData = true;
    });
    if (authData && !authMethod) throw protocolError('Authentication Data without an Authentication Method');
  }
  cursor.skipText();
  const will = (flags & 0x04) !== 0 ? readWill(cursor, flags, version) : null;
  if (hasUser) cursor.skipText();
  if (hasPassword) cursor.skip(cursor.u16());
  if (cursor.remaining > 0) throw malformed('bytes behind the end of CONNECT');
  return { version, isBridge, hasPassword, will };
}

function readVersion(cursor: PacketCursor): Version {
  const name = cursor.text();
  const level = cursor.u8();
  // The highest bit marks a bridge, which some brokers send. [MQTT-3.1.2-1], [MQTT-3.1.2-2]
  const plain = level & 0x7f;
  if (name === 'MQIsdp' && plain === 3) return 3;
  if (name === 'MQTT' && (plain === 4 || level === 5)) return plain as Version;
  if (name === 'MQTT' || name === 'MQIsdp') throw new UnsupportedVersionError(level);
  throw new MqttError(REASON.unsupportedVersion, 'the protocol name is not MQTT');
}

function checkFlags(flags: number, version: Version): void {
  // [MQTT-3.1.2-3]
  if ((flags & 0x01) !== 0) throw malformed('the reserved connect flag is set');
  const qos = (flags >> 3) & 3;
  // [MQTT-3.1.2-12]
  if (qos === 3) throw malformed('a will with QoS 3');
  // [MQTT-3.1.2-11], [MQTT-3.1.2-13]
  if ((flags & 0x04) === 0 && (qos !== 0 || (flags & 0x20) !== 0)) throw malformed('will flags without a will');
  // [MQTT-3.1.2-22] of 3.1.1; 5.0 allows it.
  if (version !== 5 && (flags & 0xc0) === 0x40) throw malformed('a password without a user name');
}

function readWill(cursor: PacketCursor, flags: number, version: Version): WillWish {
  const qos = ((flags >> 3) & 3) as Qos;
  const kept: Buffer[] = [];
  let delaySeconds = 0;
  let expirySeconds = -1;
  if (version === 5) {
    const { buf } = cursor;
    walkProperties(cursor, WILL, (id, start, end) => {
      if (id === PROPERTY.willDelay) delaySeconds = buf.readUInt32BE(start);
      else kept.push(buf.subarray(start - 1, end));
      if (id === PROPERTY.messageExpiry) expirySeconds = buf.readUInt32BE(start);
      if (id === PROPERTY.responseTopic && /[#+]/.test(buf.toString('utf8', start + 2, end)))
        throw protocolError('a Response Topic with a wildcard');
    });
  }
  const topic = cursor.text();
  if (topic === '' || /[#+]/.test(topic))
    throw new MqttError(REASON.topicInvalid, 'the topic of the will is no topic name');
  const payload = Buffer.from(cursor.binary());
  const retain = (flags & 0x20) !== 0;
  return { topic, payload, qos, retain, properties: Buffer.concat(kept), delaySeconds, expirySeconds };
}
