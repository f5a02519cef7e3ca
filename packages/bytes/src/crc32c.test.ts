import fc from 'fast-check';
import { expect, test } from 'vitest';
import { crc32c } from './crc32c.js';

// RFC 3720, appendix B.4, and the check value of the CRC catalogues.
test.each([
  ['32 bytes of zeroes', Buffer.alloc(32), 0x8a9136aa],
  ['32 bytes of ones', Buffer.alloc(32, 0xff), 0x62a8ab43],
  ['0 to 31', Buffer.from(Array.from({ length: 32 }, (_, i) => i)), 0x46dd794e],
  ['31 to 0', Buffer.from(Array.from({ length: 32 }, (_, i) => 31 - i)), 0x113fdb5c],
  ['123456789', Buffer.from('123456789'), 0xe3069283],
  ['nothing', Buffer.alloc(0), 0],
] as const)('%s', (_, bytes, wanted) => {
  expect(crc32c(bytes)).toBe(wanted);
});

test('agrees with the definition, bit by bit, at every range', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(100), fc.nat(100), (bytes, a, b) => {
      const [start, end] = [Math.min(a, b, bytes.length), Math.min(Math.max(a, b), bytes.length)];
      expect(crc32c(bytes, start, end)).toBe(byDefinition(bytes.subarray(start, end)));
    }),
  );
});

test.each([255, 256, 257, 270, 1000, 100_000, 114_688, 114_689, 500_003])(
  'agrees with the definition for %d bytes, wherever they lie and whatever came before them',
  (length) => {
    const bytes = Buffer.from(Array.from({ length: length + 7 }, (_, i) => (i * 31 + (i >>> 8) * 17) & 0xff));
    for (const start of [0, 1, 7]) {
      const part = bytes.subarray(start, start + length);
      expect(crc32c(bytes, start, start + length)).toBe(byDefinition(part));
      expect(crc32c(part, 3, length, crc32c(part, 0, 3))).toBe(byDefinition(part));
    }
  },
);

test('goes on from a seed', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), fc.uint8Array({ maxLength: 64 }), (a, b) => {
      expect(crc32c(b, 0, b.length, crc32c(a))).toBe(crc32c(Buffer.concat([a, b])));
    }),
  );
});

test('refuses a range outside the buffer', () => {
  expect(() => crc32c(Buffer.alloc(4), 0, 5)).toThrow(RangeError);
  expect(() => crc32c(Buffer.alloc(4), 3, 2)).toThrow(RangeError);
  expect(() => crc32c(Buffer.alloc(4), -1)).toThrow(RangeError);
});

function byDefinition(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return ~crc >>> 0;
}
