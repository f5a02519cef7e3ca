import { type Arguments, noArguments } from './arguments.js';
import type { DialectId, Message } from './message.js';

/** What the core asks of a protocol's form of a message, where it has to look beyond the envelope. Each door brings one. */
export interface Dialect {
  readonly id: DialectId;
  /** Application headers, for headers exchanges and the management API. */
  headers(message: Message): Arguments;
  /** Properties as the RabbitMQ management API shows them (`content_type`, `headers`, ...). */
  describe(message: Message): Arguments;
}

/** The dialects of the doors that are built in; filled by whoever composes the broker. */
export class Dialects {
  private readonly byId: (Dialect | undefined)[] = [];

  add(dialect: Dialect): void {
    this.byId[dialect.id] = dialect;
  }

  headers(message: Message): Arguments {
    return this.byId[message.dialect]?.headers(message) ?? noArguments;
  }

  describe(message: Message): Arguments {
    return this.byId[message.dialect]?.describe(message) ?? noArguments;
  }
}
