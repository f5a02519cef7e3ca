import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CursorError } from './cursor.js';
import { readVarint, VARINT_BYTES_MAX, varintLength, writeVarint } from './varint.js';

test.each([
  [0, '00'],
  [1, '01'],
  [127, '7f'],
  [128, '8001'],
  [300, 'ac02'],
  [2 ** 31 - 1, 'ffffffff07'],
  [2 ** 31, '8080808008'],
  [2 ** 32, '8080808010'],
  [2 ** 53 - 1, 'ffffffffffffff0f'],
] as const)('%d is %s', (value, hex) => {
  const buf = Buffer.alloc(VARINT_BYTES_MAX + 1, 0xaa);
  const end = writeVarint(buf, 1, value);
  expect(buf.toString('hex', 1, end)).toBe(hex);
  expect(varintLength(value)).toBe(end - 1);
  expect(readVarint(buf, 1)).toBe(value);
  for (let cut = 1; cut < end; cut++) expect(() => readVarint(buf, 1, cut)).toThrow(CursorError);
});

test('reads what was written', () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), (value) => {
      const buf = Buffer.alloc(VARINT_BYTES_MAX);
      const end = writeVarint(buf, 0, value);
      expect([readVarint(buf, 0, end), varintLength(value)]).toEqual([value, end]);
    }),
  );
});

test('accepts one spelling of a value, or throws', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 12 }), (bytes) => {
      let value: number;
      try {
        value = readVarint(bytes, 0);
      } catch (error) {
        expect(error).toBeInstanceOf(CursorError);
        return;
      }
      const again = Buffer.alloc(VARINT_BYTES_MAX);
      expect(again.subarray(0, writeVarint(again, 0, value))).toEqual(
        Buffer.from(bytes.subarray(0, varintLength(value))),
      );
    }),
  );
});

test.each(['8000', 'ffffffffffffff10', 'ffffffffffffffff01', '8080808080808080808000'])('refuses %s', (hex) => {
  expect(() => readVarint(Buffer.from(hex, 'hex'), 0)).toThrow(CursorError);
});

test('writes no other number and not past the end', () => {
  const buf = Buffer.alloc(2);
  for (const value of [-1, 0.5, Number.NaN, 2 ** 53]) expect(() => writeVarint(buf, 0, value)).toThrow(CursorError);
  expect(() => writeVarint(buf, 1, 300)).toThrow(CursorError);
  expect(buf).toEqual(Buffer.alloc(2));
});
