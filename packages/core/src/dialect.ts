import { type Arguments, noArguments } from './arguments.js';
import type { DeadLetter, Death } from './dead-letter/death.js';
import { inForm } from './hub/convert.js';
import type { Sections } from './hub/sections.js';
import type { DialectId, Message } from './message.js';
import type { JsonValue } from './ports.js';

/** What the core asks of a protocol's form of a message, where it has to look beyond the envelope. Each door brings one. */
export interface Dialect {
  readonly id: DialectId;
  /** Application headers, for headers exchanges and the management API. */
  headers(message: Message): Arguments;
  /** One of them; undefined without it. */
  header(message: Message, name: string): JsonValue | undefined;
  /** Another message, the same but for its headers: without those in `removed`, with those in `set`. Nobody has received it yet. */
  withHeaders(message: Message, set: Arguments, removed: readonly string[]): Message;
  /** Properties as the RabbitMQ management API shows them (`content_type`, `headers`, ...). */
  describe(message: Message): Arguments;
  /** The message as it goes on to `death.address`, with what happened to it written where its readers look (`x-death`). */
  deadLettered(message: Message, death: Death): DeadLetter;
  /** The message with how often it was given back so far, where its readers look (`x-delivery-count`). */
  withDeliveryCount(message: Message, count: number): Message;
  /** What it says, in no protocol's form; the way out of this dialect. */
  sections(message: Message): Sections;
  /** The properties of a message that says this; the way into this dialect. */
  ofSections(sections: Sections): Buffer;
}

/** The dialects of the doors that are built in; filled by whoever composes the broker, before it opens. */
export class Dialects {
  private readonly byId: (Dialect | undefined)[] = [];
  /** The last conversion: a message that goes to many consumers of another door is converted once. */
  private lastFrom: Message | null = null;
  private lastTo: Message | null = null;

  add(dialect: Dialect): void {
    this.byId[dialect.id] = dialect;
  }

  /** The message in a door's form, through the neutral sections: called once, at the exit. */
  inDialect(message: Message, dialect: DialectId): Message {
    if (message.dialect === dialect) return message;
    if (this.lastFrom === message && this.lastTo!.dialect === dialect) return this.lastTo!;
    const sections = this.byId[message.dialect]!.sections(message);
    this.lastTo = inForm(message, dialect, this.byId[dialect]!.ofSections(sections));
    this.lastFrom = message;
    return this.lastTo;
  }

  headers(message: Message): Arguments {
    return this.byId[message.dialect]?.headers(message) ?? noArguments;
  }

  /** Here and in what makes another message of one, the dialect has to be there: nothing could be made up for it. */
  header(message: Message, name: string): JsonValue | undefined {
    return this.byId[message.dialect]!.header(message, name);
  }

  withHeaders(message: Message, set: Arguments, removed: readonly string[]): Message {
    return this.byId[message.dialect]!.withHeaders(message, set, removed);
  }

  describe(message: Message): Arguments {
    return this.byId[message.dialect]?.describe(message) ?? noArguments;
  }

  deadLettered(message: Message, death: Death): DeadLetter {
    return this.byId[message.dialect]!.deadLettered(message, death);
  }

  withDeliveryCount(message: Message, count: number): Message {
    return this.byId[message.dialect]!.withDeliveryCount(message, count);
  }
}
