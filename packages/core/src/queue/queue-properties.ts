import type { Arguments } from '../arguments.js';
import type { Incarnation } from '../ports.js';

/** What a queue is declared as. */
export interface QueueProperties {
  readonly name: string;
  readonly vhost: string;
  readonly durable: boolean;
  readonly autoDelete: boolean;
  /** The connection that owns it, null when it is not exclusive. Compared by identity. */
  readonly owner: object | null;
  readonly arguments: Arguments;
  readonly incarnation: Incarnation;
}

/** The owner of exclusive queues that are deleted. */
export const nobody = {};
