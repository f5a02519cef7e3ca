import type { DirectoryLock, Disk, DiskFile } from './disk.js';

/**
 * A disk on which nothing changes: what would be written, cut, moved or removed is left as it is, and reported as done. So readers
 * that tidy up behind themselves can be let into a directory that is only to be looked at.
 */
export class ReadOnlyDisk implements Disk {
  private readonly disk: Disk;

  constructor(disk: Disk) {
    this.disk = disk;
  }

  async open(path: string): Promise<DiskFile> {
    return new ReadOnlyFile(await this.disk.open(path, { create: false }));
  }

  readFile(path: string): Promise<Buffer> {
    return this.disk.readFile(path);
  }

  list(directory: string): Promise<string[]> {
    return this.disk.list(directory);
  }

  freeBytes(directory: string): Promise<number> {
    return this.disk.freeBytes(directory);
  }

  async replaceFile(): Promise<void> {}

  async rename(): Promise<void> {}

  async remove(): Promise<void> {}

  async makeDirectory(): Promise<void> {}

  async syncDirectory(): Promise<void> {}

  /** Nobody is kept out. */
  async lock(): Promise<DirectoryLock> {
    return { release: async () => {} };
  }
}

class ReadOnlyFile implements DiskFile {
  private readonly file: DiskFile;

  constructor(file: DiskFile) {
    this.file = file;
  }

  get path(): string {
    return this.file.path;
  }

  get bytesAtOpen(): number {
    return this.file.bytesAtOpen;
  }

  writev(_parts: readonly Buffer[], _offset: number, done: (error: Error | null) => void): void {
    queueMicrotask(() => done(null));
  }

  sync(done: (error: Error | null) => void): void {
    queueMicrotask(() => done(null));
  }

  read(offset: number, bytes: number): Promise<Buffer> {
    return this.file.read(offset, bytes);
  }

  async truncate(): Promise<void> {}

  close(): Promise<void> {
    return this.file.close();
  }
}
