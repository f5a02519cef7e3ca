import { expect, test } from 'vitest';
import { equalFieldValue } from './field-equality.js';
import { BinaryString, Decimal, type FieldValue, Float, fieldTable, Timestamp } from './field-value.js';
import { decodeTable } from './table.js';

const DIFFERENT: FieldValue[] = [
  'a',
  '1',
  '',
  1,
  2n ** 60n,
  0.5,
  new Float(1),
  true,
  false,
  null,
  Buffer.from('a'),
  new BinaryString(Buffer.from([0xff])),
  new Decimal(0, 1),
  new Decimal(1, 10),
  new Timestamp(1),
  [],
  [1],
  [1, 2],
  [2, 1],
  fieldTable(),
  fieldTable({ a: 1 }),
  fieldTable({ a: 2 }),
  fieldTable({ b: 1 }),
  fieldTable({ a: 1, b: 1 }),
];

test('a value equals itself and none of the others', () => {
  DIFFERENT.forEach((a, i) => {
    DIFFERENT.forEach((b, j) => {
      expect(equalFieldValue(a, b), `${i} and ${j}`).toBe(i === j);
    });
  });
});

test('an absent argument equals only an absent one', () => {
  expect(equalFieldValue(undefined, undefined)).toBe(true);
  for (const value of DIFFERENT) expect(equalFieldValue(undefined, value)).toBe(false);
});

test('integers are equal whatever their width', () => {
  const values = [
    '6205',
    '4205',
    '730005',
    '750005',
    '4900000005',
    '6900000005',
    '6c0000000000000005',
    '4c0000000000000005',
  ];
  for (const hex of values) expect(equalFieldValue(decodeTable(Buffer.from(`016b${hex}`, 'hex'))['k'], 5)).toBe(true);
  expect(equalFieldValue(5n, 5)).toBe(true);
  expect(equalFieldValue(5, 5n)).toBe(true);
  expect(equalFieldValue(2n ** 53n + 1n, 2 ** 53)).toBe(false);
});

test('floats are equal whatever their width, and never an integer', () => {
  const [single, double] = ['6640a00000', '644014000000000000'].map(
    (hex) => decodeTable(Buffer.from(`016b${hex}`, 'hex'))['k'],
  );
  expect(equalFieldValue(single, double)).toBe(true);
  expect(equalFieldValue(single, 5)).toBe(false);
  expect(equalFieldValue(5, single)).toBe(false);
  expect(equalFieldValue(Number.NaN, Number.NaN)).toBe(true);
});

test('the order of keys does not matter, that of elements does', () => {
  expect(equalFieldValue(fieldTable({ a: 1, b: [1, 2] }), fieldTable({ b: [1, 2], a: 1 }))).toBe(true);
  expect(equalFieldValue(fieldTable({ a: 1, b: [1, 2] }), fieldTable({ b: [2, 1], a: 1 }))).toBe(false);
});

test('equal seconds are equal as number and as bigint', () => {
  expect(equalFieldValue(new Timestamp(7), new Timestamp(7n))).toBe(true);
});
