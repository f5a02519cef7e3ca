// How an MQTT message's properties stand in a Message, and so in the log: the PUBLISH packet up to its payload, as it came,
//   | 0x30, V, QoS 2, RETAIN 1 | remaining length 1-4 | topic length 2 | topic | packet id 2, QoS > 0 | V: length, properties |
// V stands where the packet has DUP: properties of 5.0 follow. Lengths, topic and packet id are passed over: the topic is that of the
// message's address, which dead-lettering may change. One that did not come in a packet has 0 for the length and an empty topic.
import type { Message } from '@chapar/core';
import { DUP_FLAG, RETAIN_FLAG, varintBytes, writeVarint } from './codec/packet.js';
import { PROPERTY } from './codec/properties.js';

/** Properties of ours, beside those of the protocol; they never leave the broker. */
export const OWN = {
  /** The client id of a publisher that has a subscription with No Local. Text. */
  origin: 0x7e,
  /** A retained message on its way to a subscriber; the id of the subscription, 0: none. u32 */
  replay: 0x7d,
  /** A message of QoS 2 that a shared group gave to this session; the id of the subscription, 0: none. u32 */
  via: 0x7c,
} as const;

const hasProperties = DUP_FLAG;

export function storedQos(message: Message): number {
  return (message.bytes[message.propertiesStart]! >> 1) & 3;
}

export function storedRetain(message: Message): boolean {
  return (message.bytes[message.propertiesStart]! & RETAIN_FLAG) !== 0;
}

/** Marks in the packet's first byte whether properties stand in it. */
export function markStored(buf: Buffer, at: number, propertiesBytes: number): void {
  buf[at] = propertiesBytes > 0 ? buf[at]! | hasProperties : buf[at]! & ~hasProperties;
}

/** Where the properties begin and end that `findProperties` found; equal: none. */
export let propertiesFrom = 0;
export let propertiesTo = 0;

export function findProperties(message: Message): void {
  const { bytes, propertiesStart } = message;
  propertiesFrom = propertiesTo = 0;
  const first = bytes[propertiesStart]!;
  if ((first & hasProperties) === 0) return;
  let at = propertiesStart + 1;
  while (bytes[at]! >= 0x80) at++;
  at++;
  at += 2 + ((bytes[at]! << 8) | bytes[at + 1]!);
  if ((first & 0x06) !== 0) at += 2;
  let length = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++]!;
    length |= (byte & 0x7f) << shift;
    if (byte < 0x80) break;
  }
  propertiesFrom = at;
  propertiesTo = at + length;
}

/** Where a property that was checked when it came ends; `at` is behind its identifier. */
export function propertyEnd(buf: Buffer, at: number, id: number): number {
  if (id === PROPERTY.payloadFormat) return at + 1;
  if (id === PROPERTY.topicAlias) return at + 2;
  if (id === PROPERTY.messageExpiry || id === OWN.replay || id === OWN.via) return at + 4;
  const first = at + 2 + ((buf[at]! << 8) | buf[at + 1]!);
  return id === PROPERTY.user ? first + 2 + ((buf[first]! << 8) | buf[first + 1]!) : first;
}

/** Where the value of a property begins; -1 when the message has none such. */
export function findProperty(message: Message, wanted: number): number {
  findProperties(message);
  const { bytes } = message;
  for (let at = propertiesFrom; at < propertiesTo; ) {
    const id = bytes[at]!;
    if (id === wanted) return at + 1;
    at = propertyEnd(bytes, at + 1, id);
  }
  return -1;
}

/** The stored form of a message that did not come in a packet. `properties`: as in PUBLISH, without their length. */
export function storedForm(qos: number, retain: boolean, properties: Buffer): Buffer {
  const { length } = properties;
  const idBytes = qos > 0 ? 2 : 0;
  const lengthBytes = length > 0 ? varintBytes(length) : 0;
  const form = Buffer.alloc(4 + idBytes + lengthBytes + length);
  form[0] = 0x30 | (qos << 1) | (retain ? RETAIN_FLAG : 0) | (length > 0 ? hasProperties : 0);
  if (length > 0) properties.copy(form, writeVarint(form, 4 + idBytes, length));
  return form;
}

/** The properties of a stored message, without those in `leaveOut`, with `more` behind them. */
export function editedProperties(message: Message, leaveOut: readonly number[], more: Buffer): Buffer {
  findProperties(message);
  const { bytes } = message;
  const parts: Buffer[] = [];
  const end = propertiesTo;
  for (let at = propertiesFrom; at < end; ) {
    const id = bytes[at]!;
    const next = propertyEnd(bytes, at + 1, id);
    if (!leaveOut.includes(id)) parts.push(bytes.subarray(at, next));
    at = next;
  }
  parts.push(more);
  return Buffer.concat(parts);
}

export function textProperty(id: number, text: string): Buffer {
  const length = Buffer.byteLength(text);
  const property = Buffer.alloc(3 + length);
  property[0] = id;
  property.writeUInt16BE(length, 1);
  property.write(text, 3);
  return property;
}

export function u32Property(id: number, value: number): Buffer {
  const property = Buffer.alloc(5);
  property[0] = id;
  property.writeUInt32BE(value, 1);
  return property;
}

/** The shared subscription that a message came by; 0: one without an id; -1: it came by none. */
export function viaOf(message: Message): number {
  const at = findProperty(message, OWN.via);
  return at === -1 ? -1 : message.bytes.readUInt32BE(at);
}

/** The subscription that a retained message is sent for; 0: one without an id; -1: it is not sent because it is retained. */
export function replayOf(message: Message): number {
  if (!storedRetain(message)) return -1;
  const at = findProperty(message, OWN.replay);
  return at === -1 ? -1 : message.bytes.readUInt32BE(at);
}
