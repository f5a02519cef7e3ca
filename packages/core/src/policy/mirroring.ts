import type { Arguments } from '../arguments.js';
import type { QueueProperties } from '../queue/queue-properties.js';

/** What somebody wishes of a queue's copies. How many there can be is another matter. */
export interface MirroringWish {
  /** How many nodes shall have one, or all of them, or those of these names. */
  readonly copies: number | 'all' | readonly string[];
  /** How many disks at least must have whatever is confirmed; null: as many as usual. */
  readonly min: number | null;
}

/** Copies of a queue of type quorum that says nothing of their number, as in the field. */
const quorumCopies = 3;

/** The argument of queues that a door declares for its own use: how many copies they have where no policy says anything of it. */
export const usualCopies = 'x-usual-copies';

/**
 * What a queue's arguments and the policies that apply to it (their merged definition) come to; null: it lives in one place. A queue of
 * type quorum is always mirrored, and `ha-mode` is nothing to it, as in the field; exclusive and transient ones never are.
 */
export function mirroringWish(
  { durable, owner, arguments: args }: Pick<QueueProperties, 'durable' | 'owner' | 'arguments'>,
  policy: Arguments,
): MirroringWish | null {
  if (!durable || owner !== null) return null;
  const least = policy['min-in-sync'];
  const min = typeof least === 'number' ? least : null;
  if (args['x-queue-type'] === 'quorum') {
    const size = args['x-quorum-initial-group-size'];
    return { copies: typeof size === 'number' ? size : quorumCopies, min };
  }
  const { 'ha-mode': mode, 'ha-params': params } = policy;
  if (mode === 'all') return { copies: 'all', min };
  // Of two policies one may bring the mode and the other the parameters.
  if (mode === 'exactly' && typeof params === 'number') return { copies: params, min };
  if (mode === 'nodes' && Array.isArray(params)) return { copies: params.map(String), min };
  const usual = args[usualCopies];
  return typeof usual === 'number' && usual > 1 ? { copies: usual, min } : null;
}
