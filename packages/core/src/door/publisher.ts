import type { Address } from '../address.js';
import { brokerError } from '../errors.js';
import { andThen, type Later } from '../later.js';
import type { Message } from '../message.js';
import type { Provenance } from '../replica-log.js';
import type { Exchange } from '../routing/exchange.js';
import type { Route } from '../routing/route.js';
import type { Turn } from '../turn.js';
import type { Actor } from './actor.js';
import { type ConfirmSink, Confirms, type PublishTag } from './confirms.js';
import { PublishSlot } from './publish-slot.js';

/** An address that this actor may publish to, as was checked at the versions it names. Doors keep them: a hit costs two comparisons. */
export interface Target {
  readonly address: Address;
  readonly exchange: Exchange;
  readonly topologyVersion: number;
  readonly accessVersion: number;
}

/** Numbers of what a publisher did, for people who look. */
export interface PublisherStatistics {
  published: number;
  confirmed: number;
  returned: number;
}

/** One stream of publishes, in order: a channel, a link, a session. Never awaits. */
export class Publisher {
  readonly actor: Actor;
  readonly confirms: Confirms;
  readonly statistics: PublisherStatistics = { published: 0, confirmed: 0, returned: 0 };
  private readonly sink: ConfirmSink;

  constructor(actor: Actor, turn: Turn, sink: ConfirmSink) {
    this.actor = actor;
    this.sink = sink;
    this.confirms = new Confirms(turn, sink);
  }

  /** Checks that the exchange is there, takes messages from outside, and that the actor may write to it (403, 404). */
  target(exchangeName: string, routingKey: string): Later<Target> {
    const { actor } = this;
    const { vhost } = actor;
    const accessVersion = actor.accessVersion;
    return andThen(actor.require('write', 'exchange', exchangeName), () => {
      const exchange = actor.findExchange(exchangeName);
      if (exchange.properties.internal) {
        throw brokerError('internalExchange', { exchange: exchangeName, vhost: vhost.name });
      }
      const topologyVersion = vhost.version;
      const address = vhost.address(exchangeName, routingKey);
      return andThen(actor.requireTopic('write', exchange, routingKey), () => {
        return { address, exchange, topologyVersion, accessVersion };
      });
    });
  }

  /** True while what was checked for the target still holds. */
  isCurrent(target: Target): boolean {
    return target.topologyVersion === this.actor.vhost.version && target.accessVersion === this.actor.accessVersion;
  }

  /**
   * Routes and enqueues; with `confirms`, the message takes the next tag and its verdict follows at the end of a turn. `from`: whoever publishes
   * it again under that is known by mirrored queues, which take it once.
   */
  publish(target: Target, message: Message, mandatory: boolean, confirms: boolean, from?: Provenance): void {
    if (target.exchange.delayed !== null) this.assertTakes(target, message);
    target.exchange.publishedIn++;
    this.enqueue(this.actor.vhost.route(target.address, message), message, mandatory, confirms, from);
  }

  /** The same for a message with further addresses (CC, BCC). */
  publishMany(targets: readonly Target[], message: Message, mandatory: boolean, confirms: boolean): void {
    const addresses = targets.map((target) => target.address);
    this.assertTakes(targets[0]!, message);
    targets[0]!.exchange.publishedIn++;
    this.enqueue(this.actor.vhost.routeMany(addresses, message), message, mandatory, confirms);
  }

  /** Throws 406 for a message that the target's exchange cannot take. `publish` does, too; a transaction asks when it gathers. */
  assertTakes({ exchange }: Target, message: Message): void {
    exchange.delayed?.assertDelay(message);
  }

  private enqueue(route: Route, message: Message, mandatory: boolean, confirms: boolean, from?: Provenance): void {
    this.statistics.published++;
    const { queues } = route;
    if (queues.length === 0 && mandatory) {
      this.statistics.returned++;
      this.sink.returned(message, message.address, 'no-route');
    }
    if (!confirms) {
      for (let i = 0; i < queues.length; i++) queues[i]!.enqueue(message, null);
      return;
    }
    this.statistics.confirmed++;
    const tag: PublishTag = this.confirms.begin();
    if (!route.mayRefuse && !(route.logs && message.persistent)) {
      for (let i = 0; i < queues.length; i++) queues[i]!.enqueue(message, null);
      this.confirms.confirm(tag);
      return;
    }
    this.confirms.await(tag);
    const slot = new PublishSlot(this.confirms, tag, queues.length);
    for (let i = 0; i < queues.length; i++) queues[i]!.enqueue(message, slot, from);
  }
}
