// One header of a message, and a message with other headers: its encoded table is looked into and edited, the rest stays byte for byte.
import { type Address, type Arguments, type JsonValue, Message } from '@chapar/core';
import { jsonOf, tableOf } from './argument-values.js';
import { editTable, findTableValue, PropertyScan, rewriteProperties, scanProperties } from './codec/index.js';

/** Filled and read within one call. */
const scan = new PropertyScan();

/** A message up to this is written in one piece, which does not pin what its body came in. Bytes. */
const pieceBytesMax = 16 * 1024;

export function header({ bytes, propertiesStart, propertiesEnd }: Message, name: string): JsonValue | undefined {
  scanProperties(bytes, propertiesStart, propertiesEnd, scan);
  if (scan.headersStart === -1) return undefined;
  const value = findTableValue(bytes, scan.headersStart, scan.headersEnd, name);
  return value === undefined ? undefined : jsonOf(value);
}

export function withHeaders(message: Message, set: Arguments, removed: readonly string[]): Message {
  const { bytes, propertiesStart, propertiesEnd } = message;
  scanProperties(bytes, propertiesStart, propertiesEnd, scan);
  const start = Math.max(0, scan.headersStart);
  const end = scan.headersStart === -1 ? 0 : scan.headersEnd;
  const headers = editTable(bytes, start, end, removed, tableOf(set));
  const properties = rewriteProperties(bytes, propertiesStart, propertiesEnd, { headers });
  return withProperties(message, message.address, message.expirationMs, properties);
}

/** Another message with the same body, which nobody has received yet. */
export function withProperties(message: Message, address: Address, expirationMs: number, properties: Buffer): Message {
  const { dialect, persistent, priority, bodyBytes } = message;
  const { length } = properties;
  const whole = length + bodyBytes;
  const envelope = [address, dialect, persistent, priority, expirationMs] as const;
  if (whole > pieceBytesMax) {
    return new Message(...envelope, properties, 0, length, 0, 0, message.parts ?? [message.body()], bodyBytes);
  }
  const piece = Buffer.concat([properties, message.body()], whole);
  return new Message(...envelope, piece, 0, length, length, whole, null, bodyBytes);
}
