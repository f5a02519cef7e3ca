// PUBLISH (§3.3) where it lies in the chunk:
//   | type, DUP, QoS, RETAIN | remaining length 1-4 | topic length 2 | topic | packet id 2, QoS > 0 | 5.0: length, properties | payload |
import { assertText } from './cursor.js';
import { MqttError, malformed, protocolError } from './error.js';
import { DUP_FLAG, RETAIN_FLAG, type Version } from './packet.js';
import { PROPERTY } from './properties.js';
import { REASON } from './reason.js';

/** A PUBLISH as it stands in a chunk. One object, filled anew for each. */
export class PublishView {
  qos = 0;
  retain = false;
  dup = false;
  /** 0 with QoS 0. */
  packetId = 0;
  topicStart = 0;
  topicEnd = 0;
  /** 5.0, behind their length; equal when there are none. */
  propertiesStart = 0;
  propertiesEnd = 0;
  payloadStart = 0;
  payloadEnd = 0;
  /** 0: none. */
  topicAlias = 0;
  /** -1: none. Seconds. */
  expirySeconds = -1;
  /** The publisher says that the payload is UTF-8. */
  isText = false;
}

/** Reads the packet at `at`. Throws MqttError. */
export function readPublish(
  buf: Buffer,
  at: number,
  bodyAt: number,
  next: number,
  version: Version,
  view: PublishView,
): void {
  const first = buf[at]!;
  const qos = (first >> 1) & 3;
  // [MQTT-3.3.1-4]
  if (qos === 3) throw malformed('a PUBLISH with QoS 3');
  view.qos = qos;
  view.retain = (first & RETAIN_FLAG) !== 0;
  view.dup = (first & DUP_FLAG) !== 0;
  // [MQTT-3.3.1-2]
  if (qos === 0 && view.dup) throw malformed('a PUBLISH with QoS 0 and DUP');
  if (bodyAt + 2 > next) throw malformed('a PUBLISH without a topic');
  view.topicStart = bodyAt + 2;
  let end = (view.topicEnd = bodyAt + 2 + ((buf[bodyAt]! << 8) | buf[bodyAt + 1]!));
  view.packetId = 0;
  if (qos > 0) {
    if (end + 2 > next) throw malformed('a PUBLISH without its packet identifier');
    view.packetId = (buf[end]! << 8) | buf[end + 1]!;
    // [MQTT-2.2.1-3]
    if (view.packetId === 0) throw protocolError('packet identifier 0');
    end += 2;
  }
  if (end > next) throw malformed('a PUBLISH whose topic is longer than the packet');
  view.topicAlias = 0;
  view.expirySeconds = -1;
  view.isText = false;
  view.propertiesStart = view.propertiesEnd = end;
  if (version === 5) end = readProperties(buf, end, next, view);
  view.payloadStart = end;
  view.payloadEnd = next;
}

function readProperties(buf: Buffer, at: number, next: number, view: PublishView): number {
  if (at >= next) throw malformed('a PUBLISH without the length of its properties');
  const first = buf[at]!;
  if (first === 0) {
    view.propertiesStart = view.propertiesEnd = at + 1;
    return at + 1;
  }
  let start = at + 1;
  let length = first & 0x7f;
  for (let shift = 7, byte = first; byte >= 0x80; shift += 7) {
    if (shift === 28 || start >= next) throw malformed('the length of the properties is cut or too long');
    byte = buf[start++]!;
    length |= (byte & 0x7f) << shift;
  }
  const end = start + length;
  if (end > next) throw malformed('the properties are longer than their packet');
  view.propertiesStart = start;
  view.propertiesEnd = end;
  scan(buf, start, end, view);
  return end;
}

/** Checks each property and notes those that the broker acts on. §3.3.2.3 */
function scan(buf: Buffer, start: number, end: number, view: PublishView): void {
  let seen = 0;
  for (let at = start; at < end; ) {
    const id = buf[at++]!;
    if (id !== PROPERTY.user) {
      const bit = id < 31 ? 1 << id : id === PROPERTY.topicAlias ? 0x8000_0000 : 0;
      if ((seen & bit) !== 0) throw protocolError(`property 0x${id.toString(16)} comes twice in a PUBLISH`);
      seen |= bit;
    }
    at = readValue(buf, at, end, id, view);
    if (at > end) throw malformed('the properties end within a value');
  }
}

function readValue(buf: Buffer, at: number, end: number, id: number, view: PublishView): number {
  switch (id) {
    case PROPERTY.user:
      return text(buf, text(buf, at, end), end);
    case PROPERTY.payloadFormat:
      if (buf[at]! > 1) throw protocolError(`Payload Format Indicator is ${buf[at]}`);
      view.isText = buf[at] === 1;
      return at + 1;
    case PROPERTY.messageExpiry:
      if (at + 4 <= end) view.expirySeconds = buf.readUInt32BE(at);
      return at + 4;
    case PROPERTY.topicAlias:
      if (at + 2 <= end) view.topicAlias = alias((buf[at]! << 8) | buf[at + 1]!);
      return at + 2;
    case PROPERTY.contentType:
      return text(buf, at, end);
    case PROPERTY.responseTopic:
      return responseTopic(buf, at, end);
    case PROPERTY.correlationData:
      return at + 2 + (at + 2 > end ? 0 : (buf[at]! << 8) | buf[at + 1]!);
    case PROPERTY.subscriptionId:
      // [MQTT-3.3.4-6]
      throw protocolError('a PUBLISH of a client with a Subscription Identifier');
    default:
      throw malformed(`property 0x${id.toString(16)} is not one of PUBLISH`);
  }
}

function alias(value: number): number {
  if (value === 0) throw new MqttError(REASON.topicAliasInvalid, 'topic alias 0');
  return value;
}

function text(buf: Buffer, at: number, end: number): number {
  if (at + 2 > end) throw malformed('the properties end within a text');
  const to = at + 2 + ((buf[at]! << 8) | buf[at + 1]!);
  if (to > end) throw malformed('the properties end within a text');
  assertText(buf, at + 2, to);
  return to;
}

/** [MQTT-3.3.2-14]: no wildcards in it. */
function responseTopic(buf: Buffer, at: number, end: number): number {
  const to = text(buf, at, end);
  for (let i = at + 2; i < to; i++)
    if (buf[i] === 0x23 || buf[i] === 0x2b) throw protocolError('a Response Topic with a wildcard');
  return to;
}
