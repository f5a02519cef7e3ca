import { type Arguments, canonical } from '../arguments.js';
import type { QueueHandle } from '../queue/queue-handle.js';
import type { Exchange } from './exchange.js';

/** Where a binding leads. */
export type Destination =
  | { readonly kind: 'queue'; readonly name: string; readonly queue: QueueHandle }
  | { readonly kind: 'exchange'; readonly name: string; readonly exchange: Exchange };

/** An arrow from an exchange to a queue or another exchange. Two are the same when source, destination, key and arguments are. */
export interface Binding {
  readonly source: Exchange;
  readonly destination: Destination;
  readonly routingKey: string;
  readonly arguments: Arguments;
  /** Both ends survive a restart, and so does the binding. */
  readonly durable: boolean;
  /** The last segment of a binding's address in the management API: `~`, the key, or key~hash of the arguments. */
  readonly propertiesKey: string;
}

/** Tells the bindings of one exchange apart. */
export function bindingKey(kind: 'queue' | 'exchange', name: string, routingKey: string, args: Arguments): string {
  return `${kind[0]}\0${name}\0${routingKey}\0${canonical(args)}`;
}
