import { type Address, type ConfirmSink, DIALECT_MQTT, type JsonValue, Message, type VirtualHost } from '@chapar/core';
import type { WillWish } from './codec/connect.js';
import type { Qos } from './codec/packet.js';
import type { MqttDoor } from './door.js';
import type { Retained } from './retained/retained.js';
import { storedForm } from './stored-publish.js';
import { routingKeyOf } from './topic-bridge.js';

/** What a session publishes when its client went without a goodbye; it was allowed when the client connected (§3.1.2.5). */
export class Will {
  readonly wish: WillWish;
  private readonly address: Address;
  private readonly vhost: string;
  private readonly send: (message: Message) => void;

  constructor(wish: WillWish, vhost: string, address: Address, send: (message: Message) => void) {
    this.wish = wish;
    this.vhost = vhost;
    this.address = address;
    this.send = send;
  }

  /** As it is kept with its session. */
  get record(): JsonValue {
    const { payload, properties, ...rest } = this.wish;
    return { ...rest, payload: payload.toString('base64'), properties: properties.toString('base64') };
  }

  /** [MQTT-3.1.2-8], [MQTT-3.1.2-14], [MQTT-3.1.2-15]. */
  publish(retained: Retained): void {
    const { qos, retain, payload, properties, expirySeconds } = this.wish;
    const form = storedForm(qos, retain, properties);
    const expirationMs = expirySeconds < 0 ? -1 : expirySeconds * 1000;
    const { address } = this;
    const { length } = payload;
    const body = length === 0 ? null : [payload];
    const message = new Message(
      address,
      DIALECT_MQTT,
      qos > 0,
      -1,
      expirationMs,
      form,
      0,
      form.length,
      0,
      0,
      body,
      length,
    );
    if (retain) retained.set(this.vhost, address, message, null);
    this.send(message);
  }
}

/** Nobody waits for the confirm of a will. */
export const silentSink: ConfirmSink = {
  confirmed: () => undefined,
  confirmedAlone: () => undefined,
  refused: () => undefined,
  returned: () => undefined,
};

/** Of a session that was there before the broker stopped: it was allowed when the client connected. */
export function restoredWill(door: MqttDoor, vhost: VirtualHost, record: JsonValue): Will | null {
  if (record === null) return null;
  const { topic, payload, qos, retain, properties, delaySeconds, expirySeconds } = record as unknown as {
    readonly [K in keyof WillWish]: WillWish[K] extends Buffer ? string : WillWish[K];
  };
  const wish: WillWish = {
    topic,
    payload: Buffer.from(payload, 'base64'),
    qos: qos as Qos,
    retain,
    properties: Buffer.from(properties, 'base64'),
    delaySeconds,
    expirySeconds,
  };
  const address = vhost.address(door.settings.exchange, routingKeyOf(topic));
  const send = (message: Message): void => {
    for (const queue of vhost.route(address, message).queues) queue.enqueue(message, null);
  };
  return new Will(wish, vhost.name, address, send);
}
