import type { Binding } from './binding.js';
import type { ExchangeType, Router, Subject } from './router.js';

/** The routing key equals the binding key (AMQP 0-9-1 §3.1.3.1). */
export class DirectRouter implements Router {
  readonly decidesBy = 'routing-key';
  private readonly byKey = new Map<string, Set<Binding>>();

  add(binding: Binding): void {
    const bindings = this.byKey.get(binding.routingKey);
    if (bindings === undefined) this.byKey.set(binding.routingKey, new Set([binding]));
    else bindings.add(binding);
  }

  remove(binding: Binding): void {
    const bindings = this.byKey.get(binding.routingKey);
    if (bindings?.delete(binding) && bindings.size === 0) this.byKey.delete(binding.routingKey);
  }

  route(routingKey: string, _subject: Subject, match: (binding: Binding) => void): void {
    this.byKey.get(routingKey)?.forEach(match);
  }
}

export const directType: ExchangeType = {
  name: 'direct',
  description: 'routing key equals binding key',
  create: () => new DirectRouter(),
};
