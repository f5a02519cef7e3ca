import type { Binding } from './binding.js';
import { BoundDestinations } from './bound-destinations.js';
import type { ExchangeType, Router, Subject } from './router.js';
import { textHash } from './text-hash.js';

/** The routing key's hash modulo the number of destinations; binding keys do not count. */
class ModulusHashRouter implements Router {
  readonly decidesBy = 'routing-key';
  private readonly destinations = new BoundDestinations();

  add(binding: Binding): void {
    this.destinations.add(binding);
  }

  remove(binding: Binding): void {
    this.destinations.remove(binding);
  }

  route(routingKey: string, _subject: Subject, match: (binding: Binding) => void): void {
    const { length } = this.destinations;
    if (length > 0) match(this.destinations.at(textHash(routingKey) % length));
  }
}

export const modulusHashType: ExchangeType = {
  name: 'x-modulus-hash',
  description: "to one destination by the routing key's hash modulo their number",
  create: () => new ModulusHashRouter(),
};
