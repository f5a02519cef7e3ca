/** A buffer that batches are written into, one behind the other. */
export interface BatchRoom {
  readonly buffer: Buffer;
  /** Batches that a lane has not let go of. */
  underWay: number;
  /** Somebody keeps frames that lie in it. */
  isKept: boolean;
}

/** Of rooms that wait to be used again, by all lanes of the process. Bytes. */
const spareBytesMax = 8 * 1024 * 1024;
const spare: Buffer[] = [];
let spareBytes = 0;

/**
 * A room of at least so many bytes. Buffers are used again where that is possible: the engine collects garbage the more often, the more
 * memory outside of its heap was asked for.
 */
export function takeRoom(bytesMin: number): BatchRoom {
  const at = spare.findIndex(({ length }) => length >= bytesMin);
  if (at < 0) return { buffer: Buffer.allocUnsafeSlow(bytesMin), underWay: 0, isKept: false };
  const [buffer] = spare.splice(at, 1);
  spareBytes -= buffer!.length;
  return { buffer: buffer!, underWay: 0, isKept: false };
}

/** Nothing more is written into it: when nobody needs what lies there, it is used again. */
export function leaveRoom({ buffer, underWay, isKept }: BatchRoom): void {
  if (underWay > 0 || isKept || spareBytes + buffer.length > spareBytesMax) return;
  spareBytes += buffer.length;
  spare.push(buffer);
}
