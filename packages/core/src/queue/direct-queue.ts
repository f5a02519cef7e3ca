import type { ConfirmSlot } from '../door/confirm-slot.js';
import type { Message } from '../message.js';
import type { QueueHandle } from './queue-handle.js';

/** A way from the router straight to one peer, without a buffer: a message is sent at once or not at all (direct reply-to). */
export class DirectQueue implements QueueHandle {
  readonly name: string;
  readonly incarnation = '';
  readonly logs = false;
  readonly mayRefuse = false;
  private readonly send: (message: Message) => void;

  constructor(name: string, send: (message: Message) => void) {
    this.name = name;
    this.send = send;
  }

  enqueue(message: Message, slot: ConfirmSlot | null): void {
    this.send(message);
    slot?.committed();
  }
}
