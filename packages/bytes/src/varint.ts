import { CursorError } from './cursor.js';

/** Enough for every integer that a number holds exactly: 53 bits in groups of seven. */
export const VARINT_BYTES_MAX = 8;

/** How many bytes `writeVarint` needs for `value` (0 .. 2^53 - 1). */
export function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) length++;
  return length;
}

/**
 * Writes `value` (0 .. 2^53 - 1) at `at` as unsigned LEB128, seven bits a byte, the lowest first, and returns the
 * position after it. Throws CursorError when the value is none of these or the buffer ends before it.
 */
export function writeVarint(buf: Uint8Array, at: number, value: number): number {
  if (!(Number.isSafeInteger(value) && value >= 0)) throw new CursorError(`${value} is not a varint`);
  if (at < 0 || at + varintLength(value) > buf.length) throw new CursorError(`no room for a varint at ${at}`);
  let position = at;
  let rest = value;
  // Beyond 32 bits the bitwise operators would cut the value.
  for (; rest > 0x7fff_ffff; rest = Math.floor(rest / 0x80)) buf[position++] = 0x80 | (rest % 0x80);
  for (; rest >= 0x80; rest >>>= 7) buf[position++] = 0x80 | (rest & 0x7f);
  buf[position++] = rest;
  return position;
}

/**
 * Reads the varint at `at`. The position after it is `at + varintLength(value)`: only the shortest form is accepted,
 * so one value has one spelling. Throws CursorError on a cut, overlong or too large value.
 */
export function readVarint(buf: Uint8Array, at: number, end: number = buf.length): number {
  let value = 0;
  let scale = 1;
  for (let position = at; position < end; position++) {
    const byte = buf[position]!;
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) return checked(value, byte, position - at);
    scale *= 0x80;
    if (position - at + 1 >= VARINT_BYTES_MAX) break;
  }
  throw new CursorError(end - at >= VARINT_BYTES_MAX ? `varint at ${at} is too long` : `varint at ${at} is cut`);
}

function checked(value: number, lastByte: number, index: number): number {
  if (lastByte === 0 && index > 0) throw new CursorError('varint is not in its shortest form');
  if (!Number.isSafeInteger(value)) throw new CursorError('varint exceeds 2^53 - 1');
  return value;
}
