// What a dead letter says of itself (RabbitMQ's extension): the header x-death, one table for each queue and reason, the latest first,
// and x-first-death-*, x-last-death-*. Written anew in each message that leaves a queue, everything else stays byte for byte.
import type { DeadLetter, Death, DeathMark, Message } from '@chapar/core';
import {
  editTable,
  type FieldTable,
  type FieldValue,
  fieldTable,
  findTableValue,
  isFieldTable,
  PropertyScan,
  rewriteProperties,
  scanProperties,
  Timestamp,
} from './codec/index.js';
import { withProperties } from './message-headers.js';

/** Filled and read within one call. */
const scan = new PropertyScan();

/** The message as it goes to its dead-letter exchange: without `expiration`, and with this death in its headers. */
export function deadLettered(message: Message, death: Death): DeadLetter {
  const { bytes, propertiesStart, propertiesEnd } = message;
  scanProperties(bytes, propertiesStart, propertiesEnd, scan);
  const [start, end] = scan.headersStart === -1 ? [0, 0] : [scan.headersStart, scan.headersEnd];
  const find = (header: string) => findTableValue(bytes, start, end, header);
  const copyKeys = routingKeys(find('CC'));
  const deaths = withDeath(find('x-death'), message, death, copyKeys);
  const set = fieldTable({ 'x-death': deaths });
  // Who died first is said once; who knows only the last is told too.
  if (find('x-first-death-reason') === undefined) mark(set, 'first', message, death);
  mark(set, 'last', message, death);
  const removed = death.isRekeyed ? ['CC', 'BCC'] : ['BCC'];
  const headers = editTable(bytes, start, end, removed, set);
  const properties = rewriteProperties(bytes, propertiesStart, propertiesEnd, { headers, expiration: null });
  return {
    message: withProperties(message, death.address, -1, properties),
    copyKeys: death.isRekeyed ? [] : copyKeys,
    deaths: deaths.map(markOf),
  };
}

/** How often it was given back, a long as clients cast it. */
export function withDeliveryCount(message: Message, count: number): Message {
  const { bytes, propertiesStart, propertiesEnd, address, expirationMs } = message;
  scanProperties(bytes, propertiesStart, propertiesEnd, scan);
  const [start, end] = scan.headersStart === -1 ? [0, 0] : [scan.headersStart, scan.headersEnd];
  const headers = editTable(bytes, start, end, [], fieldTable({ 'x-delivery-count': BigInt(count) }));
  const properties = rewriteProperties(bytes, propertiesStart, propertiesEnd, { headers });
  return withProperties(message, address, expirationMs, properties);
}

function mark(headers: FieldTable, which: 'first' | 'last', message: Message, death: Death): void {
  headers[`x-${which}-death-reason`] = death.reason;
  headers[`x-${which}-death-queue`] = death.queue;
  headers[`x-${which}-death-exchange`] = message.address.exchange;
}

function markOf(death: FieldTable): DeathMark {
  return { queue: String(death.queue), reason: String(death.reason) };
}

/** The deaths so far with this one: at the front, and counted where the message died of the same in the same queue before. */
function withDeath(
  before: FieldValue | undefined,
  message: Message,
  { queue, reason, atMs }: Death,
  copyKeys: readonly string[],
): FieldTable[] {
  const deaths = Array.isArray(before) ? before.filter(isFieldTable) : [];
  const isSame = (death: FieldTable) => death.queue === queue && death.reason === reason;
  const same = deaths.filter(isSame);
  const others = deaths.filter((death) => !isSame(death)).map((death) => ({ ...death, count: counted(death) }));
  if (same.length > 0) {
    const count = same.reduce((sum, death) => sum + counted(death), 1n);
    return [{ ...same[0], count }, ...others];
  }
  const death = fieldTable({
    count: 1n,
    reason,
    queue,
    time: new Timestamp(Math.floor(atMs / 1000)),
    exchange: message.address.exchange,
    'routing-keys': [message.address.routingKey, ...copyKeys],
  });
  const expiration = expirationOf(message);
  if (expiration !== null) death['original-expiration'] = expiration;
  return [death, ...others];
}

/** As a bigint it is written with the type that clients cast it to, a long. */
function counted({ count }: FieldTable): bigint {
  return typeof count === 'bigint' || (typeof count === 'number' && Number.isInteger(count)) ? BigInt(count) : 1n;
}

/** As the publisher wrote it. */
function expirationOf({ bytes }: Message): string | null {
  const { expirationStart, expirationEnd } = scan;
  return expirationStart === -1 ? null : bytes.toString('utf8', expirationStart, expirationEnd);
}

function routingKeys(copies: FieldValue | undefined): string[] {
  if (!Array.isArray(copies)) return [];
  return copies.filter((key): key is string => typeof key === 'string' && Buffer.byteLength(key) <= 255);
}
