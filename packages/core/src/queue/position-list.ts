import type { Position } from '../ports.js';

const chunkBytes = 512;
/** Of one position: seven bits a byte. */
const varintBytesMax = 8;

/** Distances from position to position, as varints. */
interface Chunk {
  readonly bytes: Uint8Array;
  from: number;
  to: number;
}

/** Ascending positions, in at the end and out at the beginning: a byte or two each, as long as they stand near each other. */
export class PositionList {
  length = 0;
  private readonly chunks: Chunk[] = [];
  private lastRead: Position = 0;
  private lastWritten: Position = 0;
  /** Those that were put before the others, the first one last. */
  private readonly before: Position[] = [];

  /** 0 when empty. */
  get first(): Position {
    if (this.before.length > 0) return this.before[this.before.length - 1]!;
    const chunk = this.chunks[0];
    return chunk === undefined ? 0 : this.lastRead + readVarint(chunk, false);
  }

  /** Above all that are in the list. */
  push(position: Position): void {
    let chunk = this.chunks[this.chunks.length - 1];
    if (chunk === undefined) this.lastRead = this.lastWritten = 0;
    if (chunk === undefined || chunk.to + varintBytesMax > chunkBytes) {
      chunk = { bytes: new Uint8Array(chunkBytes), from: 0, to: 0 };
      this.chunks.push(chunk);
    }
    writeVarint(chunk, position - this.lastWritten);
    this.lastWritten = position;
    this.length++;
  }

  /** Below all that are in the list. */
  unshift(position: Position): void {
    this.before.push(position);
    this.length++;
  }

  /** Takes the first one out. Only when not empty. */
  shift(): Position {
    this.length--;
    if (this.before.length > 0) return this.before.pop()!;
    const chunk = this.chunks[0]!;
    this.lastRead += readVarint(chunk, true);
    if (chunk.from === chunk.to) this.chunks.shift();
    return this.lastRead;
  }

  /** The first `count` of them, or all. */
  firsts(count: number): Position[] {
    const positions: Position[] = [];
    for (let i = this.before.length; i > 0 && positions.length < count; i--) positions.push(this.before[i - 1]!);
    let position = this.lastRead;
    for (const chunk of this.chunks) {
      const cursor = { ...chunk };
      while (cursor.from < cursor.to) {
        if (positions.length >= count) return positions;
        position += readVarint(cursor, true);
        positions.push(position);
      }
    }
    return positions;
  }

  /** Takes these out, which ascend; returns those that were here. What stands before the last of them is gone over. */
  remove(wanted: readonly Position[]): Position[] {
    const removed: Position[] = [];
    const kept: Position[] = [];
    for (let next = 0; this.length > 0; ) {
      const { first } = this;
      while (next < wanted.length && wanted[next]! < first) next++;
      if (next === wanted.length) break;
      this.shift();
      if (first === wanted[next]) removed.push(first);
      else kept.push(first);
    }
    for (let i = kept.length - 1; i >= 0; i--) this.unshift(kept[i]!);
    return removed;
  }

  clear(): void {
    this.length = this.chunks.length = this.before.length = 0;
  }
}

function writeVarint(chunk: Chunk, value: number): void {
  let rest = value;
  while (rest > 0x7f) {
    chunk.bytes[chunk.to++] = (rest % 0x80) | 0x80;
    rest = Math.floor(rest / 0x80);
  }
  chunk.bytes[chunk.to++] = rest;
}

/** The next one of the chunk; `isTaken`: and goes behind it. */
function readVarint(chunk: Chunk, isTaken: boolean): number {
  let value = 0;
  let factor = 1;
  let at = chunk.from;
  for (;;) {
    const byte = chunk.bytes[at++]!;
    value += (byte & 0x7f) * factor;
    if (byte < 0x80) break;
    factor *= 0x80;
  }
  if (isTaken) chunk.from = at;
  return value;
}
