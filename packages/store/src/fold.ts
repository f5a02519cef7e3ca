import type { Incarnation, Position } from '@chapar/core';
import type { CheckpointHead, CheckpointReader, QueueOpener } from './checkpoint-form.js';
import {
  ENTRY_DELIVERED,
  ENTRY_PEND,
  ENTRY_PUBLISH,
  ENTRY_QUEUE_OPEN,
  ENTRY_QUEUE_REMOVE,
  ENTRY_RETURNED,
  ENTRY_SETTLE,
  ENTRY_START,
  ENTRY_STOP,
} from './entry.js';
import { UnknownEntryError } from './format-error.js';
import type { Generation } from './generation.js';
import { Marks } from './marks.js';
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
import type { WalQueueLog } from './queue-log.js';

/** What the entries of the log, taken one after another, say about the queues. */
export class Fold {
  readonly byNumber = new Map<number, WalQueueLog>();
  /** Largest queue number seen, also of removed queues: numbers are never used twice. */
  numberMax = 0;
  /** The latest time in any entry. */
  lastStampMs = 0;
  /** Marks of a clean stop; those of an earlier life say nothing about this one. */
  private readonly delivered = new Map<WalQueueLog, Delivered>();
  private stopped = false;
  private readonly open: (number: number, incarnation: Incarnation) => WalQueueLog;

  constructor(open: (number: number, incarnation: Incarnation) => WalQueueLog) {
    this.open = open;
  }

  /** How far the queue had been delivered at a clean stop that nothing followed; Infinity after any other end. */
  delivery(log: WalQueueLog): { deliveredUpTo: Position; deliveredByLevel: readonly Position[] } {
    const delivered = this.stopped ? this.delivered.get(log) : undefined;
    if (delivered === undefined) return { deliveredUpTo: Number.POSITIVE_INFINITY, deliveredByLevel: [] };
    return { deliveredUpTo: delivered.upTo, deliveredByLevel: delivered.byLevel };
  }

  /** Goes on from what a checkpoint says, before any entry. Throws CursorError or RangeError for what no checkpoint says. */
  restore({ queueNumberMax, lastStampMs, isStopped }: CheckpointHead, queues: CheckpointReader): void {
    this.numberMax = queueNumberMax;
    this.lastStampMs = lastStampMs;
    this.stopped = isStopped;
    const open: QueueOpener = (number, incarnation) => {
      const log = this.open(number, incarnation);
      this.byNumber.set(number, log);
      return log;
    };
    queues.queues(open, (log, delivered) => this.delivered.set(log, delivered));
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
      default:
        throw new UnknownEntryError(generation.path, offset, `an entry of kind ${kind}`);
    }
  }

  private publish(buf: Buffer, at: number, end: number, offset: number, generation: Generation): boolean {
    if (!publishIsKnown(buf, at)) throw new UnknownEntryError(generation.path, offset, 'a message with unknown flags');
    const log = this.byNumber.get(publishQueueNumber(buf, at));
    if (log === undefined) return false;
    const position = publishPosition(buf, at);
    log.next = Math.max(log.next, position + 1);
    log.live.add(position, end - at, publishBodyBytes(buf, at, end), publishPriority(buf, at), generation, offset);
    if (publishExpires(buf, at)) log.mayExpire = true;
    return this.stamp(publishReceivedAtMs(buf, at));
  }

  private settle(buf: Buffer, at: number, end: number): boolean {
    const log = this.byNumber.get(entryQueueNumber(buf, at));
    if (log === undefined) return false;
    readSettle(buf, at, end, (first, last) => {
      log.next = Math.max(log.next, last + 1);
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
    if (mark === null)
      throw new UnknownEntryError(generation.path, offset, 'a message that was dropped for an unknown reason');
    if (log.live.generationOf(mark.position) !== 0) {
      log.marks ??= new Marks();
      log.marks.pend(mark.position, mark.reason, mark.atMs);
    }
    return this.stamp(mark.atMs);
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
    let log = this.byNumber.get(number);
    if (log === undefined) {
      log = this.open(number, incarnation);
      this.byNumber.set(number, log);
    }
    this.numberMax = Math.max(this.numberMax, number);
    log.next = Math.max(log.next, next);
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
    this.delivered.delete(log);
    return true;
  }

  private takeDelivered(buf: Buffer, at: number, end: number): boolean {
    const log = this.byNumber.get(entryQueueNumber(buf, at));
    if (log === undefined) return false;
    const delivered = readDelivered(buf, at, end);
    log.next = Math.max(log.next, delivered.upTo + 1);
    this.delivered.set(log, delivered);
    return true;
  }
}
