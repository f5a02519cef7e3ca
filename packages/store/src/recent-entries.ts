import type { Message, Position, Provenance, ReplicaEntry } from '@chapar/core';
import { publishHeadBytes } from './publish-entry.js';
import { FORM_ROOM_BYTES, writeForm } from './replica-form.js';

/** Of one log. Bytes. */
const logBytesMax = 1024 * 1024;
/** Of all logs of the node. Bytes. */
const nodeBytesMax = 64 * 1024 * 1024;
const chunkBytesMin = 4 * 1024;
const chunkBytesMax = 64 * 1024;
/** What a message costs beside its bytes; about right. Bytes. */
const messageOverheadBytes = 300;

/** Messages in one buffer, by position. */
interface Chunk {
  readonly owner: RecentEntries;
  readonly buf: Buffer;
  used: number;
  readonly positions: Position[];
  /** At these positions; null: another message stands there now. */
  readonly entries: (ReplicaEntry | null)[];
}

/** Bounds what all logs of a node keep together: what came first goes first. */
export class RecentShelf {
  private readonly chunks = new Set<Chunk>();
  private bytes = 0;
  private readonly bytesMax: number;

  constructor(bytesMax = nodeBytesMax) {
    this.bytesMax = bytesMax;
  }

  add(chunk: Chunk): void {
    this.chunks.add(chunk);
    this.bytes += chunk.buf.length;
    while (this.bytes > this.bytesMax && this.chunks.size > 1) {
      const oldest: Chunk = this.chunks.values().next().value!;
      oldest.owner.dropOldest();
    }
  }

  /** More than the buffers is in memory, or less again. */
  grown(bytes: number): void {
    this.bytes += bytes;
  }

  remove(chunk: Chunk, bytes: number): void {
    this.chunks.delete(chunk);
    this.bytes -= bytes;
  }
}

/** The last messages that a log took, in the form in which they travel: whoever follows closely gets them without the disk. */
export class RecentEntries {
  private readonly shelf: RecentShelf;
  /** By position. */
  private readonly chunks: Chunk[] = [];
  private bytes = 0;
  /** Who follows asks for one after the other: where the last one stood. */
  private lastChunk: Chunk | null = null;
  private lastAt = 0;

  constructor(shelf: RecentShelf) {
    this.shelf = shelf;
  }

  /** Keeps a message behind all that are there; returns its form, which does not change any more. */
  add(position: Position, message: Message, provenance: Provenance | null): Buffer {
    const bytes = FORM_ROOM_BYTES + publishHeadBytes(message) + message.bodyBytes;
    let chunk = this.chunks.at(-1);
    if (chunk === undefined || chunk.used + bytes > chunk.buf.length) chunk = this.begin(bytes);
    const from = chunk.used + FORM_ROOM_BYTES;
    const to = writeForm(chunk.buf, chunk.used, message);
    const form = chunk.buf.subarray(from, to);
    chunk.used = to;
    chunk.positions.push(position);
    chunk.entries.push({ position, provenance, bytes: form });
    this.bytes += messageOverheadBytes;
    this.shelf.grown(messageOverheadBytes);
    return form;
  }

  get(position: Position): ReplicaEntry | null {
    const next = this.lastChunk;
    if (next !== null && next.positions[this.lastAt + 1] === position) return next.entries[++this.lastAt]!;
    const chunk = this.chunkOf(position);
    const at = chunk === null ? -1 : indexOf(chunk.positions, position);
    if (chunk === null || chunk.positions[at] !== position) return null;
    this.lastChunk = chunk;
    this.lastAt = at;
    return chunk.entries[at]!;
  }

  /** Another message stands there now. */
  forget(position: Position): void {
    const chunk = this.chunkOf(position);
    const at = chunk === null ? -1 : indexOf(chunk.positions, position);
    if (chunk === null || chunk.positions[at] !== position) return;
    chunk.entries[at] = null;
  }

  /** Forgets what stands behind `position`. */
  cut(position: Position): void {
    for (;;) {
      const chunk = this.chunks.at(-1);
      if (chunk === undefined || (chunk.positions.at(-1) ?? 0) <= position) return;
      if (chunk.positions[0]! > position) {
        this.chunks.pop();
        this.drop(chunk);
        continue;
      }
      const length = indexOf(chunk.positions, position + 1);
      const bytes = messageOverheadBytes * (chunk.positions.length - length);
      chunk.positions.length = chunk.entries.length = length;
      this.bytes -= bytes;
      this.shelf.grown(-bytes);
      return;
    }
  }

  dropOldest(): void {
    this.drop(this.chunks.shift()!);
  }

  clear(): void {
    while (this.chunks.length > 0) this.dropOldest();
  }

  private begin(bytesMin: number): Chunk {
    const bytes = Math.min(Math.max(2 * (this.chunks.at(-1)?.buf.length ?? 0), chunkBytesMin), chunkBytesMax);
    const buf = Buffer.allocUnsafeSlow(Math.max(bytes, bytesMin));
    const chunk: Chunk = { owner: this, buf, used: 0, positions: [], entries: [] };
    this.chunks.push(chunk);
    this.bytes += buf.length;
    while (this.bytes > logBytesMax && this.chunks.length > 1) this.dropOldest();
    this.shelf.add(chunk);
    return chunk;
  }

  private drop(chunk: Chunk): void {
    // What is added next may stand at the same positions.
    if (this.lastChunk === chunk) this.lastChunk = null;
    const bytes = chunk.buf.length + messageOverheadBytes * chunk.positions.length;
    this.bytes -= bytes;
    this.shelf.remove(chunk, bytes);
  }

  /** The one that may hold `position`. */
  private chunkOf(position: Position): Chunk | null {
    for (let i = this.chunks.length - 1; i >= 0; i--) {
      const chunk = this.chunks[i]!;
      if (chunk.positions.length > 0 && chunk.positions[0]! <= position) return chunk;
    }
    return null;
  }
}

/** Of the first at or behind `position`. */
function indexOf(positions: readonly Position[], position: Position): number {
  let [low, high] = [0, positions.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (positions[middle]! < position) low = middle + 1;
    else high = middle;
  }
  return low;
}
