// A frame (AMQP 0-9-1 §2.3.5, §4.2.3):
//   0      1         3         7              7 + size
//   | type | channel |  size   |  payload ... | 0xCE |
import type { ByteWriter } from '@chapar/bytes';

export const FRAME_METHOD = 1;
export const FRAME_HEADER = 2;
export const FRAME_BODY = 3;
export const FRAME_HEARTBEAT = 8;
export const FRAME_END = 0xce;

/** Bytes of a frame before its payload. */
export const FRAME_HEADER_BYTES = 7;
/** Bytes of a frame that are not payload. */
export const FRAME_OVERHEAD = 8;
/** No peer may be made to send smaller frames than this (§4.2.3, frame-min-size). */
export const FRAME_MIN_SIZE = 4096;

/** What a client says first: the protocol and its version. */
export const PROTOCOL_HEADER = Buffer.from([0x41, 0x4d, 0x51, 0x50, 0, 0, 9, 1]);

/** The one heartbeat frame there is: always on channel 0, always empty. */
export const HEARTBEAT_FRAME = Buffer.from([FRAME_HEARTBEAT, 0, 0, 0, 0, 0, 0, FRAME_END]);

/** Writes the seven bytes before a payload of `size` bytes at `at` and returns the position of the payload. */
export function writeFrameHeader(buf: Buffer, at: number, type: number, channel: number, size: number): number {
  buf[at] = type;
  buf[at + 1] = channel >>> 8;
  buf[at + 2] = channel;
  buf[at + 3] = size >>> 24;
  buf[at + 4] = size >>> 16;
  buf[at + 5] = size >>> 8;
  buf[at + 6] = size;
  return at + FRAME_HEADER_BYTES;
}

/** Begins a frame in a growing buffer; returns where it begins, for `endFrame`. */
export function beginFrame(writer: ByteWriter, type: number, channel: number): number {
  const start = writer.length;
  writer.u8(type);
  writer.u16(channel);
  writer.u32(0);
  return start;
}

/** Writes the size of the frame that began at `start`, now that it is known, and the end octet. */
export function endFrame(writer: ByteWriter, start: number): void {
  writer.patchU32(start + 3, writer.length - start - FRAME_HEADER_BYTES);
  writer.u8(FRAME_END);
}
