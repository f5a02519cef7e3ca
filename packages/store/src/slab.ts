const slabBytes = 256 * 1024;
/** Slabs kept for reuse; what a slow disk needed beyond that goes back to the collector. */
const idleSlabsMax = 16;

/** Lends buffers of one size to the groups that gather, and takes them back when they are written. */
export class SlabPool {
  private readonly idle: Buffer[] = [];

  /** A buffer of at least `bytesMin`. */
  take(bytesMin: number): Buffer {
    if (bytesMin > slabBytes) return Buffer.allocUnsafeSlow(bytesMin);
    return this.idle.pop() ?? Buffer.allocUnsafeSlow(slabBytes);
  }

  give(slab: Buffer): void {
    if (slab.length === slabBytes && this.idle.length < idleSlabsMax) this.idle.push(slab);
  }
}
