import type { Arguments } from '../arguments.js';
import type { Binding } from './binding.js';
import type { Router } from './router.js';

/** The routing key equals the binding key (AMQP 0-9-1 §3.1.3.1). */
export class DirectRouter implements Router {
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

  route(routingKey: string, _headers: Arguments, match: (binding: Binding) => void): void {
    this.byKey.get(routingKey)?.forEach(match);
  }
}
