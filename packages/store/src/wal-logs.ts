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

  replica(number: number, incarnation: Incarnation): WalReplica {
    return new WalReplica(this.writer, this.generations, number, incarnation, this.shelf);
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
