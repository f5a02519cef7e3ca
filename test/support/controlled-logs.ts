import type {
  DropReason,
  Incarnation,
  LogRead,
  LogStore,
  Message,
  PendingDrop,
  Position,
  QueueLog,
  RecoveredQueue,
  StoredReplica,
} from '@chapar/core';
import { ControlledPages } from './controlled-pages.js';

/** A queue's log in memory whose `committed` moves when a test says so. It minds the port's rules: a broken one throws. */
export class ControlledLog implements QueueLog {
  readonly isMirrored: boolean = false;
  logsAll = false;
  committed: Position = 0;
  onCommitted: ((committed: Position) => void) | null = null;
  onFailed: ((error: Error) => void) | null = null;
  last: Position = 0;
  /** Published and not settled, by position. */
  readonly live: Map<Position, Message>;
  readonly pages: ControlledPages;
  /** Calls of `settle`, as they came. */
  readonly settled: [first: Position, last: Position][] = [];
  /** In the outbox and not settled. */
  readonly pending = new Map<Position, PendingDrop>();
  /** How often the unsettled were given back, as told. */
  readonly returns = new Map<Position, number>();
  /** The time that `pend` notes. */
  nowMs = 0;
  isFailed = false;
  isRemoved = false;

  constructor(last: Position = 0, live: ReadonlyMap<Position, Message> = new Map()) {
    this.last = this.committed = last;
    this.live = new Map(live);
    this.pages = new ControlledPages(this.live);
  }

  page(position: Position, message: Message): void {
    if (message.persistent || this.logsAll) throw new Error('what is logged is paged');
    this.pages.page(position, message);
  }

  read(from: Position, to: Position, bytesMax: number, done: (read: LogRead) => void): void {
    this.assertAlive();
    this.pages.read(from, to, bytesMax, done);
  }

  readAt(positions: readonly Position[], bytesMax: number, done: (read: LogRead) => void): void {
    this.assertAlive();
    this.pages.readAt(positions, bytesMax, done);
  }

  forget(first: Position, last: Position): void {
    this.pages.forget(first, last);
  }

  publish(message: Message): Position {
    this.assertAlive();
    this.live.set(++this.last, message);
    return this.last;
  }

  publishAt(position: Position, message: Message): void {
    this.assertAlive();
    if (!(position >= 1 && position <= this.last) || this.live.has(position))
      throw new Error(`publishAt(${position}) of ${this.last}`);
    this.live.set(position, message);
  }

  skip(): Position {
    this.assertAlive();
    return ++this.last;
  }

  settle(first: Position, last: Position): void {
    if (!(first >= 1 && first <= last && last <= this.last))
      throw new Error(`settle(${first}, ${last}) of ${this.last}`);
    this.settled.push([first, last]);
    for (let position = first; position <= last; position++) {
      for (const map of [this.live, this.pending, this.returns]) map.delete(position);
    }
  }

  pend(position: Position, reason: DropReason): void {
    this.assertAlive();
    if (!this.live.has(position)) throw new Error(`pend(${position}) of a message that is not live`);
    this.pending.set(position, { position, reason, atMs: this.nowMs });
  }

  returned(position: Position, count: number): void {
    this.assertAlive();
    if (!this.live.has(position)) throw new Error(`returned(${position}) of a message that is not live`);
    if (count <= (this.returns.get(position) ?? 0)) throw new Error(`returned(${position}, ${count}) goes back`);
    this.returns.set(position, count);
  }

  /** The disk has synced up to here. */
  commit(upTo: Position = this.last): void {
    this.committed = upTo;
    this.onCommitted?.(upTo);
  }

  fail(): void {
    this.isFailed = true;
    this.onFailed?.(new Error('the disk is gone'));
  }

  private assertAlive(): void {
    if (this.isRemoved) throw new Error('a log that was removed is written to');
  }
}

/** The logs of a node in memory, with what a crash and a clean stop leave behind. */
export class ControlledLogs implements LogStore {
  onBehind: ((isBehind: boolean) => void) | null = null;
  onFull: ((isFull: boolean) => void) | null = null;
  readonly logs = new Map<Incarnation, ControlledLog>();
  readonly removed: Incarnation[] = [];
  /** What recovery says; a test may set it. */
  lastStampMs = 0;
  readonly deliveredUpTo = new Map<Incarnation, Position>();
  readonly deliveredByLevel = new Map<Incarnation, readonly Position[]>();
  flushes = 0;
  /** True: reads wait for `answerReads`. Set before the first log is made. */
  areReadsHeld = false;
  /** There are no copies of mirrored queues here. */
  readonly replicas: readonly Incarnation[] = [];
  /** Made for queues without a log. */
  readonly paging: ControlledPages[] = [];
  private readonly found: RecoveredQueue[] = [];
  private readonly foundMessages = new Map<Incarnation, ReadonlyMap<Position, Message>>();

  async recover(): Promise<RecoveredQueue[]> {
    return this.found;
  }

  log(incarnation: Incarnation): ControlledLog {
    if (this.logs.has(incarnation)) throw new Error('one log per incarnation');
    const live = this.foundMessages.get(incarnation) ?? new Map<Position, Message>();
    const log = new ControlledLog(Math.max(0, ...live.keys()), live);
    const found = this.found.find((queue) => queue.incarnation === incarnation);
    for (const drop of found?.pending ?? []) log.pending.set(drop.position, drop);
    for (const { position, count } of found?.returns ?? []) log.returns.set(position, count);
    log.pages.isHeld = this.areReadsHeld;
    this.logs.set(incarnation, log);
    return log;
  }

  replica(incarnation: Incarnation): StoredReplica {
    throw new Error(`no copy of ${incarnation} is kept here`);
  }

  pages(): ControlledPages {
    const pages = new ControlledPages();
    pages.isHeld = this.areReadsHeld;
    this.paging.push(pages);
    return pages;
  }

  /** Answers every read, also those that are asked for meanwhile. */
  answerReads(): void {
    for (let isOver = false; !isOver; ) {
      isOver = true;
      const all = [...[...this.logs.values()].map((log) => log.pages), ...this.paging];
      for (const pages of all) if (pages.answer()) isOver = false;
    }
  }

  /** Reads that were asked for so far. */
  get reads(): number {
    const all = [...[...this.logs.values()].map((log) => log.pages), ...this.paging];
    return all.reduce((sum, { reads }) => sum + reads, 0);
  }

  remove(incarnation: Incarnation): void {
    const log = this.logs.get(incarnation);
    if (log !== undefined) log.isRemoved = true;
    this.logs.delete(incarnation);
    this.removed.push(incarnation);
  }

  delivered(incarnation: Incarnation, upTo: Position, byLevel: readonly Position[] = []): void {
    this.deliveredUpTo.set(incarnation, upTo);
    this.deliveredByLevel.set(incarnation, byLevel);
  }

  flush(): void {
    this.flushes++;
  }

  async sync(): Promise<void> {
    for (const log of this.logs.values()) log.commit();
  }

  async close(): Promise<void> {
    await this.sync();
  }

  /** What the next start finds after a crash: what was committed and, as far as written, not settled. */
  afterCrash(): ControlledLogs {
    return this.next(
      (log) => log.committed,
      () => Number.POSITIVE_INFINITY,
      () => [],
    );
  }

  /** What the next start finds after a clean stop. */
  afterStop(): ControlledLogs {
    return this.next(
      (log) => log.last,
      (incarnation) => this.deliveredUpTo.get(incarnation) ?? Number.POSITIVE_INFINITY,
      (incarnation) => this.deliveredByLevel.get(incarnation) ?? [],
    );
  }

  private next(
    upTo: (log: ControlledLog) => Position,
    delivered: (incarnation: Incarnation) => Position,
    deliveredByLevel: (incarnation: Incarnation) => readonly Position[],
  ): ControlledLogs {
    const next = new ControlledLogs();
    for (const [incarnation, log] of this.logs) {
      const live = new Map([...log.live].filter(([position]) => position <= upTo(log)));
      const positions = [...live.keys()];
      next.foundMessages.set(incarnation, live);
      for (const { receivedAtMs } of live.values()) next.lastStampMs = Math.max(next.lastStampMs, receivedAtMs);
      const byPosition = (a: { position: Position }, b: { position: Position }) => a.position - b.position;
      next.found.push({
        incarnation,
        count: live.size,
        bytes: [...live.values()].reduce((sum, { bodyBytes }) => sum + bodyBytes, 0),
        first: live.size === 0 ? 0 : Math.min(...positions),
        last: Math.max(0, ...positions),
        deliveredUpTo: delivered(incarnation),
        mayExpire: [...live.values()].some(({ expirationMs }) => expirationMs >= 0),
        deliveredByLevel: deliveredByLevel(incarnation),
        pending: [...log.pending.values()].filter(({ position }) => live.has(position)).sort(byPosition),
        returns: [...log.returns]
          .map(([position, count]) => ({ position, count }))
          .filter(({ position }) => live.has(position))
          .sort(byPosition),
        visit: (visitor) => {
          for (const [position, { priority, bodyBytes }] of [...live].sort(([a], [b]) => a - b))
            visitor(position, Math.max(priority, 0), bodyBytes);
        },
      });
    }
    return next;
  }
}
