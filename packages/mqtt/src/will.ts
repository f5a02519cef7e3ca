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
  readonly address: Address;
  readonly vhost: string;
  /** Which of its session's wills it is, wherever that goes; empty until it is told to the log of a cluster. */
  id: string;
  private readonly send: (message: Message) => void;

  constructor(wish: WillWish, vhost: string, address: Address, send: (message: Message) => void, id = '') {
    this.wish = wish;
    this.id = id;
    this.vhost = vhost;
    this.address = address;
    this.send = send;
  }

  /** As it is kept with its session. */
  get record(): JsonValue {
    const { payload, properties, ...rest } = this.wish;
    const id = this.id === '' ? {} : { id: this.id };
    return { ...rest, ...id, payload: payload.toString('base64'), properties: properties.toString('base64') };
  }

  /** [MQTT-3.1.2-8], [MQTT-3.1.2-14], [MQTT-3.1.2-15]. */
  publish(retained: Retained): void {
    const message = this.message();
    if (this.wish.retain) retained.set(this.vhost, this.address, message, null);
    this.send(message);
  }

  message(): Message {
    const { qos, retain, payload, properties, expirySeconds } = this.wish;
    const form = storedForm(qos, retain, properties);
    const expirationMs = expirySeconds < 0 ? -1 : expirySeconds * 1000;
    const { address } = this;
    const { length } = payload;
    const body = length === 0 ? null : [payload];
    return new Message(address, DIALECT_MQTT, qos > 0, -1, expirationMs, form, 0, form.length, 0, 0, body, length);
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
  const { topic, payload, qos, retain, properties, delaySeconds, expirySeconds } = record as unknown as WillRecord;
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
  return new Will(wish, vhost.name, address, send, idOfWill(record) ?? '');
}

type WillRecord = { readonly id?: string } & {
  readonly [K in keyof WillWish]: WillWish[K] extends Buffer ? string : WillWish[K];
};

/** Of a node that was alone: a session of it has one will at most, and a name in the log of its cluster. */
const ownWillId = '0';

/** Null: there is no will. */
export function idOfWill(record: JsonValue): string | null {
  return record === null ? null : ((record as unknown as WillRecord).id ?? ownWillId);
}
