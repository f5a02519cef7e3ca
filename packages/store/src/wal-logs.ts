import type { Incarnation } from '@chapar/core';
import type { Fold } from './fold.js';
import type { Generations } from './generation.js';
import type { LogOpener, NumberedLog } from './numbered-log.js';
import { type QueueLogWriter, WalQueueLog } from './queue-log.js';
import { RecentShelf } from './recent-entries.js';
import { type ReplicaWriter, WalReplica } from './replica.js';

/** The logs that share the write-ahead log: those of queues, and the copies of mirrored queues' logs. */
export class WalLogs implements LogOpener {
  readonly queues = new Map<Incarnation, WalQueueLog>();
  readonly replicas = new Map<Incarnation, WalReplica>();
  /** Logs of queues that are mirrored by now, until what was appended to them is on the disk. */
  readonly leaving = new Set<WalQueueLog>();
  /** The largest number that was ever used. */
  numberMax = 0;
  private readonly byNumber = new Map<number, NumberedLog>();
  private readonly writer: QueueLogWriter & ReplicaWriter;
  private readonly generations: Generations;
  private readonly shelf = new RecentShelf();

  constructor(writer: QueueLogWriter & ReplicaWriter, generations: Generations) {
    this.writer = writer;
    this.generations = generations;
  }

  queue(number: number, incarnation: Incarnation): WalQueueLog {
    return new WalQueueLog(this.writer, this.generations, number, incarnation);
  }

  replica(number: number, incarnation: Incarnation, from?: WalQueueLog): WalReplica {
    const replica = new WalReplica(this.writer, this.generations, number, incarnation, this.shelf, from?.live);
    if (from !== undefined) replica.takeOver(from);
    return replica;
  }

  /** A queue's own log becomes a copy of a mirrored queue's, with all that it has. */
  mirrored(log: WalQueueLog): WalReplica {
    const replica = this.replica(log.number, log.incarnation, log);
    this.queues.delete(log.incarnation);
    this.addReplica(replica);
    this.leave(log);
    return replica;
  }

  /** Confirms may still wait for what was appended to it. */
  private leave(log: WalQueueLog): void {
    const { onCommitted, next, committed } = log;
    log.detach();
    if (committed >= next - 1) return;
    this.leaving.add(log);
    log.onCommitted = (upTo) => {
      if (upTo >= next - 1) this.leaving.delete(log);
      onCommitted?.(upTo);
    };
  }

  /** Takes what a start found. */
  take(fold: Fold): void {
    this.numberMax = fold.numberMax;
    for (const log of fold.queues) this.addQueue(log);
    for (const log of fold.replicas) this.addReplica(log);
  }

  addQueue(log: WalQueueLog): void {
    this.queues.set(log.incarnation, log);
    this.byNumber.set(log.number, log);
  }

  addReplica(log: WalReplica): void {
    this.replicas.set(log.incarnation, log);
    this.byNumber.set(log.number, log);
  }

  /** Forgets what an incarnation has; returns it. */
  remove(incarnation: Incarnation): NumberedLog[] {
    const found = [this.queues.get(incarnation), this.replicas.get(incarnation)].filter((log) => log !== undefined);
    this.queues.delete(incarnation);
    this.replicas.delete(incarnation);
    for (const { number } of found) this.byNumber.delete(number);
    return found;
  }

  ofNumber(number: number): NumberedLog | undefined {
    return this.byNumber.get(number);
  }

  all(): IterableIterator<NumberedLog> {
    return this.byNumber.values();
  }
}
