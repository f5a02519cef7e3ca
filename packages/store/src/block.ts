/** Positions in one block. Small, so that a queue with one message costs 1 KiB; a power of two. */
export const blockPositions = 64;
/** Words of a slot: bytes of the entry (0: not live), generation of the file that it stands in, offset in that file, bytes of the body. */
export const slotWords = 4;
export const GENERATION_WORD = 1;
export const OFFSET_WORD = 2;
export const BODY_WORD = 3;

/** Where the live entries of so many positions stand, in the form in which they are looked up and changed. */
export interface Block {
  /** A slot for each position. */
  readonly slots: Uint32Array;
  /** Slots that are in use. */
  live: number;
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
