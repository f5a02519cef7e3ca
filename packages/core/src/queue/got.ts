import type { Message } from '../message.js';
import type { Delivery } from './delivery.js';

/** What basic.get gets. */
export interface Got {
  readonly message: Message;
  readonly redelivered: boolean;
  /** Null when it is settled by being taken. */
  readonly delivery: Delivery | null;
  /** Ready messages that are left. */
  readonly ready: number;
}
