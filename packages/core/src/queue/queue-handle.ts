import type { ConfirmSlot } from '../door/confirm-slot.js';
import type { Message } from '../message.js';
import type { Incarnation } from '../ports.js';

/** Where the router hands a message over. Local queues, buffer-less ones and (later) queues led by another node share this face. */
export interface QueueHandle {
  readonly name: string;
  /** Names this life of the queue. */
  readonly incarnation: Incarnation;
  /** True when persistent messages are logged, so that their confirm has to wait for `slot`. */
  readonly logs: boolean;
  /** True when it may refuse a message that it would not log, too. Who changes that raises the virtual host's version. */
  readonly mayRefuse: boolean;
  /** Takes the message. `slot` is given when a confirm has to wait, and is told once: committed or refused. */
  enqueue(message: Message, slot: ConfirmSlot | null): void;
}
