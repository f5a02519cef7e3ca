import { ByteReader, readVarint, VARINT_BYTES_MAX, varintLength, writeVarint } from '@chapar/bytes';
import type { Range } from '@chapar/core';

const bytesFirst = 256;

/** Writes numbers as varints, and names, into a buffer that grows. */
export class VarintWriter {
  private buf: Buffer;
  private used: number;

  /** `headBytes`: left free at the beginning. */
  constructor(headBytes = 0) {
    this.buf = Buffer.allocUnsafe(bytesFirst + headBytes);
    this.used = headBytes;
  }

  varint(value: number): void {
    this.reserve(VARINT_BYTES_MAX);
    this.used = writeVarint(this.buf, this.used, value);
  }

  name(value: string): void {
    const bytes = Buffer.byteLength(value);
    this.varint(bytes);
    this.reserve(bytes);
    this.used += this.buf.write(value, this.used, 'utf8');
  }

  /** Ascending ranges that do not overlap: how many; of each how far it begins behind the last one's end, and how many follow its first. */
  ranges(ranges: readonly Range[]): void {
    this.varint(ranges.length);
    let edge = 0;
    for (const { first, last } of ranges) {
      this.varint(first - edge);
      this.varint(last - first);
      edge = last;
    }
  }

  /** What was written so far, not to be written to any more. */
  end(): Buffer {
    return this.buf.subarray(0, this.used);
  }

  private reserve(bytes: number): void {
    if (this.used + bytes <= this.buf.length) return;
    const larger = Buffer.allocUnsafe(Math.max(2 * this.buf.length, this.used + bytes));
    this.buf.copy(larger, 0, 0, this.used);
    this.buf = larger;
  }
}

/** Reads what VarintWriter wrote. Throws CursorError or RangeError for what it cannot have written. */
export class VarintReader extends ByteReader {
  varint(): number {
    const value = readVarint(this.buffer, this.position, this.limit);
    this.position += varintLength(value);
    return value;
  }

  name(): string {
    return this.text(this.varint());
  }

  ranges(): Range[] {
    const ranges: Range[] = [];
    let edge = 0;
    for (let left = this.varint(); left > 0; left--) {
      const first = edge + this.varint();
      edge = first + this.varint();
      ranges.push({ first, last: edge });
    }
    return ranges;
  }
}
