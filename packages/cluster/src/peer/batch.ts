import type { FrameCursor } from './frame-cursor.js';
import { frameHeadBytes } from './frames.js';
import { batchHeadBytes } from './outgoing.js';

/** Sets the cursor on each frame of a batch in turn. */
export function readFrames(batch: Buffer, cursor: FrameCursor, read: (type: number) => void): void {
  for (let at = batchHeadBytes; at < batch.length; ) {
    const type = batch[at]!;
    const end = at + frameHeadBytes + batch.readUInt32BE(at + 1);
    if (end > batch.length) throw new RangeError('a batch is cut');
    cursor.set(batch, at + frameHeadBytes, end);
    at = end;
    read(type);
  }
}
