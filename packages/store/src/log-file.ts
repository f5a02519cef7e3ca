import type { DiskFile } from '@chapar/platform';
import { entryBytesAt, plausibleEntryBytes } from './entry.js';
import { FILE_HEADER_BYTES } from './file-header.js';
import { GROUP_HEADER_BYTES, type GroupHeader } from './group.js';
import { firstFlaw, type Group, GroupReader } from './group-reader.js';

/** A log file as found on the disk: of the write-ahead log or of the metadata. */
export interface FoundFile {
  /** Its generation. */
  readonly number: number;
  readonly path: string;
  readonly file: DiskFile;
  /** Seed of every checksum in it. */
  readonly salt: number;
}

/** A group that cannot be read in whole, although it may have been synced. */
export interface Flaw {
  /** Where its group begins, bytes from the start of the file. */
  readonly groupOffset: number;
  /** Where the first bad byte may be. */
  readonly offset: number;
}

/** Called with each healthy entry at [at, end) of `buf`; `offset` is where it begins in the file. */
export type EntryVisitor = (buf: Buffer, at: number, end: number, offset: number) => void;

/** What is to be done about a flaw: read on behind it (damage to report), or end the file before its group (a torn tail). */
export type FlawJudge = (flaw: Flaw) => Promise<'damage' | 'tail'>;

/** What somebody wants from a walk through a file. */
export interface Walk {
  readonly visit: EntryVisitor;
  readonly judge: FlawJudge;
  /** Where a group begins from which on the file is walked through; default: the first one. Bytes from the start of the file. */
  readonly from?: number;
  /** Called with each group's header before its entries are visited. */
  readonly visitGroup?: (header: GroupHeader) => void;
  /** Asked behind each group; false ends the walk. */
  readonly goOn?: () => Promise<boolean>;
}

/**
 * Visits the entries of a file in order, group by group; no entry of a flawed group is visited before `judge` has spoken. Returns
 * where the healthy part ends, or where the walk was ended.
 */
export async function walkEntries(found: FoundFile, endBytes: number, walk: Walk): Promise<number> {
  const reader = new GroupReader(found.file, found.number, found.salt, walk.from ?? FILE_HEADER_BYTES, endBytes);
  while (!reader.atEnd) {
    const group = await reader.peek();
    const flawAt = group === null ? 0 : firstFlaw(group, found.salt);
    if (group !== null && flawAt < 0) {
      walk.visitGroup?.(group.header);
      visitGroupEntries(group, walk.visit);
      reader.pass(group.header);
    } else {
      const groupOffset = reader.offset;
      const offset = group === null ? groupOffset : groupOffset + GROUP_HEADER_BYTES + flawAt - group.start;
      if ((await walk.judge({ groupOffset, offset })) === 'tail') return groupOffset;
      await passFlawed(found, reader, group, walk);
    }
    if (walk.goOn !== undefined && !(await walk.goOn())) return reader.offset;
  }
  return reader.offset;
}

/** Moves behind a flawed group and visits what is healthy in it. */
async function passFlawed(found: FoundFile, reader: GroupReader, group: Group | null, walk: Walk): Promise<void> {
  const groupOffset = reader.offset;
  if (group?.isComplete === true) {
    walk.visitGroup?.(group.header);
    reader.pass(group.header);
  } else {
    await reader.seek(groupOffset + 1);
  }
  await salvage(found, groupOffset + GROUP_HEADER_BYTES, reader.offset, walk.visit);
}

function visitGroupEntries(group: Group, visit: EntryVisitor): void {
  const fileOffset = group.header.offset + GROUP_HEADER_BYTES - group.start;
  for (let at = group.start; at < group.end; ) {
    const end = at + group.buf.readUInt32BE(at + 4);
    visit(group.buf, at, end, at + fileOffset);
    at = end;
  }
}

/** Visits what is healthy between two offsets of the file, where entries stand back to back. */
async function salvage(found: FoundFile, from: number, to: number, visit: EntryVisitor): Promise<void> {
  if (to <= from) return;
  const buf = await found.file.read(from, to - from);
  let at = 0;
  while (at < buf.length) {
    const bytes = entryBytesAt(buf, at, buf.length, found.salt);
    if (bytes > 0) visit(buf, at, at + bytes, from + at);
    const step = bytes > 0 ? bytes : plausibleEntryBytes(buf, at, buf.length);
    if (step === 0) return;
    at += step;
  }
}

/** Whether any healthy group stands in the file. */
export function hasGroup(found: FoundFile): Promise<boolean> {
  const { file, number, salt } = found;
  return new GroupReader(file, number, salt, FILE_HEADER_BYTES, file.bytesAtOpen).seek(FILE_HEADER_BYTES);
}

/** Where a file ended when its successor got its first group; null when no successor says so. */
export async function endPromisedBy(found: FoundFile, later: readonly FoundFile[]): Promise<number | null> {
  for (const file of later) {
    const reader = new GroupReader(file.file, file.number, file.salt, FILE_HEADER_BYTES, file.file.bytesAtOpen);
    if (!(await reader.seek(FILE_HEADER_BYTES))) continue;
    const { synced } = (await reader.header())!;
    return synced.generation === found.number ? synced.offset : null;
  }
  return null;
}

/** Whether a healthy group in one of the files, from `from` in the first of them on, says that the byte at `groupOffset` of `found` was synced. */
export async function wasPromised(
  found: FoundFile,
  later: readonly FoundFile[],
  groupOffset: number,
): Promise<boolean> {
  for (const file of [found, ...later]) {
    const from = file === found ? groupOffset + 1 : FILE_HEADER_BYTES;
    const reader = new GroupReader(file.file, file.number, file.salt, from, file.file.bytesAtOpen);
    while (await reader.seek(reader.offset)) {
      const header = (await reader.header())!;
      const { generation, offset } = header.synced;
      if (generation > found.number || (generation === found.number && offset > groupOffset)) return true;
      reader.pass(header);
    }
  }
  return false;
}
