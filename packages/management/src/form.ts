import type { Arguments, DialectId } from '@chapar/core';

/** Properties in a protocol's bytes, and what the core looks at in them. */
export interface EncodedProperties {
  readonly properties: Buffer;
  readonly persistent: boolean;
  /** 0 to 255; -1 when none is given. */
  readonly priority: number;
  /** Milliseconds; -1 when none is given. */
  readonly expirationMs: number;
}

/**
 * How a message that is published over HTTP is written down: doors do not import each other, so whoever composes the broker gives this
 * one the form of AMQP 0-9-1. Reading back goes through `broker.dialects.describe`.
 */
export interface MessageForm {
  readonly dialect: DialectId;
  /** From the names of the management API (`content_type`, `delivery_mode`, `headers`, ...). Throws RangeError with a text for the caller. */
  encode(properties: Arguments): EncodedProperties;
}
