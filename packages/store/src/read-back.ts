import type { LoggedMessage, LogRead, Position } from '@chapar/core';
import type { Log } from '@chapar/platform';
import { entryBytesAt } from './entry.js';
import type { Generation, Generations } from './generation.js';
import type { LiveEntries, Place } from './live.js';
import { MessageReader, publishPosition, publishQueueNumber } from './publish-entry.js';

/** Entries this far apart in a file are read together with what stands between them. Bytes. */
const gapBytesMax = 4096;
/** Read in one piece, unless a single entry is larger. Bytes. */
const runBytesMax = 1024 * 1024;

/** Whose messages are read. */
export interface ReadSource {
  readonly live: LiveEntries;
  /** Of its queue, in the entries. */
  readonly number: number;
  /** For people. */
  readonly incarnation: string;
  /** Messages cannot be read back. */
  spoiled?(): void;
}

export interface Positioned {
  readonly position: Position;
}

/** Makes something of the healthy publish entry at [at, end) that is not a view of `buf`. */
export type Decode<T> = (position: Position, buf: Buffer, at: number, end: number) => T;

/** Entries that stand near each other in one file. */
interface Run {
  readonly generation: number;
  readonly offset: number;
  end: number;
  readonly places: Place[];
}

/** Fetches messages from log files by what the queue's index says. */
export class ReadBack {
  private readonly generations: Generations;
  private readonly log: Log;
  /** Resolves when everything that was appended so far has been written. */
  private readonly written: () => Promise<void>;
  private readonly reader: MessageReader;

  /** Called when something that should be there cannot be read. */
  onUnreadable: (() => void) | null = null;

  /** `unstampedMs`: when messages count as received of which nobody said it. Milliseconds since 1970. */
  constructor(generations: Generations, log: Log, unstampedMs: number, written: () => Promise<void>) {
    this.reader = new MessageReader(unstampedMs);
    this.generations = generations;
    this.log = log;
    this.written = written;
  }

  /** How many of them, from the first on, are in their files already. Entries that were moved may stand before those that were not. */
  writtenCount(places: readonly Place[]): number {
    const first = places.findIndex((place) => !this.isWritten(place));
    return first === -1 ? places.length : first;
  }

  /** One whose file has gone stands elsewhere. */
  private isWritten({ generation, offset, bytes }: Place): boolean {
    const found = this.generations.get(generation);
    return found === undefined || offset + bytes <= found.writtenBytes;
  }

  /** The messages at these places; `upTo` goes into the answer as it is. Never rejects. */
  async read(source: ReadSource, places: readonly Place[], upTo: Position): Promise<LogRead> {
    const { found: messages, unreadable } = await this.readAs(source, places, this.asMessage);
    return { messages, upTo, unreadable };
  }

  /** What is made of the entries at these places, by position. Never rejects. */
  async readAs<T extends Positioned>(
    source: ReadSource,
    places: readonly Place[],
    decode: Decode<T>,
  ): Promise<{ found: T[]; unreadable: Position[] }> {
    const found: T[] = [];
    const missed: Place[] = [];
    const runs = runsOf(places);
    const bufs = await Promise.all(runs.map((run) => this.readRun(run)));
    for (const [i, run] of runs.entries()) {
      for (const place of run.places) {
        const read = this.entryAt(source, bufs[i]!, run.offset, place, decode);
        if (read === null) missed.push(place);
        else found.push(read);
      }
    }
    if (missed.length === 0) return { found, unreadable: [] };
    const unreadable = await this.readMissed(source, missed, found, decode);
    found.sort((a, b) => a.position - b.position);
    return { found, unreadable };
  }

  private readonly asMessage: Decode<LoggedMessage> = (position, buf, at, end) => {
    return { position, message: this.reader.read(buf, at, end) };
  };

  /** What a file has of a run; empty when it cannot be read. */
  private async readRun({ generation, offset, end }: Run): Promise<Buffer> {
    const found = this.generations.get(generation);
    if (found === undefined) return nothing;
    try {
      return await found.file.read(offset, end - offset);
    } catch (error) {
      // A file that was emptied meanwhile is closed: what was in it stands elsewhere.
      if (this.generations.get(generation) !== undefined)
        this.log.warn({ file: found.path, offset, error }, readFailed);
      return nothing;
    }
  }

  private entryAt<T>(source: ReadSource, buf: Buffer, offset: number, place: Place, decode: Decode<T>): T | null {
    const generation = this.generations.get(place.generation);
    const at = place.offset - offset;
    const end = at + place.bytes;
    if (generation === undefined || !this.isHealthy(source, generation, buf, at, place)) return null;
    return decode(place.position, buf, at, end);
  }

  private isHealthy({ number }: ReadSource, { salt }: Generation, buf: Buffer, at: number, place: Place): boolean {
    if (at + place.bytes > buf.length || entryBytesAt(buf, at, at + place.bytes, salt) !== place.bytes) return false;
    return publishQueueNumber(buf, at) === number && publishPosition(buf, at) === place.position;
  }

  /**
   * What could not be read with its neighbours, one by one: entries may have been moved to another file meanwhile, and damage seldom
   * spoils all of a run. Returns those that are there and cannot be read.
   */
  private async readMissed<T extends Positioned>(
    source: ReadSource,
    missed: readonly Place[],
    found: T[],
    decode: Decode<T>,
  ): Promise<Position[]> {
    const unreadable: Place[] = [];
    for (const { position } of missed) {
      const { read, place } = await this.readAlone(source, position, decode);
      if (read !== null) found.push(read);
      else if (place !== null) unreadable.push(place);
    }
    if (unreadable.length > 0) this.say(source, unreadable);
    return unreadable.map(({ position }) => position);
  }

  /** What is made of the entry, or where it stands unreadable; neither when it was settled meanwhile. */
  private async readAlone<T>(
    source: ReadSource,
    position: Position,
    decode: Decode<T>,
  ): Promise<{ read: T | null; place: Place | null }> {
    let tried: Place | null = null;
    for (;;) {
      const place = source.live.placeOf(position);
      if (place === null || isSame(place, tried)) return { read: null, place };
      tried = place;
      if (!this.isWritten(place)) await this.written().catch(() => undefined);
      const { generation, offset, bytes } = place;
      const buf = await this.readRun({ generation, offset, end: offset + bytes, places: [place] });
      const read = this.entryAt(source, buf, offset, place, decode);
      if (read !== null) return { read, place };
    }
  }

  private say(source: ReadSource, places: readonly Place[]): void {
    const { incarnation } = source;
    const { position, generation, offset } = places[0]!;
    const file = this.generations.get(generation)?.path;
    this.log.error(
      { queue: incarnation, messages: places.length, position, file, offset },
      'messages cannot be read back; they stay in their queue and are not delivered before a restart',
    );
    this.onUnreadable?.();
    source.spoiled?.();
  }
}

function isSame(place: Place, other: Place | null): boolean {
  return other !== null && place.generation === other.generation && place.offset === other.offset;
}

function runsOf(places: readonly Place[]): Run[] {
  const runs: Run[] = [];
  let run: Run | undefined;
  for (const place of places) {
    const { generation, offset, bytes } = place;
    const isNear = run?.generation === generation && offset >= run.end && offset - run.end <= gapBytesMax;
    if (run === undefined || !isNear || offset + bytes - run.offset > runBytesMax) {
      run = { generation, offset, end: offset + bytes, places: [place] };
      runs.push(run);
    } else {
      run.end = offset + bytes;
      run.places.push(place);
    }
  }
  return runs;
}

const nothing = Buffer.alloc(0);
const readFailed = 'a file with messages that wait in queues could not be read';
