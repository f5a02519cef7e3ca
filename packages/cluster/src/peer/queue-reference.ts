import type { Queue, SharedQueue, Topology } from '@chapar/core';

/** How nodes name a queue to each other: also the life of it that is meant. */
export interface QueueReference {
  readonly vhost: string;
  readonly name: string;
  readonly incarnation: string;
}

export function referenceTo({ name, incarnation, properties }: SharedQueue): QueueReference {
  return { vhost: properties.vhost, name, incarnation };
}

/** The queue of this node that is meant; null: it is gone. */
export function queueOf(topology: Topology, { vhost, name, incarnation }: QueueReference): Queue | null {
  const queue = topology.vhosts.get(vhost)?.localQueue(name);
  return queue !== undefined && queue.incarnation === incarnation ? queue : null;
}
