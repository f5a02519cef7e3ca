import { brokerError } from '@chapar/core';
import {
  FRAME_BODY,
  FRAME_END,
  FRAME_HEADER,
  FRAME_HEADER_BYTES,
  FRAME_METHOD,
  FRAME_OVERHEAD,
  METHOD,
} from './codec/index.js';

/** Who is told about frames. */
export interface FrameSink {
  /**
   * A whole frame stands at `at` in `chunk` (`next` is behind its end octet), perhaps with others behind it up to `end`. Returns where to
   * go on, `next` or further when more was taken (a whole publish), or -1 to stop reading for good.
   */
  frame(chunk: Buffer, at: number, next: number, end: number): number;
}

const nothing = Buffer.alloc(0);

/**
 * Cuts the byte stream into frames. Frames are looked at where they lie in the socket's chunk; only one that is torn over two chunks
 * is put together in a buffer of its own. Throws BrokerError 501 for what is no frame.
 */
export class FrameReader {
  /** Negotiated; the handshake's frames have a limit of their own. Bytes of a whole frame. */
  frameBytesMax: number;
  private readonly sink: FrameSink;
  /** Of a torn frame: its first bytes, and once its header is known a buffer of its size. */
  private torn = nothing;
  private tornUsed = 0;

  constructor(sink: FrameSink, frameBytesMax: number) {
    this.sink = sink;
    this.frameBytesMax = frameBytesMax;
  }

  /** Returns false when the sink asked to stop. */
  read(chunk: Buffer): boolean {
    let at = 0;
    if (this.tornUsed > 0) {
      at = this.complete(chunk);
      if (at < 0) return false;
    }
    const end = chunk.length;
    while (end - at >= FRAME_OVERHEAD) {
      const next = this.frameEnd(chunk, at);
      if (next > end) break;
      at = this.sink.frame(chunk, at, next, end);
      if (at < 0) return false;
    }
    if (at < end) this.keepTorn(chunk, at);
    return true;
  }

  /** Where the frame at `at` ends. */
  private frameEnd(chunk: Buffer, at: number): number {
    const size = ((chunk[at + 3]! << 24) | (chunk[at + 4]! << 16) | (chunk[at + 5]! << 8) | chunk[at + 6]!) >>> 0;
    // Some clients count the payload alone against frame-max; the field has always let them.
    if (size > this.frameBytesMax) {
      throw brokerError('frameTooLarge', { bytes: size + FRAME_OVERHEAD, bytesMax: this.frameBytesMax });
    }
    return at + size + FRAME_OVERHEAD;
  }

  private keepTorn(chunk: Buffer, at: number): void {
    const have = chunk.length - at;
    const whole = have >= FRAME_HEADER_BYTES ? this.frameEnd(chunk, at) - at : FRAME_HEADER_BYTES;
    this.torn = Buffer.allocUnsafeSlow(whole);
    this.tornUsed = chunk.copy(this.torn, 0, at);
  }

  /** Takes what the torn frame lacks from the new chunk; returns where to go on in it, -1 to stop. */
  private complete(chunk: Buffer): number {
    let at = 0;
    if (this.tornUsed < FRAME_HEADER_BYTES) {
      at = this.fill(chunk, 0, FRAME_HEADER_BYTES);
      if (this.tornUsed < FRAME_HEADER_BYTES) return at;
      const header = this.torn;
      this.torn = Buffer.allocUnsafeSlow(this.frameEnd(header, 0));
      header.copy(this.torn, 0, 0, FRAME_HEADER_BYTES);
    }
    at = this.fill(chunk, at, this.torn.length);
    if (this.tornUsed < this.torn.length) return at;
    const frame = this.torn;
    this.torn = nothing;
    this.tornUsed = 0;
    return this.sink.frame(frame, 0, frame.length, frame.length) < 0 ? -1 : at;
  }

  private fill(chunk: Buffer, at: number, upTo: number): number {
    const take = Math.min(upTo - this.tornUsed, chunk.length - at);
    chunk.copy(this.torn, this.tornUsed, at, at + take);
    this.tornUsed += take;
    return at + take;
  }
}

/** Throws 501 unless the frame ends with its end octet. */
export function assertFrameEnd(chunk: Buffer, at: number, next: number): void {
  const got = chunk[next - 1]!;
  if (got === FRAME_END) return;
  const channel = (chunk[at + 1]! << 8) | chunk[at + 2]!;
  throw brokerError('frameEnd', { type: chunk[at]!, channel, got: `0x${got.toString(16)}` });
}

/**
 * The method that the frame at `at` belongs to, class id << 16 | method id: what connection.close and channel.close name (clients look
 * for the publish that failed by it). Content is basic.publish's; 0 for heartbeats and the like.
 */
export function methodIdAt(chunk: Buffer, at: number, next: number): number {
  const type = chunk[at];
  if (type === FRAME_HEADER || type === FRAME_BODY) return METHOD.BASIC_PUBLISH;
  const isMethod = type === FRAME_METHOD && next - at >= FRAME_OVERHEAD + 4;
  return isMethod ? chunk.readUInt32BE(at + FRAME_HEADER_BYTES) : 0;
}
