// MQTT's table of the message hub: properties of PUBLISH <-> neutral sections.

import { isUtf8 } from 'node:buffer';
import {
  ANNOTATION_MQTT_QOS,
  ANNOTATION_MQTT_RETAIN,
  ANNOTATION_MQTT_TEXT,
  ANNOTATION_REPLY_TOPIC,
  type JsonValue,
  type Message,
  type PropertiesSection,
  type Sections,
} from '@chapar/core';
import { PROPERTY } from './codec/properties.js';
import {
  findProperties,
  propertiesFrom,
  propertiesTo,
  propertyEnd,
  storedForm,
  storedQos,
  storedRetain,
  textProperty,
} from './stored-publish.js';
import { routingKeyOf, topicOf } from './topic-bridge.js';
import { isTopicName } from './topic-names.js';

const textBytesMax = 65_535;

export function sections(message: Message): Sections {
  const annotations: { [name: string]: JsonValue } = { [ANNOTATION_MQTT_QOS]: storedQos(message) };
  if (storedRetain(message)) annotations[ANNOTATION_MQTT_RETAIN] = true;
  const properties: { -readonly [K in keyof PropertiesSection]: PropertiesSection[K] } = {};
  const applicationProperties: [string, JsonValue][] = [];
  findProperties(message);
  const { bytes } = message;
  const end = propertiesTo;
  for (let at = propertiesFrom; at < end; ) {
    const id = bytes[at]!;
    const from = at + 1;
    at = propertyEnd(bytes, from, id);
    if (id === PROPERTY.contentType) properties.contentType = textAt(bytes, from);
    else if (id === PROPERTY.correlationData) properties.correlationId = binaryAt(bytes, from);
    else if (id === PROPERTY.responseTopic) annotations[ANNOTATION_REPLY_TOPIC] = routingKeyOf(textAt(bytes, from));
    else if (id === PROPERTY.payloadFormat && bytes[from] === 1) annotations[ANNOTATION_MQTT_TEXT] = true;
    else if (id === PROPERTY.user) applicationProperties.push(pairAt(bytes, from));
  }
  const header = { durable: message.persistent, priority: message.priority, ttlMs: message.expirationMs };
  return { header, properties, annotations, applicationProperties };
}

export function ofSections({ header, properties, annotations, applicationProperties }: Sections): Buffer {
  const parts: Buffer[] = [];
  if (annotations[ANNOTATION_MQTT_TEXT] === true) parts.push(Buffer.from([PROPERTY.payloadFormat, 1]));
  const { contentType, correlationId, ...others } = properties;
  if (contentType !== undefined) pushText(parts, PROPERTY.contentType, contentType);
  const replyTopic = annotations[ANNOTATION_REPLY_TOPIC];
  if (typeof replyTopic === 'string' && isTopicName(topicOf(replyTopic)))
    pushText(parts, PROPERTY.responseTopic, topicOf(replyTopic));
  const correlation = bytesOf(correlationId);
  if (correlation !== null && correlation.length <= textBytesMax) parts.push(binaryProperty(correlation));
  for (const [name, value] of applicationProperties) pushPair(parts, name, value);
  for (const [name, value] of Object.entries(others))
    if (value !== undefined) pushPair(parts, fieldNames[name]!, value);
  return storedForm(
    qosOf(annotations[ANNOTATION_MQTT_QOS], header.durable),
    annotations[ANNOTATION_MQTT_RETAIN] === true,
    Buffer.concat(parts),
  );
}

/** What MQTT has no property for, as user properties under AMQP's names. */
const fieldNames: { readonly [name: string]: string } = {
  messageId: 'message-id',
  userId: 'user-id',
  replyTo: 'reply-to',
  contentEncoding: 'content-encoding',
  creationTime: 'timestamp',
  type: 'type',
  appId: 'app-id',
};

/** As it was published, or what durability promises. */
function qosOf(annotation: JsonValue | undefined, durable: boolean): number {
  if (annotation === 0 || annotation === 1 || annotation === 2) return durable ? Math.max(1, annotation) : 0;
  return durable ? 1 : 0;
}

function textAt(bytes: Buffer, at: number): string {
  return bytes.toString('utf8', at + 2, at + 2 + bytes.readUInt16BE(at));
}

function pairAt(bytes: Buffer, at: number): [string, string] {
  return [textAt(bytes, at), textAt(bytes, at + 2 + bytes.readUInt16BE(at))];
}

/** As text where it is one. */
function binaryAt(bytes: Buffer, at: number): JsonValue {
  const data = bytes.subarray(at + 2, at + 2 + bytes.readUInt16BE(at));
  return isUtf8(data) ? data.toString() : { $bytes: data.toString('base64') };
}

function bytesOf(value: JsonValue | undefined): Buffer | null {
  if (typeof value === 'string') return Buffer.from(value);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  const { $bytes } = value as { readonly $bytes?: JsonValue };
  return typeof $bytes === 'string' ? Buffer.from($bytes, 'base64') : null;
}

/** Texts of MQTT have no NUL and at most 65,535 bytes. */
function isText(text: string): boolean {
  return !text.includes('\0') && Buffer.byteLength(text) <= textBytesMax;
}

function pushText(parts: Buffer[], id: number, text: string): void {
  if (isText(text)) parts.push(textProperty(id, text));
}

/** Texts as they are, all else as JSON. */
function pushPair(parts: Buffer[], name: string, value: JsonValue): void {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  if (!isText(name) || !isText(text)) return;
  parts.push(textProperty(PROPERTY.user, name), textProperty(0, text).subarray(1));
}

function binaryProperty(data: Buffer): Buffer {
  const head = Buffer.from([PROPERTY.correlationData, data.length >>> 8, data.length & 0xff]);
  return Buffer.concat([head, data]);
}
