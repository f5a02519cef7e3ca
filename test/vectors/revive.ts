import {
  BinaryString,
  Decimal,
  type FieldValue,
  Float,
  fieldTable,
  Timestamp,
} from '../../packages/amqp091/src/codec/index.js';

/** How the vectors' JSON spells the values that JSON does not have; the field values they stand for. */
export function revive(value: unknown): FieldValue {
  if (Array.isArray(value)) return value.map(revive);
  if (typeof value !== 'object' || value === null) return value as FieldValue;
  const [key, inner] = (Object.entries(value)[0] ?? ['', null]) as [string, unknown];
  const special = key.startsWith('$') ? SPECIAL[key] : undefined;
  if (special !== undefined) return special(inner);
  return fieldTable(Object.fromEntries(Object.entries(value).map(([name, entry]) => [name, revive(entry)])));
}

const SPECIAL: { readonly [key: string]: (inner: unknown) => FieldValue } = {
  $bytes: (hex) => Buffer.from(hex as string, 'hex'),
  $string: (hex) => new BinaryString(Buffer.from(hex as string, 'hex')),
  $bigint: (digits) => BigInt(digits as string),
  $number: (text) => Number(text as string),
  $float: (value) => new Float(value as number),
  $timestamp: (value) => new Timestamp(revive(value) as number | bigint),
  $decimal: (pair) => new Decimal((pair as number[])[0]!, (pair as number[])[1]!),
};
