import type { Log } from '@chapar/platform';
import type { Dialects } from '../dialect.js';
import type { Message } from '../message.js';
import type { DropReason } from '../ports.js';
import type { QueueHandle } from '../queue/queue-handle.js';
import type { QueueRules } from '../queue/rules.js';
import type { VirtualHost } from '../topology/virtual-host.js';
import { isAutomaticCycle } from './death.js';

/** Why a dead letter goes nowhere. */
export type Nowhere = 'no-exchange' | 'no-route' | 'cycle' | 'refused' | 'deleted';

/** A dead letter and the queues that it goes to; with none of them, `nowhere` says why. */
export interface Onward {
  readonly message: Message;
  readonly queues: readonly QueueHandle[];
  readonly nowhere: Nowhere | null;
}

/** The queue that a message leaves. */
export interface Source {
  readonly name: string;
  readonly rules: QueueRules;
}

/** The way from the queues of a virtual host to their dead-letter exchanges. Nobody's permissions count: whoever declared the queue had them. */
export class DeadLetterRouter {
  private readonly vhost: VirtualHost;
  private readonly dialects: Dialects;
  private readonly log: Log;

  constructor(vhost: VirtualHost, dialects: Dialects, log: Log) {
    this.vhost = vhost;
    this.dialects = dialects;
    this.log = log;
  }

  /** A queue may refuse publishes from now on, or no more. */
  routesChanged(): void {
    this.vhost.version++;
  }

  /** The message with how often it was given back, for its next reader. */
  withDeliveryCount(message: Message, count: number): Message {
    return this.dialects.withDeliveryCount(message, count);
  }

  route({ name, rules }: Source, message: Message, reason: DropReason, atMs: number): Onward {
    const { vhost } = this;
    const { deadLetterExchange: exchange, deadLetterRoutingKey: key } = rules;
    const target = exchange === null ? undefined : vhost.exchanges.get(exchange);
    if (exchange === null || target === undefined) return { message, queues: [], nowhere: 'no-exchange' };
    // A policy may say what no message can carry.
    if (key !== null && Buffer.byteLength(key) > 255) return { message, queues: [], nowhere: 'no-route' };
    const address = vhost.address(exchange, key ?? message.address.routingKey);
    const letter = this.dialects.deadLettered(message, { queue: name, reason, atMs, address, isRekeyed: key !== null });
    target.publishedIn++;
    const { queues } =
      letter.copyKeys.length === 0
        ? vhost.route(address, letter.message)
        : vhost.routeMany([address, ...letter.copyKeys.map((copy) => vhost.address(exchange, copy))], letter.message);
    if (queues.length === 0) return { message: letter.message, queues, nowhere: 'no-route' };
    if (reason === 'rejected') return { message: letter.message, queues, nowhere: null };
    const straight = queues.filter((queue) => !isAutomaticCycle(queue.name, letter.deaths));
    return { message: letter.message, queues: straight, nowhere: straight.length === 0 ? 'cycle' : null };
  }

  /** Tells people about dead letters that are lost. */
  sayLost({ name, rules }: Source, nowhere: Nowhere, count: number): void {
    const exchange = rules.deadLetterExchange;
    this.log.warn(
      { queue: name, vhost: this.vhost.name, exchange, routingKey: rules.deadLetterRoutingKey, count },
      `dead letters were dropped: ${causes[nowhere]}`,
    );
  }
}

const causes: { readonly [cause in Nowhere]: string } = {
  'no-exchange': 'the dead-letter exchange does not exist; declare it, or take it from the queue',
  'no-route': 'nothing is bound to the dead-letter exchange that they match',
  cycle: 'they came back to a queue where they died before, and no consumer rejected them on the way',
  refused: 'a queue that they go to refused them',
  deleted: 'their queue was deleted while the queues that they go to did not take them',
};
