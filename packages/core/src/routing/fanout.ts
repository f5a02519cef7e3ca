import type { Arguments } from '../arguments.js';
import type { Binding } from './binding.js';
import type { Router } from './router.js';

/** Every binding matches (AMQP 0-9-1 §3.1.3.2). */
export class FanoutRouter implements Router {
  private readonly bindings = new Set<Binding>();

  add(binding: Binding): void {
    this.bindings.add(binding);
  }

  remove(binding: Binding): void {
    this.bindings.delete(binding);
  }

  route(_routingKey: string, _headers: Arguments, match: (binding: Binding) => void): void {
    this.bindings.forEach(match);
  }
}
