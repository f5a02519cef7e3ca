import { dirname, resolve } from 'node:path';
import { type DirectoryLock, DirectoryLockedError, type Disk, type DiskFile } from '../disk.js';
import { SimDiskFile } from './disk-file.js';
import { SimGate } from './gate.js';
import type { CrashKeep, Inode } from './inode.js';
import { Names } from './names.js';
import type { SimRandom } from './random.js';
import type { SimScheduler } from './scheduler.js';
import { systemError } from './system-error.js';

/** Kinds of work that can fail or take time. Changes of names count as `write`, syncs of directories as `sync`. */
export type DiskWork = 'write' | 'sync' | 'read';

/** A copy of a disk; see SimDisk.image. */
export type DiskImage = Pick<Names, 'copy'>;

/** What a disk was asked to do so far. */
export interface DiskCounts {
  writes: number;
  syncs: number;
  reads: number;
  bytesWritten: number;
  bytesRead: number;
}

/** A disk in memory that behaves as badly as a real one may. */
export class SimDisk implements Disk {
  readonly counts: DiskCounts = { writes: 0, syncs: 0, reads: 0, bytesWritten: 0, bytesRead: 0 };
  /** How long each kind of work takes, in simulated milliseconds; 0 is done in the next turn (callbacks) or at once (promises). */
  readonly delayMs: Record<DiskWork, number> = { write: 0, sync: 0, read: 0 };
  /** Bytes that all files together may hold. */
  capacityBytes = Number.MAX_SAFE_INTEGER;
  private readonly scheduler: SimScheduler;
  private readonly random: SimRandom;
  private readonly gate: SimGate;
  private names = new Names();
  private readonly failures: Record<DiskWork, (string | Error)[]> = { write: [], sync: [], read: [] };
  private readonly locked = new Set<string>();
  /** What a power cut does to writes that are under way. */
  private readonly underWay = new Set<() => void>();
  /** Counts the machine's lives: callbacks of an earlier one are never called. */
  private life = 0;

  constructor(scheduler: SimScheduler, random: SimRandom, gate: SimGate = new SimGate(scheduler)) {
    this.scheduler = scheduler;
    this.gate = gate;
    this.random = random;
  }

  open(path: string, options: { create: boolean }): Promise<DiskFile> {
    return this.promise('read', () => {
      const absolute = resolve(path);
      const isNew = options.create && this.names.get(absolute) === undefined;
      const inode = isNew ? this.names.createFile(absolute) : this.names.file(absolute, 'open');
      return new SimDiskFile(this, absolute, inode);
    });
  }

  readFile(path: string): Promise<Buffer> {
    return this.promise('read', () => {
      const inode = this.names.file(resolve(path), 'open');
      return this.read(inode, path, 0, inode.visible.length);
    });
  }

  replaceFile(path: string, content: Buffer): Promise<void> {
    return this.promise('sync', () => this.replace(resolve(path), content));
  }

  rename(from: string, to: string): Promise<void> {
    return this.promise('write', () => this.names.rename(resolve(from), resolve(to)));
  }

  remove(path: string): Promise<void> {
    return this.promise('write', () => this.names.remove(resolve(path)));
  }

  list(directory: string): Promise<string[]> {
    return this.promise('read', () => this.names.list(resolve(directory)));
  }

  makeDirectory(directory: string): Promise<void> {
    return this.promise('write', () => this.names.createDirectories(resolve(directory)));
  }

  syncDirectory(directory: string): Promise<void> {
    return this.promise('sync', () => {
      this.counts.syncs++;
      this.failMaybe('sync', directory);
      this.names.sync(resolve(directory));
    });
  }

  freeBytes(directory: string): Promise<number> {
    return this.promise('read', () => {
      this.names.requireDirectory(resolve(directory), 'statfs');
      return this.free();
    });
  }

  lock(directory: string): Promise<DirectoryLock> {
    return this.promise('write', () => {
      const absolute = resolve(directory);
      this.names.requireDirectory(absolute, 'open');
      if (this.locked.has(absolute)) throw new DirectoryLockedError(absolute, process.pid);
      this.locked.add(absolute);
      const { life } = this;
      return {
        release: async () => {
          if (life === this.life) this.locked.delete(absolute);
        },
      };
    });
  }

  /** The next work of this kind fails with `error` (an errno name or an Error); several calls queue up. A failed write may have written a part. */
  failNext(work: DiskWork, error: string | Error = 'EIO'): void {
    this.failures[work].push(error);
  }

  /** The process dies (kill -9): files stay as they are, locks and open files are gone, nothing that was asked for is answered. */
  kill(): void {
    this.life++;
    this.locked.clear();
    for (const tear of this.underWay) tear();
    this.underWay.clear();
  }

  /** Power fails: as `kill`, and of what was not synced only some survives, by the seed, sector by sector and name by name. */
  crash(keep: CrashKeep = 'some'): void {
    this.kill();
    this.names.crash(keep, this.random);
  }

  /** Another disk, empty: the machine's own is gone with all that was on it. */
  format(): void {
    this.kill();
    this.names = new Names();
  }

  /** A copy of what one sees on the disk, as a backup takes it. */
  image(): DiskImage {
    return this.names.copy();
  }

  /** The copy takes the place of all that is on the disk. */
  restore(image: DiskImage): void {
    this.kill();
    this.names = (image as Names).copy();
  }

  /** Flips bits of one byte of a file, synced or not. */
  corrupt(path: string, offset: number, mask = 0xff): void {
    this.names.file(resolve(path), 'corrupt').corrupt(offset, mask);
  }

  /** Runs `work` later and tells `done`, unless the machine has died by then. `torn` is what is left of it in that case. */
  start(kind: DiskWork, work: () => void, done: (error: Error | null) => void, torn: () => void = () => {}): void {
    const { life } = this;
    this.underWay.add(torn);
    this.scheduler.work(this.delayMs[kind], () => {
      if (life !== this.life) return;
      this.underWay.delete(torn);
      const error = errorOf(work);
      this.gate.pass(() => done(error));
    });
  }

  /** As `start`, as a promise, which stays open for ever when the machine dies. */
  promise<T>(kind: DiskWork, work: () => T): Promise<T> {
    if (this.delayMs[kind] === 0) return new Promise((resolve) => resolve(work()));
    return new Promise((resolve, reject) => {
      let result: T;
      const keepResult = () => {
        result = work();
      };
      this.start(kind, keepResult, (error) => (error === null ? resolve(result) : reject(error)));
    });
  }

  write(inode: Inode, path: string, parts: readonly Buffer[], offset: number): void {
    this.counts.writes++;
    const bytes = Buffer.concat(parts);
    const failure = this.failures.write.shift();
    const growth = Math.max(0, offset + bytes.length - inode.visible.length);
    const missing = Math.max(0, growth - this.free());
    if (failure === undefined && missing === 0) {
      this.counts.bytesWritten += bytes.length;
      inode.write(offset, bytes);
      return;
    }
    const written = failure === undefined ? bytes.length - missing : this.random.integer(bytes.length + 1);
    if (written > 0) inode.write(offset, bytes.subarray(0, written));
    throw asError(failure ?? 'ENOSPC', 'write', path);
  }

  /** Power failed while this was being written: some of it got as far as the cache. */
  tear(inode: Inode, parts: readonly Buffer[], offset: number): void {
    const bytes = Buffer.concat(parts);
    const written = this.random.integer(bytes.length + 1);
    if (written > 0) inode.write(offset, bytes.subarray(0, written));
  }

  syncFile(inode: Inode, path: string, changes: number): void {
    this.counts.syncs++;
    const failure = this.failures.sync.shift();
    if (failure === undefined) {
      inode.synced(changes);
      return;
    }
    inode.syncFailed(changes);
    throw asError(failure, 'fdatasync', path);
  }

  read(inode: Inode, path: string, offset: number, bytes: number): Buffer {
    this.counts.reads++;
    this.failMaybe('read', path);
    const found = Buffer.from(inode.visible.subarray(offset, offset + bytes));
    this.counts.bytesRead += found.length;
    return found;
  }

  truncate(inode: Inode, path: string, bytes: number): void {
    this.failMaybe('write', path);
    if (bytes - inode.visible.length > this.free()) throw systemError('ENOSPC', 'ftruncate', path);
    inode.truncate(bytes);
  }

  private replace(path: string, content: Buffer): void {
    const temporary = `${path}.new`;
    const inode = this.names.createFile(temporary);
    try {
      this.write(inode, temporary, [content], 0);
      this.syncFile(inode, temporary, inode.changes);
    } catch (error) {
      this.names.remove(temporary);
      throw error;
    }
    this.names.rename(temporary, path);
    this.names.sync(dirname(path));
  }

  private free(): number {
    if (this.capacityBytes === Number.MAX_SAFE_INTEGER) return this.capacityBytes;
    let used = 0;
    for (const inode of this.names.files()) used += inode.visible.length;
    return Math.max(0, this.capacityBytes - used);
  }

  private failMaybe(work: DiskWork, path: string): void {
    const failure = this.failures[work].shift();
    if (failure !== undefined) throw asError(failure, work, path);
  }
}

function asError(failure: string | Error, syscall: string, path: string): Error {
  return typeof failure === 'string' ? systemError(failure, syscall, path) : failure;
}

function errorOf(work: () => void): Error | null {
  try {
    work();
    return null;
  } catch (error) {
    return error as Error;
  }
}
