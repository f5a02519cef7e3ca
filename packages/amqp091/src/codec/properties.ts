// The property list of a content header (AMQP 0-9-1 §4.2.6.1): two bytes of flags, then the values whose flag is set.
// Bit 15 stands for the first property; bit 0 would announce another two bytes of flags, of which class basic has
// no use, and bit 1 belongs to no property.
import { CodecReader, CodecWriter } from './cursor.js';
import { CodecError } from './errors.js';
import type { FieldTable } from './field-value.js';
import { readTable, writeTable } from './table.js';

export const CONTENT_TYPE_FLAG = 0x8000;
export const CONTENT_ENCODING_FLAG = 0x4000;
export const HEADERS_FLAG = 0x2000;
export const DELIVERY_MODE_FLAG = 0x1000;
export const PRIORITY_FLAG = 0x0800;
export const CORRELATION_ID_FLAG = 0x0400;
export const REPLY_TO_FLAG = 0x0200;
export const EXPIRATION_FLAG = 0x0100;
export const MESSAGE_ID_FLAG = 0x0080;
export const TIMESTAMP_FLAG = 0x0040;
export const TYPE_FLAG = 0x0020;
export const USER_ID_FLAG = 0x0010;
export const APP_ID_FLAG = 0x0008;
export const CLUSTER_ID_FLAG = 0x0004;
/** Flags that stand for no property of class basic, the continuation bit among them. */
export const UNDEFINED_FLAGS = 0x0003;

export interface BasicProperties {
  contentType?: string;
  contentEncoding?: string;
  headers?: FieldTable;
  deliveryMode?: number;
  priority?: number;
  correlationId?: string;
  replyTo?: string;
  expiration?: string;
  messageId?: string;
  /** Seconds since 1970; a bigint only beyond 2^53 - 1. */
  timestamp?: number | bigint;
  type?: string;
  userId?: string;
  appId?: string;
  clusterId?: string;
}

export type PropertyName = keyof BasicProperties;
export type PropertyKind = 'shortstr' | 'octet' | 'timestamp' | 'table';

/** In the order of the wire. */
export const PROPERTIES: readonly (readonly [name: PropertyName, flag: number, kind: PropertyKind])[] = [
  ['contentType', CONTENT_TYPE_FLAG, 'shortstr'],
  ['contentEncoding', CONTENT_ENCODING_FLAG, 'shortstr'],
  ['headers', HEADERS_FLAG, 'table'],
  ['deliveryMode', DELIVERY_MODE_FLAG, 'octet'],
  ['priority', PRIORITY_FLAG, 'octet'],
  ['correlationId', CORRELATION_ID_FLAG, 'shortstr'],
  ['replyTo', REPLY_TO_FLAG, 'shortstr'],
  ['expiration', EXPIRATION_FLAG, 'shortstr'],
  ['messageId', MESSAGE_ID_FLAG, 'shortstr'],
  ['timestamp', TIMESTAMP_FLAG, 'timestamp'],
  ['type', TYPE_FLAG, 'shortstr'],
  ['userId', USER_ID_FLAG, 'shortstr'],
  ['appId', APP_ID_FLAG, 'shortstr'],
  ['clusterId', CLUSTER_ID_FLAG, 'shortstr'],
];

/** Decodes flags and values in `buf[start..end)`; an absent property is an absent key. Throws CodecError (syntax). */
export function decodeProperties(buf: Buffer, start = 0, end: number = buf.length): BasicProperties {
  const reader = new CodecReader(buf, start, end, 'syntax');
  const flags = checkedFlags(reader.u16());
  const properties: { [name: string]: unknown } = {};
  for (const [name, flag, kind] of PROPERTIES) {
    if ((flags & flag) !== 0) properties[name] = readProperty(reader, kind);
  }
  if (reader.remaining > 0) reader.fail(`${reader.remaining} bytes after the last property`);
  return properties;
}

/** Flags and values as bytes. Throws CodecError (syntax) when a value does not fit its field. */
export function encodeProperties(properties: BasicProperties): Buffer {
  const writer = new CodecWriter(128);
  writeProperties(writer, properties);
  return writer.bytes();
}

/** Writes flags and values. */
export function writeProperties(writer: CodecWriter, properties: BasicProperties): void {
  let flags = 0;
  for (const [name, flag] of PROPERTIES) if (properties[name] !== undefined) flags |= flag;
  writer.u16(flags);
  for (const [name, , kind] of PROPERTIES) {
    if (properties[name] !== undefined) writeProperty(writer, kind, properties[name]);
  }
}

/** The flags, or CodecError (syntax) when they announce what class basic does not have. */
export function checkedFlags(flags: number): number {
  if ((flags & UNDEFINED_FLAGS) === 0) return flags;
  throw new CodecError('syntax', `property flags 0x${flags.toString(16)} announce more than class basic has`);
}

export function writeProperty(writer: CodecWriter, kind: PropertyKind, value: unknown): void {
  if (kind === 'shortstr') writer.shortString(value as string);
  else if (kind === 'octet') writer.u8(value as number);
  else if (kind === 'timestamp') writer.u64(value as number | bigint);
  else writeTable(writer, value as FieldTable);
}

function readProperty(reader: CodecReader, kind: PropertyKind): unknown {
  if (kind === 'shortstr') return reader.shortString();
  if (kind === 'octet') return reader.u8();
  return kind === 'timestamp' ? reader.u64Exact() : readTable(reader);
}
