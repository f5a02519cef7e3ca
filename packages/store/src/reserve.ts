import { join } from 'node:path';
import { syncFile, type WalPlace, writeFile } from './wal-files.js';

const chunk = Buffer.alloc(1024 * 1024);
/** Left free beside a new reserve, or the next group would take it away again. Bytes. */
const beyondBytesMin = 1024 * 1024;

/**
 * A file of zeroes that keeps room on the disk. When the disk is full it is given up, so that what gathered already and the
 * settlements of what is drained can still be written; when there is room again it comes back.
 */
export class Reserve {
  private readonly place: WalPlace;
  private readonly path: string;
  private readonly bytes: number;
  private isThere = false;
  private filling: Promise<boolean> | null = null;
  private isClosed = false;

  /** `bytes` 0: there is none. */
  constructor(place: WalPlace, bytes: number) {
    this.place = place;
    this.path = join(place.directory, 'reserve');
    this.bytes = bytes;
  }

  /** Finds what an earlier life left. */
  async open(): Promise<void> {
    const { disk, directory } = this.place;
    const names = await disk.list(directory);
    if (names.includes('reserve.new')) await disk.remove(this.temporary);
    if (!names.includes('reserve')) return;
    const file = await disk.open(this.path, { create: false });
    await file.close();
    this.isThere = this.bytes > 0 && file.bytesAtOpen === this.bytes;
    if (!this.isThere) await disk.remove(this.path);
  }

  /** Gives the room free; false when there was none to give. */
  async release(): Promise<boolean> {
    if (!this.isThere) return false;
    this.isThere = false;
    await this.place.disk.remove(this.path);
    return true;
  }

  /** Takes the room when there is enough of it; false when there is not. */
  fill(): Promise<boolean> {
    this.filling ??= this.fillNow().finally(() => {
      this.filling = null;
    });
    return this.filling;
  }

  /** Waits for what is under way. */
  async close(): Promise<void> {
    this.isClosed = true;
    await this.filling;
  }

  private async fillNow(): Promise<boolean> {
    if (this.isThere) return true;
    const { disk, directory } = this.place;
    try {
      const free = await disk.freeBytes(directory);
      if (free < this.bytes + Math.max(beyondBytesMin, this.bytes / 4)) return false;
      if (this.bytes === 0) return true;
      if (!(await this.write())) return false;
      await disk.rename(this.temporary, this.path);
      await disk.syncDirectory(directory);
      this.isThere = true;
      return true;
    } catch (error) {
      this.place.log.warn(
        { error, file: this.path },
        'the reserve for a full disk could not be made; tried again later',
      );
      await disk.remove(this.temporary).catch(() => {});
      return false;
    }
  }

  private async write(): Promise<boolean> {
    const file = await this.place.disk.open(this.temporary, { create: true });
    try {
      for (let at = 0; at < this.bytes && !this.isClosed; at += chunk.length) {
        await writeFile(file, [chunk.subarray(0, this.bytes - at)], at);
      }
      if (!this.isClosed) await syncFile(file);
    } finally {
      await file.close();
    }
    return !this.isClosed;
  }

  private get temporary(): string {
    return `${this.path}.new`;
  }
}
