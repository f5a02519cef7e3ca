/** A read past the limit, or a value that its field cannot carry. */
export class CursorError extends Error {
  override readonly name: string = 'CursorError';
}

const TWO_32 = 0x1_0000_0000;

/**
 * Reads big-endian fields of a buffer from `position` up to `limit`; nothing is ever read past the limit.
 * A codec with an error type of its own overrides `fail`.
 */
export class ByteReader {
  buffer: Buffer;
  position: number;
  limit: number;

  constructor(buffer: Buffer, position = 0, limit: number = buffer.length) {
    if (!(position >= 0 && position <= limit && limit <= buffer.length)) {
      throw new RangeError(`no range ${position}..${limit} in a buffer of ${buffer.length} bytes`);
    }
    this.buffer = buffer;
    this.position = position;
    this.limit = limit;
  }

  get remaining(): number {
    return this.limit - this.position;
  }

  u8(): number {
    return this.buffer[this.advance(1)]!;
  }

  i8(): number {
    return (this.u8() << 24) >> 24;
  }

  u16(): number {
    const at = this.advance(2);
    return (this.buffer[at]! << 8) | this.buffer[at + 1]!;
  }

  i16(): number {
    return (this.u16() << 16) >> 16;
  }

  i32(): number {
    const at = this.advance(4);
    const b = this.buffer;
    return (b[at]! << 24) | (b[at + 1]! << 16) | (b[at + 2]! << 8) | b[at + 3]!;
  }

  u32(): number {
    return this.i32() >>> 0;
  }

  /** As a number; rounded above 2^53 - 1, where `u64BigInt` is exact. */
  u64(): number {
    const high = this.u32();
    return high * TWO_32 + this.u32();
  }

  u64BigInt(): bigint {
    return this.buffer.readBigUInt64BE(this.advance(8));
  }

  /** As a number where that is exact, else as a bigint. */
  u64Exact(): number | bigint {
    return exact(this.u64BigInt());
  }

  /** As a number where that is exact, else as a bigint. */
  i64Exact(): number | bigint {
    return exact(this.buffer.readBigInt64BE(this.advance(8)));
  }

  f32(): number {
    return this.buffer.readFloatBE(this.advance(4));
  }

  f64(): number {
    return this.buffer.readDoubleBE(this.advance(8));
  }

  /** A view, not a copy: it lives as long as the whole buffer. */
  bytes(length: number): Buffer {
    const at = this.advance(length);
    return this.buffer.subarray(at, at + length);
  }

  skip(length: number): void {
    this.advance(length);
  }

  /** One byte of length, then UTF-8; what is not UTF-8 becomes U+FFFD. */
  shortString(): string {
    return this.text(this.u8());
  }

  /** Four bytes of length, then UTF-8; what is not UTF-8 becomes U+FFFD. */
  longString(): string {
    return this.text(this.u32());
  }

  /** Four bytes of length, then that many bytes, as a view. */
  longBytes(): Buffer {
    return this.bytes(this.u32());
  }

  text(length: number): string {
    const at = this.advance(length);
    return length === 0 ? '' : this.buffer.toString('utf8', at, at + length);
  }

  /** Moves past `length` bytes and returns where they begin. */
  advance(length: number): number {
    const at = this.position;
    if (length > this.limit - at) this.fail(`${length} bytes wanted at ${at}, ${this.limit - at} left`);
    this.position = at + length;
    return at;
  }

  fail(message: string): never {
    throw new CursorError(message);
  }
}

/** Writes big-endian fields into a buffer that grows. A codec with an error type of its own overrides `fail`. */
export class ByteWriter {
  private buffer: Buffer;
  private end = 0;

  constructor(capacity = 256) {
    this.buffer = Buffer.allocUnsafe(Math.max(capacity, 16));
  }

  get length(): number {
    return this.end;
  }

  u8(value: number): void {
    const at = this.claim(1);
    this.buffer[at] = value;
  }

  u16(value: number): void {
    const at = this.claim(2);
    this.buffer[at] = value >>> 8;
    this.buffer[at + 1] = value;
  }

  /** Takes -2^31 .. 2^32 - 1: signed and unsigned have the same bytes. */
  u32(value: number): void {
    this.patchU32(this.claim(4), value);
  }

  /** Of a number at most 2^53 - 1, or of any unsigned 64-bit bigint. */
  u64(value: number | bigint): void {
    if (typeof value === 'number' && !(Number.isSafeInteger(value) && value >= 0)) this.fail(`${value} is not a u64`);
    if (typeof value === 'bigint' && value !== BigInt.asUintN(64, value)) this.fail(`${value} is not a u64`);
    const at = this.claim(8);
    this.buffer.writeBigUInt64BE(BigInt(value), at);
  }

  i64(value: number | bigint): void {
    const wide = BigInt(value);
    if (wide !== BigInt.asIntN(64, wide)) this.fail(`${value} is not an i64`);
    const at = this.claim(8);
    this.buffer.writeBigInt64BE(wide, at);
  }

  f32(value: number): void {
    const at = this.claim(4);
    this.buffer.writeFloatBE(value, at);
  }

  f64(value: number): void {
    const at = this.claim(8);
    this.buffer.writeDoubleBE(value, at);
  }

  append(value: Uint8Array): void {
    const at = this.claim(value.length);
    this.buffer.set(value, at);
  }

  /** One byte of length, then UTF-8; more than 255 bytes is refused. */
  shortString(value: string): void {
    const length = Buffer.byteLength(value);
    if (length > 255) this.fail(`a short string holds 255 bytes, not ${length}`);
    this.u8(length);
    this.text(value, length);
  }

  /** Four bytes of length, then the bytes, or the UTF-8 of a string. */
  longString(value: string | Uint8Array): void {
    const length = typeof value === 'string' ? Buffer.byteLength(value) : value.length;
    this.u32(length);
    if (typeof value === 'string') this.text(value, length);
    else this.append(value);
  }

  /** Overwrites four bytes that were written before, such as a length that is known only now. */
  patchU32(at: number, value: number): void {
    if (at < 0 || at + 4 > this.end) throw new RangeError(`nothing was written at ${at}`);
    const b = this.buffer;
    b[at] = value >>> 24;
    b[at + 1] = value >>> 16;
    b[at + 2] = value >>> 8;
    b[at + 3] = value;
  }

  /** What was written, as a view of the writer's own buffer: take it once, when everything is in. */
  bytes(): Buffer {
    return this.buffer.subarray(0, this.end);
  }

  /** Begins anew in the same buffer; views taken before will be overwritten. */
  reset(): void {
    this.end = 0;
  }

  fail(message: string): never {
    throw new CursorError(message);
  }

  private text(value: string, length: number): void {
    const at = this.claim(length);
    if (length > 0) this.buffer.write(value, at, length, 'utf8');
  }

  /** Makes room, perhaps in a new buffer: ask before touching `this.buffer`. */
  private claim(length: number): number {
    const at = this.end;
    if (at + length > this.buffer.length) this.grow(at + length);
    this.end = at + length;
    return at;
  }

  private grow(wanted: number): void {
    const larger = Buffer.allocUnsafe(Math.max(wanted, this.buffer.length * 2));
    this.buffer.copy(larger, 0, 0, this.end);
    this.buffer = larger;
  }
}

function exact(value: bigint): number | bigint {
  const rounded = Number(value);
  return Number.isSafeInteger(rounded) ? rounded : value;
}
