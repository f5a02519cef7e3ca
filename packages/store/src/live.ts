import type { Position } from '@chapar/core';
import type { Generation, Generations } from './generation.js';

/** What a message in memory costs beside the bytes of its entry; about right. Bytes. */
const messageOverheadBytes = 256;
/** Positions in one block. Small, so that a queue with one message costs 1 KiB; a power of two. */
const blockPositions = 128;
/** Blocks kept for reuse by all queues of the process. */
const idleBlocksMax = 1024;

/** Words of a slot: bytes of the entry (0: not live), generation of the file that it stands in, offset in that file. */
const slotWords = 3;

interface Block {
  /** A slot for each position. */
  readonly slots: Uint32Array;
  /** During recovery: bytes of each message's body. */
  bodies: Uint32Array | null;
  live: number;
}

/** Files end below this, so that offsets fit. Bytes. */
export const fileBytesLimit = 0xffff_ffff;

/** Where an entry stands. */
export interface Place {
  readonly position: Position;
  readonly generation: number;
  readonly offset: number;
  readonly bytes: number;
}

const idleBlocks: Block[] = [];

/**
 * Which entries of one queue's log are live, how large each is and where it stands: twelve bytes a message in blocks of 128
 * positions, found by division, dropped when their last message is settled. So a settlement costs one look-up and two additions,
 * every file knows its live bytes at any time, and one old unsettled message pins one block and nothing more.
 */
export class LiveEntries {
  count = 0;
  /** During recovery: bytes of the bodies. */
  bodyBytes = 0;
  private readonly blocks = new Map<number, Block>();
  private lastIndex = -1;
  private lastBlock: Block | null = null;
  private readonly generations: Generations;

  constructor(generations: Generations) {
    this.generations = generations;
  }

  /** Notes that `position` is live in `generation`; a copy found or made later takes the place of the earlier one. */
  add(position: Position, entryBytes: number, generation: Generation, offset: number): void {
    const index = Math.floor(position / blockPositions);
    const block = this.block(index) ?? this.begin(index);
    const at = slotWords * (position - index * blockPositions);
    if (block.slots[at] === 0) {
      block.live++;
      this.count++;
    } else {
      this.generations.released(block.slots[at + 1]!, block.slots[at]!);
    }
    block.slots[at] = entryBytes;
    block.slots[at + 1] = generation.number;
    block.slots[at + 2] = offset;
    generation.liveBytes += entryBytes;
    generation.liveCount++;
  }

  /** Notes, during recovery, the body of a message that was added just now. */
  addBody(position: Position, bytes: number): void {
    const index = Math.floor(position / blockPositions);
    const block = this.block(index)!;
    block.bodies ??= new Uint32Array(blockPositions);
    const at = position - index * blockPositions;
    this.bodyBytes += bytes - block.bodies[at]!;
    block.bodies[at] = bytes;
  }

  /** Recovery is over: what was noted for it goes. Blocks are in the order of their positions from here on. */
  endRecovery(): void {
    const blocks = [...this.blocks].sort(([a], [b]) => a - b);
    this.blocks.clear();
    for (const [index, block] of blocks) {
      block.bodies = null;
      this.blocks.set(index, block);
    }
  }

  /** First and last live position; 0 when there is none. */
  get edges(): readonly [first: Position, last: Position] {
    let lowest = Number.POSITIVE_INFINITY;
    let highest = -1;
    for (const index of this.blocks.keys()) {
      lowest = Math.min(lowest, index);
      highest = Math.max(highest, index);
    }
    if (highest === -1) return [0, 0];
    const first = this.blocks.get(lowest)!.slots;
    const last = this.blocks.get(highest)!.slots;
    let from = 0;
    while (first[slotWords * from] === 0) from++;
    let to = blockPositions - 1;
    while (last[slotWords * to] === 0) to--;
    return [lowest * blockPositions + from, highest * blockPositions + to];
  }

  private begin(index: number): Block {
    const block = idleBlocks.pop() ?? { slots: new Uint32Array(slotWords * blockPositions), bodies: null, live: 0 };
    this.blocks.set(index, block);
    this.lastIndex = index;
    this.lastBlock = block;
    return block;
  }

  /** Where the message at `position` stands; null when it is not live. */
  placeOf(position: Position): Place | null {
    const index = Math.floor(position / blockPositions);
    const block = this.block(index);
    return block === null ? null : placeIn(block, index, position);
  }

  /**
   * Where the live messages in `from..to` stand, by position: the first, and more of them while together they cost less than
   * `bytesMax` in memory. `upTo`: how far that went.
   */
  places(from: Position, to: Position, bytesMax: number): { readonly places: Place[]; readonly upTo: Position } {
    const places: Place[] = [];
    let bytes = 0;
    let position = from;
    while (position <= to && bytes < bytesMax) {
      const index = Math.floor(position / blockPositions);
      const end = (index + 1) * blockPositions;
      const block = this.block(index);
      if (block === null) {
        position = end;
        continue;
      }
      for (; position < end && position <= to && bytes < bytesMax; position++) {
        const place = placeIn(block, index, position);
        if (place === null) continue;
        places.push(place);
        bytes += place.bytes + messageOverheadBytes;
      }
    }
    return { places, upTo: Math.min(position - 1, to) };
  }

  /** The generation that holds `position`; 0 when it is not live. */
  generationOf(position: Position): number {
    const index = Math.floor(position / blockPositions);
    const block = this.block(index);
    if (block === null) return 0;
    const at = slotWords * (position - index * blockPositions);
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
      const at = slotWords * i;
      const bytes = slots[at]!;
      if (bytes === 0) continue;
      this.generations.released(slots[at + 1]!, bytes);
      slots[at] = 0;
      if (block.bodies !== null) this.removeBody(block.bodies, i);
      removed++;
    }
    this.count -= removed;
    block.live -= removed;
    if (block.live === 0) this.drop(index, block);
    return removed;
  }

  private removeBody(bodies: Uint32Array, at: number): void {
    this.bodyBytes -= bodies[at]!;
    bodies[at] = 0;
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

function placeIn({ slots }: Block, index: number, position: Position): Place | null {
  const at = slotWords * (position - index * blockPositions);
  const bytes = slots[at]!;
  return bytes === 0 ? null : { position, generation: slots[at + 1]!, offset: slots[at + 2]!, bytes };
}
