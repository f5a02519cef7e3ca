// Looks into encoded tables without decoding them and, but for what they return, without allocating.
import { CodecReader, CodecWriter } from './cursor.js';
import { CodecError } from './errors.js';
import type { FieldTable, FieldValue } from './field-value.js';
import { readValue, TABLE_DEPTH_MAX, writeEntries } from './table.js';

/** Walks the encoded entries `buf[start..end)` and throws CodecError (syntax) where they are malformed. */
export function checkTable(buf: Buffer, start: number, end: number): void {
  checkRange(buf, start, end);
  afterEntries(buf, start, end, 1);
}

/**
 * The value of `key` in the encoded entries `buf[start..end)`, the last one when it stands there twice; undefined when
 * it does not. Throws CodecError (syntax) where the entries are malformed.
 */
export function findTableValue(buf: Buffer, start: number, end: number, key: string): FieldValue | undefined {
  checkRange(buf, start, end);
  let found = -1;
  for (let at = start; at < end; ) {
    const value = afterKey(buf, at, end);
    if (isKey(buf, at + 1, value, key)) found = value;
    at = afterValue(buf, value, end, 1);
  }
  return found < 0 ? undefined : readValue(new CodecReader(buf, found, end, 'syntax'), 1);
}

/**
 * The encoded entries `buf[start..end)` without the keys `remove` and those of `set`, followed by `set`. All others
 * stay byte for byte, so that no type changes on the way. Throws CodecError (syntax).
 */
export function editTable(
  buf: Buffer,
  start: number,
  end: number,
  remove: readonly string[],
  set?: FieldTable,
): Buffer {
  checkRange(buf, start, end);
  const dropped = set === undefined ? remove : [...remove, ...Object.keys(set)];
  const writer = new CodecWriter(end - start + 64);
  for (let at = start; at < end; ) {
    const value = afterKey(buf, at, end);
    const after = afterValue(buf, value, end, 1);
    if (!dropped.some((key) => isKey(buf, at + 1, value, key))) writer.append(buf.subarray(at, after));
    at = after;
  }
  if (set !== undefined) writeEntries(writer, set);
  return writer.bytes();
}

/** Bytes of the values of a fixed width, by type letter; -1: a length in four bytes precedes the value; -2: no type. */
const WIDTHS = new Int8Array(256).fill(-2);
for (const [letters, width] of [
  ['V', 0],
  ['tbB', 1],
  ['su', 2],
  ['Iif', 4],
  ['D', 5],
  ['lLdT', 8],
  ['SxAF', -1],
] as const) {
  for (const letter of letters) WIDTHS[letter.charCodeAt(0)] = width;
}

function afterEntries(buf: Buffer, start: number, end: number, depth: number): void {
  for (let at = start; at < end; ) at = afterValue(buf, afterKey(buf, at, end), end, depth);
}

function afterElements(buf: Buffer, start: number, end: number, depth: number): void {
  for (let at = start; at < end; ) at = afterValue(buf, at, end, depth);
}

function afterKey(buf: Buffer, at: number, end: number): number {
  const after = at + 1 + buf[at]!;
  if (after >= end) throw cut(at);
  return after;
}

function afterValue(buf: Buffer, at: number, end: number, depth: number): number {
  if (at >= end) throw cut(at);
  const type = buf[at]!;
  const width = WIDTHS[type]!;
  if (width < 0) return width === -1 ? afterLong(buf, at, end, type, depth) : refuse(type);
  const after = at + 1 + width;
  if (after > end) throw cut(at);
  return after;
}

function afterLong(buf: Buffer, at: number, end: number, type: number, depth: number): number {
  const from = at + 5;
  if (from > end) throw cut(at);
  const length = ((buf[at + 1]! << 24) | (buf[at + 2]! << 16) | (buf[at + 3]! << 8) | buf[at + 4]!) >>> 0;
  if (length > end - from) throw cut(at);
  const after = from + length;
  if (type === 0x46 || type === 0x41) {
    if (depth >= TABLE_DEPTH_MAX) throw new CodecError('syntax', `tables nested deeper than ${TABLE_DEPTH_MAX}`);
    if (type === 0x46) afterEntries(buf, from, after, depth + 1);
    else afterElements(buf, from, after, depth + 1);
  }
  return after;
}

function isKey(buf: Buffer, start: number, end: number, key: string): boolean {
  for (let i = 0; i < key.length; i++) {
    const unit = key.charCodeAt(i);
    if (unit > 0x7f) return buf.toString('utf8', start, end) === key;
    if (start + i >= end || buf[start + i] !== unit) return false;
  }
  return end - start === key.length;
}

function checkRange(buf: Buffer, start: number, end: number): void {
  if (start < 0 || start > end || end > buf.length) throw cut(start);
}

function refuse(type: number): never {
  throw new CodecError('syntax', `unknown table field type 0x${type.toString(16).padStart(2, '0')}`);
}

function cut(at: number): CodecError {
  return new CodecError('syntax', `the table is cut in what begins at ${at}`);
}
