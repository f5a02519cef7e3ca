import { type ConfirmSink, DIALECT_MQTT, Message, type Publisher, type Target } from '@chapar/core';
import type { WillWish } from './codec/connect.js';
import type { Retained } from './retained/retained.js';
import { storedForm } from './stored-publish.js';

/** What a session publishes when its client went without a goodbye; it was allowed when the client connected (§3.1.2.5). */
export class Will {
  readonly wish: WillWish;
  readonly target: Target;
  private readonly publisher: Publisher;
  private readonly vhost: string;

  constructor(wish: WillWish, target: Target, publisher: Publisher) {
    this.wish = wish;
    this.target = target;
    this.publisher = publisher;
    this.vhost = publisher.actor.vhost.name;
  }

  /** [MQTT-3.1.2-8], [MQTT-3.1.2-14], [MQTT-3.1.2-15]. */
  publish(retained: Retained): void {
    const { qos, retain, payload, properties, expirySeconds } = this.wish;
    const form = storedForm(qos, retain, properties);
    const expirationMs = expirySeconds < 0 ? -1 : expirySeconds * 1000;
    const { address } = this.target;
    const { length } = payload;
    const body = length === 0 ? null : [payload];
    const message = new Message(address, DIALECT_MQTT, qos > 0, -1, expirationMs, form, 0, form.length, 0, 0, body, length);
    if (retain) retained.set(this.vhost, address, message, null);
    this.publisher.publish(this.target, message, false, false);
  }
}

/** Nobody waits for the confirm of a will. */
export const silentSink: ConfirmSink = {
  confirmed: () => undefined,
  confirmedAlone: () => undefined,
  refused: () => undefined,
  returned: () => undefined,
};
