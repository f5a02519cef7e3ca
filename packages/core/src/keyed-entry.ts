import { Address } from './address.js';
import { DIALECT_MQTT, Message } from './message.js';
import type { Position } from './ports.js';

/**
 * The entries of a keyed log are messages: the key stands where properties do, the value is the body, and none means that the key ends.
 * Where the entry has a condition, it is the routing key: only who finds the key at that position takes it (0: only who does not find it).
 */
const anywhere = new Address('', '');

/** `onlyAt`: its condition; null: none. */
export function keyedMessage(key: string, value: Buffer, onlyAt: Position | null = null): Message {
  const name = Buffer.from(key);
  const { length } = name;
  const bytes = Buffer.concat([name, value]);
  const end = bytes.length;
  const address = onlyAt === null ? anywhere : new Address('', String(onlyAt));
  return new Message(address, DIALECT_MQTT, true, -1, -1, bytes, 0, length, length, end, null, end - length);
}

export function keyOf(message: Message): string {
  return message.properties().toString('utf8');
}

export function onlyAtOf({ address: { routingKey } }: Message): Position | null {
  return routingKey === '' ? null : Number(routingKey);
}
