import { join } from 'node:path';
import { checkpointName } from './checkpoint-file.js';
import { endPart, sealPart, writeCheckpoint } from './checkpoint-form.js';
import { encodeFileHeader, fileSalt } from './file-header.js';
import type { SyncWaiter } from './gathering.js';
import type { LogPlace } from './group.js';
import { hasNoRoom } from './group-commit.js';
import type { Wal } from './wal.js';
import { syncFile, type WalPlace, writeFile } from './wal-files.js';

/** The log grows by so many times the last checkpoint's size before the next one. */
const growthFactor = 8;

/** A checkpoint in memory. */
interface Taken {
  readonly header: Buffer;
  readonly parts: readonly Buffer[];
}

/**
 * Writes down now and then what folding the log would say, so that a start folds only what came after it. A checkpoint is taken at
 * the end of a group, in one go, when everything that was appended is in that group or before it; it is written when the group is
 * synced, and takes the place of the one before it when it is synced itself. The log stands without it: a checkpoint that is
 * missing or damaged costs time and nothing else.
 */
export class Checkpoints {
  private readonly wal: Wal;
  private readonly place: WalPlace;
  private readonly path: string;
  /** Bytes of the log that a start would have to fold. */
  private loggedBytes = 0;
  /** What was logged when the counters began. */
  private countedBytes = 0;
  private lastBytes = 0;
  private running: Promise<void> | null = null;
  /** Something cannot be read: the next start shall look at all of the log. */
  private isForbidden = false;
  private isStopping = false;

  constructor(wal: Wal, place: WalPlace) {
    this.wal = wal;
    this.place = place;
    this.path = join(place.directory, checkpointName);
  }

  /** What a start found: bytes of the log behind its checkpoint, and the size of that, 0 without one. */
  started(foldedBytes: number, checkpointBytes: number): void {
    this.loggedBytes = foldedBytes;
    this.lastBytes = checkpointBytes;
  }

  /** The group that ends here is about to be written. Somebody who waits until it is synced, when a checkpoint is due; else null. */
  sealed(end: LogPlace): SyncWaiter | null {
    if (this.running !== null || this.isStopping || this.isForbidden) return null;
    const { checkpointBytes } = this.wal.settings;
    if (this.dueBytes() < Math.max(checkpointBytes, growthFactor * this.lastBytes)) return null;
    const taken = this.take(end, false);
    return {
      resolve: () => {
        this.running = this.write(taken);
      },
      reject: () => {},
    };
  }

  /** The last one of a life, when everything is synced up to `end`, and folding would cost more. */
  async stop(end: LogPlace): Promise<void> {
    this.isStopping = true;
    await this.running;
    if (this.isForbidden || this.dueBytes() < Math.max(this.wal.settings.stopCheckpointBytes, this.lastBytes)) return;
    await this.write(this.take(end, true));
  }

  /** Ends what is under way, without a last one. */
  async abandon(): Promise<void> {
    this.isStopping = true;
    await this.running;
  }

  /** What should be there cannot be read: the next start folds all of the log, reports what is damaged and goes on without it. */
  forbid(): void {
    if (this.isForbidden) return;
    this.isForbidden = true;
    this.running = (this.running ?? Promise.resolve()).then(() => this.remove());
  }

  private async remove(): Promise<void> {
    const { disk, directory, log } = this.place;
    try {
      if (!(await disk.list(directory)).includes(checkpointName)) return;
      await disk.remove(this.path);
      await disk.syncDirectory(directory);
    } catch (error) {
      log.warn({ file: this.path, error }, 'the checkpoint could not be removed');
    }
  }

  private dueBytes(): number {
    return this.loggedBytes + this.wal.counters.bytes - this.countedBytes;
  }

  private take(place: LogPlace, isStopped: boolean): Taken {
    const files = new Map<number, number>();
    for (const { number, writtenBytes } of this.wal.files.generations.values()) {
      if (number <= place.generation) files.set(number, number === place.generation ? place.offset : writtenBytes);
    }
    const { latestStampMs: lastStampMs } = this.wal;
    const queueNumberMax = this.wal.logs.numberMax;
    const head = { place, queueNumberMax, lastStampMs, isStopped, files };
    const replicas = [...this.wal.logs.replicas.values()].filter(({ openedIn }) => openedIn !== 0);
    // A broker that knows of no replicas reads what says nothing of any.
    const header = encodeFileHeader('checkpoint', place.generation, this.place.dataId, replicas.length === 0 ? 1 : 2);
    return { header, parts: writeCheckpoint(head, this.wal.logs.queues.values(), replicas) };
  }

  private async write(taken: Taken): Promise<void> {
    this.loggedBytes = 0;
    this.countedBytes = this.wal.counters.bytes;
    try {
      this.lastBytes = await this.replace(taken);
    } catch (error) {
      const { log } = this.place;
      if (hasNoRoom(error))
        log.info({ file: this.path }, 'there is no room for a checkpoint; the next start takes longer');
      else log.warn({ file: this.path, error }, 'a checkpoint could not be written; the next start takes longer');
    }
    this.running = null;
  }

  /** One part at a time, so that the log and everybody else have their turns between. */
  private async replace({ header, parts }: Taken): Promise<number> {
    const { disk, directory } = this.place;
    const path = `${this.path}.new`;
    const file = await disk.open(path, { create: true });
    let end = header.length;
    let crc = fileSalt(header);
    try {
      await file.truncate(0);
      await writeFile(file, [header], 0);
      for (const part of parts) {
        crc = sealPart(part, crc);
        await writeFile(file, [part], end);
        end += part.length;
      }
      await writeFile(file, [endPart(crc)], end);
      await syncFile(file);
    } catch (error) {
      await file.close();
      await disk.remove(path);
      throw error;
    }
    await file.close();
    await disk.rename(path, this.path);
    await disk.syncDirectory(directory);
    return end;
  }
}
