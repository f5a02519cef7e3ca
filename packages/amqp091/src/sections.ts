// AMQP 0-9-1's table of the message hub: basic properties <-> neutral sections.
import {
  ANNOTATION_CORRELATION,
  type Arguments,
  type JsonValue,
  type Message,
  type PropertiesSection,
  type Sections,
  sectionAnnotations,
} from '@chapar/core';
import { jsonOf, tableOf } from './argument-values.js';
import { type BasicProperties, decodeProperties, encodeProperties } from './codec/index.js';

const shortBytesMax = 255;

export function sections(message: Message): Sections {
  const found = decodeProperties(message.bytes, message.propertiesStart, message.propertiesEnd);
  const { headers = {}, timestamp, correlationId, messageId, userId, replyTo, contentType, contentEncoding } = found;
  const annotations: { [name: string]: JsonValue } = {};
  const applicationProperties: [string, JsonValue][] = [];
  for (const [name, value] of Object.entries(headers)) {
    const json = jsonOf(value);
    if (sectionAnnotations.includes(name)) annotations[name] = json;
    // What an MQTT client said twice.
    else if (Array.isArray(json) && json.length > 1 && json.every((each) => typeof each === 'string'))
      for (const each of json) applicationProperties.push([name, each]);
    else applicationProperties.push([name, json]);
  }
  const properties: { -readonly [K in keyof PropertiesSection]: PropertiesSection[K] } = {};
  if (messageId !== undefined) properties.messageId = messageId;
  if (userId !== undefined) properties.userId = userId;
  if (replyTo !== undefined) properties.replyTo = replyTo;
  const correlation = correlationId ?? annotations[ANNOTATION_CORRELATION];
  if (correlation !== undefined) properties.correlationId = correlation;
  if (contentType !== undefined) properties.contentType = contentType;
  if (contentEncoding !== undefined) properties.contentEncoding = contentEncoding;
  if (timestamp !== undefined) properties.creationTime = jsonOf(timestamp);
  if (found.type !== undefined) properties.type = found.type;
  if (found.appId !== undefined) properties.appId = found.appId;
  const header = { durable: message.persistent, priority: message.priority, ttlMs: message.expirationMs };
  return { header, properties, annotations, applicationProperties };
}

export function ofSections({ header, properties, annotations, applicationProperties }: Sections): Buffer {
  const { correlationId, creationTime } = properties;
  const headers: { [name: string]: JsonValue } = { ...grouped(applicationProperties), ...annotations };
  const basic: BasicProperties = { deliveryMode: header.durable ? 2 : 1 };
  if (header.priority >= 0) basic.priority = header.priority;
  if (header.ttlMs >= 0) basic.expiration = String(header.ttlMs);
  if (fits(properties.contentType)) basic.contentType = properties.contentType;
  if (fits(properties.contentEncoding)) basic.contentEncoding = properties.contentEncoding;
  if (fits(correlationId)) basic.correlationId = correlationId;
  else if (correlationId !== undefined) headers[ANNOTATION_CORRELATION] = correlationId;
  if (fits(properties.replyTo)) basic.replyTo = properties.replyTo;
  if (fits(properties.messageId)) basic.messageId = properties.messageId;
  if (typeof creationTime === 'number') basic.timestamp = creationTime;
  if (fits(properties.type)) basic.type = properties.type;
  if (fits(properties.userId)) basic.userId = properties.userId;
  if (fits(properties.appId)) basic.appId = properties.appId;
  if (Object.keys(headers).length > 0) basic.headers = tableOf(keysThatFit(headers));
  return encodeProperties(basic);
}

/** A name that comes more than once has a list of all its values. */
function grouped(pairs: Sections['applicationProperties']): { [name: string]: JsonValue } {
  const values = new Map<string, JsonValue[]>();
  for (const [name, value] of pairs) {
    const known = values.get(name);
    if (known === undefined) values.set(name, [value]);
    else known.push(value);
  }
  return Object.fromEntries([...values].map(([name, list]) => [name, list.length === 1 ? list[0]! : list]));
}

function fits(text: JsonValue | undefined): text is string {
  return typeof text === 'string' && Buffer.byteLength(text) <= shortBytesMax;
}

/** A table's names are short strings, too. */
function keysThatFit(headers: Arguments): Arguments {
  const names = Object.keys(headers);
  if (names.every((name) => fits(name))) return headers;
  return Object.fromEntries(names.filter(fits).map((name) => [name, headers[name]!]));
}
