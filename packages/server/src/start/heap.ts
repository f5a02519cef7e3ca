import { setFlagsFromString } from 'node:v8';

/**
 * Buffers lie outside of the engine's heap and count in it: what was asked for since the last full collection brings the next one nearer.
 * Behind a full collection of a small heap (35 MiB) the engine leaves room for less than the 32 MiB of young buffers with which it begins a
 * cheap one, so that from then on every collection is a full one: a node that does nothing but copy a busy queue spent half of its time
 * on that. A heap that may grow to two and a half times what lives leaves enough room (node 20 to 24).
 */
const growthPercent = 150;

/** Called before anything else: it counts from the next full collection on. */
export function letHeapGrow(): void {
  setFlagsFromString(`--heap-growing-percent=${growthPercent}`);
}
