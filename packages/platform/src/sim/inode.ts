import type { SimRandom } from './random.js';

/** Disks write sectors whole; anything longer may be torn by a power cut. */
export const sectorBytes = 512;

/** How much of what was not synced survives a crash. */
export type CrashKeep = 'some' | 'nothing' | 'everything';

type Change =
  | { readonly kind: 'write'; readonly offset: number; readonly bytes: Buffer }
  | { readonly kind: 'truncate'; readonly bytes: number };

/** A file's content, apart from its names: what readers see, and what would be left without power. */
export class Inode {
  visible = owned(Buffer.alloc(0), 0);
  private durable = owned(Buffer.alloc(0), 0);
  /** Changes since the last sync, oldest first. */
  private unsynced: Change[] = [];
  /** Changes that left the list so far: syncs overlap, so they name a point in the whole history. */
  private settled = 0;

  write(offset: number, bytes: Buffer): void {
    if (bytes.length === 0) return;
    const change: Change = { kind: 'write', offset, bytes: Buffer.from(bytes) };
    this.unsynced.push(change);
    this.visible = apply(this.visible, change);
  }

  truncate(bytes: number): void {
    const change: Change = { kind: 'truncate', bytes };
    this.unsynced.push(change);
    this.visible = apply(this.visible, change);
  }

  /** How many changes there were so far: a sync that begins now covers these. */
  get changes(): number {
    return this.settled + this.unsynced.length;
  }

  /** The first `changes` changes are on the platter. */
  synced(changes: number): void {
    for (const change of this.take(changes)) this.durable = apply(this.durable, change);
  }

  /**
   * A sync failed. As on Linux (the "fsyncgate" of 2018) the dirty pages count as clean from now on: readers still see
   * them, a later sync reports success, and they are not on the disk.
   */
  syncFailed(changes: number): void {
    this.take(changes);
  }

  /** Power fails. Sectors of unsynced writes survive each on its own, so writes tear and overtake each other. */
  crash(keep: CrashKeep, random: SimRandom): void {
    for (const change of this.unsynced) {
      for (const part of sectors(change)) {
        if (keep === 'everything' || (keep === 'some' && random.chance(0.5))) this.durable = apply(this.durable, part);
      }
    }
    this.settled += this.unsynced.length;
    this.unsynced = [];
    this.visible = owned(this.durable, this.durable.length);
  }

  private take(changes: number): Change[] {
    const taken = this.unsynced.splice(0, Math.max(0, changes - this.settled));
    this.settled += taken.length;
    return taken;
  }

  /** Another file with what readers see of this one, all of it durable. */
  copy(): Inode {
    const copy = new Inode();
    copy.visible = owned(this.visible, this.visible.length);
    copy.durable = owned(this.visible, this.visible.length);
    return copy;
  }

  /** Flips bits on the platter: what a scrub or a checksum should find. */
  corrupt(offset: number, mask: number): void {
    for (const content of [this.visible, this.durable]) {
      if (offset < content.length) content[offset]! ^= mask;
    }
  }
}

function apply(content: Buffer, change: Change): Buffer {
  if (change.kind === 'truncate') return resized(content, change.bytes);
  const end = change.offset + change.bytes.length;
  const target = end > content.length ? resized(content, end) : content;
  change.bytes.copy(target, change.offset);
  return target;
}

/** Grows within spare capacity where there is some, so that appending to a file is not quadratic. */
function resized(content: Buffer, bytes: number): Buffer {
  if (bytes > content.buffer.byteLength) return owned(content, bytes);
  const same = Buffer.from(content.buffer, 0, bytes);
  if (bytes > content.length) same.fill(0, content.length);
  return same;
}

/** A copy that is alone in its memory, with room to grow. */
function owned(content: Buffer, bytes: number): Buffer {
  const fresh = Buffer.from(new ArrayBuffer(Math.max(sectorBytes, bytes * 2)), 0, bytes);
  content.copy(fresh);
  return fresh;
}

function* sectors(change: Change): Generator<Change> {
  if (change.kind === 'truncate') {
    yield change;
    return;
  }
  let at = change.offset;
  const end = change.offset + change.bytes.length;
  while (at < end) {
    const next = Math.min(end, (Math.floor(at / sectorBytes) + 1) * sectorBytes);
    yield { kind: 'write', offset: at, bytes: change.bytes.subarray(at - change.offset, next - change.offset) };
    at = next;
  }
}
