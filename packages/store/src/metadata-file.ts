import { join } from 'node:path';
import { type MetadataEntry, MetadataState, type Revision } from '@chapar/core';
import type { Disk, DiskFile, Log } from '@chapar/platform';
import { ENTRY_CHANGE, ENTRY_SNAPSHOT } from './entry.js';
import { checkFileHeader, encodeFileHeader, FILE_HEADER_BYTES, fileGeneration, fileSalt } from './file-header.js';
import { DamagedFileError, UnknownEntryError } from './format-error.js';
import { GROUP_HEADER_BYTES, writeGroupHeader } from './group.js';
import { hasNoRoom } from './group-commit.js';
import { walkEntries, wasPromised } from './log-file.js';
import { encodeSnapshot, entryRevision, readChange, readSnapshot } from './metadata-entries.js';
import { keepAside } from './recovery.js';
import { grownBytes, isZero, syncFile, writeAgain, writeFile } from './wal-files.js';

const FILE_NAME = 'metadata.log';
/** Has to stay free beside a file that is written anew. */
const rewriteSpareBytes = 1024 * 1024;
const advice =
  'Queues, users and the rest stand in it, so the broker does not guess: a copy is in damaged/. Restore the data directory from a backup.';

/** There was no room for a change: nothing was promised of it, and the next one is written in its place. */
export class NoRoomError extends Error {
  constructor(cause: Error) {
    super(`there is no room on the disk for a change of the metadata: ${cause.message}`, { cause });
  }
}

/** The file that holds the metadata: a snapshot, then one group for each set of changes that were synced together. */
export class MetadataFile {
  /** Everything in the file, synced. Bytes. */
  bytes = 0;
  /** Of these, the snapshot that it begins with. */
  snapshotBytes = 0;
  salt = 0;
  private readonly disk: Disk;
  private readonly directory: string;
  private readonly dataId: string;
  private readonly path: string;
  private file!: DiskFile;
  private generation = 0;
  /** Size of the file, ahead of what is written; see `grownBytes`. */
  private extentBytes = 0;

  constructor(disk: Disk, directory: string, dataId: string) {
    this.disk = disk;
    this.directory = directory;
    this.dataId = dataId;
    this.path = join(directory, FILE_NAME);
  }

  /** Reads the state, or begins a file when there is none. Throws DamagedFileError when a change that was promised cannot be read. */
  async open(log: Log): Promise<MetadataState> {
    const state = new MetadataState();
    try {
      this.file = await this.disk.open(this.path, { create: false });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      await this.rewrite(0, []);
      return state;
    }
    const header = await this.checkedHeader();
    this.generation = fileGeneration(header);
    this.salt = fileSalt(header);
    this.bytes = await this.read(state, log);
    this.snapshotBytes = this.bytes;
    this.extentBytes = this.bytes;
    return state;
  }

  /** Writes encoded entries behind everything else; they are on the disk when it resolves. After a NoRoomError it can be called again. */
  async append(entries: readonly Buffer[]): Promise<void> {
    const group = [this.groupHeader(entries, this.bytes), ...entries];
    const endBytes = group.reduce((sum, part) => sum + part.length, this.bytes);
    try {
      if (endBytes > this.extentBytes) {
        await this.file.truncate(grownBytes(endBytes));
        this.extentBytes = grownBytes(endBytes);
      }
      await writeFile(this.file, group, this.bytes);
    } catch (error) {
      throw hasNoRoom(error) ? new NoRoomError(error as Error) : error;
    }
    await syncFile(this.file);
    this.bytes = endBytes;
  }

  /** Whether there is room for the file once more, and then some. */
  async hasRoomToRewrite(): Promise<boolean> {
    return (await this.disk.freeBytes(this.directory)) > 2 * this.bytes + rewriteSpareBytes;
  }

  /** Puts a file with this state alone in the place of the present one. */
  async rewrite(revision: Revision, entries: readonly MetadataEntry[]): Promise<void> {
    const generation = this.generation + 1;
    const header = encodeFileHeader('metadata', generation, this.dataId);
    this.generation = generation;
    this.salt = fileSalt(header);
    const snapshot = encodeSnapshot(revision, entries, this.salt);
    const content = Buffer.concat([header, this.groupHeader(snapshot, FILE_HEADER_BYTES), ...snapshot]);
    await this.disk.replaceFile(this.path, content);
    await this.file?.close();
    this.file = await this.disk.open(this.path, { create: false });
    this.bytes = content.length;
    this.snapshotBytes = content.length;
    this.extentBytes = content.length;
  }

  /** Takes back what the file was grown by. */
  trim(): Promise<void> {
    return this.file.truncate(this.bytes);
  }

  close(): Promise<void> {
    return this.file.close();
  }

  private async checkedHeader(): Promise<Buffer> {
    const found = await this.file.read(0, FILE_HEADER_BYTES);
    // The file only ever comes into being whole, by a rename.
    if (found.length < FILE_HEADER_BYTES) await this.refuse(0);
    const expected = encodeFileHeader('metadata', fileGeneration(found), this.dataId);
    if (!checkFileHeader(found, expected, this.path)) await this.refuse(0);
    return expected;
  }

  private async read(state: MetadataState, log: Log): Promise<number> {
    const found = { number: this.generation, path: this.path, file: this.file, salt: this.salt };
    let lastGroupOffset = 0;
    const endBytes = await walkEntries(found, this.file.bytesAtOpen, {
      visitGroup: (header) => {
        lastGroupOffset = header.offset;
      },
      visit: (buf, at, end, offset) => this.visit(state, buf, at, end, offset),
      judge: async (flaw) => {
        const isFirst = flaw.groupOffset === FILE_HEADER_BYTES;
        if (isFirst || (await wasPromised(found, [], flaw.groupOffset))) await this.refuse(flaw.offset);
        return 'tail';
      },
    });
    if (endBytes < this.file.bytesAtOpen) {
      if (!(await isZero(this.file, endBytes, this.file.bytesAtOpen)))
        log.info(
          { file: this.path, offset: endBytes },
          'the last metadata change before the stop was not complete and was cut off',
        );
      await this.file.truncate(endBytes);
    }
    // Every other group was synced before the next one was written.
    await writeAgain(this.file, lastGroupOffset, endBytes);
    return endBytes;
  }

  private visit(state: MetadataState, buf: Buffer, at: number, end: number, offset: number): void {
    const kind = buf[at + 8]!;
    const revision = entryRevision(buf, at);
    if (kind === ENTRY_CHANGE) {
      state.apply(revision, readChange(buf, at, end));
    } else if (kind === ENTRY_SNAPSHOT) {
      for (const entry of readSnapshot(buf, at, end)) state.put(entry);
      state.revision = revision;
    } else {
      throw new UnknownEntryError(this.path, offset, `an entry of kind ${kind}`);
    }
  }

  private async refuse(offset: number): Promise<never> {
    await keepAside(this.disk, this.directory, this.path);
    throw new DamagedFileError(this.path, offset, advice);
  }

  private groupHeader(entries: readonly Buffer[], offset: number): Buffer {
    const header = Buffer.alloc(GROUP_HEADER_BYTES);
    const entriesBytes = entries.reduce((sum, entry) => sum + entry.length, 0);
    const synced = { generation: this.generation, offset };
    writeGroupHeader(header, 0, this.generation, { offset, entriesBytes, synced }, this.salt);
    return header;
  }
}
