import {
  type Arguments,
  DIALECT_AMQP091,
  DIALECT_MQTT,
  type Dialect,
  type Dialects,
  type JsonValue,
  type Message,
} from '@chapar/core';
import { ofSections, sections } from './sections.js';

/**
 * MQTT's form of a message, for the core. Headers exchanges, dead letters and administrators look at headers, which MQTT has no table
 * for: they see the message as it looks in AMQP 0-9-1, and what gets other headers is in that form from then on.
 */
export function mqttDialect(dialects: Dialects): Dialect {
  const asAmqp = (message: Message): Message => dialects.inDialect(message, DIALECT_AMQP091);
  return {
    id: DIALECT_MQTT,
    headers: (message) => dialects.headers(asAmqp(message)),
    header: (message, name): JsonValue | undefined => dialects.header(asAmqp(message), name),
    withHeaders: (message, set: Arguments, removed) => dialects.withHeaders(asAmqp(message), set, removed),
    describe: (message) => dialects.describe(asAmqp(message)),
    deadLettered: (message, death) => dialects.deadLettered(asAmqp(message), death),
    withDeliveryCount: (message, count) => dialects.withDeliveryCount(asAmqp(message), count),
    sections,
    ofSections,
  };
}
