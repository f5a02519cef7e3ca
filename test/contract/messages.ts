import { Address, DIALECT_AMQP091, type DialectId, Message } from '@chapar/core';

/** What two messages have in common when one is the other after a restart. */
export interface MessageFacts {
  readonly exchange: string;
  readonly routingKey: string;
  readonly dialect: DialectId;
  readonly persistent: boolean;
  readonly priority: number;
  readonly expirationMs: number;
  readonly receivedAtMs: number;
  readonly properties: string;
  readonly body: string;
}

/** A persistent message in buffers of its own, unless told otherwise. */
export function makeMessage(facts: Partial<MessageFacts> = {}, parts: readonly Buffer[] | null = null): Message {
  const properties = Buffer.from(facts.properties ?? 'properties', 'latin1');
  const body = parts === null ? Buffer.from(facts.body ?? 'body', 'latin1') : Buffer.alloc(0);
  // Something before and behind, as in a socket's chunk.
  const bytes = Buffer.concat([Buffer.from('<<'), properties, body, Buffer.from('>>')]);
  const bodyStart = 2 + properties.length;
  const message = new Message(
    new Address(facts.exchange ?? '', facts.routingKey ?? 'queue'),
    facts.dialect ?? DIALECT_AMQP091,
    facts.persistent ?? true,
    facts.priority ?? -1,
    facts.expirationMs ?? -1,
    bytes,
    2,
    bodyStart,
    bodyStart,
    bodyStart + body.length,
    parts,
    parts === null ? body.length : parts.reduce((sum, part) => sum + part.length, 0),
  );
  message.receivedAtMs = facts.receivedAtMs ?? 1_700_000_000_000;
  return message;
}

export function messageFacts(message: Message): MessageFacts {
  return {
    exchange: message.address.exchange,
    routingKey: message.address.routingKey,
    dialect: message.dialect,
    persistent: message.persistent,
    priority: message.priority,
    expirationMs: message.expirationMs,
    receivedAtMs: message.receivedAtMs,
    properties: message.properties().toString('latin1'),
    body: message.body().toString('latin1'),
  };
}
