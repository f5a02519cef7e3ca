// PUBLISH to a client, encoded straight into the connection's slab.
import { copyBytes, type Message, type Output, viewBytesMin } from '@chapar/core';
import { type Version, varintBytes, writeVarint } from './codec/packet.js';
import { PROPERTY } from './codec/properties.js';
import { findProperties, OWN, propertiesFrom, propertiesTo, propertyEnd } from './stored-publish.js';

/** What a client is told of a message beside its payload; one object, filled anew for each. */
export class PublishHead {
  version: Version = 4;
  qos = 0;
  dup = false;
  retain = false;
  packetId = 0;
  topic: Buffer = Buffer.alloc(0);
  /** 0: none. */
  topicAlias = 0;
  /** -1: none. */
  expirySeconds = -1;
  /** Null: none. */
  subscriptionIds: readonly number[] | null = null;
}

/** Of the message that `measure` measured. */
let propertiesBytes = 0;
let passedBytes = 0;
let remaining = 0;

/** How many bytes the packet takes. */
export function measurePublish(head: PublishHead, message: Message): number {
  remaining = 2 + head.topic.length + (head.qos > 0 ? 2 : 0) + message.bodyBytes;
  if (head.version === 5) {
    passedBytes = measurePassed(message);
    propertiesBytes = passedBytes;
    if (head.topicAlias > 0) propertiesBytes += 3;
    if (head.expirySeconds >= 0) propertiesBytes += 5;
    if (head.subscriptionIds !== null) for (const id of head.subscriptionIds) propertiesBytes += 1 + varintBytes(id);
    remaining += varintBytes(propertiesBytes) + propertiesBytes;
  }
  return 1 + varintBytes(remaining) + remaining;
}

/** Writes the packet that was measured last. */
export function writePublish(output: Output, head: PublishHead, message: Message): void {
  const { bodyBytes } = message;
  const small = message.parts === null && bodyBytes < viewBytesMin;
  output.reserve(5 + remaining - (small ? 0 : bodyBytes));
  const { slab } = output;
  let { at } = output;
  slab[at++] = 0x30 | (head.dup ? 0x08 : 0) | (head.qos << 1) | (head.retain ? 1 : 0);
  at = writeVarint(slab, at, remaining);
  const { topic } = head;
  slab[at++] = topic.length >>> 8;
  slab[at++] = topic.length;
  copyBytes(topic, 0, topic.length, slab, at);
  at += topic.length;
  if (head.qos > 0) {
    slab[at++] = head.packetId >>> 8;
    slab[at++] = head.packetId;
  }
  if (head.version === 5) at = writeProperties(slab, at, head, message);
  if (small) {
    copyBytes(message.bytes, message.bodyStart, message.bodyEnd, slab, at);
    at += bodyBytes;
  }
  output.at = at;
  if (small) return;
  if (message.parts === null) output.append(message.bytes.subarray(message.bodyStart, message.bodyEnd));
  else for (const part of message.parts) output.append(part);
}

function writeProperties(slab: Buffer, from: number, head: PublishHead, message: Message): number {
  let at = writeVarint(slab, from, propertiesBytes);
  if (propertiesBytes === 0) return at;
  if (head.topicAlias > 0) {
    slab[at++] = PROPERTY.topicAlias;
    slab[at++] = head.topicAlias >>> 8;
    slab[at++] = head.topicAlias;
  }
  if (head.expirySeconds >= 0) {
    slab[at++] = PROPERTY.messageExpiry;
    at = slab.writeUInt32BE(head.expirySeconds, at);
  }
  if (head.subscriptionIds !== null) {
    for (const id of head.subscriptionIds) {
      slab[at++] = PROPERTY.subscriptionId;
      at = writeVarint(slab, at, id);
    }
  }
  return passedBytes === 0 ? at : writePassed(slab, at, message);
}

/** The publisher's properties go on as they came ([MQTT-3.3.2-4], [MQTT-3.3.2-15] to [-20]), but for those that are ours or one connection's. */
function isPassed(id: number): boolean {
  return id !== PROPERTY.messageExpiry && id !== PROPERTY.topicAlias && id < OWN.via;
}

function measurePassed(message: Message): number {
  findProperties(message);
  const { bytes } = message;
  let total = 0;
  for (let at = propertiesFrom; at < propertiesTo; ) {
    const id = bytes[at]!;
    const next = propertyEnd(bytes, at + 1, id);
    if (isPassed(id)) total += next - at;
    at = next;
  }
  return total;
}

function writePassed(slab: Buffer, to: number, message: Message): number {
  findProperties(message);
  const { bytes } = message;
  let out = to;
  for (let at = propertiesFrom; at < propertiesTo; ) {
    const id = bytes[at]!;
    const next = propertyEnd(bytes, at + 1, id);
    if (isPassed(id)) {
      copyBytes(bytes, at, next, slab, out);
      out += next - at;
    }
    at = next;
  }
  return out;
}
