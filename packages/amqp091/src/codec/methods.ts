// A method frame's payload: class id, method id, then the arguments without padding (AMQP 0-9-1 §2.3.5.1).
import { isValidUtf8 } from '@chapar/bytes';
import { CodecReader, CodecWriter } from './cursor.js';
import { CodecError } from './errors.js';
import type { FieldTable } from './field-value.js';
import { beginFrame, endFrame, FRAME_METHOD } from './frames.js';
import { type FieldKind, METHODS, type MethodName } from './method-table.js';
import { readTable, writeTable } from './table.js';

interface ValueOf {
  bit: boolean;
  octet: number;
  short: number;
  long: number;
  /** Rounded above 2^53 - 1: no delivery tag of ours gets there. */
  longlong: number;
  text: string;
  shortstr: string;
  longstr: Buffer;
  table: FieldTable;
}
interface InputOf extends Omit<ValueOf, 'longstr'> {
  longstr: Buffer | string;
}
type Row = (typeof METHODS)[number];
type Decoded<R> = R extends readonly [infer Name, number, number, infer Fields]
  ? { id: number; name: Name } & { -readonly [F in keyof Fields]: ValueOf[Fields[F] & FieldKind] }
  : never;
type Input<R> = R extends readonly [infer Name, number, number, infer Fields]
  ? { readonly name: Name } & { readonly [F in keyof Fields]?: InputOf[Fields[F] & FieldKind] }
  : never;

/** A decoded method: its id (class id << 16 | method id), its name and its arguments. */
export type Method = Decoded<Row>;
/** The method of that name: `MethodOf<'queue.declare'>`. */
export type MethodOf<Name extends MethodName> = Extract<Method, { name: Name }>;
/** A method to encode; arguments that are left out are 0, '', false or empty. */
export type MethodInput = Input<Row>;
export type MethodInputOf<Name extends MethodName> = Extract<MethodInput, { name: Name }>;

interface Spec {
  readonly id: number;
  readonly name: MethodName;
  readonly fields: readonly (readonly [name: string, kind: FieldKind])[];
}
type Arguments = { [field: string]: unknown };

const SPECS: readonly Spec[] = METHODS.map(([name, classId, methodId, fields]) => ({
  id: (classId << 16) | methodId,
  name,
  fields: Object.entries(fields),
}));
const SPEC_BY_ID = new Map(SPECS.map((spec) => [spec.id, spec]));
const SPEC_BY_NAME = new Map<string, Spec>(SPECS.map((spec) => [spec.name, spec]));

/** The name of the method with this id, or undefined. */
export function methodName(id: number): MethodName | undefined {
  return SPEC_BY_ID.get(id)?.name;
}

/**
 * Decodes the payload `buf[start..end)` of a method frame. Everything is copied. Throws CodecError: `unknown-method`;
 * `frame` when the arguments are cut, have bytes after them or a name is not UTF-8 (RabbitMQ: 501); `syntax` for a
 * malformed table.
 */
export function decodeMethod(buf: Buffer, start = 0, end: number = buf.length): Method {
  const reader = new CodecReader(buf, start, end, 'frame');
  const classId = reader.u16();
  const methodId = reader.u16();
  const id = (classId << 16) | methodId;
  const spec = SPEC_BY_ID.get(id);
  if (spec === undefined) throw new CodecError('unknown-method', `unknown method ${methodId} of class ${classId}`, id);
  const method = { id: spec.id, name: spec.name };
  readFields(reader, spec, method as Arguments);
  if (reader.remaining > 0) reader.fail(`cannot decode ${spec.name}: ${reader.remaining} bytes after its arguments`);
  return method as Method;
}

/** A whole frame. Throws CodecError (syntax) when an argument does not fit its field. */
export function encodeMethod(channel: number, method: MethodInput): Buffer {
  const writer = new CodecWriter(128);
  writeMethod(writer, channel, method);
  return writer.bytes();
}

/** Writes a whole frame. */
export function writeMethod(writer: CodecWriter, channel: number, method: MethodInput): void {
  const start = beginFrame(writer, FRAME_METHOD, channel);
  writeMethodPayload(writer, method);
  endFrame(writer, start);
}

/** Writes the payload of a method frame alone. */
export function writeMethodPayload(writer: CodecWriter, method: MethodInput): void {
  const spec = SPEC_BY_NAME.get(method.name);
  if (spec === undefined) throw new CodecError('unknown-method', `unknown method ${String(method.name)}`);
  writer.u32(spec.id);
  writeFields(writer, spec, method as unknown as Arguments);
}

function readFields(reader: CodecReader, spec: Spec, method: Arguments): void {
  let bits = 0;
  let mask = 0;
  for (const [field, kind] of spec.fields) {
    if (kind !== 'bit') {
      mask = 0;
      method[field] = readField(reader, kind, spec, field);
      continue;
    }
    if (mask === 0) bits = reader.u8();
    mask = mask === 0 ? 1 : mask << 1;
    method[field] = (bits & mask) !== 0;
  }
}

function readField(reader: CodecReader, kind: FieldKind, spec: Spec, field: string): unknown {
  switch (kind) {
    case 'octet':
      return reader.u8();
    case 'short':
      return reader.u16();
    case 'long':
      return reader.u32();
    case 'longlong':
      return reader.u64();
    case 'shortstr':
      return reader.shortString();
    case 'longstr':
      return Buffer.from(reader.longBytes());
    case 'table':
      return readArguments(reader);
    default:
      return readText(reader, spec, field);
  }
}

function readText(reader: CodecReader, spec: Spec, field: string): string {
  const length = reader.u8();
  const at = reader.position;
  const text = reader.text(length);
  if (!isValidUtf8(reader.buffer, at, at + length)) reader.fail(`malformed UTF-8 in ${field} of ${spec.name}`);
  return text;
}

function readArguments(reader: CodecReader): FieldTable {
  reader.kind = 'syntax';
  const table = readTable(reader);
  reader.kind = 'frame';
  return table;
}

function writeFields(writer: CodecWriter, spec: Spec, method: Arguments): void {
  let bits = 0;
  let mask = 0;
  for (const [field, kind] of spec.fields) {
    if (kind === 'bit') {
      mask = mask === 0 ? 1 : mask << 1;
      if (method[field] === true) bits |= mask;
      continue;
    }
    if (mask !== 0) writer.u8(bits);
    bits = mask = 0;
    writeField(writer, kind, method[field]);
  }
  if (mask !== 0) writer.u8(bits);
}

const NO_ARGUMENTS: FieldTable = Object.freeze(Object.create(null));

function writeField(writer: CodecWriter, kind: FieldKind, value: unknown): void {
  if (kind === 'octet') writer.u8((value ?? 0) as number);
  else if (kind === 'short') writer.u16((value ?? 0) as number);
  else if (kind === 'long') writer.u32((value ?? 0) as number);
  else if (kind === 'longlong') writer.u64((value ?? 0) as number | bigint);
  else if (kind === 'longstr') writer.longString((value ?? '') as string | Buffer);
  else if (kind === 'table') writeTable(writer, (value ?? NO_ARGUMENTS) as FieldTable);
  else writer.shortString((value ?? '') as string);
}
