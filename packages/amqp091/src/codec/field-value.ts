// How a field value (AMQP 0-9-1 §4.2.5.5, in RabbitMQ's dialect) looks in JavaScript:
//   S longstr           string, or BinaryString when it is not UTF-8
//   t bool              boolean
//   b B s u I i         number
//   l L long            number within +-(2^53 - 1), else bigint (both signed: RabbitMQ's errata)
//   f d float, double   number, or Float when the value is whole and would pass for an integer
//   D decimal           Decimal          T timestamp   Timestamp
//   A array             array            F table       FieldTable
//   x byte array        Buffer           V void        null
import { CodecError } from './errors.js';

/**
 * A field table. It has no prototype, so `__proto__`, `constructor` and their like are keys as any other: build one
 * with `fieldTable()`, copy one with a spread, and never with `Object.assign({}, table)`.
 */
export interface FieldTable {
  [key: string]: FieldValue;
}

export type FieldValue =
  | string
  | number
  | bigint
  | boolean
  | null
  | Buffer
  | BinaryString
  | Decimal
  | Float
  | Timestamp
  | FieldValue[]
  | FieldTable;

/** A new table with the entries of `entries`. */
export function fieldTable(entries: { readonly [key: string]: FieldValue } = {}): FieldTable {
  const table: FieldTable = Object.create(null);
  for (const key of Object.keys(entries)) table[key] = entries[key]!;
  return table;
}

/** A long string whose bytes are not UTF-8. */
export class BinaryString {
  readonly bytes: Buffer;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  toJSON(): string {
    return this.bytes.toString('utf8');
  }
}

/** A floating-point value without a fraction: 5.0 is not the integer 5. */
export class Float {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }

  valueOf(): number {
    return this.value;
  }

  toJSON(): number {
    return this.value;
  }
}

/** `unscaled` / 10^`scale`; both unsigned, 32 and 8 bits. */
export class Decimal {
  readonly scale: number;
  readonly unscaled: number;

  constructor(scale: number, unscaled: number) {
    this.scale = scale;
    this.unscaled = unscaled;
  }

  valueOf(): number {
    return this.unscaled / 10 ** this.scale;
  }

  toJSON(): number {
    return this.valueOf();
  }
}

/** Seconds since 1970, 64 bits unsigned; a bigint only beyond 2^53 - 1. */
export class Timestamp {
  readonly timestamp: number | bigint;

  constructor(timestamp: number | bigint) {
    this.timestamp = timestamp;
  }

  toJSON(): number {
    return Number(this.timestamp);
  }
}

/** Whether a value is a nested table, and none of the other things that are objects. */
export function isFieldTable(value: FieldValue | undefined): value is FieldTable {
  return typeof value === 'object' && value !== null && fieldType(value) === 'F';
}

/** The letter under which a value is written. Throws CodecError (syntax) on what no field value can be. */
export function fieldType(value: FieldValue): string {
  switch (typeof value) {
    case 'string':
      return 'S';
    case 'boolean':
      return 't';
    case 'bigint':
      return 'l';
    case 'number':
      return numberType(value);
    case 'object':
      return value === null ? 'V' : objectType(value);
    default:
      throw new CodecError('syntax', `a ${typeof value} is no field value`);
  }
}

function numberType(value: number): string {
  if (!Number.isSafeInteger(value) || Object.is(value, -0)) return 'd';
  return value === (value | 0) ? 'I' : 'l';
}

function objectType(value: object): string {
  if (Array.isArray(value)) return 'A';
  if (value instanceof Uint8Array) return 'x';
  if (value instanceof BinaryString) return 'S';
  if (value instanceof Timestamp) return 'T';
  if (value instanceof Decimal) return 'D';
  if (value instanceof Float) return 'd';
  return 'F';
}
