import type { Binding } from './binding.js';
import type { ExchangeType, Router, Subject } from './router.js';

/** Every binding matches (AMQP 0-9-1 §3.1.3.2). */
export class FanoutRouter implements Router {
  readonly decidesBy = 'routing-key';
  private readonly bindings = new Set<Binding>();

  add(binding: Binding): void {
    this.bindings.add(binding);
  }

  remove(binding: Binding): void {
    this.bindings.delete(binding);
  }

  route(_routingKey: string, _subject: Subject, match: (binding: Binding) => void): void {
    this.bindings.forEach(match);
  }
}

export const fanoutType: ExchangeType = {
  name: 'fanout',
  description: 'to every binding',
  create: () => new FanoutRouter(),
};
