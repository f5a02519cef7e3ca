/** Which message this is, in its first sixteen bytes; the rest is filled so that a torn or mixed up body shows. */
export interface Stamp {
  /** Number of the stream (one publisher's messages to one queue). */
  readonly stream: number;
  /** From 1, without holes, over all lives of the broker. */
  readonly sequence: number;
  /** The life of the broker in which it was published. */
  readonly life: number;
  readonly isPersistent: boolean;
  readonly bytes: number;
}

export const STAMP_BYTES = 16;
const MAGIC = 0xc4a9;

export function bodyOf({ stream, sequence, life, isPersistent, bytes }: Stamp): Buffer {
  const body = Buffer.alloc(bytes, (stream * 31 + sequence) & 0xff);
  body.writeUInt16BE(MAGIC, 0);
  body.writeUInt16BE(stream, 2);
  body.writeUInt32BE(sequence, 4);
  body.writeUInt32BE(bytes, 8);
  body.writeUInt16BE(life, 12);
  body.writeUInt16BE(isPersistent ? 1 : 0, 14);
  return body;
}

/** Null for a body that none of us wrote, to the last byte. */
export function stampOf(body: Buffer): Stamp | null {
  if (body.length < STAMP_BYTES || body.readUInt16BE(0) !== MAGIC) return null;
  const stamp: Stamp = {
    stream: body.readUInt16BE(2),
    sequence: body.readUInt32BE(4),
    bytes: body.readUInt32BE(8),
    life: body.readUInt16BE(12),
    isPersistent: body.readUInt16BE(14) === 1,
  };
  return stamp.bytes === body.length && bodyOf(stamp).equals(body) ? stamp : null;
}
