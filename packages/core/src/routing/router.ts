import type { Random } from '@chapar/platform';
import type { Arguments } from '../arguments.js';
import type { JsonValue } from '../ports.js';
import type { Binding } from './binding.js';

/** What a router may know of a message beside its routing key. Read from the message's bytes when it is asked for. */
export interface Subject {
  /** Application headers. */
  readonly headers: Arguments;
  /** A property by the management API's name for it (`message_id`); undefined when the message has none of it. */
  property(name: string): JsonValue | undefined;
}

/**
 * The bindings of one exchange, and which of them a message matches. It never sees queues or publishers, and it must not throw: what
 * cannot be routed by was refused when the exchange or the binding was declared.
 */
export interface Router {
  /**
   * What its answer depends on beside the bindings. `routing-key`: on nothing else, so that a route is remembered for the key until
   * a binding comes or goes, and the subject must not be looked at. `message`: on headers, properties or chance, so that it is asked
   * for each message.
   */
  readonly decidesBy: 'routing-key' | 'message';
  add(binding: Binding): void;
  /** Of one that is not there: nothing. */
  remove(binding: Binding): void;
  /** Calls `match` for each binding that the message matches, at least once (twice is harmless). */
  route(routingKey: string, subject: Subject, match: (binding: Binding) => void): void;
}

/** What is wrong with arguments: the channel is closed with 406 and a text that names both. */
export interface ArgumentFault {
  readonly argument: string;
  readonly reason: string;
}

/**
 * A type of exchange. To add one: write a file beside this one that exports an object of this form, and name it in
 * `exchange-types.ts`; `docs/EXCHANGES.md` has an example.
 */
export interface ExchangeType {
  /** As exchange.declare names it. Never renamed: stored exchanges name it too. */
  readonly name: string;
  /** For the list of types in the management API. */
  readonly description: string;
  /** Arguments that make an exchange of this type what it is: to declare it again with others is refused. */
  readonly comparedArguments?: readonly string[];
  /** What an exchange cannot be declared with; null when nothing is wrong. */
  readonly invalidArguments?: (args: Arguments) => ArgumentFault | null;
  /** What it cannot be bound with; null when nothing is wrong. `declared`: the arguments of the exchange. */
  readonly invalidBinding?: (routingKey: string, args: Arguments, declared: Arguments) => ArgumentFault | null;
  /** Messages that ask for it wait in the exchange (`x-delay`) before they are routed. */
  readonly delays?: boolean;
  /** For one exchange. `args`: as declared; they were found valid, perhaps by an earlier version of this broker. */
  readonly create: (args: Arguments, random: Random) => Router;
}
