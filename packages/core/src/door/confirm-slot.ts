import type { Refusal } from './confirms.js';

/** Somebody who waits for queues to commit a message. Each queue tells once: committed or refused, perhaps within `enqueue`. */
export interface ConfirmSlot {
  /** One queue has committed it. */
  committed(): void;
  /** One queue will never have it. */
  refused(why: Refusal): void;
}
