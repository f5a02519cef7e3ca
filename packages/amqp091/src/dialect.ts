import { type Arguments, DIALECT_AMQP091, type Dialect, type JsonValue, type Message, noArguments } from '@chapar/core';
import { argumentsOf, jsonOf, tableOf } from './argument-values.js';
import {
  type BasicProperties,
  CodecError,
  decodeProperties,
  decodeTable,
  encodeProperties,
  type FieldValue,
  PropertyScan,
  scanProperties,
} from './codec/index.js';
import { deadLettered, withDeliveryCount } from './dead-letter.js';
import { header, withHeaders } from './message-headers.js';
import { ofSections, sections } from './sections.js';

/** AMQP 0-9-1's form of a message, for the core: what headers exchanges and administrators look at. */
export const amqp091Dialect: Dialect = {
  id: DIALECT_AMQP091,

  headers(message: Message): Arguments {
    const scan = new PropertyScan();
    scanProperties(message.bytes, message.propertiesStart, message.propertiesEnd, scan);
    if (scan.headersStart === -1) return noArguments;
    return argumentsOf(decodeTable(message.bytes, scan.headersStart, scan.headersEnd));
  },

  header,
  withHeaders,

  describe(message: Message): Arguments {
    const { headers, ...properties } = decodeProperties(message.bytes, message.propertiesStart, message.propertiesEnd);
    const described: { [name: string]: JsonValue } = {};
    for (const [name, value] of Object.entries(properties)) {
      if (value !== undefined) described[managementName(name)] = jsonOf(value as FieldValue);
    }
    if (headers !== undefined) described.headers = argumentsOf(headers);
    return described;
  },

  deadLettered,
  withDeliveryCount,
  sections,
  ofSections,
};

/** `contentType` -> `content_type`, as the management API names properties. */
function managementName(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** Properties in the management API's names and JSON values, as basic properties on the wire. Throws RangeError, naming what does not fit. */
export function propertiesOfJson(json: { readonly [name: string]: JsonValue }): Buffer {
  const properties: { [name: string]: unknown } = {};
  for (const [name, value] of Object.entries(json)) {
    const own = name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
    const convert = Object.hasOwn(jsonProperties, own) ? jsonProperties[own] : undefined;
    if (convert === undefined || managementName(own) !== name)
      throw new RangeError(`'${name}' is not a property of a message`);
    const converted = convert(value);
    if (converted === undefined) throw new RangeError(`property '${name}' cannot be ${JSON.stringify(value)}`);
    properties[own] = converted;
  }
  try {
    return encodeProperties(properties as BasicProperties);
  } catch (error) {
    if (error instanceof CodecError) throw new RangeError(error.message);
    throw error;
  }
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
  timestamp: (value) =>
    typeof value === 'number' && value >= 0 && value <= Number.MAX_SAFE_INTEGER ? Math.floor(value) : undefined,
  type: asText,
  userId: asText,
  appId: asText,
  clusterId: asText,
};
