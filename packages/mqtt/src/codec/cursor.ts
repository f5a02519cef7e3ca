import { isValidUtf8 } from '@chapar/bytes';
import { malformed } from './error.js';

/** Reads the fields of a packet (§1.5) strictly; whatever is cut, overlong or no text throws MqttError 0x81. */
export class PacketCursor {
  readonly buf: Buffer;
  at: number;
  readonly end: number;

  constructor(buf: Buffer, at: number, end: number) {
    this.buf = buf;
    this.at = at;
    this.end = end;
  }

  get remaining(): number {
    return this.end - this.at;
  }

  u8(): number {
    return this.buf[this.take(1)]!;
  }

  u16(): number {
    const at = this.take(2);
    return (this.buf[at]! << 8) | this.buf[at + 1]!;
  }

  u32(): number {
    return this.buf.readUInt32BE(this.take(4));
  }

  /** Variable byte integer, in its shortest form. [MQTT-1.5.5-1] */
  varint(): number {
    let value = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.u8();
      value |= (byte & 0x7f) << shift;
      if (byte >= 0x80) continue;
      if (byte === 0 && shift > 0) throw malformed('a variable byte integer is longer than it needs to be');
      return value;
    }
    throw malformed('a variable byte integer has more than four bytes');
  }

  binary(): Buffer {
    const length = this.u16();
    const at = this.take(length);
    return this.buf.subarray(at, at + length);
  }

  text(): string {
    const length = this.u16();
    const at = this.take(length);
    assertText(this.buf, at, at + length);
    return this.buf.toString('utf8', at, at + length);
  }

  /** As `text`, without making a string of it. */
  skipText(): void {
    const length = this.u16();
    const at = this.take(length);
    assertText(this.buf, at, at + length);
  }

  skip(bytes: number): void {
    this.take(bytes);
  }

  private take(bytes: number): number {
    const { at } = this;
    if (at + bytes > this.end) throw malformed('the packet ends within a field');
    this.at = at + bytes;
    return at;
  }
}

/** UTF-8 without U+0000 and without surrogates. [MQTT-1.5.4-1], [MQTT-1.5.4-2] */
export function assertText(buf: Buffer, start: number, end: number): void {
  for (let at = start; at < end; at++) if (buf[at] === 0) throw malformed('a text has the character U+0000 in it');
  if (!isValidUtf8(buf, start, end)) throw malformed('a text is not UTF-8');
}
