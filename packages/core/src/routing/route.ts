import type { Queue } from '../queue/queue.js';

/** Where an address leads: the queues, each once. Shared and never changed; a new one is made when a binding changes. */
export interface Route {
  readonly queues: readonly Queue[];
  /** True when at least one queue logs persistent messages, so that their confirms may have to wait. */
  readonly durable: boolean;
}
