import type { DirectoryLock, Disk, DiskFile, SimDisk } from '@chapar/platform';

/**
 * A disk that counts what changes it and stops at one of these: the change begins, then `stop` is called (which crashes the machine),
 * and nothing is answered any more.
 */
export class BoundaryDisk implements Disk {
  /** Changes begun so far. */
  count = 0;
  private readonly inner: SimDisk;
  private readonly stopAt: number;
  private readonly stop: () => void;

  constructor(inner: SimDisk, stopAt: number, stop: () => void) {
    this.inner = inner;
    this.stopAt = stopAt;
    this.stop = stop;
  }

  get isStopped(): boolean {
    return this.count >= this.stopAt;
  }

  /** Begins one change; false when the machine is down already. */
  begin(change: () => void): void {
    if (this.isStopped) return;
    this.count++;
    change();
    if (this.isStopped) this.stop();
  }

  async open(path: string, options: { create: boolean }): Promise<DiskFile> {
    const opened = options.create ? this.changed(() => this.inner.open(path, options)) : this.inner.open(path, options);
    return new BoundaryFile(this, await opened);
  }

  replaceFile(path: string, content: Buffer): Promise<void> {
    return this.changed(() => this.inner.replaceFile(path, content));
  }

  rename(from: string, to: string): Promise<void> {
    return this.changed(() => this.inner.rename(from, to));
  }

  remove(path: string): Promise<void> {
    return this.changed(() => this.inner.remove(path));
  }

  makeDirectory(directory: string): Promise<void> {
    return this.changed(() => this.inner.makeDirectory(directory));
  }

  syncDirectory(directory: string): Promise<void> {
    return this.changed(() => this.inner.syncDirectory(directory));
  }

  readFile(path: string): Promise<Buffer> {
    return this.inner.readFile(path);
  }

  list(directory: string): Promise<string[]> {
    return this.inner.list(directory);
  }

  freeBytes(directory: string): Promise<number> {
    return this.inner.freeBytes(directory);
  }

  lock(directory: string): Promise<DirectoryLock> {
    return this.inner.lock(directory);
  }

  changed<T>(change: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.begin(() => {
        change().then((value) => {
          if (!this.isStopped) resolve(value);
        }, reject);
      });
    });
  }
}

class BoundaryFile implements DiskFile {
  readonly path: string;
  readonly bytesAtOpen: number;
  private readonly disk: BoundaryDisk;
  private readonly inner: DiskFile;

  constructor(disk: BoundaryDisk, inner: DiskFile) {
    this.disk = disk;
    this.inner = inner;
    this.path = inner.path;
    this.bytesAtOpen = inner.bytesAtOpen;
  }

  writev(parts: readonly Buffer[], offset: number, done: (error: Error | null) => void): void {
    this.disk.begin(() => this.inner.writev(parts, offset, done));
  }

  sync(done: (error: Error | null) => void): void {
    this.disk.begin(() => this.inner.sync(done));
  }

  truncate(bytes: number): Promise<void> {
    return this.disk.changed(() => this.inner.truncate(bytes));
  }

  read(offset: number, bytes: number): Promise<Buffer> {
    return this.inner.read(offset, bytes);
  }

  close(): Promise<void> {
    return this.inner.close();
  }
}
