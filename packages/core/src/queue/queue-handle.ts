import type { ConfirmSlot } from '../door/confirm-slot.js';
import type { Message } from '../message.js';
import type { Incarnation } from '../ports.js';
import type { Provenance } from '../replica-log.js';

/** Where the router hands a message over. Local queues, buffer-less ones and (later) queues led by another node share this face. */
export interface QueueHandle {
  readonly name: string;
  /** Names this life of the queue. */
  readonly incarnation: Incarnation;
  /** True when persistent messages are logged, so that their confirm has to wait for `slot`. */
  readonly logs: boolean;
  /** True when it may refuse a message that it would not log, too. Who changes that raises the virtual host's version. */
  readonly mayRefuse: boolean;
  /**
   * Takes the message. `slot` is given when a confirm has to wait, and is told once: committed or refused. `from`: of a dead letter that
   * another leader of the queue that it left may send as well; a queue that can tell takes it once.
   */
  enqueue(message: Message, slot: ConfirmSlot | null, from?: Provenance): void;
}
