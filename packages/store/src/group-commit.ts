import type { Clock, Log, Timer } from '@chapar/platform';
import { Gathering, type SyncWaiter } from './gathering.js';
import type { Generation } from './generation.js';
import type { LogPlace } from './group.js';
import { fileBytesLimit } from './live.js';
import type { WalReplica } from './replica.js';
import { SlabPool } from './slab.js';
import { grownBytes, type WalFiles } from './wal-files.js';

/** Whoever fills the groups. */
export interface GroupOwner {
  /** A group is about to go: the last moment to put something into `target()`. */
  sending(): void;
  /** Whether something waits for `sending`. */
  readonly hasMore: boolean;
  /** A group, which ends here, is about to be written: somebody who wants to know when it is synced, or nobody. */
  sealed(end: LogPlace): SyncWaiter | null;
  /** A group is through. */
  completed(): void;
  /** There is no room for a group, which is kept and tried again: at once when the answer is true (room was made), else later. */
  noRoom(error: Error): Promise<boolean>;
  /** Nothing reaches the disk any more. Called once. */
  failed(error: Error): void;
}

export interface GroupTiming {
  /** Settlements that nobody waits for are gathered this long before they are written. */
  readonly settleWriteMs: number;
  /** And synced this long after, unless a publish takes them along. */
  readonly settleSyncMs: number;
  /** Not 0: publishes count as committed once they are written, and are synced so much later. */
  readonly syncEveryMs: number;
}

const noRoomRetryMs = 500;

/** Whether an error says that the disk, or what its user may have of it, is full. */
export function hasNoRoom(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : null;
  return code === 'ENOSPC' || code === 'EDQUOT';
}

/**
 * One group is written and synced while the next one gathers, so that the disk alone decides how large a group is and nothing is
 * tuned. Groups without a publish are written without a sync. After an error nothing is tried again, but for a write that found no
 * room: nothing was promised of it, and it is written anew as a whole.
 */
export class GroupCommit {
  failure: Error | null = null;
  /** So far, for whoever measures. */
  readonly counters = { groups: 0, syncs: 0, bytes: 0 };
  private readonly clock: Clock;
  private readonly log: Log;
  private readonly timing: GroupTiming;
  private readonly files: WalFiles;
  private readonly owner: GroupOwner;
  private gathering: Gathering;
  private idle: Gathering;
  /** The group on its way to the disk. */
  private inFlight: Gathering | null = null;
  /** The file that was written last; differs from the present one until the first group of a new file goes out. */
  private written: Generation;
  private synced: LogPlace;
  /** With operations that are written and not synced yet. */
  private readonly unsynced = new Set<WalReplica>();
  /** The group on its way found no room and is tried again until it does. */
  isWithoutRoom = false;
  private isFlushWanted = false;
  private isWriteDue = false;
  private writeTimer: Timer | null = null;
  private syncTimer: Timer | null = null;
  private syncAtMs = 0;
  private retryTimer: Timer | null = null;

  /** `last`: the file that an earlier life ended with, all of it synced. */
  constructor(
    world: { readonly clock: Clock; readonly log: Log },
    timing: GroupTiming,
    files: WalFiles,
    last: Generation,
    owner: GroupOwner,
  ) {
    this.clock = world.clock;
    this.log = world.log;
    this.timing = timing;
    this.files = files;
    this.owner = owner;
    this.written = last;
    this.synced = { generation: last.number, offset: last.syncedBytes };
    const pool = new SlabPool();
    this.gathering = new Gathering(pool, files.current);
    this.idle = new Gathering(pool, files.current);
  }

  /** The group that takes the next entry, its file chosen with its first. */
  target(): Gathering {
    const gathering = this.gathering;
    if (gathering.isEmpty) {
      gathering.generation = this.files.choose();
      gathering.offset = gathering.generation.takenBytes;
    }
    return gathering;
  }

  /** Gathered and not yet on the way to the disk. */
  get gatheredBytes(): number {
    return this.gathering.gatheredBytes;
  }

  /** Everything before it is on the disk. */
  get syncedPlace(): LogPlace {
    return this.synced;
  }

  /** Whether a group may still go to this file, or is on its way. */
  isInUse(generation: Generation): boolean {
    return generation === this.files.current || generation === this.written || generation === this.inFlight?.generation;
  }

  /** What was gathered may go as soon as the disk is free. */
  flush(): void {
    if (this.inFlight !== null) this.isFlushWanted = true;
    else this.advance();
  }

  /** Resolves when everything gathered so far is on the disk; rejects with the error that prevents it. */
  sync(): Promise<void> {
    if (this.failure !== null) return Promise.reject(this.failure);
    return new Promise((resolve, reject) => {
      this.gathering.isUrgent = true;
      this.gathering.waiters.push({ resolve, reject });
      this.flush();
    });
  }

  /** Nobody waits for what is there, and more of it makes shorter entries. */
  awaitMore(): void {
    this.writeTimer ??= this.clock.after(this.timing.settleWriteMs, () => {
      this.writeTimer = null;
      this.isWriteDue = true;
      this.flush();
    });
  }

  /** Nothing is taken any more. */
  close(): void {
    this.failure ??= new Error('the write-ahead log is closed');
    this.stopTimers();
  }

  private stopTimers(): void {
    this.writeTimer?.cancel();
    this.syncTimer?.cancel();
    this.retryTimer?.cancel();
  }

  private advance(): void {
    if (this.inFlight !== null || this.failure !== null) return;
    const gathering = this.gathering;
    const hasEntries = !gathering.isEmpty || this.owner.hasMore;
    if (hasEntries && (gathering.isUrgent || gathering.touched.length > 0 || this.isWriteDue)) this.send();
    else if (hasEntries) this.awaitMore();
    else if (gathering.isUrgent) this.syncOnly();
    else this.isWriteDue = false;
  }

  private send(): void {
    this.owner.sending();
    this.isWriteDue = false;
    const group = this.takeGathering();
    group.generation.takenBytes += group.gatheredBytes;
    const waiter = this.owner.sealed({ generation: group.generation.number, offset: group.generation.takenBytes });
    if (waiter !== null) {
      group.isUrgent = true;
      group.waiters.push(waiter);
    }
    for (const log of group.touched) {
      log.sealed = log.next - 1;
      log.isTouched = false;
    }
    for (const replica of group.replicas) replica.seal();
    this.write();
  }

  private takeGathering(): Gathering {
    const group = this.gathering;
    this.inFlight = group;
    this.gathering = this.idle;
    return group;
  }

  /** Nothing to write, but something written that is not synced yet, or somebody who wants to know. */
  private syncOnly(): void {
    this.takeGathering();
    if (this.written.syncedBytes < this.written.writtenBytes) this.syncWritten(this.onSynced);
    else this.onSynced(null);
  }

  private write(): void {
    const group = this.inFlight!;
    const generation = group.generation;
    if (generation !== this.written && this.written.syncedBytes < this.written.writtenBytes) {
      // A file may only have a successor with something in it when it is on the disk itself.
      this.syncWritten(this.onPredecessorSynced);
      return;
    }
    this.written = generation;
    group.seal(this.synced);
    const endBytes = generation.writtenBytes + group.bytes;
    if (endBytes > fileBytesLimit) {
      this.fail(new Error('the file cannot grow any more, and no other could be created'), 'write');
      return;
    }
    if (endBytes <= generation.extentBytes) {
      generation.file.writev(group.parts, generation.writtenBytes, this.onWritten);
      return;
    }
    // Without room there is none to grow ahead into.
    const extentBytes = this.isWithoutRoom ? endBytes : grownBytes(endBytes);
    generation.file.truncate(extentBytes).then(
      () => {
        generation.extentBytes = extentBytes;
        generation.file.writev(group.parts, generation.writtenBytes, this.onWritten);
      },
      (error: Error) => {
        if (this.isWithoutRoom || !hasNoRoom(error)) return this.onWritten(error);
        this.isWithoutRoom = true;
        this.write();
      },
    );
  }

  private async onNoRoom(error: Error): Promise<void> {
    this.isWithoutRoom = true;
    const isMade = await this.owner.noRoom(error).catch(() => false);
    if (this.failure !== null) return;
    if (isMade) this.write();
    else this.retryTimer = this.clock.after(noRoomRetryMs, () => this.write());
  }

  private readonly onPredecessorSynced = (error: Error | null): void => {
    if (error !== null) {
      this.fail(error, 'sync');
      return;
    }
    this.noteSynced();
    this.write();
  };

  private readonly onWritten = (error: Error | null): void => {
    if (error !== null) {
      if (hasNoRoom(error)) void this.onNoRoom(error);
      else this.fail(error, 'write');
      return;
    }
    this.isWithoutRoom = false;
    const group = this.inFlight!;
    this.written.writtenBytes += group.bytes;
    this.counters.groups++;
    this.counters.bytes += group.bytes;
    for (const replica of group.replicas) {
      replica.written();
      this.unsynced.add(replica);
    }
    const { settleSyncMs, syncEveryMs } = this.timing;
    if (group.isUrgent || (group.touched.length > 0 && syncEveryMs === 0)) {
      this.syncWritten(this.onSynced);
      return;
    }
    // What replicas say to have is always synced.
    this.syncWithin(syncEveryMs === 0 || group.replicas.length > 0 ? settleSyncMs : syncEveryMs);
    for (const log of group.touched) log.commit();
    this.complete(group);
  };

  private syncWithin(ms: number): void {
    const atMs = this.clock.monotonicMs() + ms;
    if (this.syncTimer !== null && this.syncAtMs <= atMs) return;
    this.syncTimer?.cancel();
    this.syncAtMs = atMs;
    this.syncTimer = this.clock.after(ms, () => {
      this.syncTimer = null;
      this.gathering.isUrgent = true;
      this.flush();
    });
  }

  private syncWritten(done: (error: Error | null) => void): void {
    this.counters.syncs++;
    this.written.file.sync(done);
  }

  private readonly onSynced = (error: Error | null): void => {
    if (error !== null) {
      this.fail(error, 'sync');
      return;
    }
    this.noteSynced();
    const group = this.inFlight!;
    for (const log of group.touched) log.commit();
    for (const waiter of group.waiters) waiter.resolve();
    this.complete(group);
  };

  private noteSynced(): void {
    this.written.syncedBytes = this.written.writtenBytes;
    this.synced = { generation: this.written.number, offset: this.written.syncedBytes };
    this.syncTimer?.cancel();
    this.syncTimer = null;
    if (this.unsynced.size === 0) return;
    const replicas = [...this.unsynced];
    this.unsynced.clear();
    for (const replica of replicas) replica.synced();
  }

  private complete(group: Gathering): void {
    group.clear();
    this.idle = group;
    this.inFlight = null;
    this.owner.completed();
    if (!this.isFlushWanted) return;
    this.isFlushWanted = false;
    this.advance();
  }

  private fail(error: Error, what: 'write' | 'sync'): void {
    this.failure = error;
    this.log.error(
      { file: this.written.path, error },
      `a ${what} of the write-ahead log failed; nothing is confirmed any more until the broker is restarted`,
    );
    this.stopTimers();
    this.owner.failed(error);
    for (const waiter of [...this.inFlight!.waiters, ...this.gathering.waiters]) waiter.reject(error);
  }
}
