import type { Position } from '@chapar/core';
import type { CheckpointHead, CheckpointReader } from './checkpoint-form.js';
import {
  ENTRY_DELIVERED,
  ENTRY_PEND,
  ENTRY_PUBLISH,
  ENTRY_QUEUE_OPEN,
  ENTRY_QUEUE_REMOVE,
  ENTRY_REPLICA,
  ENTRY_RETURNED,
  ENTRY_SETTLE,
  ENTRY_START,
  ENTRY_STOP,
} from './entry.js';
import { UnknownEntryError } from './format-error.js';
import type { Generation } from './generation.js';
import { Marks } from './marks.js';
import type { LogOpener, NumberedLog } from './numbered-log.js';
import {
  publishBodyBytes,
  publishExpires,
  publishIsKnown,
  publishPosition,
  publishPriority,
  publishQueueNumber,
  publishReceivedAtMs,
} from './publish-entry.js';
import {
  type Delivered,
  entryQueueNumber,
  readDelivered,
  readMark,
  readPend,
  readQueueOpen,
  readReturned,
  readSettle,
} from './queue-entries.js';
import { WalQueueLog } from './queue-log.js';
import { WalReplica } from './replica.js';
import { readReplica, replicaEntries } from './replica-entries.js';
import { isMoved, publishProvenance } from './replica-form.js';

const unknownReason = 'a message that was dropped for an unknown reason';

/** What the entries of the log, taken one after another, say about the queues. */
export class Fold {
  readonly byNumber = new Map<number, NumberedLog>();
  /** Largest queue number seen, also of removed queues: numbers are never used twice. */
  numberMax = 0;
  /** The latest time in any entry. */
  lastStampMs = 0;
  /** Marks of a clean stop; those of an earlier life say nothing about this one. */
  private readonly delivered = new Map<WalQueueLog, Delivered>();
  private stopped = false;
  private readonly logs: LogOpener;

  constructor(logs: LogOpener) {
    this.logs = logs;
  }

  /** By their numbers. */
  get queues(): WalQueueLog[] {
    return [...this.byNumber.values()].filter((log) => log instanceof WalQueueLog);
  }

  get replicas(): WalReplica[] {
    return [...this.byNumber.values()].filter((log) => log instanceof WalReplica);
  }

  /** How far the queue had been delivered at a clean stop that nothing followed; Infinity after any other end. */
  delivery(log: WalQueueLog): { deliveredUpTo: Position; deliveredByLevel: readonly Position[] } {
    const delivered = this.stopped ? this.delivered.get(log) : undefined;
    if (delivered === undefined) return { deliveredUpTo: Number.POSITIVE_INFINITY, deliveredByLevel: [] };
    return { deliveredUpTo: delivered.upTo, deliveredByLevel: delivered.byLevel };
  }

  /** Goes on from what a checkpoint says, before any entry. Throws CursorError or RangeError for what no checkpoint says. */
  restore({ queueNumberMax, lastStampMs, isStopped }: CheckpointHead, logs: CheckpointReader): void {
    this.numberMax = queueNumberMax;
    this.lastStampMs = lastStampMs;
    this.stopped = isStopped;
    const opener: LogOpener = {
      queue: (number, incarnation) => this.opened(this.logs.queue(number, incarnation)),
      replica: (number, incarnation) => this.opened(this.logs.replica(number, incarnation)),
    };
    logs.queues(opener, (log, delivered) => this.delivered.set(log, delivered));
    logs.replicas(opener);
  }

  private opened<T extends NumberedLog>(log: T): T {
    this.byNumber.set(log.number, log);
    this.numberMax = Math.max(this.numberMax, log.number);
    return log;
  }

  /** Takes one healthy entry; false when it names a queue whose opening is missing. */
  apply(buf: Buffer, at: number, end: number, offset: number, generation: Generation): boolean {
    const kind = buf[at + 8]!;
    this.stopped = kind === ENTRY_STOP;
    switch (kind) {
      case ENTRY_PUBLISH:
        return this.publish(buf, at, end, offset, generation);
      case ENTRY_SETTLE:
        return this.settle(buf, at, end);
      case ENTRY_QUEUE_OPEN:
        return this.queueOpen(buf, at, end, generation);
      case ENTRY_QUEUE_REMOVE:
        return this.queueRemove(entryQueueNumber(buf, at));
      case ENTRY_DELIVERED:
        return this.takeDelivered(buf, at, end);
      case ENTRY_PEND:
        return this.pend(buf, at, offset, generation);
      case ENTRY_RETURNED:
        return this.returned(buf, at);
      case ENTRY_START:
        this.delivered.clear();
        return this.stamp(readMark(buf, at, end));
      case ENTRY_STOP:
        return this.stamp(readMark(buf, at, end));
      case ENTRY_REPLICA:
        return this.replica(buf, at, end, generation);
      default:
        return this.ofReplica(kind, buf, at, end, offset, generation);
    }
  }

  /** An entry about a replica that is no message. */
  private ofReplica(
    kind: number,
    buf: Buffer,
    at: number,
    end: number,
    offset: number,
    generation: Generation,
  ): boolean {
    const apply = replicaEntries[kind];
    if (apply === undefined) throw new UnknownEntryError(generation.path, offset, `an entry of kind ${kind}`);
    const log = this.byNumber.get(entryQueueNumber(buf, at));
    if (!(log instanceof WalReplica)) return false;
    const atMs = apply(log.told, buf, at, end);
    if (atMs === null) throw new UnknownEntryError(generation.path, offset, unknownReason);
    return this.stamp(log.told.nodeMs(atMs));
  }

  private publish(buf: Buffer, at: number, end: number, offset: number, generation: Generation): boolean {
    if (!publishIsKnown(buf, at)) throw new UnknownEntryError(generation.path, offset, 'a message with unknown flags');
    const log = this.byNumber.get(publishQueueNumber(buf, at));
    if (log === undefined) return false;
    const position = publishPosition(buf, at);
    if (log instanceof WalQueueLog) log.next = Math.max(log.next, position + 1);
    // What a copy says beside was said before it.
    else if (log instanceof WalReplica && !isMoved(buf, at)) log.told.appended(position, publishProvenance(buf, at));
    log.live.add(position, end - at, publishBodyBytes(buf, at, end), publishPriority(buf, at), generation, offset);
    if (publishExpires(buf, at)) log.mayExpire = true;
    const receivedAtMs = publishReceivedAtMs(buf, at);
    return this.stamp(log instanceof WalReplica ? log.told.nodeMs(receivedAtMs) : receivedAtMs);
  }

  private settle(buf: Buffer, at: number, end: number): boolean {
    const log = this.byNumber.get(entryQueueNumber(buf, at));
    if (log === undefined) return false;
    readSettle(buf, at, end, (first, last) => {
      if (log instanceof WalQueueLog) log.next = Math.max(log.next, last + 1);
      log.live.remove(first, last);
      log.marks?.remove(first, last);
    });
    return true;
  }

  /** A mark always stands behind a copy of its message, so that one without a message is of no interest. */
  private pend(buf: Buffer, at: number, offset: number, generation: Generation): boolean {
    const log = this.byNumber.get(entryQueueNumber(buf, at));
    if (log === undefined) return false;
    const mark = readPend(buf, at);
    if (mark === null) throw new UnknownEntryError(generation.path, offset, unknownReason);
    if (log.live.generationOf(mark.position) !== 0) {
      log.marks ??= new Marks();
      log.marks.pend(mark.position, mark.reason, mark.atMs);
    }
    return this.stamp(log instanceof WalReplica ? log.told.nodeMs(mark.atMs) : mark.atMs);
  }

  private returned(buf: Buffer, at: number): boolean {
    const log = this.byNumber.get(entryQueueNumber(buf, at));
    if (log === undefined) return false;
    const { position, count } = readReturned(buf, at);
    if (log.live.generationOf(position) === 0) return true;
    log.marks ??= new Marks();
    log.marks.returned(position, count);
    return true;
  }

  private stamp(ms: number): true {
    if (ms > this.lastStampMs) this.lastStampMs = ms;
    return true;
  }

  private queueOpen(buf: Buffer, at: number, end: number, generation: Generation): boolean {
    const number = entryQueueNumber(buf, at);
    const { incarnation, next } = readQueueOpen(buf, at, end);
    const found = this.byNumber.get(number);
    const log = found instanceof WalQueueLog ? found : this.opened(this.logs.queue(number, incarnation));
    log.next = Math.max(log.next, next);
    log.openedIn = generation.number;
    return true;
  }

  /** Says all that the entries before it said, of which the first may be gone with their files. */
  private replica(buf: Buffer, at: number, end: number, generation: Generation): boolean {
    const number = entryQueueNumber(buf, at);
    const { incarnation, state } = readReplica(buf, at, end);
    const found = this.byNumber.get(number);
    const own = found instanceof WalQueueLog ? found : undefined;
    const log = found instanceof WalReplica ? found : this.opened(this.logs.replica(number, incarnation, own));
    // The queue had lived here alone, and was mirrored from then on.
    if (own !== undefined) this.delivered.delete(own);
    log.told.read(state);
    log.openedIn = generation.number;
    return true;
  }

  private queueRemove(number: number): boolean {
    const log = this.byNumber.get(number);
    this.numberMax = Math.max(this.numberMax, number);
    // Unknown when the file with its messages is gone already: then there is nothing to forget.
    if (log === undefined) return true;
    log.live.clear();
    log.marks = null;
    this.byNumber.delete(number);
    if (log instanceof WalQueueLog) this.delivered.delete(log);
    return true;
  }

  private takeDelivered(buf: Buffer, at: number, end: number): boolean {
    const log = this.byNumber.get(entryQueueNumber(buf, at));
    if (!(log instanceof WalQueueLog)) return false;
    const delivered = readDelivered(buf, at, end);
    log.next = Math.max(log.next, delivered.upTo + 1);
    this.delivered.set(log, delivered);
    return true;
  }
}
