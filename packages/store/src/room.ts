import type { Timer } from '@chapar/platform';
import { Reserve } from './reserve.js';
import type { WalPlace } from './wal-files.js';

/** How often a full disk is asked whether there is room again. */
const roomEveryMs = 1000;

/** Whether the disk has room for more messages. While there is none publishers wait, and it is looked for. */
export class Room {
  readonly reserve: Reserve;
  onFull: ((isFull: boolean) => void) | null = null;
  private readonly place: WalPlace;
  /** Whether a group waits for room. */
  private readonly isWanted: () => boolean;
  private timer: Timer | null = null;
  private isClosed = false;

  constructor(place: WalPlace, reserveBytes: number, isWanted: () => boolean) {
    this.place = place;
    this.reserve = new Reserve(place, reserveBytes);
    this.isWanted = isWanted;
  }

  /** Publishers wait for room on the disk. */
  get isFull(): boolean {
    return this.timer !== null;
  }

  /** From now on publishers had better wait, until the reserve is back. */
  full(error: Error): void {
    if (this.timer !== null || this.isClosed) return;
    const { clock, log, directory } = this.place;
    log.error(
      { directory, error },
      'the disk is full; what is there is served, and publishers wait until there is room',
    );
    this.timer = clock.every(roomEveryMs, () => void this.look());
    this.onFull?.(true);
  }

  /** Looks no more. */
  stop(): void {
    this.timer?.cancel();
  }

  async close(): Promise<void> {
    this.isClosed = true;
    this.stop();
    await this.reserve.close();
  }

  private async look(): Promise<void> {
    if (this.isWanted() || !(await this.reserve.fill()) || this.isWanted()) return;
    if (this.timer === null) return;
    this.timer.cancel();
    this.timer = null;
    this.place.log.info({ directory: this.place.directory }, 'there is room on the disk again; publishers go on');
    this.onFull?.(false);
  }
}
