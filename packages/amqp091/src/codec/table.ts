// A table is its length in four bytes and then, without a count, entries of key (short string), type letter, value;
// an array the same without keys (AMQP 0-9-1 §4.2.5.5, types in RabbitMQ's dialect: see field-value.ts).
import { type ByteReader, isValidUtf8 } from '@chapar/bytes';
import { CodecReader, CodecWriter } from './cursor.js';
import { BinaryString, Decimal, type FieldTable, type FieldValue, Float, fieldType, Timestamp } from './field-value.js';

/** Tables and arrays inside one another beyond this are refused: recursion must not be the peer's to drive. */
export const TABLE_DEPTH_MAX = 64;

/**
 * Decodes the entries in `buf[start..end)` (the bytes after a table's length). Of a key that stands twice the last
 * value counts. Throws CodecError (syntax). Everything is copied: nothing holds on to `buf`.
 */
export function decodeTable(buf: Buffer, start = 0, end: number = buf.length): FieldTable {
  return readEntries(new CodecReader(buf, start, end, 'syntax'), 1);
}

/** Reads a table with its length; the reader ends after it. */
export function readTable(reader: ByteReader): FieldTable {
  return nested(reader, 1, readEntries);
}

/** The entries of `table` as bytes, without the length before them. Throws CodecError (syntax). */
export function encodeTable(table: FieldTable): Buffer {
  const writer = new CodecWriter();
  writeEntries(writer, table, 1);
  return writer.bytes();
}

/** Writes a table with its length. */
export function writeTable(writer: CodecWriter, table: FieldTable): void {
  writeNested(writer, () => writeEntries(writer, table, 1));
}

function readEntries(reader: ByteReader, depth: number): FieldTable {
  const table: FieldTable = Object.create(null);
  while (reader.remaining > 0) {
    const key = reader.shortString();
    table[key] = readValue(reader, depth);
  }
  return table;
}

function readElements(reader: ByteReader, depth: number): FieldValue[] {
  const array: FieldValue[] = [];
  while (reader.remaining > 0) array.push(readValue(reader, depth));
  return array;
}

/** Reads a length and what it spans: nothing inside can reach past it. */
function nested<T>(reader: ByteReader, depth: number, read: (reader: ByteReader, depth: number) => T): T {
  if (depth > TABLE_DEPTH_MAX) reader.fail(`tables nested deeper than ${TABLE_DEPTH_MAX}`);
  const length = reader.u32();
  const outer = reader.limit;
  if (length > reader.remaining) reader.fail(`a table of ${length} bytes where ${reader.remaining} are left`);
  reader.limit = reader.position + length;
  const result = read(reader, depth);
  reader.limit = outer;
  return result;
}

/** Reads one type letter and its value; `depth` counts the tables around it. */
export function readValue(reader: ByteReader, depth: number): FieldValue {
  const type = reader.u8();
  switch (type) {
    case 0x53: // S
      return readLongString(reader);
    case 0x49: // I
      return reader.i32();
    case 0x74: // t
      return reader.u8() !== 0;
    case 0x6c: // l
    case 0x4c: // L, signed as well
      return reader.i64Exact();
    case 0x46: // F
      return nested(reader, depth + 1, readEntries);
    case 0x41: // A
      return nested(reader, depth + 1, readElements);
    case 0x54: // T
      return new Timestamp(reader.u64Exact());
    case 0x56: // V
      return null;
    default:
      return readRareValue(reader, type);
  }
}

function readRareValue(reader: ByteReader, type: number): FieldValue {
  switch (type) {
    case 0x62: // b
      return reader.i8();
    case 0x42: // B
      return reader.u8();
    case 0x73: // s
      return reader.i16();
    case 0x75: // u
      return reader.u16();
    case 0x69: // i
      return reader.u32();
    case 0x66: // f
      return floating(reader.f32());
    case 0x64: // d
      return floating(reader.f64());
    case 0x44: // D
      return new Decimal(reader.u8(), reader.u32());
    case 0x78: // x
      return Buffer.from(reader.longBytes());
    default:
      return reader.fail(`unknown table field type 0x${type.toString(16).padStart(2, '0')}`);
  }
}

function readLongString(reader: ByteReader): string | BinaryString {
  const length = reader.u32();
  const at = reader.advance(length);
  if (isValidUtf8(reader.buffer, at, at + length)) return reader.buffer.toString('utf8', at, at + length);
  return new BinaryString(Buffer.from(reader.buffer.subarray(at, at + length)));
}

function floating(value: number): number | Float {
  return Number.isInteger(value) ? new Float(value) : value;
}

/** Writes entries without a length before them. */
export function writeEntries(writer: CodecWriter, table: FieldTable, depth = 1): void {
  for (const key of Object.keys(table)) {
    writer.shortString(key);
    writeValue(writer, table[key]!, depth);
  }
}

function writeNested(writer: CodecWriter, content: () => void): void {
  const at = writer.length;
  writer.u32(0);
  content();
  writer.patchU32(at, writer.length - at - 4);
}

function writeValue(writer: CodecWriter, value: FieldValue, depth: number): void {
  const type = fieldType(value);
  writer.u8(type.charCodeAt(0));
  if (value === null) return;
  if (typeof value === 'string') writer.longString(value);
  else if (typeof value === 'boolean') writer.u8(value ? 1 : 0);
  else if (typeof value === 'object') writeObject(writer, value, depth);
  else if (type === 'I') writer.u32(value as number);
  else if (type === 'l') writer.i64(value);
  else writer.f64(value as number);
}

function writeObject(writer: CodecWriter, value: FieldValue & object, depth: number): void {
  if (value instanceof Uint8Array) writer.longString(value);
  else if (value instanceof BinaryString) writer.longString(value.bytes);
  else if (value instanceof Float) writer.f64(value.value);
  else if (value instanceof Timestamp) writer.u64(value.timestamp);
  else if (value instanceof Decimal) writeDecimal(writer, value);
  else writeContainer(writer, value as FieldValue[] | FieldTable, depth + 1);
}

function writeDecimal(writer: CodecWriter, value: Decimal): void {
  writer.u8(value.scale);
  writer.u32(value.unscaled);
}

function writeContainer(writer: CodecWriter, value: FieldValue[] | FieldTable, depth: number): void {
  if (depth > TABLE_DEPTH_MAX) writer.fail(`tables nested deeper than ${TABLE_DEPTH_MAX}`);
  writeNested(writer, () => {
    if (!Array.isArray(value)) writeEntries(writer, value, depth);
    else for (const element of value) writeValue(writer, element, depth);
  });
}
