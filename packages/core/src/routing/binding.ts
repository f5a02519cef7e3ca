import { createHash } from 'node:crypto';
import { type Arguments, canonical } from '../arguments.js';
import type { Revision } from '../ports.js';
import type { SharedQueue } from '../queue/shared-queue.js';
import type { Exchange } from './exchange.js';

/** Where a binding leads. */
export type Destination =
  /** Another stands in the queue's place when it is mirrored. */
  | { readonly kind: 'queue'; readonly name: string; queue: SharedQueue }
  | { readonly kind: 'exchange'; readonly name: string; readonly exchange: Exchange };

/** An arrow from an exchange to a queue or another exchange. Two are the same when source, destination, key and arguments are. */
export interface Binding {
  readonly source: Exchange;
  readonly destination: Destination;
  readonly routingKey: string;
  readonly arguments: Arguments;
  /** Metadata has a record of it, last changed at this revision; 0: none. */
  revision: Revision;
  /** The last segment of a binding's address in the management API: `~`, the key, or key~hash of the arguments. */
  readonly propertiesKey: string;
}

/** Tells the bindings of one exchange apart. */
export function bindingKey(kind: 'queue' | 'exchange', name: string, routingKey: string, args: Arguments): string {
  return `${kind[0]}\0${name}\0${routingKey}\0${canonical(args)}`;
}

/** `~` for no key and no arguments, the key alone, or key~hash: stable, and free of characters that URLs mind once encoded. */
export function bindingPropertiesKey(routingKey: string, args: Arguments): string {
  if (Object.keys(args).length === 0) return routingKey === '' ? '~' : routingKey;
  const hash = createHash('sha256').update(canonical(args)).digest('base64url').slice(0, 22);
  return `${routingKey}~${hash}`;
}
