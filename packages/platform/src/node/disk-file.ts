import * as fs from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import type { DiskFile } from '../disk.js';

/** A file of node:fs. The hot calls (writev, sync) go by callbacks on the descriptor; the rest by promises on the handle that owns it. */
export class NodeDiskFile implements DiskFile {
  readonly path: string;
  readonly bytesAtOpen: number;
  private readonly handle: FileHandle;
  private readonly fd: number;
  /** Once closed, the descriptor's number may belong to another file. */
  private isClosed = false;

  constructor(path: string, handle: FileHandle, bytesAtOpen: number) {
    this.path = path;
    this.handle = handle;
    this.fd = handle.fd;
    this.bytesAtOpen = bytesAtOpen;
  }

  writev(parts: readonly Buffer[], offset: number, done: (error: Error | null) => void): void {
    if (this.isClosed) this.refuse('write', done);
    else if (parts.length === 0) process.nextTick(done, null);
    else writeAll(this.fd, parts, offset, done);
  }

  sync(done: (error: Error | null) => void): void {
    if (this.isClosed) this.refuse('fdatasync', done);
    else fs.fdatasync(this.fd, done);
  }

  async read(offset: number, bytes: number): Promise<Buffer> {
    const buffer = Buffer.allocUnsafeSlow(bytes);
    let filled = 0;
    while (filled < bytes) {
      const { bytesRead } = await this.handle.read(buffer, filled, bytes - filled, offset + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return filled === bytes ? buffer : buffer.subarray(0, filled);
  }

  truncate(bytes: number): Promise<void> {
    return this.handle.truncate(bytes);
  }

  close(): Promise<void> {
    this.isClosed = true;
    return this.handle.close();
  }

  private refuse(syscall: string, done: (error: Error) => void): void {
    const error: NodeJS.ErrnoException = new Error(`EBADF: ${this.path} is closed, ${syscall}`);
    error.code = 'EBADF';
    process.nextTick(done, error);
  }
}

/** A write may be short (a full disk, a signal, 2 GiB): the rest is written again until there is none or an error. */
function writeAll(fd: number, parts: readonly Buffer[], offset: number, done: (error: Error | null) => void): void {
  fs.writev(fd, parts as Buffer[], offset, (error, written) => {
    if (error !== null) return done(error);
    const rest = after(parts, written);
    if (rest.length === 0) return done(null);
    if (written === 0) return done(new Error(`nothing could be written at byte ${offset}`));
    writeAll(fd, rest, offset + written, done);
  });
}

/** What follows the first `bytes` of `parts`. */
function after(parts: readonly Buffer[], bytes: number): readonly Buffer[] {
  let left = bytes;
  for (let i = 0; i < parts.length; i++) {
    const part = parts[i]!;
    if (left < part.length) return [part.subarray(left), ...parts.slice(i + 1)];
    left -= part.length;
  }
  return [];
}
