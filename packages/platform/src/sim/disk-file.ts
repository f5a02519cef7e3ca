import type { DiskFile } from '../disk.js';
import type { SimDisk } from './disk.js';
import type { Inode } from './inode.js';
import { systemError } from './system-error.js';

/** An open file of a simulated disk. */
export class SimDiskFile implements DiskFile {
  readonly path: string;
  readonly bytesAtOpen: number;
  private readonly disk: SimDisk;
  private readonly inode: Inode;
  private isOpen = true;

  constructor(disk: SimDisk, path: string, inode: Inode) {
    this.disk = disk;
    this.path = path;
    this.inode = inode;
    this.bytesAtOpen = inode.visible.length;
  }

  writev(parts: readonly Buffer[], offset: number, done: (error: Error | null) => void): void {
    const { inode, disk, path } = this;
    const write = () => disk.write(inode, path, parts, offset);
    disk.start('write', this.isOpen ? write : this.closed('write'), done, () => disk.tear(inode, parts, offset));
  }

  sync(done: (error: Error | null) => void): void {
    const { inode, disk, path } = this;
    // Only what was written before the call is promised; what is written while it runs may or may not be in it.
    const changes = inode.changes;
    const sync = () => disk.syncFile(inode, path, changes);
    disk.start('sync', this.isOpen ? sync : this.closed('fdatasync'), done);
  }

  read(offset: number, bytes: number): Promise<Buffer> {
    const { inode, disk, path } = this;
    return disk.promise('read', this.isOpen ? () => disk.read(inode, path, offset, bytes) : this.closed('read'));
  }

  truncate(bytes: number): Promise<void> {
    const { inode, disk, path } = this;
    return disk.promise('write', this.isOpen ? () => disk.truncate(inode, path, bytes) : this.closed('ftruncate'));
  }

  close(): Promise<void> {
    const close = this.isOpen ? () => {} : this.closed('close');
    this.isOpen = false;
    return this.disk.promise('read', close);
  }

  private closed(syscall: string): () => never {
    return () => {
      throw systemError('EBADF', syscall, this.path);
    };
  }
}
