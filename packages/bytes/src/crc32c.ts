import { crc32cProgram } from './crc32c-program.js';

/** As much of it as is used; the types for it come with those of browsers. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: unknown };
};

const POLYNOMIAL = 0x82f63b78;
const TABLES = sliceTables();

/** Below so many bytes the copy into the program's memory and the call cost more than they save. */
const programBytesMin = 256;
const memoryPages = 2;
/** So many bytes are copied for nothing rather than an object made that leaves them out. */
const aheadBytesMax = 256;
const inputAt = TABLES.byteLength;

const { crc: run, memory } = new WebAssembly.Instance(new WebAssembly.Module(crc32cProgram(memoryPages)))
  .exports as Program;
const input = new Uint8Array(memory.buffer, inputAt);
// Little-endian on every machine.
const tables = new DataView(memory.buffer);
for (const [at, value] of TABLES.entries()) tables.setInt32(4 * at, value, true);

interface Program {
  readonly crc: (at: number, end: number, seed: number) => number;
  readonly memory: { readonly buffer: ArrayBuffer };
}

/**
 * CRC-32C (Castagnoli, RFC 3720 appendix B.4) of `buf[start..end)`, unsigned. `seed` is the checksum of the bytes
 * before these, so that `crc32c(b, 0, b.length, crc32c(a))` is the checksum of a followed by b.
 */
export function crc32c(buf: Uint8Array, start = 0, end: number = buf.length, seed = 0): number {
  if (!(start >= 0 && start <= end && end <= buf.length)) {
    throw new RangeError(`no range ${start}..${end} in a buffer of ${buf.length} bytes`);
  }
  if (end - start >= programBytesMin) return byProgram(buf, start, end, seed);
  const t = TABLES;
  let crc = ~seed;
  let at = start;
  for (const last = end - 16; at <= last; at += 16) {
    const low = crc ^ (buf[at]! | (buf[at + 1]! << 8) | (buf[at + 2]! << 16) | (buf[at + 3]! << 24));
    crc =
      t[0xf00 | (low & 0xff)]! ^
      t[0xe00 | ((low >>> 8) & 0xff)]! ^
      t[0xd00 | ((low >>> 16) & 0xff)]! ^
      t[0xc00 | (low >>> 24)]! ^
      t[0xb00 | buf[at + 4]!]! ^
      t[0xa00 | buf[at + 5]!]! ^
      t[0x900 | buf[at + 6]!]! ^
      t[0x800 | buf[at + 7]!]! ^
      t[0x700 | buf[at + 8]!]! ^
      t[0x600 | buf[at + 9]!]! ^
      t[0x500 | buf[at + 10]!]! ^
      t[0x400 | buf[at + 11]!]! ^
      t[0x300 | buf[at + 12]!]! ^
      t[0x200 | buf[at + 13]!]! ^
      t[0x100 | buf[at + 14]!]! ^
      t[buf[at + 15]!]!;
  }
  for (; at < end; at++) crc = t[(crc ^ buf[at]!) & 0xff]! ^ (crc >>> 8);
  return ~crc >>> 0;
}

function byProgram(buf: Uint8Array, start: number, end: number, seed: number): number {
  // All of a buffer goes without an object for a part of it.
  if (start <= aheadBytesMax && end === buf.length && end <= input.length) {
    input.set(buf);
    return run(inputAt + start, inputAt + end, seed) >>> 0;
  }
  let crc = seed;
  for (let at = start; at < end; at += input.length) {
    const bytes = Math.min(end - at, input.length);
    input.set(new Uint8Array(buf.buffer, buf.byteOffset + at, bytes));
    crc = run(inputAt, inputAt + bytes, crc);
  }
  return crc >>> 0;
}

/** Table k, at k * 256, holds the effect of a byte that k more bytes follow: sixteen bytes in one step. */
function sliceTables(): Int32Array {
  const tables = new Int32Array(16 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
    tables[byte] = crc;
  }
  for (let at = 256; at < tables.length; at++) {
    const before = tables[at - 256]!;
    tables[at] = (before >>> 8) ^ tables[before & 0xff]!;
  }
  return tables;
}
