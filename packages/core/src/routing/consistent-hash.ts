import { type Arguments, canonical, shownValue } from '../arguments.js';
import type { JsonValue } from '../ports.js';
import type { Binding } from './binding.js';
import { destinationName } from './bound-destinations.js';
import type { ArgumentFault, ExchangeType, Router, Subject } from './router.js';
import { mixed, textHash } from './text-hash.js';

const headerArgument = 'hash-header';
const propertyArgument = 'hash-property';
/** What messages can be told apart by beside keys and headers. */
const properties: readonly JsonValue[] = ['correlation_id', 'message_id', 'timestamp'];

/** A destination's claim on keys. */
interface Share {
  readonly seed: number;
  /** Of all its bindings together. */
  weight: number;
  readonly bindings: Set<Binding>;
}

/**
 * Each message to one destination, chosen by the hash of its key: the same key leads to the same destination, and a destination gets
 * keys in proportion to its weight. Weighted rendezvous hashing: every destination draws a number from the key, the lowest has it.
 * When one comes, it takes keys from the others; when one goes, its keys are shared out; no other key moves. A weight costs nothing.
 */
class ConsistentHashRouter implements Router {
  readonly decidesBy: Router['decidesBy'];
  private readonly shares = new Map<string, Share>();
  private readonly header: string | undefined;
  private readonly property: string | undefined;

  constructor(args: Arguments) {
    this.header = args[headerArgument] as string | undefined;
    this.property = args[propertyArgument] as string | undefined;
    this.decidesBy = this.header === undefined && this.property === undefined ? 'routing-key' : 'message';
  }

  add(binding: Binding): void {
    const name = destinationName(binding);
    let share = this.shares.get(name);
    if (share === undefined) this.shares.set(name, (share = { seed: textHash(name), weight: 0, bindings: new Set() }));
    share.bindings.add(binding);
    share.weight += Number(binding.routingKey);
  }

  remove(binding: Binding): void {
    const name = destinationName(binding);
    const share = this.shares.get(name);
    if (!share?.bindings.delete(binding)) return;
    share.weight -= Number(binding.routingKey);
    if (share.bindings.size === 0) this.shares.delete(name);
  }

  route(routingKey: string, subject: Subject, match: (binding: Binding) => void): void {
    const hash = textHash(this.keyOf(routingKey, subject));
    let chosen: Share | null = null;
    let lowest = Number.POSITIVE_INFINITY;
    for (const share of this.shares.values()) {
      const drawn = draw(hash, share);
      if (drawn >= lowest) continue;
      lowest = drawn;
      chosen = share;
    }
    if (chosen !== null) match(chosen.bindings.values().next().value!);
  }

  /** Messages without what is hashed have one key together. */
  private keyOf(routingKey: string, subject: Subject): string {
    if (this.decidesBy === 'routing-key') return routingKey;
    const value = this.header === undefined ? subject.property(this.property!) : subject.headers[this.header];
    if (value === undefined) return '';
    return typeof value === 'string' ? value : canonical(value);
  }
}

/** Of an exponential distribution whose rate is the weight: the chance to draw the lowest is the share of the weights' sum. */
function draw(hash: number, { seed, weight }: Share): number {
  const uniform = (mixed(mixed(hash ^ seed) + seed) + 0.5) / 0x1_0000_0000;
  return -Math.log(uniform) / weight;
}

function invalidArguments(args: Arguments): ArgumentFault | null {
  const { [headerArgument]: header, [propertyArgument]: property } = args;
  if (header !== undefined && property !== undefined)
    return { argument: propertyArgument, reason: `${headerArgument} and ${propertyArgument} are mutually exclusive` };
  if (header !== undefined && typeof header !== 'string')
    return { argument: headerArgument, reason: `expected the name of a header, got ${shownValue(header)}` };
  if (property === undefined || properties.includes(property)) return null;
  return { argument: propertyArgument, reason: `expected ${properties.join(', ')}, got ${shownValue(property)}` };
}

function invalidBinding(routingKey: string): ArgumentFault | null {
  if (/^\+?\d{1,15}$/.test(routingKey) && Number(routingKey) > 0) return null;
  const reason = `expected the weight of the binding, an integer from 1 up in text, got ${shownValue(routingKey)}`;
  return { argument: 'routing_key', reason };
}

export const consistentHashType: ExchangeType = {
  name: 'x-consistent-hash',
  description: 'to one destination by the hash of the routing key, a header or a property; binding keys are weights',
  invalidArguments,
  invalidBinding,
  create: (args) => new ConsistentHashRouter(args),
};
