import type { JsonValue, MetadataEntry, Revision, Write } from '@chapar/core';
import { beginEntry, ENTRY_CHANGE, ENTRY_HEADER_BYTES, ENTRY_SNAPSHOT, sealEntry } from './entry.js';
import { readU64, writeU64 } from './group.js';

const REVISION_AT = ENTRY_HEADER_BYTES;
const JSON_AT = REVISION_AT + 8;
/** Keys in one snapshot entry. */
const snapshotKeysMax = 1000;

/** One change, all or nothing: `[key, value]` puts, `[key]` deletes. */
export function encodeChange(revision: Revision, then: readonly Write[], salt: number): Buffer {
  const writes = then.map(({ key, value }) => (value === undefined ? [key] : [key, value]));
  return encode(ENTRY_CHANGE, revision, JSON.stringify(writes), salt);
}

/** The whole state at `revision`: `[key, value, revision of its last change]` of each key, in entries of a thousand. */
export function encodeSnapshot(revision: Revision, entries: readonly MetadataEntry[], salt: number): Buffer[] {
  const encoded: Buffer[] = [];
  for (let from = 0; from === 0 || from < entries.length; from += snapshotKeysMax) {
    const part = entries.slice(from, from + snapshotKeysMax).map((entry) => [entry.key, entry.value, entry.revision]);
    encoded.push(encode(ENTRY_SNAPSHOT, revision, JSON.stringify(part), salt));
  }
  return encoded;
}

export function entryRevision(buf: Buffer, at: number): Revision {
  return readU64(buf, at + REVISION_AT);
}

export function readChange(buf: Buffer, at: number, end: number): Write[] {
  const writes = JSON.parse(buf.toString('utf8', at + JSON_AT, end)) as [string, JsonValue?][];
  return writes.map(([key, value]) => ({ key, value }));
}

export function readSnapshot(buf: Buffer, at: number, end: number): MetadataEntry[] {
  const entries = JSON.parse(buf.toString('utf8', at + JSON_AT, end)) as [string, JsonValue, Revision][];
  return entries.map(([key, value, revision]) => ({ key, value, revision }));
}

function encode(kind: number, revision: Revision, json: string, salt: number): Buffer {
  const entryBytes = JSON_AT + Buffer.byteLength(json);
  const entry = Buffer.allocUnsafe(entryBytes);
  beginEntry(entry, 0, entryBytes, kind);
  writeU64(entry, REVISION_AT, revision);
  entry.write(json, JSON_AT, 'utf8');
  sealEntry(entry, 0, entryBytes, salt);
  return entry;
}
