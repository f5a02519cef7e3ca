/** A number from 0 to 1, 1 excluded. */
export type Random = () => number;

/** The same numbers for the same seed (mulberry32, public domain). */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}

export function randomBytes(random: Random, max: number, min = 0): Buffer {
  const bytes = Buffer.allocUnsafe(min + Math.floor(random() * (max - min + 1)));
  for (let at = 0; at < bytes.length; at++) bytes[at] = random() * 256;
  return bytes;
}

/** Lengths at which parsers go wrong. */
const EXTREMES = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe, 0xffff_ffff];

/** A copy of `input` with one to eight damages; at most `bytesMax` bytes. */
export function mutate(random: Random, input: Buffer, bytesMax: number): Buffer {
  let bytes = Buffer.from(input);
  for (let left = 1 + Math.floor(random() ** 2 * 8); left > 0; left--) bytes = damage(random, bytes);
  return bytes.subarray(0, bytesMax);
}

function damage(random: Random, bytes: Buffer): Buffer<ArrayBuffer> {
  const at = Math.floor(random() * (bytes.length + 1));
  const to = Math.min(bytes.length, at + 1 + Math.floor(random() * 16));
  switch (Math.floor(random() * 8)) {
    case 0: // cut
      return Buffer.from(bytes.subarray(0, at));
    case 1: // lose some
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(to)]);
    case 2: // say some twice
      return Buffer.concat([bytes.subarray(0, to), bytes.subarray(at)]);
    case 3: // slip some in
      return Buffer.concat([bytes.subarray(0, at), randomBytes(random, 8), bytes.subarray(at)]);
    case 4: // another length
      return overwrite(random, bytes, at);
    default: // another bit or byte
      return touch(random, bytes, at);
  }
}

function overwrite(random: Random, bytes: Buffer, at: number): Buffer<ArrayBuffer> {
  const copy = Buffer.from(bytes);
  const value = EXTREMES[Math.floor(random() * EXTREMES.length)]!;
  if (at + 4 <= copy.length) copy.writeUInt32BE(value, at);
  return copy;
}

function touch(random: Random, bytes: Buffer, at: number): Buffer<ArrayBuffer> {
  const copy = Buffer.from(bytes);
  if (at < copy.length) copy[at] = random() < 0.5 ? copy[at]! ^ (1 << (random() * 8)) : random() * 256;
  return copy;
}
