import type { Arguments } from '../arguments.js';
import type { Binding } from './binding.js';

/**
 * One type of exchange: knows its bindings and says which a message matches. To add a type: write a file with one of these, and name
 * it in `exchange-types.ts`. It never sees queues or publishers.
 */
export interface Router {
  add(binding: Binding): void;
  remove(binding: Binding): void;
  /** Calls `match` for each binding that the message matches, at least once (twice is harmless). */
  route(routingKey: string, headers: Arguments, match: (binding: Binding) => void): void;
}

/** How a type is registered. */
export interface ExchangeType {
  readonly name: string;
  readonly description: string;
  /** True when a message's headers decide too, so that routes cannot be remembered by routing key. */
  readonly usesHeaders: boolean;
  /** True when all arguments of an exchange make it what it is, and are compared when it is declared again. */
  readonly comparesArguments?: boolean;
  readonly create: (args: Arguments) => Router;
  /** What is wrong with the arguments of an exchange or binding, null when nothing is. */
  readonly invalidBinding?: (args: Arguments) => { argument: string; reason: string } | null;
}
