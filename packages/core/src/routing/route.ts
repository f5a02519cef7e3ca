import type { QueueHandle } from '../queue/queue-handle.js';

/** Where an address leads: the queues, each once. Shared and never changed; a new one is made when a binding changes. */
export interface Route {
  readonly queues: readonly QueueHandle[];
  /** True when at least one queue logs persistent messages, so that their confirms have to wait. */
  readonly logs: boolean;
  /** True when at least one queue may refuse any message: by a length limit, for one. */
  readonly mayRefuse: boolean;
}

export const emptyRoute: Route = { queues: [], logs: false, mayRefuse: false };

export function routeTo(queues: readonly QueueHandle[]): Route {
  if (queues.length === 0) return emptyRoute;
  return { queues, logs: queues.some((queue) => queue.logs), mayRefuse: queues.some((queue) => queue.mayRefuse) };
}
