import type { Incarnation, LogStore, Message, Position, QueueLog, RecoveredQueue } from '@chapar/core';

/** A queue's log in memory whose `committed` moves when a test says so. It minds the port's rules: a broken one throws. */
export class ControlledLog implements QueueLog {
  committed: Position = 0;
  onCommitted: ((committed: Position) => void) | null = null;
  onFailed: ((error: Error) => void) | null = null;
  last: Position = 0;
  /** Published and not settled, by position. */
  readonly live = new Map<Position, Message>();
  /** Calls of `settle`, as they came. */
  readonly settled: [first: Position, last: Position][] = [];
  isFailed = false;
  isRemoved = false;

  constructor(last: Position = 0) {
    this.last = this.committed = last;
  }

  publish(message: Message): Position {
    this.assertAlive();
    this.live.set(++this.last, message);
    return this.last;
  }

  skip(): Position {
    this.assertAlive();
    return ++this.last;
  }

  settle(first: Position, last: Position): void {
    if (!(first >= 1 && first <= last && last <= this.last))
      throw new Error(`settle(${first}, ${last}) of ${this.last}`);
    this.settled.push([first, last]);
    for (let position = first; position <= last; position++) this.live.delete(position);
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
  readonly deliveredUpTo = new Map<Incarnation, Position>();
  flushes = 0;
  private found: RecoveredQueue[] = [];

  async recover(): Promise<RecoveredQueue[]> {
    return this.found;
  }

  log(incarnation: Incarnation): ControlledLog {
    if (this.logs.has(incarnation)) throw new Error('one log per incarnation');
    const last = this.found.find((queue) => queue.incarnation === incarnation)?.messages.at(-1)?.position ?? 0;
    const log = new ControlledLog(last);
    this.logs.set(incarnation, log);
    return log;
  }

  remove(incarnation: Incarnation): void {
    const log = this.logs.get(incarnation);
    if (log !== undefined) log.isRemoved = true;
    this.logs.delete(incarnation);
    this.removed.push(incarnation);
  }

  delivered(incarnation: Incarnation, upTo: Position): void {
    this.deliveredUpTo.set(incarnation, upTo);
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
    );
  }

  /** What the next start finds after a clean stop. */
  afterStop(): ControlledLogs {
    return this.next(
      (log) => log.last,
      (incarnation) => this.deliveredUpTo.get(incarnation) ?? Number.POSITIVE_INFINITY,
    );
  }

  private next(
    upTo: (log: ControlledLog) => Position,
    delivered: (incarnation: Incarnation) => Position,
  ): ControlledLogs {
    const next = new ControlledLogs();
    for (const [incarnation, log] of this.logs) {
      const messages = [...log.live]
        .filter(([position]) => position <= upTo(log))
        .map(([position, message]) => ({ position, message }));
      next.found.push({ incarnation, messages, deliveredUpTo: delivered(incarnation) });
    }
    return next;
  }
}
