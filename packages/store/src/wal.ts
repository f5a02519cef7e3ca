import { join } from 'node:path';
import type { Incarnation, LogStore, Message, Position, QueueLog, RecoveredQueue } from '@chapar/core';
import type { Clock, Disk, Log, Timer } from '@chapar/platform';
import { ENTRY_START, ENTRY_STOP } from './entry.js';
import { encodeFileHeader, fileSalt } from './file-header.js';
import { Fold } from './fold.js';
import { Gathering } from './gathering.js';
import { Generation, Generations, generationFileName } from './generation.js';
import type { LogPlace } from './group.js';
import { type QueueLogWriter, WalQueueLog } from './queue-log.js';
import { Reclaim } from './reclaim.js';
import { Recovery, syncFile } from './recovery.js';
import { SlabPool } from './slab.js';

export interface WalSettings {
  /** A file that has grown to this gets no further group. Bytes. */
  readonly fileBytesMax: number;
  /** Below this many bytes in all, live messages are not copied to give space back. */
  readonly bytesMin: number;
  /** Above this many times the live bytes, they are. */
  readonly liveFactor: number;
  /** Settlements that nobody waits for are gathered this long before they are written. */
  readonly settleWriteMs: number;
  /** And synced this long after, unless a publish takes them along. */
  readonly settleSyncMs: number;
}

export const WAL_DEFAULTS: WalSettings = {
  fileBytesMax: 64 * 1024 * 1024,
  bytesMin: 64 * 1024 * 1024,
  liveFactor: 4,
  settleWriteMs: 5,
  settleSyncMs: 50,
};

export interface WalOptions extends Partial<WalSettings> {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly log: Log;
  /** Exists, is locked by the caller, and holds nothing else. */
  readonly directory: string;
  readonly dataId: string;
}

/**
 * The node's write-ahead log: the entries of all queues in one stream. While one group is written and synced the next one gathers,
 * so the disk alone decides how large a group is. Nothing is written twice after an error: from then on no position commits.
 */
export class Wal implements LogStore, QueueLogWriter {
  readonly settings: WalSettings;
  readonly generations = new Generations();
  /** Writes and syncs so far, for whoever measures. */
  readonly counters = { groups: 0, syncs: 0, bytes: 0 };
  private readonly options: WalOptions;
  private readonly logs = new Map<Incarnation, WalQueueLog>();
  private readonly byNumber = new Map<number, WalQueueLog>();
  private queueNumberMax = 0;
  private generationMax = 0;
  /** Where the next group goes, and the prepared file after it. */
  private current!: Generation;
  private spare: Generation | null = null;
  private preparing: Promise<void> | null = null;
  private prepareAfterMs = 0;
  /** The file that was written last; differs from `current` until the first group of a new file goes out. */
  private written!: Generation;
  private synced: LogPlace = { generation: 0, offset: 0 };
  private gathering!: Gathering;
  private idle!: Gathering;
  private settlingLogs: WalQueueLog[] = [];
  /** The group on its way to the disk. */
  private inFlight: Gathering | null = null;
  private isFlushWanted = false;
  private isSettleDue = false;
  private settleTimer: Timer | null = null;
  private syncTimer: Timer | null = null;
  private failure: Error | null = null;
  private isClosed = false;
  private readonly reclaim: Reclaim;

  constructor(options: WalOptions) {
    this.options = options;
    this.settings = { ...WAL_DEFAULTS, ...definedOnly(options) };
    this.reclaim = new Reclaim(this, options);
  }

  // -- LogStore ----------------------------------------------------------------------------------------------------

  async recover(): Promise<RecoveredQueue[]> {
    const fold = new Fold((number, incarnation) => new WalQueueLog(this, this.generations, number, incarnation));
    const recovery = new Recovery(this.options, fold, this.generations);
    await recovery.read();
    const messages = await recovery.messages();
    this.generationMax = recovery.numberMax;
    this.queueNumberMax = fold.numberMax;
    const queues: RecoveredQueue[] = [];
    for (const [number, log] of fold.byNumber) {
      log.committed = log.next - 1;
      this.logs.set(log.incarnation, log);
      this.byNumber.set(number, log);
      const delivered = fold.isCleanStop ? fold.delivered.get(log) : undefined;
      queues.push({
        incarnation: log.incarnation,
        messages: messages.get(log) ?? [],
        deliveredUpTo: delivered ?? Number.POSITIVE_INFINITY,
      });
    }
    await this.start();
    return queues;
  }

  log(incarnation: Incarnation): QueueLog {
    let log = this.logs.get(incarnation);
    if (log === undefined) {
      log = new WalQueueLog(this, this.generations, ++this.queueNumberMax, incarnation);
      this.logs.set(incarnation, log);
      this.byNumber.set(log.number, log);
      if (this.failure !== null) this.detach(log, this.failure);
    }
    return log;
  }

  remove(incarnation: Incarnation): void {
    const log = this.logs.get(incarnation);
    if (log === undefined) return;
    this.logs.delete(incarnation);
    this.byNumber.delete(log.number);
    log.onCommitted = null;
    log.live.clear();
    log.detach();
    if (log.openedIn === 0 || this.failure !== null) return;
    this.target().queueRemove(log.number);
    this.awaitMore();
  }

  delivered(incarnation: Incarnation, upTo: Position): void {
    const log = this.logs.get(incarnation);
    if (log !== undefined) log.deliveredUpTo = upTo;
  }

  flush(): void {
    if (this.inFlight !== null) this.isFlushWanted = true;
    else this.advance();
  }

  sync(): Promise<void> {
    if (this.failure !== null) return Promise.reject(this.failure);
    return new Promise((resolve, reject) => {
      this.gathering.urgent = true;
      this.gathering.waiters.push({ resolve, reject });
      this.flush();
    });
  }

  async close(): Promise<void> {
    if (this.isClosed) return;
    this.isClosed = true;
    await this.reclaim.stop();
    await this.preparing;
    if (this.failure === null) await this.stop();
    this.settleTimer?.cancel();
    this.syncTimer?.cancel();
    for (const generation of this.generations.values()) await generation.file.close();
    if (this.spare !== null) await this.spare.file.close();
  }

  // -- what queues' logs and reclaiming ask ------------------------------------------------------------------------

  append(log: WalQueueLog, position: Position, message: Message): void {
    if (this.failure !== null) return;
    const gathering = this.target();
    if (log.openedIn !== gathering.generation.number) this.openQueue(log, gathering);
    const entryBytes = gathering.publish(log.number, position, message);
    log.live.add(position, entryBytes, gathering.generation);
    if (!log.isTouched) {
      log.isTouched = true;
      gathering.touched.push(log);
    }
  }

  settling(log: WalQueueLog): void {
    this.settlingLogs.push(log);
  }

  /** Appends a live entry of an older file to the present one. */
  copy(log: WalQueueLog, position: Position, buf: Buffer, at: number, entryBytes: number): void {
    const gathering = this.target();
    if (log.openedIn !== gathering.generation.number) this.openQueue(log, gathering);
    gathering.copy(buf, at, entryBytes);
    log.live.add(position, entryBytes, gathering.generation);
  }

  /** Names again every queue that no newer file names, so that `generation` can go. */
  carryQueues(generation: Generation): void {
    for (const log of this.logs.values()) {
      if (log.openedIn === generation.number) this.openQueue(log, this.target());
    }
  }

  queueOfNumber(number: number): WalQueueLog | undefined {
    return this.byNumber.get(number);
  }

  queueLogs(): IterableIterator<WalQueueLog> {
    return this.logs.values();
  }

  /** Whether a group may still go to this file. */
  isInUse(generation: Generation): boolean {
    return generation === this.current || generation === this.written || generation === this.inFlight?.generation;
  }

  get hasFailed(): boolean {
    return this.failure !== null;
  }

  /** Appended and not yet handed to the disk; what a broker looks at that must slow its publishers down. */
  get gatheredBytes(): number {
    return this.gathering.gatheredBytes;
  }

  private openQueue(log: WalQueueLog, gathering: Gathering): void {
    gathering.queueOpen(log);
    log.openedIn = gathering.generation.number;
  }

  /** The group that takes the next entry, its file chosen with its first. */
  private target(): Gathering {
    const gathering = this.gathering;
    if (gathering.isEmpty) gathering.generation = this.chooseFile();
    return gathering;
  }

  private chooseFile(): Generation {
    if (this.spare !== null && this.endBytes >= this.settings.fileBytesMax) {
      this.current = this.spare;
      this.spare = null;
      this.generations.add(this.current);
    }
    return this.current;
  }

  /** Where the present file ends once the group on its way is written. */
  private get endBytes(): number {
    const ahead = this.inFlight?.generation === this.current ? this.inFlight.bytes : 0;
    return this.current.writtenBytes + ahead;
  }

  // -- start and stop ----------------------------------------------------------------------------------------------

  /** A life of the node begins a file of its own: what an earlier life may have left half-written is never appended to. */
  private async start(): Promise<void> {
    let last: Generation | undefined;
    for (const generation of this.generations.values()) last = generation;
    this.current = await this.createFile();
    this.generations.add(this.current);
    this.written = last ?? this.current;
    this.synced = { generation: this.written.number, offset: this.written.syncedBytes };
    const pool = new SlabPool();
    this.gathering = new Gathering(pool, this.current);
    this.idle = new Gathering(pool, this.current);
    // From here on the delivered marks of the last clean stop are void.
    this.target().mark(ENTRY_START);
    await this.sync();
    this.maintain();
  }

  private async stop(): Promise<void> {
    for (const log of this.logs.values()) {
      if (log.deliveredUpTo < 0) continue;
      const gathering = this.target();
      if (log.openedIn !== gathering.generation.number) this.openQueue(log, gathering);
      gathering.delivered(log.number, log.deliveredUpTo);
    }
    // What was settled goes before the mark, which has to be the last.
    this.takeSettled();
    this.target().mark(ENTRY_STOP);
    await this.sync();
  }

  private async createFile(): Promise<Generation> {
    const { disk, directory, dataId } = this.options;
    const number = ++this.generationMax;
    const path = join(directory, generationFileName(number));
    const header = encodeFileHeader('wal', number, dataId);
    const file = await disk.open(path, { create: true });
    await new Promise<void>((resolve, reject) => {
      file.writev([header], 0, (error) => (error === null ? resolve() : reject(error)));
    });
    await syncFile(file);
    await disk.syncDirectory(directory);
    return new Generation(number, path, file, fileSalt(header));
  }

  // -- groups on their way to the disk -----------------------------------------------------------------------------

  private advance(): void {
    if (this.inFlight !== null || this.failure !== null) return;
    const gathering = this.gathering;
    const hasEntries = !gathering.isEmpty || this.settlingLogs.length > 0;
    if (hasEntries && (gathering.urgent || gathering.touched.length > 0 || this.isSettleDue)) this.send();
    else if (hasEntries) this.awaitMore();
    else if (gathering.urgent) this.syncOnly();
    else this.isSettleDue = false;
  }

  /** Settlements alone: nobody waits for them, and more of them make shorter entries. */
  private awaitMore(): void {
    if (this.settleTimer !== null) return;
    this.settleTimer = this.options.clock.after(this.settings.settleWriteMs, () => {
      this.settleTimer = null;
      this.isSettleDue = true;
      this.flush();
    });
  }

  private send(): void {
    this.takeSettled();
    const group = this.gathering;
    this.inFlight = group;
    this.gathering = this.idle;
    this.isSettleDue = false;
    for (const log of group.touched) {
      log.sealed = log.next - 1;
      log.isTouched = false;
    }
    this.write();
  }

  private takeSettled(): void {
    for (const log of this.settlingLogs) {
      if (log.isDetached) continue;
      const gathering = this.target();
      if (log.openedIn !== gathering.generation.number) this.openQueue(log, gathering);
      const { firsts, lasts, count } = log.takeSettled();
      gathering.settle(log.number, firsts, lasts, count);
    }
    this.settlingLogs.length = 0;
  }

  private write(): void {
    const group = this.inFlight!;
    const generation = group.generation;
    if (generation !== this.written) {
      // A file may only have a successor with something in it when it is on the disk itself.
      if (this.written.syncedBytes < this.written.writtenBytes) {
        this.syncFile(this.onSwitchSynced);
        return;
      }
      this.written = generation;
    }
    group.seal(generation.writtenBytes, this.synced);
    generation.file.writev(group.parts, generation.writtenBytes, this.onWritten);
  }

  private readonly onSwitchSynced = (error: Error | null): void => {
    if (error === null) {
      this.noteSynced();
      this.write();
    } else {
      this.fail(error, 'sync');
    }
  };

  private readonly onWritten = (error: Error | null): void => {
    if (error !== null) {
      this.fail(error, 'write');
      return;
    }
    const group = this.inFlight!;
    this.written.writtenBytes += group.bytes;
    this.counters.groups++;
    this.counters.bytes += group.bytes;
    if (group.urgent || group.touched.length > 0) {
      this.syncFile(this.onSynced);
      return;
    }
    this.syncTimer ??= this.options.clock.after(this.settings.settleSyncMs, () => {
      this.syncTimer = null;
      this.gathering.urgent = true;
      this.flush();
    });
    this.complete(group);
  };

  private readonly onSynced = (error: Error | null): void => {
    if (error !== null) {
      this.fail(error, 'sync');
      return;
    }
    this.noteSynced();
    const group = this.inFlight!;
    for (const log of group.touched) {
      // Holes behind what was written wait for nothing, unless a message before them does.
      log.committed = log.isTouched ? log.sealed : log.next - 1;
      log.onCommitted?.(log.committed);
    }
    for (const waiter of group.waiters) waiter.resolve();
    this.complete(group);
  };

  /** Nothing to write, but something written that is not synced yet, or somebody who wants to know. */
  private syncOnly(): void {
    const group = this.gathering;
    this.inFlight = group;
    this.gathering = this.idle;
    if (this.written.syncedBytes < this.written.writtenBytes) this.syncFile(this.onSynced);
    else this.onSynced(null);
  }

  private syncFile(done: (error: Error | null) => void): void {
    this.counters.syncs++;
    this.written.file.sync(done);
  }

  private noteSynced(): void {
    this.written.syncedBytes = this.written.writtenBytes;
    this.synced = { generation: this.written.number, offset: this.written.syncedBytes };
    this.syncTimer?.cancel();
    this.syncTimer = null;
  }

  private complete(group: Gathering): void {
    group.clear();
    this.idle = group;
    this.inFlight = null;
    this.maintain();
    if (!this.isFlushWanted) return;
    this.isFlushWanted = false;
    this.advance();
  }

  private fail(error: Error, what: 'write' | 'sync'): void {
    this.failure = error;
    this.options.log.error(
      { file: this.written.path, error },
      `a ${what} of the write-ahead log failed; nothing is confirmed any more until the broker is restarted`,
    );
    this.settleTimer?.cancel();
    this.syncTimer?.cancel();
    const waiters = [...(this.inFlight?.waiters ?? []), ...this.gathering.waiters];
    for (const log of this.logs.values()) {
      log.detach();
      log.onFailed?.(error);
    }
    for (const waiter of waiters) waiter.reject(error);
  }

  /** A log that is asked for after the failure: its queue hears of it when it has had the time to listen. */
  private detach(log: WalQueueLog, error: Error): void {
    log.detach();
    this.options.clock.endOfTurn(() => log.onFailed?.(error));
  }

  // -- files -------------------------------------------------------------------------------------------------------

  private maintain(): void {
    if (this.isClosed) return;
    if (this.spare === null && this.preparing === null && this.endBytes >= this.settings.fileBytesMax / 2) {
      if (this.options.clock.monotonicMs() >= this.prepareAfterMs) this.preparing = this.prepare();
    }
    this.reclaim.consider();
  }

  /** Creates the next file ahead of its use, so that no group waits for it. */
  private async prepare(): Promise<void> {
    try {
      this.spare = await this.createFile();
    } catch (error) {
      this.prepareAfterMs = this.options.clock.monotonicMs() + 1000;
      this.options.log.warn(
        { error },
        'no further file of the write-ahead log could be created; the present one grows',
      );
    }
    this.preparing = null;
  }
}

function definedOnly(options: WalOptions): Partial<WalSettings> {
  const settings: Record<string, number> = {};
  for (const key of Object.keys(WAL_DEFAULTS) as (keyof WalSettings)[]) {
    const value = options[key];
    if (value !== undefined) settings[key] = value;
  }
  return settings;
}
