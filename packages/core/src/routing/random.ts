import type { Random } from '@chapar/platform';
import type { Binding } from './binding.js';
import { BoundDestinations } from './bound-destinations.js';
import type { ExchangeType, Router, Subject } from './router.js';

/** One of the bound destinations, each as likely as the others; keys do not count. */
class RandomRouter implements Router {
  readonly decidesBy = 'message';
  private readonly destinations = new BoundDestinations();
  private readonly random: Random;

  constructor(random: Random) {
    this.random = random;
  }

  add(binding: Binding): void {
    this.destinations.add(binding);
  }

  remove(binding: Binding): void {
    this.destinations.remove(binding);
  }

  route(_routingKey: string, _subject: Subject, match: (binding: Binding) => void): void {
    const { length } = this.destinations;
    if (length > 0) match(this.destinations.at(this.random.integer(length)));
  }
}

export const randomType: ExchangeType = {
  name: 'x-random',
  description: 'to one destination at random',
  create: (_args, random) => new RandomRouter(random),
};
