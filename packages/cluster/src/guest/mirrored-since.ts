import type { SharedQueue, Topology } from '@chapar/core';
import { type QueueReference, queueOf } from '../peer/queue-reference.js';
import { MirroredQueue } from '../remote/mirrored-queue.js';

/**
 * The face of the queue that a peer means, which is mirrored; null: it is not. What is said of such a one on no line is of when it lived
 * here: the peer hears that it is mirrored, and says it on a line.
 */
export function mirroredSince(topology: Topology, { vhost, name, incarnation }: QueueReference): MirroredQueue | null {
  const queue = topology.vhosts.get(vhost)?.queues.get(name);
  return queue instanceof MirroredQueue && queue.incarnation === incarnation ? queue : null;
}

/** Who takes what a peer publishes to the queue that it means; null: it is gone, or led elsewhere. */
export function takerOf(topology: Topology, reference: QueueReference): SharedQueue | null {
  return mirroredSince(topology, reference) ?? queueOf(topology, reference);
}
