import type { Message } from '../message.js';

/** What a message in memory costs beside its bytes: the object, its place in a ring, its share of a slab. About right, bytes. */
const messageOverheadBytes = 256;
/** Of its window, what a queue may use when the node's budget is spent: enough to go on, little enough for ten thousand queues. */
const poorShare = 64;

/** How much of their backlogs the queues of a node keep in memory; the rest lies on disk. */
export class Memory {
  /** Waiting messages in memory, of all queues together. */
  usedBytes = 0;
  private readonly windowBytes: number;
  private readonly budgetBytes: number;

  /** `windowBytes`: of one queue. `budgetBytes`: of all; beyond it, each queue keeps the little that it needs to go on. */
  constructor(windowBytes: number, budgetBytes: number) {
    this.windowBytes = windowBytes;
    this.budgetBytes = budgetBytes;
  }

  /** What a queue's older half (the next to be delivered) may hold now; the younger half may hold as much. */
  get halfWindowBytes(): number {
    return this.usedBytes < this.budgetBytes ? this.windowBytes / 2 : this.windowBytes / (2 * poorShare);
  }

  /** A queue whose older half has fallen below this reads on. */
  get lowBytes(): number {
    return this.halfWindowBytes / 2;
  }
}

export const unboundedMemory = (): Memory => new Memory(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY);

/** What the message costs while it waits in memory. Bytes. */
export function costBytes(message: Message): number {
  return messageOverheadBytes + message.propertiesEnd - message.propertiesStart + message.bodyBytes;
}
