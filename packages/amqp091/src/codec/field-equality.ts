import { BinaryString, Decimal, type FieldTable, type FieldValue, Float, Timestamp } from './field-value.js';

/**
 * Whether two arguments are equivalent, as RabbitMQ compares those of a redeclared queue or exchange: integers by
 * value whatever their width, floats likewise, but the integer 5 is not the float 5.0; the order of a table's keys
 * does not matter, the order of an array's elements does; an absent argument equals only an absent one.
 */
export function equalFieldValue(a: FieldValue | undefined, b: FieldValue | undefined): boolean {
  if (a === b) return true;
  if (typeof a === 'number' || typeof a === 'bigint') return equalIntegers(a, b);
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a)) return Array.isArray(b) && equalArrays(a, b);
  if (a instanceof Uint8Array) return b instanceof Uint8Array && a.equals(b);
  if (a instanceof BinaryString) return b instanceof BinaryString && a.bytes.equals(b.bytes);
  if (a instanceof Float) return b instanceof Float && a.value === b.value;
  if (a instanceof Timestamp) return b instanceof Timestamp && BigInt(a.timestamp) === BigInt(b.timestamp);
  if (a instanceof Decimal) return b instanceof Decimal && a.scale === b.scale && a.unscaled === b.unscaled;
  return isPlain(b) && equalTables(a, b);
}

/** Whether two tables have the same keys with equivalent values. */
export function equalTables(a: FieldTable, b: FieldTable): boolean {
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  return keys.every((key) => Object.hasOwn(b, key) && equalFieldValue(a[key], b[key]));
}

function equalIntegers(a: number | bigint, b: FieldValue | undefined): boolean {
  if (typeof a === 'number' && typeof b === 'number') return Number.isNaN(a) && Number.isNaN(b);
  // Between a number and a bigint, loose equality compares the mathematical values, and exactly so.
  // biome-ignore lint/suspicious/noDoubleEquals: see above
  return (typeof b === 'number' || typeof b === 'bigint') && a == b;
}

function equalArrays(a: readonly FieldValue[], b: readonly FieldValue[]): boolean {
  return a.length === b.length && a.every((value, index) => equalFieldValue(value, b[index]));
}

function isPlain(value: object): value is FieldTable {
  return !(
    Array.isArray(value) ||
    value instanceof Uint8Array ||
    value instanceof BinaryString ||
    value instanceof Float ||
    value instanceof Timestamp ||
    value instanceof Decimal
  );
}
