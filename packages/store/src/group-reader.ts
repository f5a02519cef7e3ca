import type { DiskFile } from '@chapar/platform';
import { entryBytesAt } from './entry.js';
import { GROUP_HEADER_BYTES, GROUP_MAGIC, type GroupHeader, readGroupHeader } from './group.js';

const chunkBytes = 4 * 1024 * 1024;

/** A group in memory, valid until the reader moves on. */
export interface Group {
  readonly header: GroupHeader;
  readonly buf: Buffer;
  /** Entries at [start, end) of `buf`; end is short of the header's promise where the file ends before it. */
  readonly start: number;
  readonly end: number;
  readonly isComplete: boolean;
}

/** Walks a log file from group to group, a few MiB in memory at a time. */
export class GroupReader {
  /** Where the next group is expected, bytes from the start of the file. */
  offset: number;
  /** Groups beyond are not looked at. */
  readonly endBytes: number;
  private readonly file: DiskFile;
  private readonly generation: number;
  private readonly salt: number;
  private buf: Buffer = Buffer.alloc(0);
  private bufOffset = 0;

  constructor(file: DiskFile, generation: number, salt: number, from: number, endBytes: number) {
    this.file = file;
    this.generation = generation;
    this.salt = salt;
    this.offset = from;
    this.endBytes = endBytes;
  }

  /** Nothing is left. */
  get atEnd(): boolean {
    return this.offset >= this.endBytes;
  }

  /** The group at `offset`, null when no healthy header stands there. Does not move. */
  async peek(): Promise<Group | null> {
    await this.load(GROUP_HEADER_BYTES);
    const at = this.offset - this.bufOffset;
    const header = readGroupHeader(this.buf, at, this.generation, this.offset, this.salt);
    if (header === null) return null;
    const whole = GROUP_HEADER_BYTES + header.entriesBytes;
    await this.load(whole);
    const start = this.offset - this.bufOffset + GROUP_HEADER_BYTES;
    const end = Math.min(start + header.entriesBytes, this.buf.length);
    return { header, buf: this.buf, start, end, isComplete: end - start === header.entriesBytes };
  }

  /** The header at `offset`, which `seek` has found. */
  async header(): Promise<GroupHeader | null> {
    await this.load(GROUP_HEADER_BYTES);
    return readGroupHeader(this.buf, this.offset - this.bufOffset, this.generation, this.offset, this.salt);
  }

  /** Moves behind a group. */
  pass(header: GroupHeader): void {
    this.offset = header.offset + GROUP_HEADER_BYTES + header.entriesBytes;
  }

  /** Moves to the next healthy header at or behind `from`; false, and at the end, when there is none. */
  async seek(from: number): Promise<boolean> {
    this.offset = from;
    while (!this.atEnd) {
      await this.load(GROUP_HEADER_BYTES);
      const at = this.buf.indexOf(GROUP_MAGIC, this.offset - this.bufOffset);
      if (at < 0) {
        // The magic may stand across the edge of what is in memory.
        const inMemoryEnd = this.bufOffset + this.buf.length;
        if (inMemoryEnd >= this.endBytes) break;
        this.offset = Math.max(this.offset + 1, inMemoryEnd - GROUP_MAGIC.length + 1);
        continue;
      }
      this.offset = this.bufOffset + at;
      await this.load(GROUP_HEADER_BYTES);
      const inBuf = this.offset - this.bufOffset;
      if (readGroupHeader(this.buf, inBuf, this.generation, this.offset, this.salt) !== null) return true;
      this.offset++;
    }
    this.offset = this.endBytes;
    return false;
  }

  /** Has `bytes` bytes from `offset` on in memory, or what the file has of them. */
  private async load(bytes: number): Promise<void> {
    const wantedEnd = Math.min(this.offset + bytes, this.endBytes);
    if (this.offset >= this.bufOffset && wantedEnd <= this.bufOffset + this.buf.length) return;
    const wanted = Math.min(Math.max(bytes, chunkBytes), this.endBytes - this.offset);
    this.buf = wanted <= 0 ? Buffer.alloc(0) : await this.file.read(this.offset, wanted);
    this.bufOffset = this.offset;
  }
}

/** Where the first bad entry of the group begins in its buffer; -1 when all of it is healthy. */
export function firstFlaw(group: Group, salt: number): number {
  let at = group.start;
  while (at < group.end) {
    const bytes = entryBytesAt(group.buf, at, group.end, salt);
    if (bytes === 0) return at;
    at += bytes;
  }
  return group.isComplete ? -1 : at;
}
