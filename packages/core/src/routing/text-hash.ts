/**
 * A number of 32 bits for a text (FNV-1a, finished as in MurmurHash3, so that texts that differ in one character have nothing in
 * common). Which queue a key leads to follows from it: it must be the same in every version and on every node.
 */
export function textHash(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return mixed(hash);
}

/** Every bit of the result depends on every bit of `hash`; no two give the same. */
export function mixed(hash: number): number {
  let bits = hash ^ (hash >>> 16);
  bits = Math.imul(bits, 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}
