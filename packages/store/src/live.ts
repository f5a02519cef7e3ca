import type { Position } from '@chapar/core';
import type { Generation, Generations } from './generation.js';

/** Positions in one block. Small, so that a queue with one message costs 1 KiB; a power of two. */
const blockPositions = 128;
/** Blocks kept for reuse by all queues of the process. */
const idleBlocksMax = 1024;

/** For each position of a block: bytes of the entry (0: not live) and the generation of the file that it stands in. */
interface Block {
  readonly slots: Uint32Array;
  live: number;
}

const idleBlocks: Block[] = [];

/**
 * Which entries of one queue's log are live, how large each is and which file holds it: eight bytes a message in blocks of 128
 * positions, found by division, dropped when their last message is settled. So a settlement costs one look-up and two additions,
 * every file knows its live bytes at any time, and one old unsettled message pins one block and nothing more. Where in its file a
 * message stands is not kept: whoever empties a file reads it from its beginning to its end anyway.
 */
export class LiveEntries {
  count = 0;
  private readonly blocks = new Map<number, Block>();
  private lastIndex = -1;
  private lastBlock: Block | null = null;
  private readonly generations: Generations;

  constructor(generations: Generations) {
    this.generations = generations;
  }

  /** Notes that `position` is live in `generation`; a copy found or made later takes the place of the earlier one. */
  add(position: Position, entryBytes: number, generation: Generation): void {
    const index = Math.floor(position / blockPositions);
    let block = this.block(index);
    if (block === null) {
      block = idleBlocks.pop() ?? { slots: new Uint32Array(2 * blockPositions), live: 0 };
      this.blocks.set(index, block);
      this.lastIndex = index;
      this.lastBlock = block;
    }
    const at = 2 * (position - index * blockPositions);
    if (block.slots[at] === 0) {
      block.live++;
      this.count++;
    } else {
      this.generations.released(block.slots[at + 1]!, block.slots[at]!);
    }
    block.slots[at] = entryBytes;
    block.slots[at + 1] = generation.number;
    generation.liveBytes += entryBytes;
    generation.liveCount++;
  }

  /** The generation that holds `position`; 0 when it is not live. */
  generationOf(position: Position): number {
    const index = Math.floor(position / blockPositions);
    const block = this.block(index);
    if (block === null) return 0;
    const at = 2 * (position - index * blockPositions);
    return block.slots[at] === 0 ? 0 : block.slots[at + 1]!;
  }

  /** Forgets `first..last`; returns how many of them were live. */
  remove(first: Position, last: Position): number {
    const firstIndex = Math.floor(first / blockPositions);
    const lastIndex = Math.floor(last / blockPositions);
    if (firstIndex === lastIndex) return this.removeInBlock(firstIndex, first, last);
    let removed = 0;
    // A purge may name a range that is far wider than what lives in it.
    if (lastIndex - firstIndex > this.blocks.size) {
      for (const index of [...this.blocks.keys()]) {
        if (index >= firstIndex && index <= lastIndex) removed += this.removeInBlock(index, first, last);
      }
      return removed;
    }
    for (let index = firstIndex; index <= lastIndex; index++) removed += this.removeInBlock(index, first, last);
    return removed;
  }

  clear(): void {
    this.remove(0, Number.POSITIVE_INFINITY);
  }

  /** Forgets everything in a file that is lost; returns how many messages that were. */
  forget(generation: number): number {
    const before = this.count;
    for (const index of [...this.blocks.keys()]) {
      for (let position = index * blockPositions; position < (index + 1) * blockPositions; position++) {
        if (this.generationOf(position) === generation) this.removeInBlock(index, position, position);
      }
    }
    return before - this.count;
  }

  private removeInBlock(index: number, first: Position, last: Position): number {
    const block = this.block(index);
    if (block === null) return 0;
    const base = index * blockPositions;
    const from = Math.max(first - base, 0);
    const to = Math.min(last - base, blockPositions - 1);
    const slots = block.slots;
    let removed = 0;
    for (let i = from; i <= to; i++) {
      const bytes = slots[2 * i]!;
      if (bytes === 0) continue;
      this.generations.released(slots[2 * i + 1]!, bytes);
      slots[2 * i] = 0;
      removed++;
    }
    this.count -= removed;
    block.live -= removed;
    if (block.live === 0) this.drop(index, block);
    return removed;
  }

  private drop(index: number, block: Block): void {
    this.blocks.delete(index);
    if (this.lastIndex === index) {
      this.lastIndex = -1;
      this.lastBlock = null;
    }
    if (idleBlocks.length < idleBlocksMax) idleBlocks.push(block);
  }

  private block(index: number): Block | null {
    if (index === this.lastIndex) return this.lastBlock;
    const block = this.blocks.get(index);
    if (block === undefined) return null;
    this.lastIndex = index;
    this.lastBlock = block;
    return block;
  }
}
