import * as fs from 'node:fs';
import { mkdir, open, readdir, readFile, rename, statfs, unlink } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { DirectoryLock, Disk, DiskFile } from '../disk.js';
import { lockDirectory } from './directory-lock.js';
import { NodeDiskFile } from './disk-file.js';

/** The machine's file system. */
export class NodeDisk implements Disk {
  private readonly accessFlag: number;
  /** The last replacement under way of each path: replacements of one path happen in the order in which they were asked for. */
  private readonly replacing = new Map<string, Promise<void>>();

  /** With `readOnly` files are opened for reading, so that they need not be writable. */
  constructor(options: { readonly readOnly?: boolean } = {}) {
    this.accessFlag = options.readOnly === true ? fs.constants.O_RDONLY : fs.constants.O_RDWR;
  }

  async open(path: string, options: { create: boolean }): Promise<DiskFile> {
    const flags = this.accessFlag | (options.create ? fs.constants.O_CREAT : 0);
    const handle = await open(path, flags, 0o640);
    try {
      return new NodeDiskFile(path, handle, (await handle.stat()).size);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  readFile(path: string): Promise<Buffer> {
    return readFile(path);
  }

  replaceFile(path: string, content: Buffer, options: { mode?: number } = {}): Promise<void> {
    const before = this.replacing.get(path) ?? Promise.resolve();
    const replace = () => this.replace(path, content, options.mode ?? 0o640);
    const done = before.then(replace, replace);
    this.replacing.set(path, done);
    const forget = () => {
      if (this.replacing.get(path) === done) this.replacing.delete(path);
    };
    done.then(forget, forget);
    return done;
  }

  private async replace(path: string, content: Buffer, mode: number): Promise<void> {
    // One fixed name per path: what a crash leaves behind is overwritten by the next replacement, not collected.
    const temporary = `${path}.new`;
    await unlink(temporary).catch(ignoreAbsent);
    try {
      const handle = await open(temporary, 'wx', mode);
      try {
        await handle.writeFile(content);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(temporary, path);
    } catch (error) {
      await unlink(temporary).catch(() => {});
      throw error;
    }
    await this.syncDirectory(dirname(path));
  }

  rename(from: string, to: string): Promise<void> {
    return rename(from, to);
  }

  remove(path: string): Promise<void> {
    return unlink(path);
  }

  async list(directory: string): Promise<string[]> {
    return (await readdir(directory)).sort();
  }

  async makeDirectory(directory: string): Promise<void> {
    const first = await mkdir(directory, { recursive: true, mode: 0o750 });
    if (first === undefined) return;
    const outermost = dirname(resolve(first));
    for (let made = resolve(directory); made !== outermost; made = dirname(made))
      await this.syncDirectory(dirname(made));
  }

  async syncDirectory(directory: string): Promise<void> {
    const handle = await open(directory, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  }

  async freeBytes(directory: string): Promise<number> {
    const { bavail, bsize } = await statfs(directory);
    return bavail * bsize;
  }

  lock(directory: string): Promise<DirectoryLock> {
    return lockDirectory(directory);
  }
}

function ignoreAbsent(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}
