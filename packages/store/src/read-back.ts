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
  /** Nobody wants the answer any more. */
  readonly isDetached: boolean;
}

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
  private readonly reader = new MessageReader();

  constructor(generations: Generations, log: Log, written: () => Promise<void>) {
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
    const messages: LoggedMessage[] = [];
    const missed: Place[] = [];
    const runs = runsOf(places);
    const bufs = await Promise.all(runs.map((run) => this.readRun(run)));
    for (const [i, run] of runs.entries()) {
      for (const place of run.places) {
        const message = this.messageAt(source, bufs[i]!, run.offset, place);
        if (message === null) missed.push(place);
        else messages.push(message);
      }
    }
    if (missed.length === 0) return { messages, upTo, unreadable: [] };
    const unreadable = await this.readMissed(source, missed, messages);
    messages.sort((a, b) => a.position - b.position);
    return { messages, upTo, unreadable };
  }

  /** What a file has of a run; empty when it cannot be read. */
  private async readRun({ generation, offset, end }: Run): Promise<Buffer> {
    const found = this.generations.get(generation);
    if (found === undefined) return nothing;
    try {
      return await found.file.read(offset, end - offset);
    } catch (error) {
      // A file that was emptied meanwhile is closed: what was in it stands elsewhere.
      if (this.generations.get(generation) !== undefined)
        this.log.error({ file: found.path, offset, error }, readFailed);
      return nothing;
    }
  }

  private messageAt(source: ReadSource, buf: Buffer, offset: number, place: Place): LoggedMessage | null {
    const generation = this.generations.get(place.generation);
    const at = place.offset - offset;
    const end = at + place.bytes;
    if (generation === undefined || !this.isHealthy(source, generation, buf, at, place)) return null;
    return { position: place.position, message: this.reader.read(buf, at, end) };
  }

  private isHealthy({ number }: ReadSource, { salt }: Generation, buf: Buffer, at: number, place: Place): boolean {
    if (at + place.bytes > buf.length || entryBytesAt(buf, at, at + place.bytes, salt) !== place.bytes) return false;
    return publishQueueNumber(buf, at) === number && publishPosition(buf, at) === place.position;
  }

  /** Entries may have been moved to another file meanwhile; returns those that are still there and cannot be read. */
  private async readMissed(source: ReadSource, missed: readonly Place[], messages: LoggedMessage[]) {
    const unreadable: Position[] = [];
    for (const first of missed) {
      if (source.isDetached) break;
      let tried: Place = first;
      for (;;) {
        const now = source.live.placeOf(tried.position);
        if (now === null) break;
        if (now.generation === tried.generation && now.offset === tried.offset) {
          this.say(source, now);
          unreadable.push(now.position);
          break;
        }
        tried = now;
        if (!this.isWritten(now)) await this.written().catch(() => undefined);
        const [run] = runsOf([now]);
        const message = this.messageAt(source, await this.readRun(run!), now.offset, now);
        if (message === null) continue;
        messages.push(message);
        break;
      }
    }
    return unreadable;
  }

  private say({ incarnation }: ReadSource, { position, generation, offset }: Place): void {
    const file = this.generations.get(generation)?.path;
    this.log.error(
      { queue: incarnation, position, file, offset },
      'a message cannot be read back; it stays in its queue and is not delivered before a restart',
    );
  }
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
