import type { Random } from '../random.js';

/**
 * A repeatable generator: xoshiro128** 1.1 (Blackman and Vigna, "Scrambled linear pseudorandom number generators"),
 * its four words filled from the seed by SplitMix32-style mixing so that neighbouring seeds share nothing.
 * Never for secrets.
 */
export class SimRandom implements Random {
  private readonly state = new Uint32Array(4);

  constructor(seed: number) {
    let word = mix(Math.floor(seed / 2 ** 32) ^ 0x9e3779b9) ^ (seed >>> 0);
    for (let i = 0; i < 4; i++) {
      word = (word + 0x9e3779b9) >>> 0;
      this.state[i] = mix(word);
    }
    // All zeroes is the one state it never leaves.
    if (this.state.every((part) => part === 0)) this.state[0] = 1;
  }

  /** An independent stream, so that one user's draws do not change what another one gets. */
  fork(label: string): SimRandom {
    let hash = this.uint32();
    for (let i = 0; i < label.length; i++) hash = mix(hash ^ label.charCodeAt(i));
    return new SimRandom(hash);
  }

  uint32(): number {
    const s = this.state;
    const result = Math.imul(rotateLeft(Math.imul(s[1]!, 5), 7), 9) >>> 0;
    const carried = s[1]! << 9;
    s[2]! ^= s[0]!;
    s[3]! ^= s[1]!;
    s[1]! ^= s[2]!;
    s[0]! ^= s[3]!;
    s[2]! ^= carried;
    s[3] = rotateLeft(s[3]!, 11);
    return result;
  }

  /** From 0 up to, not including, 1: 53 bits. */
  unit(): number {
    return ((this.uint32() >>> 5) * 0x4000000 + (this.uint32() >>> 6)) / 2 ** 53;
  }

  /** True in `share` of all draws. */
  chance(share: number): boolean {
    return this.unit() < share;
  }

  bytes(count: number): Buffer {
    const bytes = Buffer.allocUnsafeSlow(count);
    for (let i = 0; i < count; i++) bytes[i] = this.uint32() >>> 24;
    return bytes;
  }

  integer(below: number): number {
    if (!Number.isSafeInteger(below) || below < 1) throw new RangeError(`no integer lies below ${below}`);
    return Math.floor(this.unit() * below);
  }

  uuid(): string {
    const bytes = this.bytes(16);
    bytes[6] = (bytes[6]! & 0x0f) | 0x40;
    bytes[8] = (bytes[8]! & 0x3f) | 0x80;
    const hex = bytes.toString('hex');
    return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
  }
}

function rotateLeft(word: number, bits: number): number {
  return ((word << bits) | (word >>> (32 - bits))) >>> 0;
}

/** MurmurHash3's finalizer with constants of better avalanche (Chris Wellons' search). */
function mix(word: number): number {
  let mixed = word ^ (word >>> 16);
  mixed = Math.imul(mixed, 0x21f0aaad);
  mixed ^= mixed >>> 15;
  mixed = Math.imul(mixed, 0x735a2d97);
  return (mixed ^ (mixed >>> 15)) >>> 0;
}
