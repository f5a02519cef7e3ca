import { readVarint, varintLength, writeVarint } from '@chapar/bytes';
import { blockPositions, GENERATION_WORD, HEAD_WORD, OFFSET_WORD, slotWords } from './block.js';

// A block in few bytes. Neighbours have much in common: they stand one behind another in one file, and are often of one size.
// Runs of entries that differ in nothing but their offset; each says only what is new beside the run before it (docs/FORMAT.md).

const SKIP = 1;
const COUNT = 2;
const LENGTH = 4;
const GENERATION = 8;
const OFFSET = 16;
const GAP = 32;
const HEAD = 64;

/** No block needs more: every slot a run, with all fields at their longest. Bytes. */
export const blockFormBytesMax = blockPositions * (1 + 1 + 1 + 5 + 5 + 5 + 5 + 5);

/** Writes the block at `at` and returns where it ends. There have to be `blockFormBytesMax` bytes. */
export function writeBlockForm(slots: Uint32Array, out: Uint8Array, at: number): number {
  let end = at;
  let [length, head, generation, offset] = [0, 0, 0, 0];
  let next = 0;
  for (let i = 0; i < blockPositions; ) {
    const slot = slotWords * i;
    if (slots[slot] === 0) {
      i++;
      continue;
    }
    const runLength = slots[slot]!;
    const runHead = slots[slot + HEAD_WORD]!;
    const runGeneration = slots[slot + GENERATION_WORD]!;
    const runOffset = slots[slot + OFFSET_WORD]!;
    const count = runCount(slots, i);
    const gap = count === 1 ? 0 : slots[slot + slotWords + OFFSET_WORD]! - runOffset - runLength;
    const flagsAt = end++;
    let flags = 0;
    if (i !== next) {
      flags |= SKIP;
      end = writeVarint(out, end, i - next);
    }
    if (count !== 1) {
      flags |= COUNT;
      end = writeVarint(out, end, count);
    }
    if (runLength !== length) {
      flags |= LENGTH;
      end = writeVarint(out, end, runLength);
    }
    if (runGeneration !== generation) {
      flags |= GENERATION;
      end = writeVarint(out, end, zigzag(runGeneration - generation));
    }
    if (runOffset !== offset) {
      flags |= OFFSET;
      end = writeVarint(out, end, zigzag(runOffset - offset));
    }
    if (gap !== 0) {
      flags |= GAP;
      end = writeVarint(out, end, gap);
    }
    if (runHead !== head) {
      flags |= HEAD;
      end = writeVarint(out, end, runHead);
    }
    out[flagsAt] = flags;
    [length, head, generation] = [runLength, runHead, runGeneration];
    offset = runOffset + count * (runLength + gap);
    i += count;
    next = i;
  }
  return end;
}

/** How many slots from `first` on differ in their offsets alone, and in them by the same distance. */
function runCount(slots: Uint32Array, first: number): number {
  const from = slotWords * first;
  const stride = slots[from + slotWords + OFFSET_WORD]! - slots[from + OFFSET_WORD]!;
  if (!(stride >= slots[from]!)) return 1;
  let i = first + 1;
  for (; i < blockPositions; i++) {
    const at = slotWords * i;
    if (slots[at] !== slots[from] || slots[at + GENERATION_WORD] !== slots[from + GENERATION_WORD]) break;
    if (slots[at + HEAD_WORD] !== slots[from + HEAD_WORD]) break;
    if (slots[at + OFFSET_WORD]! - slots[at - slotWords + OFFSET_WORD]! !== stride) break;
  }
  return i - first;
}

/**
 * Reads a block at [at, end) into empty slots and returns how many are live; -1 when this is no block (the slots are then in disorder).
 * Throws CursorError where it is cut.
 */
export function readBlockForm(buf: Uint8Array, at: number, end: number, slots: Uint32Array): number {
  let position = at;
  let [length, head, generation, offset] = [0, 0, 0, 0];
  let i = 0;
  let live = 0;
  const field = (): number => {
    const value = readVarint(buf, position, end);
    position += varintLength(value);
    return value;
  };
  while (position < end) {
    const flags = buf[position++]!;
    if ((flags & SKIP) !== 0) i += field();
    const count = (flags & COUNT) === 0 ? 1 : field();
    if ((flags & LENGTH) !== 0) length = field();
    if ((flags & GENERATION) !== 0) generation += unzigzag(field());
    if ((flags & OFFSET) !== 0) offset += unzigzag(field());
    const gap = (flags & GAP) === 0 ? 0 : field();
    if ((flags & HEAD) !== 0) head = field();
    if (i + count > blockPositions || length === 0 || (head & 0xff_ffff) > length || offset < 0 || generation < 0)
      return -1;
    for (const last = i + count; i < last; i++) {
      const slot = slotWords * i;
      slots[slot] = length;
      slots[slot + GENERATION_WORD] = generation;
      slots[slot + OFFSET_WORD] = offset;
      slots[slot + HEAD_WORD] = head;
      offset += length + gap;
    }
    live += count;
  }
  return live;
}

/** Small numbers of either sign to small ones without. */
function zigzag(value: number): number {
  return value < 0 ? -2 * value - 1 : 2 * value;
}

function unzigzag(value: number): number {
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
}
