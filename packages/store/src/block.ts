/** Positions in one block. Small, so that a queue with one message costs 1 KiB; a power of two. */
export const blockPositions = 64;
/** Words of a slot: bytes of the entry (0: not live), generation of the file that it stands in, offset in that file, head and priority. */
export const slotWords = 4;
export const GENERATION_WORD = 1;
export const OFFSET_WORD = 2;
export const HEAD_WORD = 3;

const HEAD_BYTES_MAX = 0xff_ffff;

/** Where the live entries of so many positions stand, in the form in which they are looked up and changed. */
export interface Block {
  /** A slot for each position. */
  readonly slots: Uint32Array;
  /** Slots that are in use. */
  live: number;
}

/** Bytes of the entry before its body (less than 16 MiB: properties are bounded by a frame), and the message's priority (0 to 255). */
export function headWord(headBytes: number, priority: number): number {
  if (headBytes > HEAD_BYTES_MAX) throw new RangeError(`a message whose head takes ${headBytes} bytes`);
  return headBytes + priority * (HEAD_BYTES_MAX + 1);
}

export function priorityOf(word: number): number {
  return word >>> 24;
}

/** Of the live entry whose slot begins at `at`. */
export function bodyBytesAt(slots: Uint32Array, at: number): number {
  return slots[at]! - (slots[at + HEAD_WORD]! & HEAD_BYTES_MAX);
}

/** Blocks kept for reuse by all queues of the process. */
const idleBlocksMax = 1024;
const idleBlocks: Block[] = [];

/** An empty block. */
export function takeBlock(): Block {
  return idleBlocks.pop() ?? { slots: new Uint32Array(slotWords * blockPositions), live: 0 };
}

/** Nobody uses the block any more; its slots are empty. */
export function giveBlock(block: Block): void {
  if (idleBlocks.length < idleBlocksMax) idleBlocks.push(block);
}
