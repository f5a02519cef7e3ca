import { basename, join } from 'node:path';
import type { Disk, DiskFile } from '@chapar/platform';
import { readCheckpoint } from './checkpoint-file.js';
import type { CheckpointHead } from './checkpoint-form.js';
import { checkFileHeader, FILE_HEADER_BYTES, fileSalt, readableHeaders } from './file-header.js';
import type { Fold } from './fold.js';
import { Generation, type Generations, generationFileName, generationOfFileName } from './generation.js';
import type { GroupHeader, LogPlace } from './group.js';
import { endPromisedBy, type FoundFile, hasGroup, walkEntries, wasPromised } from './log-file.js';
import type { NumberedLog } from './numbered-log.js';
import { WalReplica } from './replica.js';
import { isZero, type WalPlace, writeAgain } from './wal-files.js';

/** Something that had been synced and cannot be read. */
export interface Damage {
  readonly path: string;
  /** Bytes from the start of the file. */
  readonly offset: number;
  readonly what: string;
}

interface FoundGeneration extends FoundFile {
  readonly headerIsHealthy: boolean;
}

const progressMs = 1000;

/**
 * Reads the write-ahead log of a directory and folds it; messages are read when a queue asks for them. A tail that was never promised is cut; damage to what was promised is reported and its file kept aside while the rest is served. What is read
 * is synced before it counts, because the process that wrote it may have died between its write and its sync.
 */
export class Recovery {
  readonly damages: Damage[] = [];
  /** Largest number of a file that was seen; the next file takes a larger one. */
  numberMax = 0;
  private readonly place: WalPlace;
  private readonly fold: Fold;
  private readonly generations: Generations;
  private files: FoundGeneration[] = [];
  private nextProgressMs: number;
  /** The last file with something in it. */
  private readNumber = 0;
  /** The place up to which everything is on the disk, as the last group read says. */
  private promised: LogPlace = { generation: 0, offset: 0 };
  /** Where the log is folded from, when a checkpoint said what it says up to there. */
  private from: LogPlace = { generation: 0, offset: FILE_HEADER_BYTES };
  /** Files that the checkpoint names and that are not there: numbers and paths. */
  private readonly missing = new Map<number, string>();
  /** Of the log, read by this start. Bytes. */
  foldedBytes = 0;
  /** Size of the checkpoint that was used; 0: none. */
  checkpointBytes = 0;

  constructor(place: WalPlace, fold: Fold, generations: Generations) {
    this.place = place;
    this.fold = fold;
    this.generations = generations;
    this.nextProgressMs = place.clock.monotonicMs() + progressMs;
  }

  /** Folds the files into the queues' logs, from the last checkpoint on unless told otherwise; throws the disk's errors and those of format-error.ts. */
  async read(options: { readonly checkpoint: boolean } = { checkpoint: true }): Promise<void> {
    await this.openFiles();
    if (options.checkpoint) await this.restore();
    for (const [index, found] of this.files.entries()) {
      if (found.number < this.from.generation) this.readNumber = found.number;
      else await this.readFile(found, this.files.slice(index + 1), index);
    }
    this.checkFiles();
    await this.makeDurable();
    await this.keepDamagedAside();
  }

  private async openFiles(): Promise<void> {
    const { disk, directory, dataId } = this.place;
    const numbers: number[] = [];
    for (const name of await disk.list(directory)) {
      const number = generationOfFileName(name);
      if (number !== null) numbers.push(number);
    }
    numbers.sort((a, b) => a - b);
    for (const number of numbers) {
      const path = join(directory, generationFileName(number));
      const file = await disk.open(path, { create: false });
      const headers = readableHeaders('wal', number, dataId);
      const head = await file.read(0, FILE_HEADER_BYTES);
      const expected = headers.find((header) => header.equals(head)) ?? headers[0]!;
      const headerIsHealthy = checkFileHeader(head, expected, path);
      const found = { number, path, file, salt: fileSalt(expected), headerIsHealthy };
      this.files.push(headerIsHealthy ? found : await withFoundSalt(found, headers));
      this.numberMax = number;
    }
  }

  /** Takes the checkpoint's word for everything before its place. Without one that can be used, the log says it all. */
  private async restore(): Promise<void> {
    const { disk, directory, dataId, log } = this.place;
    const checkpoint = await readCheckpoint(disk, directory, dataId);
    if (checkpoint === null) return;
    const { path, bytes, content } = checkpoint;
    if (content === null) {
      log.warn({ file: path }, 'the checkpoint is damaged; all of the log is read instead');
      return;
    }
    const { head, queues } = content;
    // Files go from the oldest on: with this one, everything that the checkpoint is about has gone, and little is left to read.
    if (!this.files.some(({ number }) => number === head.place.generation)) return;
    this.addFiles(head);
    this.fold.restore(head, queues);
    this.from = this.promised = head.place;
    this.checkpointBytes = bytes;
  }

  /** Files before the checkpoint's place: those that it names, and those that went afterwards without the directory keeping it. */
  private addFiles({ place, files }: CheckpointHead): void {
    const found = new Map(this.files.map((file) => [file.number, file]));
    const numbers = new Set([...files.keys(), ...found.keys()].filter((number) => number <= place.generation));
    for (const number of [...numbers].sort((a, b) => a - b)) {
      const path = join(this.place.directory, generationFileName(number));
      const file = found.get(number);
      if (file === undefined) this.missing.set(number, path);
      const generation = new Generation(number, path, file?.file ?? new MissingFile(path), file?.salt ?? 0);
      generation.writtenBytes = generation.syncedBytes = files.get(number) ?? file!.file.bytesAtOpen;
      this.generations.add(generation);
    }
  }

  /** What the log says of files that were not read. */
  private checkFiles(): void {
    for (const [number, path] of this.missing) {
      const generation = this.generations.get(number)!;
      for (const log of generation.liveCount === 0 ? [] : this.fold.byNumber.values()) {
        const lost = log.forgetFile(number);
        if (lost > 0)
          this.damaged(
            path,
            0,
            `the file is missing, and with it ${lost} messages of the queue ${log.incarnation}`,
            log,
          );
      }
      this.generations.delete(generation);
    }
    for (const { number, path, file, headerIsHealthy } of this.files) {
      if (number >= this.from.generation) return;
      const { liveCount, writtenBytes } = this.generations.get(number)!;
      if (liveCount === 0) continue;
      if (!headerIsHealthy) this.damaged(path, 0, 'the header of the file is damaged');
      if (file.bytesAtOpen < writtenBytes)
        this.damaged(path, file.bytesAtOpen, 'the file ends before messages that had been synced in it');
    }
  }

  private async readFile(found: FoundGeneration, later: readonly FoundFile[], index: number): Promise<void> {
    const isFirst = found.number === this.from.generation;
    const generation =
      this.generations.get(found.number) ?? new Generation(found.number, found.path, found.file, found.salt);
    let groups = 0;
    this.generations.add(generation);
    const from = isFirst ? this.from.offset : FILE_HEADER_BYTES;
    const promisedBytes = await endPromisedBy(found, later);
    const endBytes = await walkEntries(found, promisedBytes ?? found.file.bytesAtOpen, {
      from,
      visit: (buf, at, end, offset) => {
        if (this.fold.apply(buf, at, end, offset, generation)) return;
        this.damaged(found.path, offset, 'an entry names a queue whose opening is lost');
      },
      visitGroup: (header) => {
        if (groups++ === 0) this.checkPredecessor(found, header, index);
        this.promised = header.synced;
      },
      judge: async (flaw) => {
        if (!(await wasPromised(found, later, flaw.groupOffset))) return 'tail';
        this.damaged(found.path, flaw.offset, 'bytes that had been synced cannot be read back');
        return 'damage';
      },
    });
    if (!found.headerIsHealthy && (groups > 0 || isFirst))
      this.damaged(found.path, 0, 'the header of the file is damaged');
    this.progress(found.path);
    this.foldedBytes += Math.max(endBytes - from, 0);
    const hasNothing = groups === 0 && !isFirst && !this.damages.some((damage) => damage.path === found.path);
    if (hasNothing) return this.removeEmpty(generation);
    this.readNumber = found.number;
    generation.writtenBytes = endBytes;
    generation.syncedBytes = endBytes;
    if (promisedBytes === null) await this.cut(found, endBytes);
  }

  /** A file names the place that was synced before its first group: a file that is missing in between shows. */
  private checkPredecessor(found: FoundFile, header: GroupHeader, index: number): void {
    const named = header.synced.generation;
    if (index === 0 || named === found.number || named <= this.readNumber) return;
    this.damaged(join(this.place.directory, generationFileName(named)), 0, 'the file is missing');
  }

  /** Ends the last file where its healthy part ends. */
  private async cut(found: FoundFile, endBytes: number): Promise<void> {
    const { bytesAtOpen } = found.file;
    if (endBytes >= bytesAtOpen) return;
    if (!(await isZero(found.file, endBytes, bytesAtOpen))) {
      this.place.log.info(
        { file: found.path, offset: endBytes },
        'the last writes before the stop had not been synced and were cut off; nothing that was confirmed is in them',
      );
    }
    await found.file.truncate(endBytes);
  }

  /** Only the end of the last file can be in doubt: every other file was synced before its successor got its first group. */
  private async makeDurable(): Promise<void> {
    const last = this.generations.newest;
    if (last === undefined) return;
    const { generation, offset } = this.promised;
    await writeAgain(last.file, generation === last.number ? offset : 0, last.writtenBytes);
    await this.place.disk.syncDirectory(this.place.directory);
  }

  /** Prepared and never used, or torn while it was created. */
  private async removeEmpty(generation: Generation): Promise<void> {
    this.generations.delete(generation);
    await generation.file.close();
    await this.place.disk.remove(generation.path);
    await this.place.disk.syncDirectory(this.place.directory);
  }

  /** `of`: whose, where that is known. */
  private damaged(path: string, offset: number, what: string, of?: NumberedLog): void {
    this.damages.push({ path, offset, what });
    if (of === undefined) this.fold.damaged();
    else if (of instanceof WalReplica) of.told.isWhole = false;
    this.place.log.error({ file: path, offset }, `damage in the write-ahead log: ${what}`);
  }

  private async keepDamagedAside(): Promise<void> {
    const { disk, directory, log } = this.place;
    const damaged = new Set(this.damages.map((damage) => damage.path));
    for (const found of this.files) {
      if (!damaged.has(found.path)) continue;
      const aside = await keepAside(disk, directory, found.path);
      log.error(
        { file: found.path, aside },
        'a copy of the damaged file was kept aside; what is healthy in it is served',
      );
    }
  }

  private progress(path: string): void {
    const now = this.place.clock.monotonicMs();
    if (now < this.nextProgressMs) return;
    this.nextProgressMs = now + progressMs;
    const done = this.files.findIndex((file) => file.path === path) + 1;
    this.place.log.info({ files: this.files.length, done }, 'recovering the write-ahead log');
  }
}

/** Stands for a file that is not there until it is known whether anything in it lives. */
export class MissingFile implements DiskFile {
  readonly bytesAtOpen = 0;
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  writev(_parts: readonly Buffer[], _offset: number, done: (error: Error | null) => void): void {
    done(this.error());
  }

  sync(done: (error: Error | null) => void): void {
    done(this.error());
  }

  async read(): Promise<Buffer> {
    throw this.error();
  }

  async truncate(): Promise<void> {
    throw this.error();
  }

  async close(): Promise<void> {}

  private error(): Error {
    return new Error(`${this.path} is missing`);
  }
}

/** Of a file whose header is damaged, what its first healthy group shows of the version that it was written in. */
async function withFoundSalt(found: FoundGeneration, headers: readonly Buffer[]): Promise<FoundGeneration> {
  for (const header of headers) {
    const guess = { ...found, salt: fileSalt(header) };
    if (await hasGroup(guess)) return guess;
  }
  return found;
}

/** Copies a damaged file to `damaged/` beside it, for whoever wants to look at it; returns where. */
export async function keepAside(disk: Disk, directory: string, path: string): Promise<string> {
  const asideDirectory = join(directory, 'damaged');
  await disk.makeDirectory(asideDirectory);
  await disk.syncDirectory(directory);
  const aside = join(asideDirectory, basename(path));
  await disk.replaceFile(aside, await disk.readFile(path));
  return aside;
}
