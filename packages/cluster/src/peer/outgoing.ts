import { varintLength } from '@chapar/bytes';
import { copyBytes, type Flushable, type Message, PHASE_WRITE, type Turn } from '@chapar/core';
import type { Clock, Timer } from '@chapar/platform';
import { type BatchRoom, leaveRoom, takeRoom } from './batch-room.js';
import { frameHeadBytes } from './frames.js';
import type { Carried, Lane } from './lane.js';

const slabBytes = 64 * 1024;
/** A slab with less room than this is not begun again. */
const roomMin = 8 * 1024;
/** A batch of this size goes at once, and not at the end of the turn. Bytes. */
const batchBytes = 256 * 1024;
/**
 * A batch costs as much as ten messages in it, so in a busy stream one waits for others: when the last one left less than `closeMs` ago,
 * a batch below `smallBytes` waits `gatherMs`. What comes alone goes at once. Milliseconds; bytes.
 */
const closeMs = 0.5;
const gatherMs = 1;
const smallBytes = 16 * 1024;
/** The revision that a batch needs stands in a fixed number of bytes. */
const needsBytes = 8;
/** What a message weighs beside its body where it goes along as it is. Bytes. */
const carriedOverheadBytes = 64;

/** A frame as it was sent: to be sent again when its lane breaks. */
export interface SentFrame {
  readonly bytes: Buffer;
  readonly needs: number;
}

interface Sent {
  readonly batch: Buffer;
  readonly carried: Carried | null;
  readonly room: BatchRoom;
}

/**
 * What goes to one peer: frames of a turn are written behind each other and leave as one batch at its end. Bytes that were sent are
 * never changed. Without a lane frames are written all the same, for those who keep them, and go nowhere.
 */
export class Outgoing implements Flushable {
  private readonly turn: Turn;
  private readonly clock: Clock;
  /** The lane leads back to this node: no batch waits for others, and messages go along as they are. */
  private readonly isLocal: boolean;
  private carried: Carried | null;
  private sentAtMs = 0;
  private gathering: Timer | null = null;
  private lane: Lane | null = null;
  private room = takeRoom(slabBytes);
  /** The room's. */
  private buffer = this.room.buffer;
  /** Where the batch begins, and where it ends so far. */
  private start = 0;
  private end = 0;
  private needs = 0;
  /** Where the frame that is being written begins; -1: none is. */
  private frameAt = -1;
  private frameType = 0;
  private frameNeeds = 0;
  private onFrameEnd: ((frame: SentFrame) => void) | null = null;
  private waiting: Sent[] = [];
  /** Of batches that the lane has not taken yet. */
  waitingBytes = 0;
  private isScheduled = false;
  /** The lane has enough on its way: who can wait, should, until `onDrained`. */
  isClogged = false;
  /** Called when it is no longer clogged. */
  onDrained: (() => void) | null = null;
  /** Called at the end of a turn, before the batch leaves: what was gathered may be written now. */
  onFlush: (() => void) | null = null;
  sentBytes = 0;

  constructor(turn: Turn, clock: Clock, isLocal = false) {
    this.turn = turn;
    this.isLocal = isLocal;
    this.carried = isLocal ? { messages: [], bytes: 0 } : null;
    this.clock = clock;
  }

  /** Messages are not written but handed over. */
  get carries(): boolean {
    return this.isLocal;
  }

  get isOpen(): boolean {
    return this.lane !== null;
  }

  open(lane: Lane): void {
    this.lane = lane;
  }

  /** The lane is gone, and what was written with it. */
  close(): void {
    this.endFrame();
    this.lane = null;
    this.flush();
    this.waiting = [];
    this.waitingBytes = 0;
    this.isClogged = false;
  }

  drained(): void {
    const { lane } = this;
    while (this.waiting.length > 0) {
      if (lane === null) return;
      const sent = this.waiting.shift()!;
      this.waitingBytes -= sent.batch.length;
      if (!this.hand(lane, sent)) return;
    }
    if (!this.isClogged) return;
    this.isClogged = false;
    this.onDrained?.();
  }

  /** Something is to be written at the end of the turn, by `onFlush`. */
  schedule(): void {
    if (this.isScheduled) return;
    this.isScheduled = true;
    this.turn.add(PHASE_WRITE, this);
  }

  endOfTurn(): void {
    this.isScheduled = false;
    if (this.lane !== null) this.onFlush?.();
    if (!this.mayGather()) this.flush();
  }

  private mayGather(): boolean {
    const bytes = this.end - this.start;
    if (this.isLocal || bytes === 0 || bytes >= smallBytes || this.lane === null) return false;
    if (this.gathering !== null) return true;
    if (this.clock.monotonicMs() - this.sentAtMs >= closeMs) return false;
    this.gathering = this.clock.after(gatherMs, () => this.flush());
    return true;
  }

  private flush(): void {
    this.gathering?.cancel();
    this.gathering = null;
    this.endFrame();
    if (this.end === this.start) return;
    const batch = this.buffer.subarray(this.start, this.end);
    writeFixedVarint(batch, 0, this.needs);
    const { carried, room, lane } = this;
    this.start = this.end;
    this.needs = 0;
    if (carried !== null) this.carried = { messages: [], bytes: 0 };
    if (lane !== null) this.send(lane, { batch, carried, room });
    if (this.buffer.length - this.end < roomMin) this.enter(takeRoom(slabBytes));
  }

  private send(lane: Lane, sent: Sent): void {
    this.sentAtMs = this.clock.monotonicMs();
    this.sentBytes += sent.batch.length;
    sent.room.underWay++;
    if (this.isClogged) {
      this.waiting.push(sent);
      this.waitingBytes += sent.batch.length;
    } else if (!this.hand(lane, sent)) this.isClogged = true;
  }

  private hand(lane: Lane, { batch, carried, room }: Sent): boolean {
    return lane.send(batch, carried, () => this.left(room));
  }

  /** A batch has gone that lies there. */
  private left(room: BatchRoom): void {
    room.underWay--;
    if (room !== this.room) leaveRoom(room);
    else if (room.underWay === 0 && !room.isKept && this.start === this.end) this.start = this.end = 0;
  }

  /** What is written from now on goes there. */
  private enter(room: BatchRoom): void {
    leaveRoom(this.room);
    this.room = room;
    this.buffer = room.buffer;
    this.start = this.end = 0;
  }

  /** Of the batch so far, and of what goes along with it. */
  private get batchBytes(): number {
    return this.end - this.start + (this.carried?.bytes ?? 0);
  }

  // -- frames ------------------------------------------------------------------------------------------------------

  /** Begins a frame. `onEnd` is given its bytes, where somebody wants to keep them. */
  begin(type: number, onEnd: ((frame: SentFrame) => void) | null = null): void {
    this.endFrame();
    if (this.batchBytes > batchBytes) this.flush();
    if (this.end === this.start) this.reserve(needsBytes);
    this.frameAt = this.end;
    this.frameType = type;
    this.frameNeeds = 0;
    this.onFrameEnd = onEnd;
    this.reserve(frameHeadBytes);
    this.schedule();
  }

  /** Whether a frame of this type is being written, and may go on. */
  isWriting(type: number): boolean {
    return this.frameAt !== -1 && this.frameType === type && this.batchBytes < batchBytes;
  }

  /** Whoever reads the frame must have applied metadata up to here. */
  need(revision: number): void {
    if (revision > this.needs) this.needs = revision;
    if (revision > this.frameNeeds) this.frameNeeds = revision;
  }

  endFrame(): void {
    if (this.frameAt === -1) return;
    const { buffer, frameAt: at, onFrameEnd } = this;
    buffer[at] = this.frameType;
    buffer.writeUInt32BE(this.end - at - frameHeadBytes, at + 1);
    this.frameAt = -1;
    this.onFrameEnd = null;
    if (onFrameEnd === null) return;
    this.room.isKept = true;
    onFrameEnd({ bytes: buffer.subarray(at, this.end), needs: this.frameNeeds });
  }

  /** Writes a frame that was sent before. */
  again({ bytes, needs }: SentFrame): void {
    if (this.isLocal) throw new Error('what went along with a frame is not there any more');
    this.endFrame();
    if (this.batchBytes > batchBytes) this.flush();
    if (this.end === this.start) this.reserve(needsBytes);
    if (needs > this.needs) this.needs = needs;
    const at = this.reserve(bytes.length);
    bytes.copy(this.buffer, at);
    this.schedule();
  }

  byte(value: number): void {
    const at = this.reserve(1);
    this.buffer[at] = value;
  }

  varint(value: number): void {
    let at = this.reserve(varintLength(value));
    const { buffer } = this;
    let rest = value;
    for (; rest > 0x7fff_ffff; rest = Math.floor(rest / 0x80)) buffer[at++] = 0x80 | (rest % 0x80);
    for (; rest >= 0x80; rest >>>= 7) buffer[at++] = 0x80 | (rest & 0x7f);
    buffer[at] = rest;
  }

  text(text: string): void {
    const length = Buffer.byteLength(text);
    this.varint(length);
    const at = this.reserve(length);
    this.buffer.write(text, at, 'utf8');
  }

  json(value: unknown): void {
    this.text(JSON.stringify(value));
  }

  /** The message goes along as it is; its number is written. Only where `carries`. */
  carry(message: Message): void {
    const carried = this.carried!;
    this.varint(carried.messages.length);
    carried.messages.push(message);
    carried.bytes += message.bodyBytes + carriedOverheadBytes;
  }

  /** So many bytes are about to be written: room for all of them is made once. */
  expect(count: number): void {
    if (this.end + count > this.buffer.length) this.move(count);
  }

  whole(from: Uint8Array): void {
    const at = this.reserve(from.length);
    this.buffer.set(from, at);
  }

  bytes(from: Buffer, start: number, end: number): void {
    const at = this.reserve(end - start);
    copyBytes(from, start, end, this.buffer, at);
  }

  /** Room for so many bytes, which the caller fills. Returns where. */
  private reserve(count: number): number {
    if (this.end + count > this.buffer.length) this.move(count);
    const at = this.end;
    this.end = at + count;
    return at;
  }

  /** What was written of the batch moves to where there is room for so many bytes more. */
  private move(count: number): void {
    const { buffer, start, end } = this;
    const used = end - start;
    const larger = takeRoom(Math.max(slabBytes, 2 * (used + count)));
    buffer.copy(larger.buffer, 0, start, end);
    if (this.frameAt !== -1) this.frameAt -= start;
    this.enter(larger);
    this.end = used;
  }
}

/** `value` in exactly eight bytes: seven bits each, the lowest first. */
function writeFixedVarint(buf: Buffer, at: number, value: number): void {
  let rest = value;
  for (let i = 0; i < needsBytes; i++) {
    buf[at + i] = (rest % 0x80) | (i === needsBytes - 1 ? 0 : 0x80);
    rest = Math.floor(rest / 0x80);
  }
}

/** Bytes of a batch before its first frame. */
export const batchHeadBytes = needsBytes;

export function readNeeds(batch: Buffer): number {
  let value = 0;
  for (let i = needsBytes - 1; i >= 0; i--) value = value * 0x80 + (batch[i]! & 0x7f);
  return value;
}
