import type { DiskFile } from '@chapar/platform';
import { FILE_HEADER_BYTES, type FileKind } from './file-header.js';

/** One file of the write-ahead log. */
export class Generation {
  readonly number: number;
  readonly path: string;
  readonly file: DiskFile;
  /** Seed of every checksum in the file. */
  readonly salt: number;
  /** Where the next group goes, when those on their way are written. */
  takenBytes: number = FILE_HEADER_BYTES;
  /** Everything below was written. */
  writtenBytes: number = FILE_HEADER_BYTES;
  /** Everything below is on the disk. */
  syncedBytes: number = FILE_HEADER_BYTES;
  /** Size of the file, which runs ahead of what is written; see `grownBytes`. */
  extentBytes: number = FILE_HEADER_BYTES;
  /** Of publish entries whose message is not settled yet and whose newest copy is here. */
  liveBytes = 0;
  liveCount = 0;

  constructor(number: number, path: string, file: DiskFile, salt: number) {
    this.number = number;
    this.path = path;
    this.file = file;
    this.salt = salt;
  }
}

/** All files of the write-ahead log by number, the oldest first. */
export class Generations {
  private readonly byNumber = new Map<number, Generation>();
  private last: Generation | null = null;

  add(generation: Generation): void {
    this.byNumber.set(generation.number, generation);
  }

  delete(generation: Generation): void {
    this.byNumber.delete(generation.number);
    if (this.last === generation) this.last = null;
  }

  get(number: number): Generation | undefined {
    return this.byNumber.get(number);
  }

  get size(): number {
    return this.byNumber.size;
  }

  values(): IterableIterator<Generation> {
    return this.byNumber.values();
  }

  get oldest(): Generation | undefined {
    return this.byNumber.values().next().value;
  }

  get newest(): Generation | undefined {
    let newest: Generation | undefined;
    for (const generation of this.byNumber.values()) newest = generation;
    return newest;
  }

  /** Bytes of all files together, and those of live entries. */
  measure(): { bytes: number; liveBytes: number } {
    let bytes = 0;
    let liveBytes = 0;
    for (const generation of this.byNumber.values()) {
      bytes += generation.writtenBytes;
      liveBytes += generation.liveBytes;
    }
    return { bytes, liveBytes };
  }

  /** A message of `bytes` in that file is settled, or lives on in a copy elsewhere. */
  released(number: number, bytes: number): void {
    let generation = this.last;
    if (generation === null || generation.number !== number) {
      generation = this.byNumber.get(number)!;
      this.last = generation;
    }
    generation.liveBytes -= bytes;
    generation.liveCount--;
  }
}

export function generationFileName(number: number, kind: FileKind = 'wal'): string {
  return `${kind}-${String(number).padStart(8, '0')}.log`;
}

/** The number in a file name of the write-ahead log; null for other names. */
export function generationOfFileName(name: string): number | null {
  const match = /^wal-(\d{8,10})\.log$/.exec(name);
  return match === null ? null : Number(match[1]);
}
