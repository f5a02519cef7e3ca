import { crc32c, VARINT_BYTES_MAX, writeVarint } from '@chapar/bytes';
import { FILE_HEADER_BYTES, fileSalt } from './file-header.js';
import { type LogPlace, writeU32 } from './group.js';
import { Marks } from './marks.js';
import type { LogOpener, NumberedLog } from './numbered-log.js';
import { type Delivered, reasonCode, reasonOf } from './queue-entries.js';
import type { WalQueueLog } from './queue-log.js';
import type { WalReplica } from './replica.js';
import { VarintReader, VarintWriter } from './varint-form.js';

/** What folding the log up to a place says, beside what it says of the queues. */
export interface CheckpointHead {
  /** The end of a group: everything before it is in the checkpoint. */
  readonly place: LogPlace;
  readonly queueNumberMax: number;
  /** The latest time in any entry. Milliseconds since 1970. */
  readonly lastStampMs: number;
  /** The last entry before `place` is the mark of a clean stop. */
  readonly isStopped: boolean;
  /** Files up to that of `place`, and how much is written in each. Bytes. */
  readonly files: ReadonlyMap<number, number>;
}

const partBytesFirst = 64 * 1024;
const partBytesMin = 1024 * 1024;
const PART_HEADER_BYTES = 8;

const REPLICA_MAY_EXPIRE = 1;
/** How far its queue's time is ahead of the node's, or behind it, follows. */
const REPLICA_IS_AHEAD = 2;
const REPLICA_IS_BEHIND = 4;
const REPLICA_LACKS = 8;

const timeFlag = (aheadMs: number): number => (aheadMs < 0 ? REPLICA_IS_BEHIND : REPLICA_IS_AHEAD);

/**
 * Everything that a start needs to go on from `head.place`, in parts that are still without their checksums (`sealParts`). Takes
 * memory and time for what lives alone: a byte or two a message.
 */
export function writeCheckpoint(
  head: CheckpointHead,
  queues: Iterable<WalQueueLog>,
  replicas: readonly WalReplica[],
): Buffer[] {
  const out = new PartWriter();
  for (const value of [head.place.generation, head.place.offset, head.queueNumberMax, head.lastStampMs])
    out.varint(value);
  out.varint(head.isStopped ? 1 : 0);
  out.varint(head.files.size);
  for (const [number, bytes] of head.files) {
    out.varint(number);
    out.varint(bytes);
  }
  for (const log of queues) if (log.openedIn !== 0) writeQueue(out, log, head.isStopped);
  // Queues are numbered from 1.
  out.varint(0);
  if (replicas.length === 0) return out.end();
  for (const replica of replicas) writeReplica(out, replica);
  out.varint(0);
  return out.end();
}

function writeQueue(out: PartWriter, log: WalQueueLog, isStopped: boolean): void {
  out.varint(log.number);
  out.text(log.incarnation);
  out.varint(log.next);
  out.varint(log.openedIn);
  out.varint(log.mayExpire && log.live.count > 0 ? 1 : 0);
  writeDelivered(out, log, isStopped);
  writeMarks(out, log);
  writeBlocks(out, log);
}

function writeReplica(out: PartWriter, log: WalReplica): void {
  const { aheadMs, isWhole } = log.told;
  out.varint(log.number);
  out.text(log.incarnation);
  out.varint(log.openedIn);
  out.varint(
    (log.mayExpire && log.live.count > 0 ? REPLICA_MAY_EXPIRE : 0) |
      (aheadMs === null ? 0 : timeFlag(aheadMs)) |
      (isWhole ? 0 : REPLICA_LACKS),
  );
  if (aheadMs !== null) out.varint(Math.abs(aheadMs));
  const form = new VarintWriter();
  log.told.write(form);
  const state = form.end();
  out.bytes(state, 0, state.length);
  writeMarks(out, log);
  writeBlocks(out, log);
}

function writeMarks(out: PartWriter, log: NumberedLog): void {
  const [pending, returns] = [log.marks?.pending ?? [], log.marks?.returns ?? []];
  out.varint(pending.length);
  for (const { position, reason, atMs } of pending) {
    for (const value of [position, reasonCode(reason), atMs]) out.varint(value);
  }
  out.varint(returns.length);
  for (const { position, count } of returns) {
    out.varint(position);
    out.varint(count);
  }
}

function writeBlocks(out: PartWriter, log: NumberedLog): void {
  out.varint(log.live.blockCount);
  log.live.forEachBlock((index, form, from, to) => {
    out.varint(index);
    out.varint(to - from);
    out.bytes(form, from, to);
  });
}

/** The mark counts only when nothing follows it. */
function writeDelivered(out: PartWriter, { deliveredUpTo, deliveredByLevel }: WalQueueLog, isStopped: boolean): void {
  const isKnown = isStopped && deliveredUpTo >= 0;
  out.varint(isKnown ? deliveredUpTo + 1 : 0);
  if (!isKnown) return;
  out.varint(deliveredByLevel.length);
  for (const position of deliveredByLevel) out.varint(position);
}

/** Collects bytes in large pieces, each behind the room for its header. */
class PartWriter {
  private readonly parts: Buffer[] = [];
  private part = Buffer.allocUnsafeSlow(partBytesFirst);
  private used = PART_HEADER_BYTES;

  varint(value: number): void {
    this.reserve(VARINT_BYTES_MAX);
    this.used = writeVarint(this.part, this.used, value);
  }

  text(value: string): void {
    const bytes = Buffer.from(value);
    this.varint(bytes.length);
    this.bytes(bytes, 0, bytes.length);
  }

  bytes(from: Uint8Array, start: number, end: number): void {
    this.reserve(end - start);
    this.part.set(from.subarray(start, end), this.used);
    this.used += end - start;
  }

  end(): Buffer[] {
    this.parts.push(this.part.subarray(0, this.used));
    return this.parts;
  }

  private reserve(bytes: number): void {
    if (this.used + bytes <= this.part.length) return;
    this.end();
    this.part = Buffer.allocUnsafeSlow(Math.max(partBytesMin, PART_HEADER_BYTES + bytes));
    this.used = PART_HEADER_BYTES;
  }
}

/** Writes a part's length and checksum into it; returns the checksum, which seeds that of the next part. */
export function sealPart(part: Buffer, seed: number): number {
  const crc = crc32c(part, PART_HEADER_BYTES, part.length, seed);
  writeU32(part, 0, part.length - PART_HEADER_BYTES);
  writeU32(part, 4, crc);
  return crc;
}

/** What stands behind the last part: a part of no bytes. */
export function endPart(seed: number): Buffer {
  const part = Buffer.alloc(PART_HEADER_BYTES);
  sealPart(part, seed);
  return part;
}

/** The bytes of all parts of a file whose header is healthy; null when they are not all there as they were written. */
export function readParts(content: Buffer): Buffer | null {
  const parts: Buffer[] = [];
  let crc = fileSalt(content);
  let at = FILE_HEADER_BYTES;
  while (at + PART_HEADER_BYTES <= content.length) {
    const from = at + PART_HEADER_BYTES;
    const bytes = content.readUInt32BE(at);
    if (from + bytes > content.length) return null;
    crc = crc32c(content, from, from + bytes, crc);
    if (crc !== content.readUInt32BE(at + 4)) return null;
    if (bytes === 0) return Buffer.concat(parts);
    parts.push(content.subarray(from, from + bytes));
    at = from + bytes;
  }
  return null;
}

/** Reads what `readParts` gave, the head first. Throws CursorError or RangeError for what no checkpoint says. */
export class CheckpointReader extends VarintReader {
  head(): CheckpointHead {
    const place = { generation: this.varint(), offset: this.varint() };
    const [queueNumberMax, lastStampMs] = [this.varint(), this.varint()];
    const isStopped = this.varint() === 1;
    const files = new Map<number, number>();
    for (let left = this.varint(); left > 0; left--) files.set(this.varint(), this.varint());
    return { place, queueNumberMax, lastStampMs, isStopped, files };
  }

  /** Calls `open` for each queue and fills its log; `delivered` is called with those of which a clean stop said how far they were. */
  queues(open: LogOpener, delivered: (log: WalQueueLog, delivered: Delivered) => void): void {
    for (let number = this.varint(); number !== 0; number = this.varint()) {
      const log = open.queue(number, this.name());
      log.next = this.varint();
      log.openedIn = this.varint();
      log.mayExpire = this.varint() === 1;
      const mark = this.delivered();
      if (mark !== null) delivered(log, mark);
      const marks = new Marks();
      this.marks(marks);
      if (!marks.isEmpty) log.marks = marks;
      this.blocks(log);
    }
  }

  /** The same for each replica; version 1 says nothing of any. */
  replicas(open: LogOpener): void {
    if (this.remaining === 0) return;
    for (let number = this.varint(); number !== 0; number = this.varint()) {
      const log = open.replica(number, this.name());
      log.openedIn = this.varint();
      const flags = this.varint();
      log.mayExpire = (flags & REPLICA_MAY_EXPIRE) !== 0;
      if (flags & REPLICA_IS_AHEAD) log.told.aheadMs = this.varint();
      else if (flags & REPLICA_IS_BEHIND) log.told.aheadMs = -this.varint();
      log.told.isWhole = (flags & REPLICA_LACKS) === 0;
      log.told.read(this);
      this.marks(log.told.marks);
      this.blocks(log);
    }
  }

  private blocks({ live }: NumberedLog): void {
    for (let left = this.varint(); left > 0; left--) {
      const index = this.varint();
      const from = this.advance(this.varint());
      live.addBlock(index, this.buffer, from, this.position);
    }
  }

  private delivered(): Delivered | null {
    const upTo = this.varint() - 1;
    if (upTo < 0) return null;
    const byLevel: number[] = [];
    for (let left = this.varint(); left > 0; left--) byLevel.push(this.varint());
    return { upTo, byLevel };
  }

  private marks(marks: Marks): void {
    for (let left = this.varint(); left > 0; left--) {
      const [position, reason, atMs] = [this.varint(), reasonOf(this.varint()), this.varint()];
      if (reason === null) throw new RangeError('a reason that is none');
      marks.pend(position, reason, atMs);
    }
    for (let left = this.varint(); left > 0; left--) marks.returned(this.varint(), this.varint());
  }
}
