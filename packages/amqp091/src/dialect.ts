import { type Arguments, DIALECT_AMQP091, type Dialect, type JsonValue, type Message, noArguments } from '@chapar/core';
import {
  type BasicProperties,
  BinaryString,
  Decimal,
  decodeProperties,
  decodeTable,
  encodeProperties,
  type FieldTable,
  type FieldValue,
  Float,
  PropertyScan,
  scanProperties,
  Timestamp,
} from './codec/index.js';

/** AMQP 0-9-1's form of a message, for the core: what headers exchanges and administrators look at. */
export const amqp091Dialect: Dialect = {
  id: DIALECT_AMQP091,

  headers(message: Message): Arguments {
    const scan = new PropertyScan();
    scanProperties(message.bytes, message.propertiesStart, message.propertiesEnd, scan);
    if (scan.headersStart === -1) return noArguments;
    return argumentsOf(decodeTable(message.bytes, scan.headersStart, scan.headersEnd));
  },

  describe(message: Message): Arguments {
    const { headers, ...properties } = decodeProperties(message.bytes, message.propertiesStart, message.propertiesEnd);
    const described: { [name: string]: JsonValue } = {};
    for (const [name, value] of Object.entries(properties)) {
      if (value !== undefined) described[managementName(name)] = jsonOf(value as FieldValue);
    }
    if (headers !== undefined) described.headers = argumentsOf(headers);
    return described;
  },
};

/** `contentType` -> `content_type`, as the management API names properties. */
function managementName(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** A field table as the core's arguments; what JSON has no word for is tagged (see core's `Arguments`). */
export function argumentsOf(table: FieldTable): Arguments {
  const result: { [name: string]: JsonValue } = Object.create(null);
  for (const name of Object.keys(table)) result[name] = jsonOf(table[name]!);
  return result;
}

function jsonOf(value: FieldValue): JsonValue {
  if (typeof value === 'bigint') return { $integer: value.toString() };
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(jsonOf);
  if (value instanceof Uint8Array) return { $bytes: Buffer.from(value).toString('base64') };
  if (value instanceof BinaryString) return { $bytes: value.bytes.toString('base64') };
  if (value instanceof Timestamp) return { $timestamp: Number(value.timestamp) };
  if (value instanceof Decimal || value instanceof Float) return value.valueOf();
  return argumentsOf(value);
}

/** Properties in the management API's names and JSON values, as basic properties on the wire. Throws RangeError, naming what does not fit. */
export function propertiesOfJson(json: { readonly [name: string]: JsonValue }): Buffer {
  const properties: { [name: string]: unknown } = {};
  for (const [name, value] of Object.entries(json)) {
    const own = name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
    const convert = jsonProperties[own];
    if (convert === undefined) throw new RangeError(`'${name}' is not a property of a message`);
    const converted = convert(value);
    if (converted === undefined) throw new RangeError(`property '${name}' cannot be ${JSON.stringify(value)}`);
    properties[own] = converted;
  }
  return encodeProperties(properties as BasicProperties);
}

const asText = (value: JsonValue) => (typeof value === 'string' && Buffer.byteLength(value) < 256 ? value : undefined);
const asOctet = (value: JsonValue) =>
  typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < 256 ? value : undefined;

const jsonProperties: { readonly [name: string]: (value: JsonValue) => unknown } = {
  contentType: asText,
  contentEncoding: asText,
  headers: (value) =>
    typeof value === 'object' && value !== null && !Array.isArray(value) ? tableOf(value as Arguments) : undefined,
  deliveryMode: asOctet,
  priority: asOctet,
  correlationId: asText,
  replyTo: asText,
  expiration: asText,
  messageId: asText,
  timestamp: (value) => (typeof value === 'number' && value >= 0 ? Math.floor(value) : undefined),
  type: asText,
  userId: asText,
  appId: asText,
  clusterId: asText,
};

/** The inverse of argumentsOf. */
export function tableOf(args: Arguments): FieldTable {
  const table: FieldTable = Object.create(null);
  for (const [name, value] of Object.entries(args)) table[name] = fieldOf(value);
  return table;
}

function fieldOf(value: JsonValue): FieldValue {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(fieldOf);
  const tagged = value as { $integer?: string; $bytes?: string; $timestamp?: number };
  if (typeof tagged.$integer === 'string') return BigInt(tagged.$integer);
  if (typeof tagged.$bytes === 'string') return Buffer.from(tagged.$bytes, 'base64');
  if (typeof tagged.$timestamp === 'number') return new Timestamp(tagged.$timestamp);
  return tableOf(value as Arguments);
}
