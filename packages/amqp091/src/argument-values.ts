// Field tables as the core's arguments, which are plain JSON. What JSON has no word for becomes an object with one tag:
//   integers beyond 2^53       { "$integer": "9007199254740993" }
//   timestamps                 { "$timestamp": 1700000000 }, beyond 2^53 as text
//   bytes, and text not UTF-8  { "$bytes": base64 }
//   NaN and infinities         { "$number": "-Infinity" }
// A nested table of the peer's that would look like one (its only key begins with $) gets another $ before that key.
import type { Arguments, JsonValue } from '@chapar/core';
import {
  BinaryString,
  Decimal,
  type FieldTable,
  type FieldValue,
  Float,
  TABLE_DEPTH_MAX,
  Timestamp,
} from './codec/index.js';

/** A field table as the core's arguments. */
export function argumentsOf(table: FieldTable): Arguments {
  const result: { [name: string]: JsonValue } = Object.create(null);
  for (const name of Object.keys(table)) result[name] = jsonOf(table[name]!);
  return result;
}

export function jsonOf(value: FieldValue): JsonValue {
  if (typeof value === 'number') return Number.isFinite(value) ? value : { $number: String(value) };
  if (typeof value === 'bigint') return { $integer: value.toString() };
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(jsonOf);
  if (value instanceof Uint8Array) return { $bytes: Buffer.from(value).toString('base64') };
  if (value instanceof BinaryString) return { $bytes: value.bytes.toString('base64') };
  if (value instanceof Timestamp) return { $timestamp: ofTimestamp(value.timestamp) };
  if (value instanceof Decimal || value instanceof Float) return jsonOf(value.valueOf());
  return ofTable(value);
}

function ofTimestamp(seconds: number | bigint): number | string {
  return typeof seconds === 'number' ? seconds : seconds.toString();
}

function ofTable(table: FieldTable): Arguments {
  const [only, ...others] = Object.keys(table);
  if (only === undefined || others.length > 0 || !only.startsWith('$')) return argumentsOf(table);
  return { [`$${only}`]: jsonOf(table[only]!) };
}

/** The inverse of argumentsOf. Throws RangeError for a tag with a value that it cannot have, and for deep nesting. */
export function tableOf(args: Arguments, depth = 1): FieldTable {
  if (depth > TABLE_DEPTH_MAX) throw new RangeError(`tables nested deeper than ${TABLE_DEPTH_MAX}`);
  const table: FieldTable = Object.create(null);
  for (const name of Object.keys(args)) table[name] = fieldOf(args[name]!, depth);
  return table;
}

function fieldOf(value: JsonValue, depth: number): FieldValue {
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= TABLE_DEPTH_MAX) throw new RangeError(`tables nested deeper than ${TABLE_DEPTH_MAX}`);
  if (Array.isArray(value)) return value.map((element: JsonValue) => fieldOf(element, depth + 1));
  const args = value as Arguments;
  const [only, ...others] = Object.keys(args);
  if (only === undefined || others.length > 0 || !only.startsWith('$')) return tableOf(args, depth + 1);
  if (only.startsWith('$$')) return tableOf({ [only.slice(1)]: args[only]! }, depth + 1);
  const untag = tags.get(only);
  return untag === undefined ? tableOf(args, depth + 1) : untag(args[only]!);
}

const integerMin = -(2n ** 63n);
const integerMax = 2n ** 63n - 1n;
const timestampMax = 2n ** 64n - 1n;

const tags: ReadonlyMap<string, (value: JsonValue) => FieldValue> = new Map<string, (value: JsonValue) => FieldValue>([
  ['$integer', (value) => wholeNumber('$integer', value, integerMin, integerMax)],
  ['$timestamp', (value) => new Timestamp(smallest(wholeNumber('$timestamp', value, 0n, timestampMax)))],
  ['$bytes', toBytes],
  ['$number', toNumber],
]);

function wholeNumber(tag: string, value: JsonValue, least: bigint, most: bigint): bigint {
  const isWhole = typeof value === 'string' ? /^-?\d{1,20}$/.test(value) : Number.isSafeInteger(value);
  const number = isWhole ? BigInt(value as string | number) : null;
  if (number === null || number < least || number > most) throw wrongTag(tag, value);
  return number;
}

function smallest(value: bigint): number | bigint {
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
}

function toBytes(value: JsonValue): Buffer {
  if (typeof value !== 'string' || !/^[A-Za-z0-9+/]*={0,2}$/.test(value)) throw wrongTag('$bytes', value);
  return Buffer.from(value, 'base64');
}

function toNumber(value: JsonValue): number {
  if (value === 'NaN' || value === 'Infinity' || value === '-Infinity') return Number(value);
  throw wrongTag('$number', value);
}

function wrongTag(tag: string, value: JsonValue): RangeError {
  return new RangeError(`${tag} cannot be ${JSON.stringify(value)}`);
}
