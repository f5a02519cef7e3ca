// How frames look in a transcript: one line for a method, one for each property and each entry of a table, with its type.
import {
  CodecReader,
  decodeProperties,
  encodeTable,
  type FieldTable,
  METHODS,
  type MethodInput,
} from '../../packages/amqp091/src/codec/index.js';
import { readValue } from '../../packages/amqp091/src/codec/table.js';
import type { Content, Received } from '../support/amqp-peer.js';

const BODY_CHARACTERS_MAX = 60;
const HEADERS_FLAG = 1 << 13;
const TYPES: { readonly [letter: string]: string } = {
  S: 'string',
  t: 'bool',
  b: 'byte',
  B: 'unsigned byte',
  s: 'short',
  u: 'unsigned short',
  I: 'int',
  i: 'unsigned int',
  l: 'long',
  L: 'long',
  f: 'float',
  d: 'double',
  D: 'decimal',
  T: 'timestamp',
  x: 'bytes',
  V: 'void',
  A: 'array',
  F: 'table',
};

/** What a client says; fields that have their usual value are left out. */
export function said(speaker: string, method: MethodInput, content?: Content): string[] {
  const { name, arguments: table, ...fields } = method as { name: string; arguments?: FieldTable };
  const told = Object.entries(fields).filter(([, value]) => value !== false && value !== '' && value !== 0);
  const lines = [`${speaker}> ${[name, ...told.map(field)].join(' ')}`];
  if (table !== undefined) lines.push(...tableLines('arguments', encodeTable(table)));
  if (content === undefined) return lines;
  const { properties = {}, body = '' } = content;
  if (Buffer.isBuffer(properties)) throw new Error('a session says its properties by name');
  const { headers, ...plain } = properties;
  lines.push(...Object.entries(plain).map(([key, value]) => `    ${key} = ${value}`));
  if (headers !== undefined) lines.push(...tableLines('headers', encodeTable(headers)));
  lines.push(`    body = ${shownBody(Buffer.from(body))}`);
  return lines;
}

/** What the broker says, with all its fields. */
export function heard(speaker: string, received: Received): string[] {
  const { name, id: _id, classId, methodId, ...fields } = received.method as unknown as { [field: string]: unknown };
  const told = Object.entries(fields).map(field);
  if (classId !== undefined) told.push(`over=${methodName(classId as number, methodId as number)}`);
  const lines = [`${speaker}< ${[name, ...told].join(' ')}`];
  const { rawProperties, body } = received;
  if (rawProperties === undefined || body === undefined) return lines;
  const { headers, ...plain } = decodeProperties(rawProperties);
  lines.push(...Object.entries(plain).map(([key, value]) => `    ${key} = ${value}`));
  if (headers !== undefined) lines.push(...tableLines('headers', headerBytes(rawProperties)));
  lines.push(`    body = ${shownBody(body)}`);
  return lines;
}

function field([name, value]: [string, unknown]): string {
  if (value === true) return `${name}=true`;
  const text = Buffer.isBuffer(value) ? value.toString('utf8') : String(value);
  return `${name}=${/[\s'"]/.test(text) || text === '' ? JSON.stringify(text) : text}`;
}

function methodName(classId: number, methodId: number): string {
  return METHODS.find(([, ofClass, ofMethod]) => ofClass === classId && ofMethod === methodId)?.[0] ?? 'nothing';
}

function shownBody(body: Buffer): string {
  const text = body.toString('utf8');
  return text.length <= BODY_CHARACTERS_MAX ? text : `${text.slice(0, 10)}... (${body.length} bytes)`;
}

/** The entries of the headers as they came: decoding would forget the types of numbers. */
function headerBytes(properties: Buffer): Buffer {
  const flags = properties.readUInt16BE(0);
  let at = 2;
  for (const flag of [1 << 15, 1 << 14]) if (flags & flag) at += 1 + properties[at]!;
  if (!(flags & HEADERS_FLAG)) return Buffer.alloc(0);
  return properties.subarray(at + 4, at + 4 + properties.readUInt32BE(at));
}

/** Sorted by key, since the order in a table means nothing. */
function tableLines(path: string, entries: Buffer): string[] {
  const reader = new CodecReader(entries, 0, entries.length, 'syntax');
  const lines: [string, string[]][] = [];
  while (reader.remaining > 0) {
    const key = reader.shortString();
    lines.push([key, valueLines(`${path}.${key}`, reader)]);
  }
  lines.sort(([a], [b]) => (a < b ? -1 : 1));
  return lines.length === 0 ? [`    ${path} = {}`] : lines.flatMap(([, of]) => of);
}

function valueLines(path: string, reader: CodecReader): string[] {
  const letter = String.fromCharCode(reader.buffer[reader.position]!);
  if (letter !== 'F' && letter !== 'A') {
    const value = readValue(reader, 1);
    const text = Buffer.isBuffer(value) ? value.toString('hex') : String(value);
    return [`    ${path} = ${TYPES[letter] ?? letter} ${letter === 'T' ? '<time>' : text}`];
  }
  reader.u8();
  const bytes = Buffer.from(reader.longBytes());
  if (letter === 'F') return tableLines(path, bytes);
  const elements = new CodecReader(bytes, 0, bytes.length, 'syntax');
  const lines: string[] = [];
  for (let at = 0; elements.remaining > 0; at++) lines.push(...valueLines(`${path}[${at}]`, elements));
  return lines.length === 0 ? [`    ${path} = []`] : lines;
}
