import { randomBytes, randomFillSync, randomInt, randomUUID } from 'node:crypto';
import type { Random } from '../random.js';

/** Asked for at once: a call to the generator costs tens of microseconds however little it is asked for. Bytes. */
const poolBytes = 4096;

/** The operating system's cryptographic generator. */
export class NodeRandom implements Random {
  private readonly pool = Buffer.alloc(poolBytes);
  private at = poolBytes;

  bytes(count: number): Buffer {
    if (count > poolBytes / 16) return randomBytes(count);
    if (this.at + count > poolBytes) {
      randomFillSync(this.pool);
      this.at = 0;
    }
    const from = this.at;
    this.at += count;
    const bytes = Buffer.from(this.pool.subarray(from, this.at));
    // What was given away is nobody else's business any more.
    this.pool.fill(0, from, this.at);
    return bytes;
  }

  /** `below` from 1 to 2^48 - 1 (node:crypto's own bound); others throw RangeError. */
  integer(below: number): number {
    return randomInt(below);
  }

  uuid(): string {
    return randomUUID();
  }
}
