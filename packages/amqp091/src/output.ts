import { DIALECT_AMQP091, type Dialects, type Message, Output as Slabs, type Turn } from '@chapar/core';
import type { Wire } from '@chapar/platform';

export { viewBytesMin } from '@chapar/core';

/** What a connection writes. Messages that came through other doors are put into this one's form here, at the exit. */
export class Output extends Slabs {
  private readonly dialects: Dialects;

  constructor(wire: Wire, turn: Turn, dialects: Dialects, onFlushed: () => void) {
    super(wire, turn, onFlushed);
    this.dialects = dialects;
  }

  formed(message: Message): Message {
    return message.dialect === DIALECT_AMQP091 ? message : this.dialects.inDialect(message, DIALECT_AMQP091);
  }
}
