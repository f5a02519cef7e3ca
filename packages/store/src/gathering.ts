import { crc32c } from '@chapar/bytes';
import type { Message, PendingDrop, Position, Provenance, ReturnCount } from '@chapar/core';
import { sealEntry } from './entry.js';
import type { Generation } from './generation.js';
import { GROUP_HEADER_BYTES, type LogPlace, writeGroupHeader, writeU32 } from './group.js';
import { publishHeadBytes, writeBody, writePublishHead } from './publish-entry.js';
import {
  type Delivered,
  deliveredBytes,
  MARK_BYTES,
  PEND_BYTES,
  QUEUE_REMOVE_BYTES,
  queueOpenBytes,
  RETURNED_BYTES,
  settleBytes,
  writeDelivered,
  writeMark,
  writePend,
  writeQueueOpen,
  writeQueueRemove,
  writeReturned,
  writeSettle,
} from './queue-entries.js';
import type { WalQueueLog } from './queue-log.js';
import type { WalReplica } from './replica.js';
import { formEntryBytes, formHeadBytes, markMoved, writeFormEntry } from './replica-form.js';
import type { SlabPool } from './slab.js';

/** Bodies from this size on are written from where they lie instead of being copied. Bytes. */
const referencedBodyBytesMin = 16 * 1024;
/** Ranges in one settle entry at most, so that it fits into a slab. */
const settleRangesMax = 4096;

/** Somebody who waits until the group is on the disk. */
export interface SyncWaiter {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/**
 * The group that gathers while the one before it is written: entries encoded one behind another into slabs. There are two of these
 * objects for the life of the log, which take turns; a publish makes no object, closure or promise.
 */
export class Gathering {
  /** The file that this group will go to; its salt is in the checksums. */
  generation: Generation;
  /** Where the group will begin in that file. */
  offset = 0;
  /** Where the last entry that was appended will begin in that file. */
  entryOffset = 0;
  /** What `writev` gets; complete after `seal`. */
  readonly parts: Buffer[] = [];
  /** Of the parts that are closed; all of them, with the group's header, after `seal`. */
  bytes = 0;
  /** Logs with a publish in this group. */
  readonly touched: WalQueueLog[] = [];
  /** Those with anything at all in this group. */
  readonly replicas: WalReplica[] = [];
  /** Somebody was promised that this group reaches the disk at once. */
  isUrgent = false;
  readonly waiters: SyncWaiter[] = [];
  private readonly pool: SlabPool;
  private readonly slabs: Buffer[] = [];
  private slab: Buffer = empty;
  private partStart = 0;
  private used = 0;

  constructor(pool: SlabPool, generation: Generation) {
    this.pool = pool;
    this.generation = generation;
  }

  get isEmpty(): boolean {
    return this.slabs.length === 0;
  }

  /** Everything gathered so far. */
  get gatheredBytes(): number {
    return this.bytes + this.used - this.partStart;
  }

  /** Appends a message; returns the bytes of its entry. */
  publish(queueNumber: number, position: Position, message: Message): number {
    const headBytes = publishHeadBytes(message);
    const bodyBytes = message.bodyBytes;
    const entryBytes = headBytes + bodyBytes;
    if (bodyBytes >= referencedBodyBytesMin) {
      this.publishReferenced(queueNumber, position, message, headBytes, entryBytes);
      return entryBytes;
    }
    const at = this.reserve(entryBytes);
    const bodyAt = writePublishHead(this.slab, at, entryBytes, queueNumber, position, message);
    writeBody(this.slab, bodyAt, message);
    sealEntry(this.slab, at, at + entryBytes, this.generation.salt);
    return entryBytes;
  }

  private publishReferenced(
    queueNumber: number,
    position: Position,
    message: Message,
    headBytes: number,
    entryBytes: number,
  ): void {
    const at = this.reserve(headBytes);
    const slab = this.slab;
    writePublishHead(slab, at, entryBytes, queueNumber, position, message);
    this.closePart();
    let crc = crc32c(slab, at + 4, at + headBytes, this.generation.salt);
    for (const part of message.parts ?? [message.body()]) {
      crc = crc32c(part, 0, part.length, crc);
      this.parts.push(part);
      this.bytes += part.length;
    }
    writeU32(slab, at, crc);
  }

  /** Appends a message of a replica in its form, which does not change any more; returns the bytes of its entry. */
  publishForm(queueNumber: number, position: Position, provenance: Provenance | null, form: Buffer): number {
    const entryBytes = formEntryBytes(form, provenance);
    const isReferenced = form.length >= referencedBodyBytesMin;
    const at = this.reserve(isReferenced ? entryBytes - form.length + formHeadBytes(form) : entryBytes);
    const { slab } = this;
    if (!isReferenced) {
      // As a whole, which makes no object; what stands before the rest of it is written over its head.
      slab.set(form, at + entryBytes - form.length);
      const written = writeFormEntry(slab, at, entryBytes, queueNumber, position, provenance, form);
      const head = crc32c(slab, at + 4, at + entryBytes - form.length + written, this.generation.salt);
      writeU32(slab, at, crc32c(form, written, form.length, head));
      return entryBytes;
    }
    const written = writeFormEntry(slab, at, entryBytes, queueNumber, position, provenance, form);
    this.closePart();
    const left = form.subarray(written);
    this.parts.push(left);
    this.bytes += left.length;
    const crc = crc32c(slab, at + 4, at + entryBytes - left.length, this.generation.salt);
    writeU32(slab, at, crc32c(left, 0, left.length, crc));
    return entryBytes;
  }

  /** Appends an entry of another file of this log, for which the checksum is made anew. */
  copy(buf: Buffer, from: number, entryBytes: number): void {
    const at = this.reserve(entryBytes);
    buf.copy(this.slab, at, from, from + entryBytes);
    sealEntry(this.slab, at, at + entryBytes, this.generation.salt);
  }

  /** As `copy`, of a message of a replica. */
  move(buf: Buffer, from: number, entryBytes: number): void {
    const at = this.reserve(entryBytes);
    buf.copy(this.slab, at, from, from + entryBytes);
    markMoved(this.slab, at);
    sealEntry(this.slab, at, at + entryBytes, this.generation.salt);
  }

  /** Appends an entry that lacks nothing but its checksum. */
  add(entry: Buffer): void {
    this.copy(entry, 0, entry.length);
  }

  queueOpen(log: WalQueueLog): void {
    const entryBytes = queueOpenBytes(log.incarnation);
    const at = this.reserve(entryBytes);
    writeQueueOpen(this.slab, at, log.number, log.incarnation, log.next);
    sealEntry(this.slab, at, at + entryBytes, this.generation.salt);
  }

  queueRemove(number: number): void {
    const at = this.reserve(QUEUE_REMOVE_BYTES);
    writeQueueRemove(this.slab, at, number);
    sealEntry(this.slab, at, at + QUEUE_REMOVE_BYTES, this.generation.salt);
  }

  delivered(number: number, delivered: Delivered): void {
    const entryBytes = deliveredBytes(delivered.byLevel.length);
    const at = this.reserve(entryBytes);
    writeDelivered(this.slab, at, number, delivered);
    sealEntry(this.slab, at, at + entryBytes, this.generation.salt);
  }

  /** Appends the ranges, which ascend and do not touch. */
  settle(number: number, firsts: Float64Array, lasts: Float64Array, count: number): void {
    for (let from = 0; from < count; from += settleRangesMax) {
      const to = Math.min(count, from + settleRangesMax);
      const entryBytes = settleBytes(firsts, lasts, from, to);
      const at = this.reserve(entryBytes);
      writeSettle(this.slab, at, entryBytes, number, firsts, lasts, from, to);
      sealEntry(this.slab, at, at + entryBytes, this.generation.salt);
    }
  }

  pend(number: number, { position, reason, atMs }: PendingDrop): void {
    const at = this.reserve(PEND_BYTES);
    writePend(this.slab, at, number, position, reason, atMs);
    sealEntry(this.slab, at, at + PEND_BYTES, this.generation.salt);
  }

  returned(number: number, { position, count }: ReturnCount): void {
    const at = this.reserve(RETURNED_BYTES);
    writeReturned(this.slab, at, number, position, count);
    sealEntry(this.slab, at, at + RETURNED_BYTES, this.generation.salt);
  }

  /** A life of the node begins or ends. */
  mark(kind: number, atMs: number): void {
    const at = this.reserve(MARK_BYTES);
    writeMark(this.slab, at, kind, atMs);
    sealEntry(this.slab, at, at + MARK_BYTES, this.generation.salt);
  }

  /** Completes the group for writing. */
  seal(synced: LogPlace): void {
    this.closePart();
    const header = { offset: this.offset, entriesBytes: this.bytes - GROUP_HEADER_BYTES, synced };
    writeGroupHeader(this.slabs[0]!, 0, this.generation.number, header, this.generation.salt);
  }

  /** Makes room for the next group; slabs go back to the pool. */
  clear(): void {
    for (const slab of this.slabs) this.pool.give(slab);
    this.slabs.length = 0;
    this.parts.length = 0;
    this.touched.length = 0;
    this.replicas.length = 0;
    this.waiters.length = 0;
    this.slab = empty;
    this.partStart = 0;
    this.used = 0;
    this.bytes = 0;
    this.isUrgent = false;
  }

  /** Where the next `bytes` bytes go in `slab`. */
  private reserve(bytes: number): number {
    if (this.used + bytes > this.slab.length) this.nextSlab(bytes);
    const at = this.used;
    this.used = at + bytes;
    this.entryOffset = this.offset + this.bytes + at - this.partStart;
    return at;
  }

  private nextSlab(bytes: number): void {
    const header = this.slabs.length === 0 ? GROUP_HEADER_BYTES : 0;
    this.closePart();
    this.slab = this.pool.take(bytes + header);
    this.slabs.push(this.slab);
    this.partStart = 0;
    this.used = header;
  }

  private closePart(): void {
    if (this.used === this.partStart) return;
    this.parts.push(this.slab.subarray(this.partStart, this.used));
    this.bytes += this.used - this.partStart;
    this.partStart = this.used;
  }
}

const empty = Buffer.alloc(0);
