import { randomBytes, randomInt, randomUUID } from 'node:crypto';
import type { Random } from '../random.js';

/** The operating system's cryptographic generator. */
export class NodeRandom implements Random {
  bytes(count: number): Buffer {
    return randomBytes(count);
  }

  /** `below` from 1 to 2^48 - 1 (node:crypto's own bound); others throw RangeError. */
  integer(below: number): number {
    return randomInt(below);
  }

  uuid(): string {
    return randomUUID();
  }
}
