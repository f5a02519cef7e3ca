// basic.publish with its content: the whole in one go where it lies in one chunk, frame by frame otherwise.
import { andThen, brokerError, DIALECT_AMQP091, type Later, Message, type Target } from '@chapar/core';
import type { Channel } from './channel.js';
import { editTable, findTableValue, PropertyScan, rewriteProperties, scanProperties } from './codec/index.js';
import { replyToName } from './direct-reply.js';

/** Filled and read within one publish, by one channel at a time. */
const scan = new PropertyScan();

/** What a body in several frames is first collected in; grows with what really comes. Bytes. */
const startBytes = 4096;

/** Ten years, the longest time to live that the field takes. */
const expirationMsMax = 315_360_000_000;

/** A message in several frames up to this is put together in one piece, which does not pin the chunks that it came in. Bytes. */
const pieceBytesMax = 16 * 1024;

/** A message that the frames of a channel are putting together. */
export interface Content {
  readonly target: Target;
  readonly mandatory: boolean;
  /** Null until the content header came. */
  header: { readonly properties: Buffer; readonly bodyBytes: number } | null;
  body: Buffer;
  received: number;
}

export function beginContent(target: Target, mandatory: boolean): Content {
  return { target, mandatory, header: null, body: Buffer.alloc(0), received: 0 };
}

/** Adds a body frame's payload; true when the body is complete. `payload` may be kept as it is. */
export function addBody(content: Content, channel: number, payload: Buffer): boolean {
  const { bodyBytes } = content.header!;
  const received = content.received + payload.length;
  if (received > bodyBytes) throw brokerError('bodyTooLong', { channel, bytes: bodyBytes });
  if (content.received === 0 && received === bodyBytes) {
    content.body = payload;
  } else {
    if (content.body.length < received) content.body = grown(content, received, bodyBytes);
    payload.copy(content.body, content.received);
  }
  content.received = received;
  return received === bodyBytes;
}

/** A peer that announces much and sends little costs what it sent. */
function grown(content: Content, needed: number, whole: number): Buffer {
  const size = Math.min(whole, Math.max(startBytes, needed, content.body.length * 2));
  const body = Buffer.allocUnsafeSlow(size);
  content.body.copy(body, 0, 0, content.received);
  return body;
}

/** Publishes what the frames brought. */
export function publishContent(channel: Channel, content: Content): Later<void> {
  const { properties, bodyBytes } = content.header!;
  const { target, mandatory, body } = content;
  const { length } = properties;
  if (bodyBytes === 0) return publish(channel, target, mandatory, properties, 0, length, 0, 0, null, 0);
  const whole = length + bodyBytes;
  if (whole > pieceBytesMax) return publish(channel, target, mandatory, properties, 0, length, 0, 0, [body], bodyBytes);
  const bytes = Buffer.concat([properties, body], whole);
  return publish(channel, target, mandatory, bytes, 0, length, length, whole, null, bodyBytes);
}

/** Publishes a message whose properties, and unless `parts` holds it, whose body stand in `bytes`. Throws BrokerError for bad properties. */
export function publish(
  channel: Channel,
  target: Target,
  mandatory: boolean,
  bytes: Buffer,
  propertiesStart: number,
  propertiesEnd: number,
  bodyStart: number,
  bodyEnd: number,
  parts: readonly Buffer[] | null,
  bodyBytes: number,
): Later<void> {
  scanProperties(bytes, propertiesStart, propertiesEnd, scan);
  const persistent = scan.deliveryMode === 2;
  const expirationMs = expirationOf(bytes, scan);
  if (scan.userIdStart !== -1) assertUser(channel, bytes.toString('utf8', scan.userIdStart, scan.userIdEnd));
  if (scan.replyToStart !== -1 || scan.headersStart !== -1) {
    const rewritten = rewrite(channel, target, bytes, propertiesStart, propertiesEnd);
    if (rewritten !== null) {
      const { properties, keys } = rewritten;
      const body = parts ?? (bodyBytes === 0 ? null : [Buffer.from(bytes.subarray(bodyStart, bodyEnd))]);
      const { length } = properties;
      const { address } = target;
      const priority = scan.priority;
      const make = () =>
        new Message(
          address,
          DIALECT_AMQP091,
          persistent,
          priority,
          expirationMs,
          properties,
          0,
          length,
          0,
          0,
          body,
          bodyBytes,
        );
      if (keys.length === 0) return channel.accept([target], make(), mandatory);
      return andThen(channel.targets(target.address.exchange, keys), (more) =>
        channel.accept([target, ...more], make(), mandatory),
      );
    }
  }
  const message = new Message(
    target.address,
    DIALECT_AMQP091,
    persistent,
    scan.priority,
    expirationMs,
    bytes,
    propertiesStart,
    propertiesEnd,
    bodyStart,
    bodyEnd,
    parts,
    bodyBytes,
  );
  channel.acceptOne(target, message, mandatory);
}

/** Time to live in milliseconds, -1 without one. Throws 406 for what is not a number of them. */
export function expirationOf(bytes: Buffer, { expirationStart, expirationEnd }: PropertyScan): number {
  if (expirationStart === -1) return -1;
  let milliseconds = 0;
  let digits = 0;
  for (let at = expirationStart; at < expirationEnd; at++, digits++) {
    const digit = bytes[at]! - 0x30;
    if (digit < 0 || digit > 9) milliseconds = Number.NaN;
    milliseconds = milliseconds * 10 + digit;
  }
  if (digits > 0 && milliseconds <= expirationMsMax) return milliseconds;
  throw brokerError('invalidExpiration', { given: bytes.toString('utf8', expirationStart, expirationEnd) });
}

function assertUser(channel: Channel, given: string): void {
  const { user, tags } = channel.principal;
  if (given === user || tags.includes('impersonator')) return;
  throw brokerError('userIdMismatch', { given, user });
}

/** New properties, and further routing keys (CC, BCC), where a message has any of it; null when it goes as it came. */
function rewrite(
  channel: Channel,
  _target: Target,
  bytes: Buffer,
  start: number,
  end: number,
): { properties: Buffer; keys: string[] } | null {
  const { headersStart, headersEnd, replyToStart, replyToEnd } = scan;
  const copies = headersStart === -1 ? null : carbonCopies(bytes, headersStart, headersEnd);
  const asksReply = replyToStart !== -1 && bytes.toString('latin1', replyToStart, replyToEnd) === replyToName;
  if (copies === null && !asksReply) return null;
  const properties = rewriteProperties(bytes, start, end, {
    ...(asksReply ? { replyTo: channel.replyAddress() } : {}),
    ...(copies?.blind ? { headers: editTable(bytes, headersStart, headersEnd, ['BCC']) } : {}),
  });
  return { properties, keys: copies?.keys ?? [] };
}

/** Sender-selected distribution: the headers CC (kept) and BCC (removed) hold further routing keys. */
function carbonCopies(bytes: Buffer, start: number, end: number): { keys: string[]; blind: boolean } | null {
  if (!mayHoldCopies(bytes, start, end)) return null;
  const copies = findTableValue(bytes, start, end, 'CC');
  const blind = findTableValue(bytes, start, end, 'BCC');
  if (copies === undefined && blind === undefined) return null;
  return { keys: [...routingKeys('CC', copies), ...routingKeys('BCC', blind)], blind: blind !== undefined };
}

/** Looks for the letters CC: nearly all headers have none, and need no walk. */
function mayHoldCopies(bytes: Buffer, start: number, end: number): boolean {
  for (let at = start + 1; at < end; at++) if (bytes[at] === 0x43 && bytes[at - 1] === 0x43) return true;
  return false;
}

function routingKeys(header: string, value: unknown): string[] {
  if (value === undefined) return [];
  if (Array.isArray(value) && value.every(isRoutingKey)) return value;
  throw brokerError('invalidCopies', { header });
}

function isRoutingKey(key: unknown): key is string {
  return typeof key === 'string' && Buffer.byteLength(key) <= 255;
}
