import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { argumentsOf, tableOf } from './argument-values.js';
import {
  BinaryString,
  Decimal,
  encodeTable,
  equalFieldValue,
  type FieldTable,
  type FieldValue,
  Float,
  fieldTable,
  Timestamp,
} from './codec/index.js';

const throughJson = (table: FieldTable) => tableOf(JSON.parse(JSON.stringify(argumentsOf(table))));

describe('field tables as arguments', () => {
  test('values of every type come back through JSON', () => {
    const table = fieldTable({
      text: 'a',
      integer: -7,
      large: 2n ** 60n,
      truth: true,
      nothing: null,
      list: [1, [2n ** 53n], 'x'],
      nested: fieldTable({ bytes: Buffer.from([0, 255]), when: new Timestamp(5), late: new Timestamp(2n ** 63n) }),
      odd: [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
    });
    expect(equalFieldValue(throughJson(table), table)).toBe(true);
  });

  test('what has a plain word in JSON loses its type only', () => {
    const table = fieldTable({
      whole: new Float(5),
      price: new Decimal(2, 125),
      raw: new BinaryString(Buffer.from([255])),
    });
    expect({ ...throughJson(table) }).toEqual({ whole: 5, price: 1.25, raw: Buffer.from([255]) });
  });

  test('a table of the peer that looks like a tag stays a table', () => {
    for (const key of ['$integer', '$bytes', '$timestamp', '$number', '$', '$$integer', '$other']) {
      for (const value of ['abc', 7, '7', null, fieldTable({ $integer: '1' })] as FieldValue[]) {
        const table = fieldTable({ header: fieldTable({ [key]: value }) });
        expect(equalFieldValue(throughJson(table), table)).toBe(true);
      }
    }
    expect(argumentsOf(fieldTable({ t: fieldTable({ $integer: 'abc' }) }))).toEqual({ t: { $$integer: 'abc' } });
    // Names of the outermost table are names, whatever they look like.
    expect(argumentsOf(fieldTable({ $integer: '1' }))).toEqual({ $integer: '1' });
  });

  test('any table comes back', () => {
    const key = fc.oneof(fc.string({ maxLength: 5 }), fc.constantFrom('$integer', '$bytes', '$timestamp', '__proto__'));
    const { table } = fc.letrec<{ value: FieldValue; table: FieldTable }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        fc.oneof(
          fc.string(),
          fc.integer(),
          fc.boolean(),
          fc.constant(null),
          fc.bigInt({ min: 2n ** 54n, max: 2n ** 62n }),
        ),
        fc.array(tie('value'), { maxLength: 3 }),
        tie('table'),
      ),
      table: fc
        .dictionary(key, tie('value'), { maxKeys: 3, noNullPrototype: false })
        .map((entries) => fieldTable(entries)),
    }));
    fc.assert(fc.property(table, (each) => equalFieldValue(throughJson(each), each)));
  });

  test('from the outside, tags with wrong values and deep nesting are refused', () => {
    const wrong = [
      { $integer: 'abc' },
      { $integer: 1.5 },
      { $integer: String(2n ** 63n) },
      { $timestamp: -1 },
      { $timestamp: 'soon' },
      { $bytes: 'not base64!' },
      { $number: '5' },
    ];
    for (const value of wrong) expect(() => tableOf({ value }), JSON.stringify(value)).toThrow(RangeError);
    expect(() => tableOf(JSON.parse(`{"a":${'['.repeat(100)}${']'.repeat(100)}}`))).toThrow(/nested deeper/);
    const deepest = tableOf(JSON.parse(`{"a":${'['.repeat(63)}${']'.repeat(63)}}`));
    expect(encodeTable(deepest).length).toBeGreaterThan(0);
  });
});
