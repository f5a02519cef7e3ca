import { CursorError } from '@chapar/bytes';
import type { Message } from '@chapar/core';

/** Reads the payload of a frame. Throws CursorError where it is cut. */
export class FrameCursor {
  buffer: Buffer = Buffer.alloc(0);
  at = 0;
  end = 0;
  /** Messages stand in frames by their numbers in here; null: in bytes. */
  carried: readonly Message[] | null = null;

  set(buffer: Buffer, at: number, end: number): void {
    this.buffer = buffer;
    this.at = at;
    this.end = end;
  }

  get isAtEnd(): boolean {
    return this.at >= this.end;
  }

  byte(): number {
    if (this.at >= this.end) throw new CursorError('a frame between nodes is cut');
    return this.buffer[this.at++]!;
  }

  varint(): number {
    const { buffer, end } = this;
    let value = 0;
    let scale = 1;
    for (let at = this.at; at < end; at++) {
      const byte = buffer[at]!;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        this.at = at + 1;
        return value;
      }
      scale *= 0x80;
    }
    throw new CursorError('a frame between nodes is cut');
  }

  /** Passes over so many bytes; returns where they begin. */
  skip(count: number): number {
    const { at } = this;
    if (at + count > this.end) throw new CursorError('a frame between nodes is cut');
    this.at = at + count;
    return at;
  }

  text(): string {
    const length = this.varint();
    const at = this.skip(length);
    return this.buffer.toString('utf8', at, at + length);
  }

  json(): unknown {
    return JSON.parse(this.text());
  }
}
