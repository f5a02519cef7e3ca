import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ByteReader, ByteWriter, CursorError } from './cursor.js';

test('reads what was written, and nothing more', () => {
  const writer = new ByteWriter(1);
  writer.u8(0xfe);
  writer.u16(0xfedc);
  writer.u32(0xfedcba98);
  writer.u32(-2);
  writer.u64(2 ** 53 - 1);
  writer.u64(2n ** 64n - 1n);
  writer.i64(-(2n ** 63n));
  writer.f32(1.5);
  writer.f64(-0.1);
  writer.shortString('é');
  writer.longString('🐇');
  writer.longString(Buffer.from([0, 255]));
  const reader = new ByteReader(writer.bytes());
  expect([reader.u8(), reader.u16(), reader.u32(), reader.i32()]).toEqual([0xfe, 0xfedc, 0xfedcba98, -2]);
  expect([reader.u64Exact(), reader.u64Exact()]).toEqual([2 ** 53 - 1, 2n ** 64n - 1n]);
  expect([reader.i64Exact(), reader.f32(), reader.f64()]).toEqual([-(2n ** 63n), 1.5, -0.1]);
  expect([reader.shortString(), reader.longString(), reader.longBytes()]).toEqual(['é', '🐇', Buffer.from([0, 255])]);
  expect(reader.remaining).toBe(0);
});

test('reads signed values below zero', () => {
  const reader = new ByteReader(Buffer.from('80ffff', 'hex'));
  expect([reader.i8(), reader.i16()]).toEqual([-128, -1]);
});

test('rounds a u64 beyond 2^53 and has it exactly as a bigint', () => {
  const reader = new ByteReader(Buffer.from('0020000000000001'.repeat(2), 'hex'));
  expect(reader.u64()).toBe(2 ** 53);
  expect(reader.u64BigInt()).toBe(2n ** 53n + 1n);
});

test.each([
  ['u8', (r: ByteReader) => r.u8()],
  ['u16', (r: ByteReader) => r.u16()],
  ['u32', (r: ByteReader) => r.u32()],
  ['u64', (r: ByteReader) => r.u64()],
  ['u64BigInt', (r: ByteReader) => r.u64BigInt()],
  ['f64', (r: ByteReader) => r.f64()],
  ['shortString', (r: ByteReader) => r.shortString()],
  ['longString', (r: ByteReader) => r.longString()],
  ['longBytes', (r: ByteReader) => r.longBytes()],
  ['skip', (r: ByteReader) => r.skip(9)],
] as const)('%s throws a CursorError at the limit, with bytes of others behind it', (_, read) => {
  const bytes = Buffer.from('ffffffffffffffffffffffff', 'hex');
  expect(() => read(new ByteReader(bytes, 2, 2))).toThrow(CursorError);
  expect(() => read(new ByteReader(bytes, 4, 4))).toThrow(CursorError);
});

test('a reader is never made over a range that its buffer does not have', () => {
  expect(() => new ByteReader(Buffer.alloc(4), 0, 5)).toThrow(RangeError);
  expect(() => new ByteReader(Buffer.alloc(4), 3, 2)).toThrow(RangeError);
});

test('a length may not wrap around', () => {
  const reader = new ByteReader(Buffer.from('ffffffff00', 'hex'));
  expect(() => reader.longBytes()).toThrow('4294967295 bytes wanted at 4, 1 left');
});

test('grows while it is written to, and patches what it wrote before', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 40 })), (chunks) => {
      const writer = new ByteWriter(1);
      writer.u32(0);
      for (const chunk of chunks) writer.append(chunk);
      writer.patchU32(0, writer.length);
      const whole = writer.bytes();
      expect(whole.readUInt32BE(0)).toBe(whole.length);
      expect(whole.subarray(4).equals(Buffer.concat(chunks))).toBe(true);
    }),
  );
});

test('refuses what a field cannot hold', () => {
  const writer = new ByteWriter();
  expect(() => writer.shortString('é'.repeat(128))).toThrow(CursorError);
  expect(() => writer.u64(-1)).toThrow(CursorError);
  expect(() => writer.u64(0.5)).toThrow(CursorError);
  expect(() => writer.u64(2n ** 64n)).toThrow(CursorError);
  expect(() => writer.i64(2n ** 63n)).toThrow(CursorError);
  expect(() => writer.patchU32(0, 1)).toThrow(RangeError);
  expect(writer.length).toBe(0);
});

test('begins anew in the same buffer', () => {
  const writer = new ByteWriter();
  writer.u32(1);
  writer.reset();
  writer.u8(7);
  expect(writer.bytes()).toEqual(Buffer.from([7]));
});
