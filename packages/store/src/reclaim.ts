import { ENTRY_PUBLISH } from './entry.js';
import type { Generation } from './generation.js';
import { walkEntries } from './log-file.js';
import { publishPosition, publishQueueNumber } from './publish-entry.js';
import { keepAside } from './recovery.js';
import type { Wal } from './wal.js';
import type { WalPlace } from './wal-files.js';

/** Live entries are copied in steps of this many bytes; between two steps a group with whatever else gathered is synced. */
const stepBytes = 1024 * 1024;
/** Files beyond those that size alone explains, such as the short ones of many restarts. */
const spareFilesMax = 16;
const retryMs = 60_000;
/** What else is written while a file is copied. Bytes. */
const spareBytes = 2 * stepBytes;
const roomRetryMs = 1000;

/**
 * Gives space back by emptying the oldest file: what lives in it is appended to the newest, as if it came again, then the file goes.
 * Only ever the oldest, because a settlement may stand in any file behind its message: with the first file gone, no entry about its
 * messages can matter any more. The copies keep their positions, so the fold puts them where they were; a crash in between leaves a
 * message twice, which the fold takes as once. A removal waits until everything appended before it is synced: a message may have
 * been settled here because it went somewhere else (dead-lettered), and must not vanish from both places.
 */
export class Reclaim {
  private readonly wal: Wal;
  private readonly place: WalPlace;
  private running: Promise<void> | null = null;
  private isStopping = false;
  private notBeforeMs = 0;
  /** There was no room for what lives in the oldest file. */
  private copyNotBeforeMs = 0;

  constructor(wal: Wal, place: WalPlace) {
    this.wal = wal;
    this.place = place;
  }

  /** Cheap enough to be asked after every group. */
  consider(): void {
    if (this.running !== null || this.isStopping || this.wal.hasFailed || !this.isDue()) return;
    if (this.place.clock.monotonicMs() < this.notBeforeMs) return;
    this.running = this.run();
  }

  /** Ends after the step under way; what was copied so far does no harm. */
  async stop(): Promise<void> {
    this.isStopping = true;
    await this.running;
  }

  private isDue(): boolean {
    const { settings } = this.wal;
    const { generations } = this.wal.files;
    const oldest = generations.oldest;
    if (oldest === undefined || generations.size < 2 || this.wal.isInUse(oldest)) return false;
    if (oldest.liveCount === 0) return true;
    if (this.wal.isFull || this.place.clock.monotonicMs() < this.copyNotBeforeMs) return false;
    const { bytes, liveBytes } = generations.measure();
    const bytesMax = Math.max(settings.bytesMin, settings.liveFactor * liveBytes);
    return bytes > bytesMax || generations.size > spareFilesMax + bytesMax / settings.fileBytesMax;
  }

  private async run(): Promise<void> {
    // `running` has to be known before the first sync completes and asks again.
    await null;
    try {
      while (this.isDue() && !this.isStopping && !this.wal.hasFailed) {
        if (await this.hasRoomToCopy()) await this.emptyOldest();
      }
    } catch (error) {
      // The log's own failure has been reported where it happened.
      if (!this.wal.hasFailed) {
        this.place.log.error(
          { error },
          'space of the write-ahead log could not be given back; tried again in a minute',
        );
      }
      this.notBeforeMs = this.place.clock.monotonicMs() + retryMs;
    }
    this.running = null;
  }

  /**
   * A copy needs room before it gives any, and cannot be read before it is written: on a full disk, whoever wants to drain it would
   * wait for the copy, and the copy for him. A file in which nothing lives goes at any time.
   */
  private async hasRoomToCopy(): Promise<boolean> {
    const { liveCount, liveBytes } = this.wal.files.generations.oldest!;
    if (liveCount === 0) return true;
    const free = await this.place.disk.freeBytes(this.place.directory);
    if (free >= liveBytes + spareBytes) return true;
    this.copyNotBeforeMs = this.place.clock.monotonicMs() + roomRetryMs;
    return false;
  }

  private async emptyOldest(): Promise<void> {
    const { disk, directory } = this.place;
    const generation = this.wal.files.generations.oldest!;
    if (generation.liveCount > 0) await this.copyLive(generation);
    if (this.isStopping || this.wal.hasFailed || (this.wal.isFull && generation.liveCount > 0)) return;
    if (generation.liveCount > 0) await this.giveUp(generation);
    this.wal.carryQueues(generation);
    await this.wal.sync();
    this.wal.files.generations.delete(generation);
    await generation.file.close();
    await disk.remove(generation.path);
    // One after the other: the next file must not be gone while this one is still there.
    await disk.syncDirectory(directory);
  }

  private async copyLive(generation: Generation): Promise<void> {
    let copied = 0;
    await walkEntries(generation, generation.writtenBytes, {
      visit: (buf, at, end, offset) => {
        if (buf[at + 8] !== ENTRY_PUBLISH) return;
        const log = this.wal.logs.ofNumber(publishQueueNumber(buf, at));
        const position = publishPosition(buf, at);
        // A file may hold two messages of one position, when the first was cut: only one of them is to be found afterwards.
        if (log?.live.standsAt(position, generation.number, offset) !== true) return;
        this.wal.copy(log, position, buf, at, end - at);
        copied += end - at;
      },
      judge: async () => 'damage',
      goOn: async () => {
        if (copied >= stepBytes) {
          await this.wal.sync();
          copied = 0;
        }
        return !this.isStopping && !this.wal.hasFailed && !this.wal.isFull;
      },
    });
  }

  /** What lives in the file cannot be read any more: said aloud, and the file kept aside. What is in memory is still served. */
  private async giveUp(generation: Generation): Promise<void> {
    let lost = 0;
    for (const log of this.wal.logs.all()) lost += log.forgetFile(generation.number);
    const aside = await keepAside(this.place.disk, this.place.directory, generation.path);
    this.place.log.error(
      { file: generation.path, aside, messages: lost },
      'messages in the write-ahead log cannot be read back; those in memory are served until the next restart only, and the file was kept aside',
    );
  }
}
