import type { LogRead, Position } from '@chapar/core';
import type { Wanted } from './live.js';
import type { Decode, Positioned, ReadBack, ReadSource } from './read-back.js';

/** What reads have to know of the log that they read. */
export interface ReadWorld {
  /** Nobody waits for answers any more. */
  readonly isClosed: boolean;
  /** Nothing more is written: what is not there cannot be read. */
  readonly hasFailed: boolean;
}

/** Reads of messages, each of which may have to wait until what it wants has been written. */
export class LogReads {
  private readonly readBack: ReadBack;
  private readonly world: ReadWorld;
  private waiting: (() => void)[] = [];

  constructor(readBack: ReadBack, world: ReadWorld) {
    this.readBack = readBack;
    this.world = world;
  }

  read(log: ReadSource, wanted: () => Wanted, done: (read: LogRead) => void): void {
    if (this.world.isClosed) return;
    const written = this.written(wanted);
    if (written === null) {
      this.waiting.push(() => this.read(log, wanted, done));
      return;
    }
    void this.readBack.read(log, written.places, written.upTo).then((read) => {
      if (!this.world.isClosed) done(read);
    });
  }

  /** As `read`; `done` gets what `decode` makes of the entries. */
  readAs<T extends Positioned>(
    log: ReadSource,
    wanted: () => Wanted,
    decode: Decode<T>,
    done: (found: readonly T[], upTo: Position, unreadable: readonly Position[]) => void,
  ): void {
    if (this.world.isClosed) return;
    const written = this.written(wanted);
    if (written === null) {
      this.waiting.push(() => this.readAs(log, wanted, decode, done));
      return;
    }
    void this.readBack.readAs(log, written.places, decode).then(({ found, unreadable }) => {
      if (!this.world.isClosed) done(found, written.upTo, unreadable);
    });
  }

  /** Something was written, or nothing will be any more. */
  retry(): void {
    if (this.waiting.length === 0) return;
    const { waiting } = this;
    this.waiting = [];
    for (const retry of waiting) retry();
  }

  /** What of it stands in the files already; null: nothing yet. */
  private written(wanted: () => Wanted): Wanted | null {
    const { places, upTo: end } = wanted();
    const count = this.world.hasFailed ? places.length : this.readBack.writtenCount(places);
    if (count === 0 && places.length > 0) return null;
    const upTo = count === places.length ? end : places[count - 1]!.position;
    places.length = count;
    return { places, upTo };
  }
}
