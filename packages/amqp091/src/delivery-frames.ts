// basic.deliver, basic.get-ok and basic.return with their content, encoded straight into a connection's slab:
//   method frame | 7 | class, method (4) | arguments ...              | CE |
//   header frame | 7 | 60 (2), 0 (2), body size (8) | properties ...  | CE |
//   body frames  | 7 | up to frame-max - 8 bytes                      | CE | ...
import { copyBytes, type Message } from '@chapar/core';
import {
  FRAME_BODY,
  FRAME_END,
  FRAME_HEADER,
  FRAME_METHOD,
  FRAME_OVERHEAD,
  METHOD,
  writeFrameHeader,
} from './codec/index.js';
import { type Output, viewBytesMin } from './output.js';

const METHOD_ID_BYTES = 4;
const CONTENT_HEADER_BYTES = 12;

/** The bytes of basic.deliver up to the delivery tag: they are the same for every delivery of a consumer. */
export function deliverPrefix(consumerTag: string): Buffer {
  const tag = Buffer.from(consumerTag, 'utf8');
  const prefix = Buffer.allocUnsafeSlow(METHOD_ID_BYTES + 1 + tag.length);
  prefix.writeUInt32BE(METHOD.BASIC_DELIVER, 0);
  prefix[METHOD_ID_BYTES] = tag.length;
  tag.copy(prefix, METHOD_ID_BYTES + 1);
  return prefix;
}

/** `| prefix | delivery tag (8) | redelivered (1) | exchange, routing key |` */
export function writeDeliver(
  output: Output,
  channel: number,
  frameBytesMax: number,
  prefix: Buffer,
  deliveryTag: number,
  redelivered: boolean,
  message: Message,
): void {
  const wire = message.address.wire;
  const size = prefix.length + 9 + wire.length;
  output.reserve(size + FRAME_OVERHEAD);
  const { slab } = output;
  let at = writeFrameHeader(slab, output.at, FRAME_METHOD, channel, size);
  for (let i = 0; i < prefix.length; i++) slab[at++] = prefix[i]!;
  at = writeU64(slab, at, deliveryTag);
  slab[at++] = redelivered ? 1 : 0;
  copyBytes(wire, 0, wire.length, slab, at);
  at += wire.length;
  slab[at++] = FRAME_END;
  output.at = at;
  writeContent(output, channel, frameBytesMax, message);
}

/** `| delivery tag (8) | redelivered (1) | exchange, routing key | messages left (4) |` */
export function writeGetOk(
  output: Output,
  channel: number,
  frameBytesMax: number,
  deliveryTag: number,
  redelivered: boolean,
  message: Message,
  messageCount: number,
): void {
  const wire = message.address.wire;
  const size = METHOD_ID_BYTES + 9 + wire.length + 4;
  output.reserve(size + FRAME_OVERHEAD);
  const { slab } = output;
  let at = writeFrameHeader(slab, output.at, FRAME_METHOD, channel, size);
  at = slab.writeUInt32BE(METHOD.BASIC_GET_OK, at);
  at = writeU64(slab, at, deliveryTag);
  slab[at++] = redelivered ? 1 : 0;
  copyBytes(wire, 0, wire.length, slab, at);
  at = slab.writeUInt32BE(messageCount, at + wire.length);
  slab[at++] = FRAME_END;
  output.at = at;
  writeContent(output, channel, frameBytesMax, message);
}

/** `| reply code (2) | reply text | exchange, routing key |` */
export function writeReturn(
  output: Output,
  channel: number,
  frameBytesMax: number,
  replyCode: number,
  replyText: string,
  message: Message,
): void {
  const wire = message.address.wire;
  const text = Buffer.from(replyText, 'latin1');
  const size = METHOD_ID_BYTES + 2 + 1 + text.length + wire.length;
  output.reserve(size + FRAME_OVERHEAD);
  const { slab } = output;
  let at = writeFrameHeader(slab, output.at, FRAME_METHOD, channel, size);
  at = slab.writeUInt32BE(METHOD.BASIC_RETURN, at);
  at = slab.writeUInt16BE(replyCode, at);
  slab[at++] = text.length;
  at += text.copy(slab, at);
  at += wire.copy(slab, at);
  slab[at++] = FRAME_END;
  output.at = at;
  writeContent(output, channel, frameBytesMax, message);
}

/** basic.ack or basic.nack from the broker: `| delivery tag (8) | bits (1) |`, bit 0: multiple. */
export function writeVerdict(output: Output, channel: number, method: number, tag: number, multiple: boolean): void {
  output.reserve(METHOD_ID_BYTES + 9 + FRAME_OVERHEAD);
  const { slab } = output;
  let at = writeFrameHeader(slab, output.at, FRAME_METHOD, channel, METHOD_ID_BYTES + 9);
  at = slab.writeUInt32BE(method, at);
  at = writeU64(slab, at, tag);
  slab[at++] = multiple ? 1 : 0;
  slab[at++] = FRAME_END;
  output.at = at;
}

function writeContent(output: Output, channel: number, frameBytesMax: number, received: Message): void {
  const message = output.formed(received);
  const propertiesBytes = message.propertiesEnd - message.propertiesStart;
  const { bodyBytes } = message;
  const headerBytes = CONTENT_HEADER_BYTES + propertiesBytes + FRAME_OVERHEAD;
  const small = message.parts === null && bodyBytes < viewBytesMin && bodyBytes + FRAME_OVERHEAD <= frameBytesMax;
  output.reserve(small && bodyBytes > 0 ? headerBytes + bodyBytes + FRAME_OVERHEAD : headerBytes);
  const { slab } = output;
  let at = writeFrameHeader(slab, output.at, FRAME_HEADER, channel, CONTENT_HEADER_BYTES + propertiesBytes);
  slab[at] = 0;
  slab[at + 1] = 60;
  slab[at + 2] = slab[at + 3] = 0;
  at = writeU64(slab, at + 4, bodyBytes);
  copyBytes(message.bytes, message.propertiesStart, message.propertiesEnd, slab, at);
  at += propertiesBytes;
  slab[at++] = FRAME_END;
  if (small && bodyBytes > 0) {
    at = writeFrameHeader(slab, at, FRAME_BODY, channel, bodyBytes);
    copyBytes(message.bytes, message.bodyStart, message.bodyEnd, slab, at);
    at += bodyBytes;
    slab[at++] = FRAME_END;
  }
  output.at = at;
  if (!small) writeLargeBody(output, channel, frameBytesMax, message);
}

/** Body frames of at most frame-max; large pieces travel as views of the message. */
function writeLargeBody(output: Output, channel: number, frameBytesMax: number, message: Message): void {
  const payloadMax = frameBytesMax - FRAME_OVERHEAD;
  const parts = message.parts ?? [message.bytes.subarray(message.bodyStart, message.bodyEnd)];
  for (const part of parts) {
    for (let from = 0; from < part.length; from += payloadMax) {
      const piece = part.subarray(from, Math.min(from + payloadMax, part.length));
      output.reserve(FRAME_OVERHEAD);
      output.at = writeFrameHeader(output.slab, output.at, FRAME_BODY, channel, piece.length);
      output.append(piece);
      output.reserve(1);
      output.slab[output.at++] = FRAME_END;
    }
  }
}

/** Delivery tags and sizes stay below 2^53. */
function writeU64(slab: Buffer, at: number, value: number): number {
  const high = value > 0xffffffff ? Math.floor(value / 0x100000000) : 0;
  slab[at] = high >>> 24;
  slab[at + 1] = high >>> 16;
  slab[at + 2] = high >>> 8;
  slab[at + 3] = high;
  slab[at + 4] = value >>> 24;
  slab[at + 5] = value >>> 16;
  slab[at + 6] = value >>> 8;
  slab[at + 7] = value;
  return at + 8;
}
