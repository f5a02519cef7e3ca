import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CodecReader } from './cursor.js';
import { CodecError } from './errors.js';
import { equalFieldValue } from './field-equality.js';
import {
  BinaryString,
  Decimal,
  type FieldTable,
  type FieldValue,
  Float,
  fieldTable,
  Timestamp,
} from './field-value.js';
import { decodeTable, encodeTable, readTable, TABLE_DEPTH_MAX } from './table.js';
import { checkTable, editTable, findTableValue } from './table-scan.js';

const key = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 20 }),
  fc.constantFrom('__proto__', 'constructor', 'toString', '0', '4294967294', ''),
);
const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const { table: anyTable } = fc.letrec<{ value: FieldValue; table: FieldTable }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constant(null),
    fc.boolean(),
    fc.string({ unit: 'grapheme' }),
    fc.maxSafeInteger(),
    fc.integer(),
    fc.double().filter((value) => !Number.isInteger(value)),
    fc.oneof(fc.integer(), fc.double().filter(Number.isInteger), fc.constant(-0)).map((value) => new Float(value)),
    fc.bigInt({ min: 2n ** 53n, max: 2n ** 63n - 1n }),
    fc.bigInt({ min: -(2n ** 63n), max: -(2n ** 53n) }),
    fc.uint8Array().map((bytes) => Buffer.from(bytes)),
    fc.uint8Array().map((bytes) => new BinaryString(Buffer.concat([Buffer.from([0xff]), bytes]))),
    u64.map((seconds) => new Timestamp(seconds < 2n ** 53n ? Number(seconds) : seconds)),
    fc.tuple(fc.nat(255), fc.nat(0xffffffff)).map(([scale, unscaled]) => new Decimal(scale, unscaled)),
    fc.array(tie('value'), { maxLength: 4 }),
    tie('table'),
  ),
  table: fc.array(fc.tuple(key, tie('value')), { maxLength: 5 }).map((entries) => {
    const table = fieldTable();
    for (const [name, value] of entries) table[name] = value;
    return table;
  }),
}));

describe('any table', () => {
  test('comes back as it was written', () => {
    fc.assert(
      fc.property(anyTable, (table) => {
        const bytes = encodeTable(table);
        const back = decodeTable(bytes);
        expect(back).toEqual(table);
        expect(equalFieldValue(back, table)).toBe(true);
        expect(encodeTable(back)).toEqual(bytes);
        expect(() => checkTable(bytes, 0, bytes.length)).not.toThrow();
      }),
    );
  });

  test('is found in the middle of a larger buffer, and is not a view of it', () => {
    fc.assert(
      fc.property(anyTable, fc.uint8Array(), (table, around) => {
        const bytes = Buffer.concat([around, encodeTable(table), around]);
        const back = decodeTable(bytes, around.length, bytes.length - around.length);
        bytes.fill(0xee);
        expect(back).toEqual(table);
      }),
    );
  });

  test('gives up its entries one by one, and the last of a key that stands twice', () => {
    fc.assert(
      fc.property(anyTable, anyTable, key, (one, two, name) => {
        const bytes = Buffer.concat([encodeTable(one), encodeTable(two)]);
        const both = decodeTable(bytes);
        expect(both).toEqual(Object.assign(fieldTable(), one, two));
        for (const wanted of [...Object.keys(both), name]) {
          expect(findTableValue(bytes, 0, bytes.length, wanted)).toEqual(both[wanted]);
        }
      }),
    );
  });

  test('is edited without touching what is not named', () => {
    fc.assert(
      fc.property(anyTable, anyTable, fc.array(key), (table, set, remove) => {
        const bytes = encodeTable(table);
        const edited = decodeTable(editTable(bytes, 0, bytes.length, remove, set));
        const wanted = fieldTable(table);
        for (const name of remove) delete wanted[name];
        expect(edited).toEqual(Object.assign(wanted, set));
      }),
    );
  });
});

test('editing keeps the types that decoding would lose', () => {
  // b, l and f in small values, around a key to remove.
  const bytes = Buffer.from('01616207' + '0162' + '5300000000' + '01636c0000000000000001' + '0164663f800000', 'hex');
  expect(editTable(bytes, 0, bytes.length, ['b']).toString('hex')).toBe(
    '01616207' + '01636c0000000000000001' + '0164663f800000',
  );
});

test('a table has no prototype that a key could reach', () => {
  const table = decodeTable(Buffer.from(`09${Buffer.from('__proto__').toString('hex')}460000000401617401`, 'hex'));
  expect(Object.getPrototypeOf(table)).toBe(null);
  expect(Object.keys(table)).toEqual(['__proto__']);
  expect(({} as { a?: boolean }).a).toBeUndefined();
  expect(fieldTable(table)).toEqual(table);
});

describe('hostile tables', () => {
  test.each([
    ['tables', nestTables],
    ['arrays', nestArrays],
  ] as const)('%s in one another are refused beyond the limit, however many', (_, bytes) => {
    expect(() => decodeTable(bytes(TABLE_DEPTH_MAX - 1))).not.toThrow();
    for (const depth of [TABLE_DEPTH_MAX, 1000, 20_000]) {
      const deep = bytes(depth);
      expect(() => decodeTable(deep)).toThrow(/nested deeper than 64/);
      expect(() => checkTable(deep, 0, deep.length)).toThrow(/nested deeper than 64/);
      expect(() => findTableValue(deep, 0, deep.length, 'x')).toThrow(CodecError);
      expect(() => editTable(deep, 0, deep.length, ['x'])).toThrow(CodecError);
    }
  });

  test('our own may not be deeper either', () => {
    let table = fieldTable();
    for (let i = 1; i < TABLE_DEPTH_MAX; i++) table = fieldTable({ t: table });
    expect(decodeTable(encodeTable(table))).toEqual(table);
    expect(() => encodeTable(fieldTable({ t: table }))).toThrow(CodecError);
  });

  test('a table longer than its frame', () => {
    const bytes = Buffer.from('000000ff016b56', 'hex');
    expect(() => readTable(new CodecReader(bytes, 0, bytes.length, 'syntax'))).toThrow(
      'a table of 255 bytes where 3 are left',
    );
  });

  test('checking and decoding agree on any bytes, and throw nothing but CodecErrors', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        const buf = Buffer.from(bytes);
        expect(outcome(() => checkTable(buf, 0, buf.length))).toBe(outcome(() => decodeTable(buf)));
      }),
      { numRuns: 2000 },
    );
  });
});

test('what cannot be written is a CodecError', () => {
  expect(() => encodeTable({ ['k'.repeat(256)]: null })).toThrow(CodecError);
  expect(() => encodeTable({ k: 2n ** 63n })).toThrow(CodecError);
  expect(() => encodeTable({ k: undefined } as unknown as FieldTable)).toThrow(CodecError);
  expect(() => encodeTable({ k: [() => 1] } as unknown as FieldTable)).toThrow(CodecError);
});

function outcome(act: () => unknown): string {
  try {
    act();
    return 'accepted';
  } catch (error) {
    return error instanceof CodecError ? 'refused' : `thrown: ${error}`;
  }
}

function nestTables(depth: number): Buffer {
  return nest(depth, [0, 0x46]);
}

function nestArrays(depth: number): Buffer {
  return Buffer.concat([Buffer.from([0]), nest(depth, [0x41])]);
}

/** `depth` times the prefix and a length, in one another, from the inside out in one buffer. */
function nest(depth: number, prefix: readonly number[]): Buffer {
  const step = prefix.length + 4;
  const bytes = Buffer.alloc(depth * step);
  for (let level = 0; level < depth; level++) {
    bytes.set(prefix, level * step);
    bytes.writeUInt32BE((depth - level - 1) * step, level * step + prefix.length);
  }
  return bytes;
}
