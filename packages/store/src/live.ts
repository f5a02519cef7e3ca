import type { Position, Range } from '@chapar/core';
import {
  type Block,
  blockPositions,
  bodyBytesAt,
  GENERATION_WORD,
  giveBlock,
  HEAD_WORD,
  headWord,
  OFFSET_WORD,
  priorityOf,
  slotWords,
  takeBlock,
} from './block.js';
import { blockFormBytesMax, readBlockForm, writeBlockForm } from './block-form.js';
import type { Generation, Generations } from './generation.js';
import { SealedBlocks } from './sealed-blocks.js';

/** What a message in memory costs beside the bytes of its entry; about right. Bytes. */
const messageOverheadBytes = 256;
/** Blocks of a queue in the form in which they are changed; when there are more, those that were not asked for are sealed. */
const openBlocksMax = 16;

/** After so many blocks in a row, or nearly, that are not there, it is looked for the next one that is. */
const missesMax = 64;

/** Files end below this, so that offsets fit. Bytes. */
export const fileBytesLimit = 0xffff_ffff;

/** Where an entry stands. */
export interface Place {
  readonly position: Position;
  readonly generation: number;
  readonly offset: number;
  readonly bytes: number;
}

/** Entries that are to be read, by position, and how far that goes. */
export interface Wanted {
  readonly places: Place[];
  readonly upTo: Position;
}

/**
 * Which entries of one queue's log are live, how large each is and where it stands: sixteen bytes a message in blocks of 64
 * positions, found by division, dropped when their last message is settled. So a settlement costs one look-up and a few additions,
 * every file knows its live bytes at any time, and one old unsettled message pins one block and nothing more. Of a long backlog all
 * blocks but a few are sealed: a byte or two a message, until somebody reads or settles there.
 */
export class LiveEntries {
  count = 0;
  /** Of the bodies. */
  bodyBytes = 0;
  /** Of the entries. */
  bytes = 0;
  private readonly open = new Map<number, Block>();
  /** Null until there are too many open ones. */
  private sealed: SealedBlocks | null = null;
  private lastIndex = -1;
  private lastBlock: Block | null = null;
  private readonly generations: Generations;

  constructor(generations: Generations) {
    this.generations = generations;
  }

  /** Notes that `position` is live in `generation`; a copy found or made later takes the place of the earlier one. */
  add(
    position: Position,
    entryBytes: number,
    bodyBytes: number,
    priority: number,
    generation: Generation,
    offset: number,
  ): void {
    const index = Math.floor(position / blockPositions);
    const block = this.block(index) ?? this.begin(index, takeBlock());
    const { slots } = block;
    const at = slotWords * (position - index * blockPositions);
    if (slots[at] === 0) {
      block.live++;
      this.count++;
      this.bodyBytes += bodyBytes;
      this.bytes += entryBytes;
    } else {
      this.generations.released(slots[at + GENERATION_WORD]!, slots[at]!);
      this.bytes += entryBytes - slots[at]!;
      this.bodyBytes += bodyBytes - bodyBytesAt(slots, at);
    }
    slots[at] = entryBytes;
    slots[at + GENERATION_WORD] = generation.number;
    slots[at + OFFSET_WORD] = offset;
    slots[at + HEAD_WORD] = headWord(entryBytes - bodyBytes, priority);
    generation.liveBytes += entryBytes;
    generation.liveCount++;
  }

  /** First and last live position; 0 when there is none. */
  get edges(): readonly [first: Position, last: Position] {
    if (this.count === 0) return [0, 0];
    let lowest = Number.POSITIVE_INFINITY;
    let highest = -1;
    for (const index of this.indexes()) {
      lowest = Math.min(lowest, index);
      highest = Math.max(highest, index);
    }
    const first = this.block(lowest)!.slots;
    let from = 0;
    while (first[slotWords * from] === 0) from++;
    const last = this.block(highest)!.slots;
    let to = blockPositions - 1;
    while (last[slotWords * to] === 0) to--;
    return [lowest * blockPositions + from, highest * blockPositions + to];
  }

  /** What it takes, without the maps that find it. */
  get memoryBytes(): number {
    return this.open.size * blockPositions * slotWords * 4 + (this.sealed?.pagesBytes ?? 0);
  }

  get blockCount(): number {
    return this.open.size + (this.sealed?.size ?? 0);
  }

  /** Calls `visit` with every block in its short form, which is valid during the call; in no order. */
  forEachBlock(visit: (index: number, form: Uint8Array, from: number, to: number) => void): void {
    this.sealed?.forEach(visit);
    for (const [index, { slots }] of this.open) visit(index, scratch, 0, writeBlockForm(slots, scratch, 0));
  }

  /** Takes a block in its short form; there is none of this index yet. Throws RangeError for what is no block, or names a file that nobody knows. */
  addBlock(index: number, form: Uint8Array, from: number, to: number): void {
    const block = takeBlock();
    const { slots } = block;
    block.live = readBlockForm(form, from, to, slots);
    if (block.live <= 0) throw new RangeError('a block that is none');
    for (let at = 0; at < slots.length; at += slotWords) {
      if (slots[at] === 0) continue;
      const generation = this.generations.get(slots[at + GENERATION_WORD]!);
      if (generation === undefined) throw new RangeError('a block with entries in an unknown file');
      generation.liveBytes += slots[at]!;
      generation.liveCount++;
      this.bodyBytes += bodyBytesAt(slots, at);
      this.bytes += slots[at]!;
    }
    this.count += block.live;
    if (this.open.size < openBlocksMax) {
      this.begin(index, block);
      return;
    }
    this.sealed ??= new SealedBlocks();
    this.sealed.putForm(index, form, from, to);
    this.close(block);
  }

  /** Of all blocks, in no order. */
  private indexes(): number[] {
    return this.sealed === null ? [...this.open.keys()] : [...this.open.keys(), ...this.sealed.indexes()];
  }

  private begin(index: number, block: Block): Block {
    this.open.set(index, block);
    this.lastIndex = index;
    this.lastBlock = block;
    if (this.open.size > openBlocksMax) this.seal();
    return block;
  }

  /** Seals the block that was opened first; the one that was begun or opened last is never it. */
  private seal(): void {
    const [index, block] = this.open.entries().next().value!;
    this.open.delete(index);
    this.sealed ??= new SealedBlocks();
    this.sealed.put(index, block.slots);
    this.close(block);
  }

  private close(block: Block): void {
    block.slots.fill(0);
    block.live = 0;
    giveBlock(block);
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
  places(from: Position, to: Position, bytesMax: number): Wanted {
    const places: Place[] = [];
    let bytes = 0;
    let missed = 0;
    let position = from;
    while (position <= to && bytes < bytesMax) {
      const index = Math.floor(position / blockPositions);
      const end = (index + 1) * blockPositions;
      const block = this.block(index);
      if (block === null) {
        position = ++missed % missesMax === 0 ? this.nextFrom(end) : end;
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

  /** Where the next block from here on begins; infinite: there is none. */
  private nextFrom(position: Position): Position {
    const from = Math.floor(position / blockPositions);
    return this.indexes().reduce(
      (next, index) => (index >= from ? Math.min(next, index * blockPositions) : next),
      Infinity,
    );
  }

  /** As `places`, of those at these positions, which ascend; there is one at least. */
  placesAt(positions: readonly Position[], bytesMax: number): Wanted {
    const places: Place[] = [];
    let bytes = 0;
    let count = 0;
    while (count < positions.length && bytes < bytesMax) {
      const place = this.placeOf(positions[count++]!);
      if (place === null) continue;
      places.push(place);
      bytes += place.bytes + messageOverheadBytes;
    }
    return { places, upTo: positions[count - 1]! };
  }

  /** As `places`, of those in these ranges, which ascend; there is one at least. */
  placesIn(ranges: readonly Range[], bytesMax: number): Wanted {
    const places: Place[] = [];
    let bytes = 0;
    for (const { first, last } of ranges) {
      for (const index of this.indexesIn(first, last)) {
        const base = index * blockPositions;
        const block = this.block(index);
        if (block === null) continue;
        const to = Math.min(last, base + blockPositions - 1);
        for (let position = Math.max(first, base); position <= to; position++) {
          const place = placeIn(block, index, position);
          if (place === null) continue;
          if (bytes >= bytesMax) return { places, upTo: places.at(-1)!.position };
          places.push(place);
          bytes += place.bytes + messageOverheadBytes;
        }
      }
    }
    return { places, upTo: ranges.at(-1)!.last };
  }

  /** What lives in `first..last`, as ascending ranges. */
  rangesIn(first: Position, last: Position): Range[] {
    const ranges: { first: Position; last: Position }[] = [];
    for (const index of this.indexesIn(first, last)) {
      const base = index * blockPositions;
      const slots = this.block(index)?.slots;
      if (slots === undefined) continue;
      const to = Math.min(last, base + blockPositions - 1);
      for (let position = Math.max(first, base); position <= to; position++) {
        if (slots[slotWords * (position - base)] === 0) continue;
        const range = ranges.at(-1);
        if (range?.last === position - 1) range.last = position;
        else ranges.push({ first: position, last: position });
      }
    }
    return ranges;
  }

  /** Bytes of the body of a live message. */
  bodyBytesOf(position: Position): number {
    const index = Math.floor(position / blockPositions);
    return bodyBytesAt(this.block(index)!.slots, slotWords * (position - index * blockPositions));
  }

  /** The last live position up to `position`; 0 when there is none. */
  lastUpTo(position: Position): Position {
    for (const index of this.indexesIn(1, position).reverse()) {
      const slots = this.block(index)?.slots;
      if (slots === undefined) continue;
      const base = index * blockPositions;
      for (let i = Math.min(position - base, blockPositions - 1); i >= 0; i--)
        if (slots[slotWords * i] !== 0) return base + i;
    }
    return 0;
  }

  /** Ascending numbers of blocks that may hold something of `first..last`: as many as there are, or fewer. */
  private indexesIn(first: Position, last: Position): number[] {
    if (last < first) return [];
    const from = Math.floor(first / blockPositions);
    const to = Math.floor(last / blockPositions);
    if (to - from < this.blockCount) return Array.from({ length: to - from + 1 }, (_, i) => from + i);
    return this.indexes()
      .filter((index) => index >= from && index <= to)
      .sort((a, b) => a - b);
  }

  /** Calls `visitor` with each live message, by position. */
  visit(visitor: (position: Position, priority: number, bodyBytes: number) => void): void {
    for (const index of this.indexes().sort((a, b) => a - b)) {
      const { slots } = this.block(index)!;
      for (let i = 0; i < blockPositions; i++) {
        const at = slotWords * i;
        if (slots[at] === 0) continue;
        visitor(index * blockPositions + i, priorityOf(slots[at + HEAD_WORD]!), bodyBytesAt(slots, at));
      }
    }
  }

  has(position: Position): boolean {
    const index = Math.floor(position / blockPositions);
    const slots = this.block(index)?.slots;
    return slots !== undefined && slots[slotWords * (position - index * blockPositions)] !== 0;
  }

  /** The generation that holds `position`; 0 when it is not live. */
  generationOf(position: Position): number {
    const index = Math.floor(position / blockPositions);
    const block = this.block(index);
    if (block === null) return 0;
    const at = slotWords * (position - index * blockPositions);
    return block.slots[at] === 0 ? 0 : block.slots[at + GENERATION_WORD]!;
  }

  /** Whether this entry is the one that counts for `position`. */
  standsAt(position: Position, generation: number, offset: number): boolean {
    const index = Math.floor(position / blockPositions);
    const slots = this.block(index)?.slots;
    if (slots === undefined) return false;
    const at = slotWords * (position - index * blockPositions);
    return slots[at] !== 0 && slots[at + GENERATION_WORD] === generation && slots[at + OFFSET_WORD] === offset;
  }

  /** Forgets `first..last`; returns how many of them were live. */
  remove(first: Position, last: Position): number {
    const firstIndex = Math.floor(first / blockPositions);
    const lastIndex = Math.floor(last / blockPositions);
    if (firstIndex === lastIndex) return this.removeInBlock(firstIndex, first, last);
    let removed = 0;
    // A purge may name a range that is far wider than what lives in it.
    if (lastIndex - firstIndex > this.open.size + (this.sealed?.size ?? 0)) {
      for (const index of this.indexes()) {
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
    for (const index of this.indexes()) {
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
      this.generations.released(slots[at + GENERATION_WORD]!, bytes);
      this.bodyBytes -= bodyBytesAt(slots, at);
      this.bytes -= bytes;
      slots[at] = 0;
      removed++;
    }
    this.count -= removed;
    block.live -= removed;
    if (block.live === 0) this.drop(index, block);
    return removed;
  }

  private drop(index: number, block: Block): void {
    this.open.delete(index);
    if (this.lastIndex === index) {
      this.lastIndex = -1;
      this.lastBlock = null;
    }
    giveBlock(block);
  }

  private block(index: number): Block | null {
    if (index === this.lastIndex) return this.lastBlock;
    const block = this.open.get(index);
    if (block === undefined) return this.sealed === null ? null : this.unseal(this.sealed, index);
    this.lastIndex = index;
    this.lastBlock = block;
    return block;
  }

  private unseal(sealed: SealedBlocks, index: number): Block | null {
    if (!sealed.has(index)) return null;
    const block = takeBlock();
    block.live = sealed.take(index, block.slots);
    return this.begin(index, block);
  }
}

const scratch = new Uint8Array(blockFormBytesMax);

function placeIn({ slots }: Block, index: number, position: Position): Place | null {
  const at = slotWords * (position - index * blockPositions);
  const bytes = slots[at]!;
  if (bytes === 0) return null;
  return { position, generation: slots[at + GENERATION_WORD]!, offset: slots[at + OFFSET_WORD]!, bytes };
}
