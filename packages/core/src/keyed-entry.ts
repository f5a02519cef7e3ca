import { Address } from './address.js';
import { DIALECT_MQTT, Message } from './message.js';
import type { Position } from './ports.js';

/** Whoever puts something may want it to have effect only where nothing else has happened meanwhile. */
export interface KeyedCondition {
  /** Looked at: the key itself, or the one that guards it (`KeyedReader.guardOf`), which is in the same shard. */
  readonly of: 'key' | 'guard';
  /** Where it has to stand; 0: nowhere. */
  readonly at: Position;
}

export const onlyAbsent: KeyedCondition = { of: 'key', at: 0 };

/**
 * The entries of a keyed log are messages: the key stands where properties do, the value is the body, and none means that the key ends.
 * The routing key is the condition, `=` or `^` (of the guard) and a position, on the way to who judges it; what was judged has none, or `-`
 * where it has no effect. A position alone, which versions before this one wrote, is a condition of the key that whoever reads judges.
 */
const anywhere = new Address('', '');
const noEffect = new Address('', '-');
const signs = { key: '=', guard: '^' } as const;

export function keyedMessage(key: string, value: Buffer, onlyIf: KeyedCondition | null = null): Message {
  const address = onlyIf === null ? anywhere : new Address('', `${signs[onlyIf.of]}${onlyIf.at}`);
  return keyedMessageTo(address, key, value);
}

/** As a version before this one wrote it. */
export function olderKeyedMessage(key: string, value: Buffer, onlyAt: Position): Message {
  return keyedMessageTo(new Address('', String(onlyAt)), key, value);
}

function keyedMessageTo(address: Address, key: string, value: Buffer): Message {
  const name = Buffer.from(key);
  const { length } = name;
  const bytes = Buffer.concat([name, value]);
  const end = bytes.length;
  return new Message(address, DIALECT_MQTT, true, -1, -1, bytes, 0, length, length, end, null, end - length);
}

/** The same entry, judged. */
export function judged(message: Message, hasEffect: boolean): Message {
  return keyedMessageTo(hasEffect ? anywhere : noEffect, keyOf(message), message.body());
}

export function keyOf(message: Message): string {
  return message.properties().toString('utf8');
}

/** Null: none, or one that was judged. */
export function conditionOf({ address: { routingKey } }: Message): KeyedCondition | null {
  const sign = routingKey[0];
  if (sign !== '=' && sign !== '^') return null;
  return { of: sign === '=' ? 'key' : 'guard', at: Number(routingKey.slice(1)) };
}

/** Whether who leads has found that it has no effect. */
export function isVoid({ address }: Message): boolean {
  return address.routingKey === '-';
}

/** Of an older version's entry: where its key has to stand. */
export function onlyAtOf({ address: { routingKey } }: Message): Position | null {
  return routingKey >= '0' && routingKey <= ':' ? Number(routingKey) : null;
}
