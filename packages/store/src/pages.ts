import type { LogRead, Message, Position, QueuePages } from '@chapar/core';
import type { Timer } from '@chapar/platform';
import { ENTRY_PUBLISH } from './entry.js';
import { Gathering } from './gathering.js';
import type { Generation } from './generation.js';
import { hasNoRoom } from './group-commit.js';
import { LiveEntries, type Wanted } from './live.js';
import { walkEntries } from './log-file.js';
import { publishBodyBytes, publishPosition, publishQueueNumber } from './publish-entry.js';
import { ReadBack } from './read-back.js';
import { SlabPool } from './slab.js';
import { grownBytes, WalFiles, type WalPlace } from './wal-files.js';

export interface PagesSettings {
  /** A file that has grown to this gets no further group. Bytes. */
  readonly fileBytesMax: number;
  /** Below this many bytes in all, live messages are not copied to give space back. */
  readonly bytesMin: number;
}

/** Who is told of what becomes of the pages. */
export interface PagesOwner {
  /** What had gathered is on its way. */
  pagesWritten(): void;
  /** It found no room, and is tried again until there is some. */
  pagesFull(error: Error): void;
}

/** Above this many times the live bytes, the oldest file is emptied. */
const liveFactor = 2;
/** Live entries are copied in steps of this many bytes. */
const stepBytes = 1024 * 1024;
const retryMs = 1000;

/**
 * What of queues without a log, and of transient messages, does not fit into memory: written in groups like the write-ahead log,
 * never synced, and deleted at each start.
 */
export class Pages {
  private readonly place: WalPlace;
  private readonly settings: PagesSettings;
  private readonly files: WalFiles;
  private readonly readBack: ReadBack;
  private readonly byNumber = new Map<number, PagedQueue>();
  private numberMax = 0;
  private gathering!: Gathering;
  private idle!: Gathering;
  private inFlight: Gathering | null = null;
  private waitingReads: (() => void)[] = [];
  private readonly owner: PagesOwner;
  private retry: Timer | null = null;
  private emptying: Promise<void> | null = null;
  private isClosed = false;
  /** The group on its way found no room and is tried again until it does. */
  isWithoutRoom = false;

  constructor(place: WalPlace, settings: PagesSettings, owner: PagesOwner) {
    this.place = place;
    this.settings = settings;
    this.owner = owner;
    this.files = new WalFiles(place, settings.fileBytesMax, 'pages');
    this.readBack = new ReadBack(this.files.generations, place.log, 0, () => this.written());
  }

  /** Nothing of an earlier life is of any use. */
  async start(): Promise<void> {
    const { disk, directory } = this.place;
    for (const name of await disk.list(directory)) await disk.remove(`${directory}/${name}`);
    await this.files.start(0);
    const pool = new SlabPool();
    this.gathering = new Gathering(pool, this.files.current);
    this.idle = new Gathering(pool, this.files.current);
  }

  open(): QueuePages {
    return new PagedQueue(this, ++this.numberMax, new LiveEntries(this.files.generations));
  }

  get gatheredBytes(): number {
    return this.gathering?.gatheredBytes ?? 0;
  }

  /** What was gathered may go as soon as the disk is free. */
  flush(): void {
    if (this.inFlight !== null || this.isClosed || this.gatheredBytes === 0) return;
    const group = this.gathering;
    this.gathering = this.idle;
    this.inFlight = group;
    group.generation.takenBytes += group.gatheredBytes;
    group.seal({ generation: 0, offset: 0 });
    this.owner.pagesWritten();
    this.write(group);
  }

  async close(): Promise<void> {
    this.isClosed = true;
    // A write under way has to be through before its file is closed.
    if (this.retry !== null) this.retry.cancel();
    else if (this.inFlight !== null) await this.through(this.inFlight);
    for (const group of [this.gathering, this.inFlight]) for (const waiter of group?.waiters ?? []) waiter.resolve();
    await this.emptying;
    // A start that failed has opened nothing.
    if (this.gathering !== undefined) await this.files.close();
  }

  // -- what queues ask ---------------------------------------------------------------------------------------------

  append(queue: PagedQueue, position: Position, message: Message): void {
    if (this.isClosed) return;
    this.byNumber.set(queue.number, queue);
    const group = this.target();
    const entryBytes = group.publish(queue.number, position, message);
    queue.live.add(position, entryBytes, message.bodyBytes, 0, group.generation, group.entryOffset);
  }

  read(queue: PagedQueue, wanted: () => Wanted, done: (read: LogRead) => void): void {
    if (this.isClosed) return;
    const { places, upTo: end } = wanted();
    const count = this.readBack.writtenCount(places);
    if (count === 0 && places.length > 0) {
      this.waitingReads.push(() => this.read(queue, wanted, done));
      this.flush();
      return;
    }
    const upTo = count === places.length ? end : places[count - 1]!.position;
    places.length = count;
    void this.readBack.read(queue, places, upTo).then((read) => {
      if (!this.isClosed) done(read);
    });
  }

  /** Something of the queue was forgotten. */
  released(queue: PagedQueue): void {
    if (queue.live.count === 0) this.byNumber.delete(queue.number);
    this.tidy();
  }

  // -- the way to the disk -----------------------------------------------------------------------------------------

  private target(): Gathering {
    const { gathering } = this;
    if (gathering.isEmpty) {
      gathering.generation = this.files.choose();
      gathering.offset = gathering.generation.takenBytes;
    }
    return gathering;
  }

  private write(group: Gathering): void {
    const { generation, offset } = group;
    const done = (error: Error | null): void => {
      if (error !== null) this.again(group, error);
      else this.wrote(group);
    };
    const endBytes = offset + group.bytes;
    if (endBytes <= generation.extentBytes) {
      generation.file.writev(group.parts, offset, done);
      return;
    }
    const extentBytes = grownBytes(endBytes);
    generation.file.truncate(extentBytes).then(() => {
      generation.extentBytes = extentBytes;
      generation.file.writev(group.parts, offset, done);
    }, done);
  }

  /** Nothing here was promised to anybody, so that a failed write may be tried again; meanwhile the messages stay in memory. */
  private again(group: Gathering, error: Error): void {
    if (this.isClosed) {
      for (const waiter of group.waiters) waiter.resolve();
      return;
    }
    this.isWithoutRoom = hasNoRoom(error);
    if (this.isWithoutRoom) {
      this.owner.pagesFull(error);
    } else {
      this.place.log.error(
        { file: group.generation.path, error },
        'messages that do not fit into memory could not be written; tried again every second',
      );
    }
    this.retry = this.place.clock.after(retryMs, () => {
      this.retry = null;
      this.write(group);
    });
  }

  private wrote(group: Gathering): void {
    this.isWithoutRoom = false;
    group.generation.writtenBytes += group.bytes;
    for (const waiter of group.waiters) waiter.resolve();
    group.clear();
    this.idle = group;
    this.inFlight = null;
    if (this.isClosed) return;
    const waiting = this.waitingReads;
    this.waitingReads = [];
    for (const retry of waiting) retry();
    this.files.prepare();
    this.tidy();
    this.flush();
  }

  /** Resolves when what was appended so far is written. */
  private written(): Promise<void> {
    const group = this.gatheredBytes > 0 ? this.gathering : this.inFlight;
    if (group === null || this.isClosed) return Promise.resolve();
    this.flush();
    return this.through(group);
  }

  private through(group: Gathering): Promise<void> {
    return new Promise((resolve, reject) => {
      group.waiters.push({ resolve, reject });
    });
  }

  // -- giving space back -------------------------------------------------------------------------------------------

  private tidy(): void {
    if (this.emptying !== null || this.isClosed || this.disposable() === null) return;
    this.emptying = this.empty();
  }

  /** A file that can go: nothing lives in it, or it is the oldest and too much is dead. */
  private disposable(): Generation | null {
    const { generations } = this.files;
    if (generations.size < 2) return null;
    for (const generation of generations.values()) {
      if (generation.liveCount === 0 && !this.isInUse(generation)) return generation;
    }
    const oldest = generations.oldest!;
    const { bytes, liveBytes } = generations.measure();
    // A copy needs room before it gives any.
    const isWasteful = !this.isWithoutRoom && bytes > Math.max(this.settings.bytesMin, liveFactor * liveBytes);
    return isWasteful && !this.isInUse(oldest) ? oldest : null;
  }

  private isInUse(generation: Generation): boolean {
    if (generation === this.files.current || generation === this.inFlight?.generation) return true;
    return !this.gathering.isEmpty && this.gathering.generation === generation;
  }

  private async empty(): Promise<void> {
    // `emptying` has to be known first.
    await null;
    try {
      for (let file = this.disposable(); file !== null && !this.isClosed; file = this.disposable()) {
        if (file.liveCount > 0) await this.copyLive(file);
        if (file.liveCount > 0) break;
        this.files.generations.delete(file);
        await file.file.close();
        await this.place.disk.remove(file.path);
      }
    } catch (error) {
      this.place.log.warn({ error }, 'space of pages could not be given back');
    }
    this.emptying = null;
  }

  private async copyLive(file: Generation): Promise<void> {
    let copied = 0;
    await walkEntries(file, file.writtenBytes, {
      visit: (buf, at, end) => {
        if (buf[at + 8] !== ENTRY_PUBLISH) return;
        const queue = this.byNumber.get(publishQueueNumber(buf, at));
        const position = publishPosition(buf, at);
        if (queue?.live.generationOf(position) !== file.number) return;
        const group = this.target();
        group.copy(buf, at, end - at);
        const bodyBytes = publishBodyBytes(buf, at, end);
        queue.live.add(position, end - at, bodyBytes, 0, group.generation, group.entryOffset);
        copied += end - at;
      },
      judge: async () => 'damage',
      goOn: async () => {
        if (copied < stepBytes) return !this.isClosed && !this.isWithoutRoom;
        await this.written();
        copied = 0;
        return !this.isClosed;
      },
    });
  }
}

/** What one queue has in the pages. */
class PagedQueue implements QueuePages {
  readonly number: number;
  readonly live: LiveEntries;
  readonly incarnation = 'pages';
  private readonly pages: Pages;

  constructor(pages: Pages, number: number, live: LiveEntries) {
    this.pages = pages;
    this.number = number;
    this.live = live;
  }

  page(position: Position, message: Message): void {
    this.pages.append(this, position, message);
  }

  read(from: Position, to: Position, bytesMax: number, done: (read: LogRead) => void): void {
    const wanted = () => this.live.places(from, to, bytesMax);
    this.pages.read(this, wanted, (read) => {
      this.forget(from, read.upTo);
      done(read);
    });
  }

  readAt(positions: readonly Position[], bytesMax: number, done: (read: LogRead) => void): void {
    const wanted = () => this.live.placesAt(positions, bytesMax);
    this.pages.read(this, wanted, (read) => {
      for (const position of positions) {
        if (position > read.upTo) break;
        this.forget(position, position);
      }
      done(read);
    });
  }

  forget(first: Position, last: Position): void {
    if (this.live.remove(first, last) > 0) this.pages.released(this);
  }
}
