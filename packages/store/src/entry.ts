import { crc32c } from '@chapar/bytes';
import { writeU32 } from './group.js';

/** Checksum (4), length of the whole entry (4), kind (1); what follows depends on the kind. See docs/FORMAT.md. */
export const ENTRY_HEADER_BYTES = 9;

export const ENTRY_PUBLISH = 1;
export const ENTRY_SETTLE = 2;
export const ENTRY_QUEUE_OPEN = 3;
export const ENTRY_QUEUE_REMOVE = 4;
export const ENTRY_DELIVERED = 5;
export const ENTRY_START = 6;
export const ENTRY_STOP = 7;
export const ENTRY_PEND = 8;
export const ENTRY_RETURNED = 9;
export const ENTRY_REPLICA = 10;
export const ENTRY_EPOCH = 11;
export const ENTRY_CUT = 12;
export const ENTRY_PASS = 13;
export const ENTRY_COMMIT = 14;
export const ENTRY_RESTATE = 15;
export const ENTRY_CHANGE = 16;
export const ENTRY_SNAPSHOT = 17;
export const ENTRY_ORIGINS = 18;
export const ENTRY_FORGET = 19;
export const ENTRY_TIME = 20;
export const ENTRY_WHOLE = 21;

/** Writes length and kind of the entry that begins at `at`; `sealEntry` completes it. */
export function beginEntry(buf: Buffer, at: number, entryBytes: number, kind: number): void {
  writeU32(buf, at + 4, entryBytes);
  buf[at + 8] = kind;
}

/** Writes the checksum of the entry at `at`, whose bytes up to `end` are in place. */
export function sealEntry(buf: Buffer, at: number, end: number, salt: number): void {
  writeU32(buf, at, crc32c(buf, at + 4, end, salt));
}

/** The length of the healthy entry that begins at `at` and ends at `end` or before; 0 when there is none. */
export function entryBytesAt(buf: Buffer, at: number, end: number, salt: number): number {
  const entryBytes = plausibleEntryBytes(buf, at, end);
  if (entryBytes === 0) return 0;
  return crc32c(buf, at + 4, at + entryBytes, salt) === buf.readUInt32BE(at) ? entryBytes : 0;
}

/** The length that the entry at `at` claims, 0 when it cannot be true. For stepping over an entry whose checksum is wrong. */
export function plausibleEntryBytes(buf: Buffer, at: number, end: number): number {
  if (at + ENTRY_HEADER_BYTES > end) return 0;
  const entryBytes = buf.readUInt32BE(at + 4);
  return entryBytes >= ENTRY_HEADER_BYTES && at + entryBytes <= end ? entryBytes : 0;
}
