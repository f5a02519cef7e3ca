import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isValidUtf8, truncateUtf8 } from './utf8.js';

test.each([
  ['ascii', '61', true],
  ['two bytes', 'c3a9', true],
  ['four bytes', 'f09f9087', true],
  ['the last code point', 'f48fbfbf', true],
  ['beyond the last code point', 'f4908080', false],
  ['overlong', 'c080', false],
  ['a surrogate', 'eda080', false],
  ['cut', 'c3', false],
  ['a continuation alone', '80', false],
  ['never a byte of UTF-8', 'ff', false],
] as const)('%s', (_, hex, wanted) => {
  const bytes = Buffer.from(hex, 'hex');
  expect(isValidUtf8(bytes)).toBe(wanted);
  // Behind so much that the long way is taken, and behind a little.
  expect(isValidUtf8(Buffer.concat([Buffer.alloc(100, 'a'), bytes]))).toBe(wanted);
  expect(isValidUtf8(Buffer.concat([Buffer.from('abc'), bytes, Buffer.from('abc')]))).toBe(wanted);
});

test('agrees with the platform on any bytes and looks only at its range', () => {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), fc.nat(80), fc.nat(80), (bytes, a, b) => {
      const [start, end] = [Math.min(a, b, bytes.length), Math.min(Math.max(a, b), bytes.length)];
      let wanted = true;
      try {
        decoder.decode(bytes.subarray(start, end));
      } catch {
        wanted = false;
      }
      expect(isValidUtf8(bytes, start, end)).toBe(wanted);
    }),
  );
});

test('truncates between characters', () => {
  expect(truncateUtf8('aé', 3)).toBe('aé');
  expect(truncateUtf8('aé', 2)).toBe('a');
  expect(truncateUtf8('🐇', 3)).toBe('');
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 30 }), fc.nat(40), (text, bytesMax) => {
      const cut = truncateUtf8(text, bytesMax);
      expect(text.startsWith(cut)).toBe(true);
      expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(bytesMax);
      const next = [...text.slice(cut.length)][0];
      if (next !== undefined) expect(Buffer.byteLength(cut + next)).toBeGreaterThan(bytesMax);
    }),
  );
});
