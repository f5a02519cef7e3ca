import type { Random } from '@chapar/platform';
import type { Arguments } from '../arguments.js';
import type { DelayedMessages } from '../delayed/delayed-messages.js';
import { type EffectivePolicy, noPolicy } from '../policy/effective-policy.js';
import type { Incarnation } from '../ports.js';
import { type Binding, bindingKey } from './binding.js';
import type { ExchangeType, Router, Subject } from './router.js';

/** What an exchange is declared as. */
export interface ExchangeProperties {
  readonly name: string;
  readonly vhost: string;
  readonly durable: boolean;
  readonly autoDelete: boolean;
  readonly internal: boolean;
  readonly arguments: Arguments;
  readonly incarnation: Incarnation;
}

/** An exchange: its type's router, its bindings, and what they come to. Changed by the topology only. */
export class Exchange {
  readonly properties: ExchangeProperties;
  readonly name: string;
  readonly type: ExchangeType;
  /** Bindings from here, by bindingKey. */
  readonly bindings = new Map<string, Binding>();
  /** Bindings to here. */
  readonly inbound = new Set<Binding>();
  /** Replaced when another applies. */
  policy: EffectivePolicy = noPolicy;
  /** What waits here before it is routed; null where nothing does. Set by the topology. */
  delayed: DelayedMessages | null = null;
  private readonly router: Router;
  publishedIn = 0;

  constructor(properties: ExchangeProperties, type: ExchangeType, random: Random) {
    this.properties = properties;
    this.name = properties.name;
    this.type = type;
    this.router = type.create(properties.arguments, random);
  }

  /** Where messages go that match nothing here; undefined: nowhere. The argument beats the policy. */
  get alternate(): string | undefined {
    const name = this.properties.arguments['alternate-exchange'] ?? this.policy.definition['alternate-exchange'];
    return typeof name === 'string' ? name : undefined;
  }

  add(binding: Binding): void {
    this.bindings.set(keyOf(binding), binding);
    this.router.add(binding);
    if (binding.destination.kind === 'exchange') binding.destination.exchange.inbound.add(binding);
  }

  remove(binding: Binding): void {
    this.bindings.delete(keyOf(binding));
    this.router.remove(binding);
    if (binding.destination.kind === 'exchange') binding.destination.exchange.inbound.delete(binding);
  }

  /** See `Router.decidesBy`. */
  get decidesBy(): Router['decidesBy'] {
    return this.router.decidesBy;
  }

  route(routingKey: string, subject: Subject, match: (binding: Binding) => void): void {
    this.router.route(routingKey, subject, match);
  }
}

function keyOf(binding: Binding): string {
  const { destination } = binding;
  return bindingKey(destination.kind, destination.name, binding.routingKey, binding.arguments);
}
