import type { QueueHandle } from '../queue/queue-handle.js';

/** Where an address leads: the queues, each once. Shared and never changed; a new one is made when a binding changes. */
export interface Route {
  readonly queues: readonly QueueHandle[];
  /** True when at least one queue logs persistent messages, so that their confirms have to wait. */
  readonly logs: boolean;
}

export const emptyRoute: Route = { queues: [], logs: false };

export function routeTo(queues: readonly QueueHandle[]): Route {
  return queues.length === 0 ? emptyRoute : { queues, logs: queues.some((queue) => queue.logs) };
}
