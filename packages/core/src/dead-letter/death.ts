import type { Address } from '../address.js';
import type { Message } from '../message.js';
import type { DropReason } from '../ports.js';

/** How a message left a queue without being accepted, and where it goes. */
export interface Death {
  readonly queue: string;
  readonly reason: DropReason;
  /** Milliseconds since 1970. */
  readonly atMs: number;
  /** The dead-letter exchange, with the queue's routing key for it or the message's own. */
  readonly address: Address;
  /** The queue names a routing key for it: further ones of the message (CC) are taken away. */
  readonly isRekeyed: boolean;
}

/** A place where a message died, as it is written in it. */
export interface DeathMark {
  readonly queue: string;
  readonly reason: string;
}

/** A message on its way to a dead-letter exchange. */
export interface DeadLetter {
  readonly message: Message;
  /** Routing keys that it goes out with beside its address's (0-9-1: CC). */
  readonly copyKeys: readonly string[];
  /** All of its deaths, the present one first. */
  readonly deaths: readonly DeathMark[];
}

/**
 * Whether a message that died this way would come to `queue` in a circle that nobody but the broker drives: it died there before,
 * and since then no consumer rejected it.
 */
export function isAutomaticCycle(queue: string, deaths: readonly DeathMark[]): boolean {
  const before = deaths.findIndex((death) => death.queue === queue);
  return before !== -1 && deaths.slice(0, before + 1).every(({ reason }) => reason !== 'rejected');
}
