import type {
  Incarnation,
  KeptAside,
  LogRead,
  LogStore,
  Message,
  Position,
  QueueLog,
  QueuePages,
  Range,
  RecoveredQueue,
  ReplicaEntry,
  StoredReplica,
} from '@chapar/core';
import { writeAside } from './aside.js';
import { Checkpoints } from './checkpoints.js';
import { ENTRY_START, ENTRY_STOP } from './entry.js';
import { Fold } from './fold.js';
import type { Gathering, SyncWaiter } from './gathering.js';
import type { Generation } from './generation.js';
import type { LogPlace } from './group.js';
import { GroupCommit, type GroupOwner, hasNoRoom } from './group-commit.js';
import type { Wanted } from './live.js';
import { LogReads } from './log-reads.js';
import { NodeTime } from './node-time.js';
import type { NumberedLog } from './numbered-log.js';
import { Pages, type PagesOwner } from './pages.js';
import { publishBodyBytes, publishPriority } from './publish-entry.js';
import type { QueueLogWriter, WalQueueLog } from './queue-log.js';
import { type Decode, ReadBack } from './read-back.js';
import { Reclaim } from './reclaim.js';
import { Recovery } from './recovery.js';
import { type ReplicaWriter, WalReplica } from './replica.js';
import { Room } from './room.js';
import { WalFiles, type WalPlace } from './wal-files.js';
import { WalLogs } from './wal-logs.js';

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
  /** Publishes count as committed once they are written, and are synced at most so much later; 0: they are synced first. Milliseconds. */
  readonly syncEveryMs: number;
  /** Kept free for settlements, and for what gathered already, when the disk is full; 0: nothing. Bytes. */
  readonly reserveBytes: number;
  /** More than this waiting behind the group on its way: publishers had better wait too. Bytes. */
  readonly behindBytes: number;
  /** A checkpoint is due when the log has grown by so much since the last one. Bytes. */
  readonly checkpointBytes: number;
  /** And at a clean stop by so much. Bytes. */
  readonly stopCheckpointBytes: number;
}

export const WAL_DEFAULTS: WalSettings = {
  fileBytesMax: 64 * 1024 * 1024,
  // More than one file: what is in flight when one begins is settled soon, and then the one before it goes without being read.
  bytesMin: 80 * 1024 * 1024,
  liveFactor: 2,
  settleWriteMs: 5,
  settleSyncMs: 50,
  syncEveryMs: 0,
  reserveBytes: 0,
  behindBytes: 32 * 1024 * 1024,
  checkpointBytes: 256 * 1024 * 1024,
  stopCheckpointBytes: 4 * 1024 * 1024,
};

/** For whoever measures, and for whoever has to slow publishers down. */
export interface WalGauges {
  /** Groups, syncs and bytes written since the start. */
  readonly counters: Readonly<{ groups: number; syncs: number; bytes: number }>;
  /** Appended and not yet handed to the disk. Bytes. */
  readonly gatheredBytes: number;
}

/**
 * The node's write-ahead log: the entries of all queues in one stream of groups, in files of bounded size. See GroupCommit for the
 * way to the disk, Recovery for the way back, Reclaim for the files' end.
 */
export class Wal implements LogStore, WalGauges, QueueLogWriter, ReplicaWriter, GroupOwner, PagesOwner {
  readonly settings: WalSettings;
  readonly files: WalFiles;
  private readonly place: WalPlace;
  readonly logs: WalLogs;
  /** The latest time in any entry. Milliseconds since 1970. */
  latestStampMs = 0;
  /** Logs with settlements that are in no group yet. */
  private readonly settlingLogs: NumberedLog[] = [];
  private groups!: GroupCommit;
  private readonly reclaim: Reclaim;
  private readonly checkpoints: Checkpoints;
  private readonly readBack: ReadBack;
  private readonly paging: Pages;
  private readonly reads: LogReads;
  private readonly room: Room;
  private readonly time: NodeTime;
  isClosed = false;
  private isBehind = false;
  lastStampMs = 0;
  onBehind: ((isBehind: boolean) => void) | null = null;

  /** `pagesPlace`: a directory for what is not logged and does not fit into memory; emptied at each start. */
  constructor(place: WalPlace, pagesPlace: WalPlace, settings: Partial<WalSettings> = {}) {
    this.place = place;
    this.settings = { ...WAL_DEFAULTS, ...settings };
    this.files = new WalFiles(place, this.settings.fileBytesMax);
    this.logs = new WalLogs(this, this.files.generations);
    this.reclaim = new Reclaim(this, place);
    this.checkpoints = new Checkpoints(this, place);
    this.time = new NodeTime(place.clock);
    this.readBack = new ReadBack(this.files.generations, place.log, this.time.nowMs, () => this.groups.sync());
    this.readBack.onUnreadable = () => this.checkpoints.forbid();
    this.paging = new Pages(pagesPlace, this.settings, this);
    this.reads = new LogReads(this.readBack, this);
    this.room = new Room(place, this.settings.reserveBytes, () => this.isWithoutRoom);
  }

  // -- LogStore ----------------------------------------------------------------------------------------------------

  async recover(): Promise<RecoveredQueue[]> {
    const { clock } = this.place;
    const startedMs = clock.monotonicMs();
    const fold = new Fold(this.logs);
    const recovery = new Recovery(this.place, fold, this.files.generations);
    await recovery.read();
    await this.paging.start();
    this.lastStampMs = this.latestStampMs = fold.lastStampMs;
    this.checkpoints.started(recovery.foldedBytes, recovery.checkpointBytes);
    this.time.startNotBefore(fold.lastStampMs);
    this.logs.take(fold);
    for (const log of fold.queues) log.committed = log.next - 1;
    const queues = fold.queues.map((log) => ({ ...log.recovered(), ...fold.delivery(log) }));
    await this.start(recovery.numberMax);
    this.report(queues, clock.monotonicMs() - startedMs);
    return queues;
  }

  log(incarnation: Incarnation): QueueLog {
    let log = this.logs.queues.get(incarnation);
    if (log === undefined) {
      log = this.logs.queue(++this.logs.numberMax, incarnation);
      this.logs.addQueue(log);
      if (this.groups.failure !== null) this.failLate(log, this.groups.failure);
    }
    return log;
  }

  replica(incarnation: Incarnation): StoredReplica {
    let log = this.logs.replicas.get(incarnation);
    const own = this.logs.queues.get(incarnation);
    if (log === undefined && own !== undefined) log = this.mirrored(own);
    if (log === undefined) {
      log = this.logs.replica(++this.logs.numberMax, incarnation);
      this.logs.addReplica(log);
      if (this.groups.failure !== null) this.failLate(log, this.groups.failure);
    }
    return log;
  }

  private mirrored(own: WalQueueLog): WalReplica {
    // Under the number's new meaning these would be of the reign to come.
    if (own.hasSettled && !own.isDetached) this.writeSettled(own);
    const log = this.logs.mirrored(own);
    if (this.groups.failure === null) log.sayTakenOver();
    else this.failLate(log, this.groups.failure);
    return log;
  }

  get replicas(): readonly Incarnation[] {
    return [...this.logs.replicas.keys()];
  }

  remove(incarnation: Incarnation): void {
    for (const log of this.logs.remove(incarnation)) {
      log.silence();
      log.live.clear();
      log.detach();
      if (log.openedIn === 0 || this.hasFailed) continue;
      this.groups.target().queueRemove(log.number);
      this.groups.awaitMore();
    }
  }

  delivered(incarnation: Incarnation, upTo: Position, byLevel: readonly Position[] = []): void {
    const log = this.logs.queues.get(incarnation);
    if (log === undefined) return;
    log.deliveredUpTo = upTo;
    log.deliveredByLevel = byLevel;
  }

  flush(): void {
    this.groups.flush();
    this.paging.flush();
    if (this.isBehind || this.gatheredBytes <= this.settings.behindBytes) return;
    this.isBehind = true;
    this.onBehind?.(true);
  }

  sync(): Promise<void> {
    return this.groups.sync();
  }

  /** Syncs and closes; after a failure it closes only. A log that was never recovered has nothing to close. */
  async close(): Promise<void> {
    if (this.isClosed || this.groups === undefined) return;
    this.isClosed = true;
    await this.room.close();
    await this.reclaim.stop();
    try {
      if (!this.hasFailed) await this.stop();
    } finally {
      await this.checkpoints.abandon();
      this.groups.close();
      for (const log of this.logs.all()) log.detach();
      await this.files.close();
      await this.paging.close();
    }
  }

  // -- what queues' logs ask ---------------------------------------------------------------------------------------

  append(log: WalQueueLog, position: Position, message: Message): void {
    if (log.isDetached) return;
    if (message.receivedAtMs > this.latestStampMs) this.latestStampMs = message.receivedAtMs;
    const group = this.opened(log);
    const entryBytes = group.publish(log.number, position, message);
    const priority = Math.max(message.priority, 0);
    log.live.add(position, entryBytes, message.bodyBytes, priority, group.generation, group.entryOffset);
    if (message.expirationMs >= 0) log.mayExpire = true;
    if (log.isTouched) return;
    log.isTouched = true;
    group.touched.push(log);
  }

  settling(log: NumberedLog): void {
    this.settlingLogs.push(log);
  }

  mark(log: WalQueueLog, position: Position): void {
    this.writeMarks(log, position);
    this.groups.awaitMore();
  }

  private writeMarks(log: NumberedLog, position: Position): void {
    const { marks, number } = log;
    if (marks === null) return;
    const pending = marks.pendingAt(position);
    if (pending !== undefined) this.opened(log).pend(number, pending);
    const returns = marks.returnsAt(position);
    if (returns !== undefined) this.opened(log).returned(number, returns);
  }

  get nowMs(): number {
    const { nowMs } = this.time;
    if (nowMs > this.latestStampMs) this.latestStampMs = nowMs;
    return nowMs;
  }

  // -- what replicas ask -------------------------------------------------------------------------------------------

  groupFor(replica: WalReplica, isUrgent: boolean): Gathering {
    const group = this.opened(replica);
    if (isUrgent) group.isUrgent = true;
    else this.groups.awaitMore();
    replica.touch(group);
    return group;
  }

  writeSettled(log: NumberedLog): void {
    const { firsts, lasts, count } = log.takeSettled();
    const group = this.opened(log);
    group.settle(log.number, firsts, lasts, count);
    log.settlementsWritten(group);
  }

  stamped(ms: number): void {
    if (ms > this.latestStampMs) this.latestStampMs = ms;
  }

  readEntries(
    replica: WalReplica,
    wanted: () => Wanted,
    decode: Decode<ReplicaEntry>,
    done: (entries: readonly ReplicaEntry[], upTo: Position, unreadable: readonly Position[]) => void,
  ): void {
    this.reads.readAs(replica, wanted, decode, done);
  }

  keepAside(replica: WalReplica, ranges: readonly Range[]): Promise<KeptAside> {
    return writeAside(this.place, replica, ranges);
  }

  /** The group that takes the next entry, with what the log's number stands for named in its file. */
  private opened(log: NumberedLog): Gathering {
    const group = this.groups.target();
    if (log.openedIn !== group.generation.number) {
      log.open(group);
      log.openedIn = group.generation.number;
    }
    return group;
  }

  // -- what the groups ask -----------------------------------------------------------------------------------------

  get hasMore(): boolean {
    return this.settlingLogs.length > 0;
  }

  sending(): void {
    // What has gathered here is on its way.
    this.caughtUp(this.paging.gatheredBytes);
    // Whose settlements were written before something else has none any more.
    for (const log of this.settlingLogs) if (log.hasSettled) this.writeSettled(log);
    this.settlingLogs.length = 0;
  }

  sealed(end: LogPlace): SyncWaiter | null {
    return this.checkpoints.sealed(end);
  }

  completed(): void {
    this.reads.retry();
    if (this.isClosed) return;
    this.files.prepare();
    this.reclaim.consider();
  }

  noRoom(error: Error): Promise<boolean> {
    this.room.full(error);
    return this.room.reserve.release();
  }

  get isFull(): boolean {
    return this.room.isFull;
  }

  get onFull(): ((isFull: boolean) => void) | null {
    return this.room.onFull;
  }

  set onFull(listener: ((isFull: boolean) => void) | null) {
    this.room.onFull = listener;
  }

  private get isWithoutRoom(): boolean {
    return this.groups.isWithoutRoom || this.paging.isWithoutRoom;
  }

  failed(error: Error): void {
    this.room.stop();
    for (const log of [...this.logs.all(), ...this.logs.leaving]) {
      log.detach();
      log.onFailed?.(error);
    }
    this.reads.retry();
  }

  // -- reading back ------------------------------------------------------------------------------------------------

  read(log: NumberedLog, wanted: () => Wanted, done: (read: LogRead) => void): void {
    this.reads.read(log, wanted, done);
  }

  pages(): QueuePages {
    return this.paging.open();
  }

  pagesFull(error: Error): void {
    this.room.full(error);
  }

  pagesWritten(): void {
    this.caughtUp(this.groups.gatheredBytes);
  }

  /** Publishers may go on, unless this much waits elsewhere. */
  private caughtUp(otherBytes: number): void {
    if (!this.isBehind || otherBytes > this.settings.behindBytes) return;
    this.isBehind = false;
    // Not from in here: who waited will append.
    this.place.clock.endOfTurn(() => this.onBehind?.(this.isBehind));
  }

  // -- what reclaiming asks ----------------------------------------------------------------------------------------

  /** Appends a live entry of an older file to the present one. */
  copy(log: NumberedLog, position: Position, buf: Buffer, at: number, entryBytes: number): void {
    const group = this.opened(log);
    if (log instanceof WalReplica) group.move(buf, at, entryBytes);
    else group.copy(buf, at, entryBytes);
    const bodyBytes = publishBodyBytes(buf, at, at + entryBytes);
    log.live.add(position, entryBytes, bodyBytes, publishPriority(buf, at), group.generation, group.entryOffset);
    // What was said of it behind the first copy may go before this one does.
    this.writeMarks(log, position);
  }

  /** Names again every queue that no newer file names, so that `generation` can go. */
  carryQueues(generation: Generation): void {
    for (const log of this.logs.all()) if (log.openedIn === generation.number) this.opened(log);
  }

  isInUse(generation: Generation): boolean {
    return this.groups.isInUse(generation);
  }

  get hasFailed(): boolean {
    return this.groups.failure !== null;
  }

  // -- for whoever watches -----------------------------------------------------------------------------------------

  get counters(): Readonly<{ groups: number; syncs: number; bytes: number }> {
    return this.groups.counters;
  }

  get gatheredBytes(): number {
    return this.groups.gatheredBytes + this.paging.gatheredBytes;
  }

  // -- start and stop ----------------------------------------------------------------------------------------------

  private async start(generationMax: number): Promise<void> {
    const last = this.files.generations.newest;
    await this.room.reserve.open();
    const full = await this.startFiles(generationMax);
    this.groups = new GroupCommit(this.place, this.settings, this.files, last ?? this.files.current, this);
    // From here on the delivered marks of the last clean stop are void.
    this.groups.target().mark(ENTRY_START, this.nowMs);
    await this.groups.sync();
    if (full !== null) this.room.full(full);
    else if (this.settings.reserveBytes > 0) void this.room.reserve.fill();
  }

  /** Also on a full disk a node has to start, or it could not be drained. Returns the error that told so. */
  private async startFiles(generationMax: number): Promise<Error | null> {
    try {
      await this.files.start(generationMax);
      return null;
    } catch (error) {
      if (!hasNoRoom(error) || !(await this.room.reserve.release())) throw error;
      await this.files.start(generationMax + 1);
      return error as Error;
    }
  }

  private report(queues: readonly RecoveredQueue[], ms: number): void {
    if (queues.length === 0) return;
    const messages = queues.reduce((sum, { count }) => sum + count, 0);
    const { bytes } = this.files.generations.measure();
    const fields = { queues: queues.length, messages, bytes, ms: Math.round(ms) };
    this.place.log.info(fields, `recovered ${messages} messages in ${queues.length} queues`);
  }

  private async stop(): Promise<void> {
    // What was settled goes before the mark, which has to be the last entry.
    this.sending();
    for (const log of this.logs.queues.values()) {
      if (log.deliveredUpTo < 0) continue;
      this.opened(log).delivered(log.number, { upTo: log.deliveredUpTo, byLevel: log.deliveredByLevel });
    }
    this.groups.target().mark(ENTRY_STOP, this.nowMs);
    await this.groups.sync();
    // Nothing may have come behind the mark.
    if (!this.hasMore && this.groups.gatheredBytes === 0) await this.checkpoints.stop(this.groups.syncedPlace);
    await this.files.trim();
  }

  /** A log that is asked for after the failure: its queue hears of it when it has had the time to listen. */
  private failLate(log: NumberedLog, error: Error): void {
    log.detach();
    this.place.clock.endOfTurn(() => log.onFailed?.(error));
  }
}
