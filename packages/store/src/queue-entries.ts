import { readVarint, varintLength, writeVarint } from '@chapar/bytes';
import type { DropReason, Incarnation, Position } from '@chapar/core';
import {
  beginEntry,
  ENTRY_DELIVERED,
  ENTRY_HEADER_BYTES,
  ENTRY_PEND,
  ENTRY_QUEUE_OPEN,
  ENTRY_QUEUE_REMOVE,
  ENTRY_RETURNED,
  ENTRY_SETTLE,
} from './entry.js';
import { readU64, writeU32, writeU64 } from './group.js';

// The entries about queues that are not messages: kind, then the queue's number, then what is drawn in docs/FORMAT.md.

const QUEUE_AT = ENTRY_HEADER_BYTES;
const REST_AT = QUEUE_AT + 4;

export const QUEUE_REMOVE_BYTES = REST_AT;
export const deliveredBytes = (levels: number): number => REST_AT + 8 + 8 * levels;

/** How far a queue was delivered; where it has priorities, each of them. */
export interface Delivered {
  readonly upTo: Position;
  readonly byLevel: readonly Position[];
}
export const PEND_BYTES = REST_AT + 17;
export const RETURNED_BYTES = REST_AT + 12;
/** Of a start or stop, with its time; version 1 has none in it. */
export const MARK_BYTES = ENTRY_HEADER_BYTES + 8;

/** Number of the queue that the entry at `at` (settle, queue-open, queue-remove, delivered, pend, returned) is about. */
export function entryQueueNumber(buf: Buffer, at: number): number {
  return buf.readUInt32BE(at + QUEUE_AT);
}

export function queueOpenBytes(incarnation: Incarnation): number {
  return REST_AT + 8 + Buffer.byteLength(incarnation);
}

/** `number` stands for `incarnation` from here on in this file; its next entry will have at least position `next`. */
export function writeQueueOpen(
  buf: Buffer,
  at: number,
  number: number,
  incarnation: Incarnation,
  next: Position,
): void {
  beginEntry(buf, at, queueOpenBytes(incarnation), ENTRY_QUEUE_OPEN);
  writeU32(buf, at + QUEUE_AT, number);
  writeU64(buf, at + REST_AT, next);
  buf.write(incarnation, at + REST_AT + 8, 'utf8');
}

export function readQueueOpen(buf: Buffer, at: number, end: number): { incarnation: Incarnation; next: Position } {
  return { incarnation: buf.toString('utf8', at + REST_AT + 8, end), next: readU64(buf, at + REST_AT) };
}

export function writeQueueRemove(buf: Buffer, at: number, number: number): void {
  beginEntry(buf, at, QUEUE_REMOVE_BYTES, ENTRY_QUEUE_REMOVE);
  writeU32(buf, at + QUEUE_AT, number);
}

export function writeDelivered(buf: Buffer, at: number, number: number, { upTo, byLevel }: Delivered): void {
  beginEntry(buf, at, deliveredBytes(byLevel.length), ENTRY_DELIVERED);
  writeU32(buf, at + QUEUE_AT, number);
  writeU64(buf, at + REST_AT, upTo);
  for (const [level, position] of byLevel.entries()) writeU64(buf, at + deliveredBytes(level), position);
}

export function readDelivered(buf: Buffer, at: number, end: number): Delivered {
  const byLevel: Position[] = [];
  for (let next = at + deliveredBytes(0); next < end; next += 8) byLevel.push(readU64(buf, next));
  return { upTo: readU64(buf, at + REST_AT), byLevel };
}

const reasons: Readonly<Record<DropReason, number>> = { rejected: 1, expired: 2, maxlen: 3, delivery_limit: 4 };
const reasonNames = new Map(Object.entries(reasons).map(([name, code]) => [code, name as DropReason]));

export function reasonCode(reason: DropReason): number {
  return reasons[reason];
}

/** Null: none that this code knows. */
export function reasonOf(code: number): DropReason | null {
  return reasonNames.get(code) ?? null;
}

export function writePend(
  buf: Buffer,
  at: number,
  number: number,
  position: Position,
  reason: DropReason,
  atMs: number,
): void {
  beginEntry(buf, at, PEND_BYTES, ENTRY_PEND);
  writeU32(buf, at + QUEUE_AT, number);
  writeU64(buf, at + REST_AT, position);
  writeU64(buf, at + REST_AT + 8, atMs);
  buf[at + REST_AT + 16] = reasons[reason];
}

/** Null: for a reason that this code does not know. */
export function readPend(buf: Buffer, at: number): { position: Position; reason: DropReason; atMs: number } | null {
  const reason = reasonOf(buf[at + REST_AT + 16]!);
  if (reason === null) return null;
  return { position: readU64(buf, at + REST_AT), reason, atMs: readU64(buf, at + REST_AT + 8) };
}

export function writeReturned(buf: Buffer, at: number, number: number, position: Position, count: number): void {
  beginEntry(buf, at, RETURNED_BYTES, ENTRY_RETURNED);
  writeU32(buf, at + QUEUE_AT, number);
  writeU64(buf, at + REST_AT, position);
  writeU32(buf, at + REST_AT + 8, count);
}

export function readReturned(buf: Buffer, at: number): { position: Position; count: number } {
  return { position: readU64(buf, at + REST_AT), count: buf.readUInt32BE(at + REST_AT + 8) };
}

/** The beginning or the end of a node's life, by the node's time. */
export function writeMark(buf: Buffer, at: number, kind: number, atMs: number): void {
  beginEntry(buf, at, MARK_BYTES, kind);
  writeU64(buf, at + ENTRY_HEADER_BYTES, atMs);
}

/** 0: written without. */
export function readMark(buf: Buffer, at: number, end: number): number {
  return end - at < MARK_BYTES ? 0 : readU64(buf, at + ENTRY_HEADER_BYTES);
}

/** Bytes of a settle entry for ranges [from, to) of the pairs, which ascend and do not touch. */
export function settleBytes(firsts: Float64Array, lasts: Float64Array, from: number, to: number): number {
  let bytes = REST_AT;
  let edge = 0;
  for (let i = from; i < to; i++) {
    bytes += varintLength(firsts[i]! - edge) + varintLength(lasts[i]! - firsts[i]!);
    edge = lasts[i]!;
  }
  return bytes;
}

/** Each range as two varints: how far it begins behind the end of the one before it, and how many positions follow its first. */
export function writeSettle(
  buf: Buffer,
  at: number,
  entryBytes: number,
  number: number,
  firsts: Float64Array,
  lasts: Float64Array,
  from: number,
  to: number,
): void {
  beginEntry(buf, at, entryBytes, ENTRY_SETTLE);
  writeU32(buf, at + QUEUE_AT, number);
  let end = at + REST_AT;
  let edge = 0;
  for (let i = from; i < to; i++) {
    end = writeVarint(buf, end, firsts[i]! - edge);
    end = writeVarint(buf, end, lasts[i]! - firsts[i]!);
    edge = lasts[i]!;
  }
}

export function readSettle(
  buf: Buffer,
  at: number,
  end: number,
  settled: (first: Position, last: Position) => void,
): void {
  let position = at + REST_AT;
  let edge = 0;
  while (position < end) {
    const gap = readVarint(buf, position, end);
    position += varintLength(gap);
    const more = readVarint(buf, position, end);
    position += varintLength(more);
    settled(edge + gap, edge + gap + more);
    edge += gap + more;
  }
}
