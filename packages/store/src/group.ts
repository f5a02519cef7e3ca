import { crc32c } from '@chapar/bytes';

export const GROUP_HEADER_BYTES = 40;
/** The first bytes of each group, by which the next healthy one is found behind damage. */
export const GROUP_MAGIC = Buffer.from('CPGR');

const CRC_AT = 4;
const GENERATION_AT = 8;
const ENTRIES_BYTES_AT = 12;
const OFFSET_AT = 16;
const SYNCED_GENERATION_AT = 24;
const SYNCED_OFFSET_AT = 32;
const TWO_32 = 0x1_0000_0000;

/** A place in a log: a file's generation and a byte offset in it. */
export interface LogPlace {
  readonly generation: number;
  readonly offset: number;
}

/** What one write put into the file: the entries that gathered while the write before it was under way. */
export interface GroupHeader {
  /** Of this header, bytes from the start of the file. */
  readonly offset: number;
  /** Of all entries together, without this header. */
  readonly entriesBytes: number;
  /** Everything below was on the disk, synced, before this group was written: damage there lost something that was promised. */
  readonly synced: LogPlace;
}

export function writeGroupHeader(buf: Buffer, at: number, generation: number, header: GroupHeader, salt: number): void {
  GROUP_MAGIC.copy(buf, at);
  buf.writeUInt32BE(generation, at + GENERATION_AT);
  buf.writeUInt32BE(header.entriesBytes, at + ENTRIES_BYTES_AT);
  writeU64(buf, at + OFFSET_AT, header.offset);
  buf.writeUInt32BE(header.synced.generation, at + SYNCED_GENERATION_AT);
  buf.writeUInt32BE(0, at + SYNCED_GENERATION_AT + 4);
  writeU64(buf, at + SYNCED_OFFSET_AT, header.synced.offset);
  buf.writeUInt32BE(crc32c(buf, at + GENERATION_AT, at + GROUP_HEADER_BYTES, salt), at + CRC_AT);
}

/** The header at `at`, which is byte `offset` of the file; null when it is cut, damaged, or written for another place. */
export function readGroupHeader(
  buf: Buffer,
  at: number,
  generation: number,
  offset: number,
  salt: number,
): GroupHeader | null {
  if (at + GROUP_HEADER_BYTES > buf.length) return null;
  for (let i = 0; i < GROUP_MAGIC.length; i++) if (buf[at + i] !== GROUP_MAGIC[i]) return null;
  if (crc32c(buf, at + GENERATION_AT, at + GROUP_HEADER_BYTES, salt) !== buf.readUInt32BE(at + CRC_AT)) return null;
  if (buf.readUInt32BE(at + GENERATION_AT) !== generation || readU64(buf, at + OFFSET_AT) !== offset) return null;
  return {
    offset,
    entriesBytes: buf.readUInt32BE(at + ENTRIES_BYTES_AT),
    synced: {
      generation: buf.readUInt32BE(at + SYNCED_GENERATION_AT),
      offset: readU64(buf, at + SYNCED_OFFSET_AT),
    },
  };
}

/** Big-endian, of a number up to 2^53 - 1. */
export function writeU64(buf: Buffer, at: number, value: number): void {
  writeU32(buf, at, Math.floor(value / TWO_32));
  writeU32(buf, at + 4, value);
}

export function readU64(buf: Buffer, at: number): number {
  return buf.readUInt32BE(at) * TWO_32 + buf.readUInt32BE(at + 4);
}

/** Without the bounds and range checks of node's own, on the path of every message. Takes the value modulo 2^32. */
export function writeU32(buf: Buffer, at: number, value: number): void {
  buf[at] = value >>> 24;
  buf[at + 1] = value >>> 16;
  buf[at + 2] = value >>> 8;
  buf[at + 3] = value;
}
