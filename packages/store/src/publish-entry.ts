import { ByteReader } from '@chapar/bytes';
import { Address, copyBytes, type DialectId, Message, type Position } from '@chapar/core';
import { beginEntry, ENTRY_PUBLISH } from './entry.js';
import { readU64, writeU32, writeU64 } from './group.js';

export const FLAGS_AT = 9;
const DIALECT_AT = 10;
const PRIORITY_AT = 11;
export const QUEUE_AT = 12;
export const POSITION_AT = 16;
export const PROPERTIES_BYTES_AT = 24;
const FIXED_BYTES = 28;
/** In a provenance. */
export const ORIGIN_BYTES_AT = 16;
export const ORIGIN_AT = 17;

export const FLAG_PERSISTENT = 1;
export const FLAG_PRIORITY = 2;
export const FLAG_EXPIRATION = 4;
export const FLAG_RECEIVED = 8;
/** Of a replica's entry: it says which publish the message came from. */
export const FLAG_PROVENANCE = 16;
/** Of a replica's entry: a copy out of an older file, which says nothing new but where the message stands. */
export const FLAG_MOVED = 32;
export const FLAGS_OF_MESSAGE = FLAG_PERSISTENT | FLAG_PRIORITY | FLAG_EXPIRATION | FLAG_RECEIVED;
const FLAGS_KNOWN = FLAGS_OF_MESSAGE | FLAG_PROVENANCE | FLAG_MOVED;

/** Bytes of the entry before the body. */
export function publishHeadBytes(message: Message): number {
  const properties = message.propertiesEnd - message.propertiesStart;
  const times = (message.expirationMs < 0 ? 0 : 8) + (message.receivedAtMs === 0 ? 0 : 8);
  return FIXED_BYTES + times + message.address.wire.length + properties;
}

/** Writes everything before the body at `at` and returns where the body begins. The checksum comes later, with the body. */
export function writePublishHead(
  buf: Buffer,
  at: number,
  entryBytes: number,
  queueNumber: number,
  position: Position,
  message: Message,
): number {
  beginEntry(buf, at, entryBytes, ENTRY_PUBLISH);
  const expires = message.expirationMs >= 0;
  const isReceived = message.receivedAtMs !== 0;
  buf[at + FLAGS_AT] =
    (message.persistent ? FLAG_PERSISTENT : 0) |
    (message.priority >= 0 ? FLAG_PRIORITY : 0) |
    (expires ? FLAG_EXPIRATION : 0) |
    (isReceived ? FLAG_RECEIVED : 0);
  buf[at + DIALECT_AT] = message.dialect;
  buf[at + PRIORITY_AT] = Math.max(message.priority, 0);
  writeU32(buf, at + QUEUE_AT, queueNumber);
  writeU64(buf, at + POSITION_AT, position);
  writeU32(buf, at + PROPERTIES_BYTES_AT, message.propertiesEnd - message.propertiesStart);
  let end = at + FIXED_BYTES;
  if (expires) {
    writeU64(buf, end, message.expirationMs);
    end += 8;
  }
  if (isReceived) {
    writeU64(buf, end, message.receivedAtMs);
    end += 8;
  }
  const wire = message.address.wire;
  copyBytes(wire, 0, wire.length, buf, end);
  end += wire.length;
  copyBytes(message.bytes, message.propertiesStart, message.propertiesEnd, buf, end);
  return end + message.propertiesEnd - message.propertiesStart;
}

export function writeBody(buf: Buffer, at: number, message: Message): void {
  if (message.parts === null) {
    copyBytes(message.bytes, message.bodyStart, message.bodyEnd, buf, at);
    return;
  }
  let end = at;
  for (const part of message.parts) {
    copyBytes(part, 0, part.length, buf, end);
    end += part.length;
  }
}

/** Queue number of the publish entry at `at`, without reading the rest. */
export function publishQueueNumber(buf: Buffer, at: number): number {
  return buf.readUInt32BE(at + QUEUE_AT);
}

export function publishPosition(buf: Buffer, at: number): Position {
  return buf.readUInt32BE(at + POSITION_AT) * 0x1_0000_0000 + buf.readUInt32BE(at + POSITION_AT + 4);
}

/** Bytes of the body of the publish entry at [at, end), without reading the rest. */
export function publishBodyBytes(buf: Buffer, at: number, end: number): number {
  let names = timesEnd(buf, at);
  if ((buf[at + FLAGS_AT]! & FLAG_PROVENANCE) !== 0) names += provenanceBytesAt(buf, names);
  names += 1 + buf[names]!;
  names += 1 + buf[names]!;
  return end - names - buf.readUInt32BE(at + PROPERTIES_BYTES_AT);
}

/** Where the times of the publish entry at `at` end. */
export function timesEnd(buf: Buffer, at: number): number {
  return at + FIXED_BYTES + timesBytes(buf[at + FLAGS_AT]!);
}

export function timesBytes(flags: number): number {
  return ((flags & FLAG_EXPIRATION) === 0 ? 0 : 8) + ((flags & FLAG_RECEIVED) === 0 ? 0 : 8);
}

/** Bytes of the provenance at `at`: the sequence, the low mark, and the name of the origin behind its length. */
export function provenanceBytesAt(buf: Buffer, at: number): number {
  return ORIGIN_AT + buf[at + ORIGIN_BYTES_AT]!;
}

/** Priority of the message of the publish entry at `at`; 0 when it has none. */
export function publishPriority(buf: Buffer, at: number): number {
  return buf[at + PRIORITY_AT]!;
}

/** When the message of the publish entry at `at` was received; 0 when nobody said so. */
export function publishReceivedAtMs(buf: Buffer, at: number): number {
  const flags = buf[at + FLAGS_AT]!;
  if ((flags & FLAG_RECEIVED) === 0) return 0;
  return readU64(buf, at + FIXED_BYTES + ((flags & FLAG_EXPIRATION) === 0 ? 0 : 8));
}

/** Whether the message of the publish entry at `at` has a time to live of its own. */
export function publishExpires(buf: Buffer, at: number): boolean {
  return (buf[at + FLAGS_AT]! & FLAG_EXPIRATION) !== 0;
}

/** Whether every flag of the entry is one that this code understands. */
export function publishIsKnown(buf: Buffer, at: number): boolean {
  return (buf[at + FLAGS_AT]! & ~FLAGS_KNOWN) === 0;
}

/** Messages larger than this get a buffer of their own; smaller ones are packed by Message.keep. Bytes. */
const packedBytesMax = 4096;

/** Names that are remembered at most. */
const addressesMax = 4096;

/** Rebuilds messages from publish entries; addresses are shared between messages of the same names. */
export class MessageReader {
  private readonly addresses = new Map<string, Address>();
  /** When those count as received of which nobody said it: messages of format version 1. Milliseconds since 1970. */
  private readonly unstampedMs: number;

  constructor(unstampedMs: number) {
    this.unstampedMs = unstampedMs;
  }

  /** The message of the healthy publish entry at [at, end); it owns its bytes. */
  read(buf: Buffer, at: number, end: number): Message {
    const flags = buf[at + FLAGS_AT]!;
    const propertiesBytes = buf.readUInt32BE(at + PROPERTIES_BYTES_AT);
    const reader = new ByteReader(buf, at + FIXED_BYTES, end);
    const expirationMs = (flags & FLAG_EXPIRATION) === 0 ? -1 : reader.u64();
    const receivedAtMs = (flags & FLAG_RECEIVED) === 0 ? this.unstampedMs : reader.u64();
    if ((flags & FLAG_PROVENANCE) !== 0) reader.advance(provenanceBytesAt(buf, reader.position));
    const address = this.address(reader);
    let bytes = buf;
    let start = reader.position;
    if (end - start > packedBytesMax) {
      bytes = Buffer.from(buf.subarray(start, end));
      start = 0;
    }
    const bodyStart = start + propertiesBytes;
    const bodyEnd = start + end - reader.position;
    const message = new Message(
      address,
      buf[at + DIALECT_AT] as DialectId,
      (flags & FLAG_PERSISTENT) !== 0,
      (flags & FLAG_PRIORITY) === 0 ? -1 : buf[at + PRIORITY_AT]!,
      expirationMs,
      bytes,
      start,
      bodyStart,
      bodyStart,
      bodyEnd,
      null,
      bodyEnd - bodyStart,
    );
    message.receivedAtMs = receivedAtMs;
    message.keep();
    return message;
  }

  private address(reader: ByteReader): Address {
    const from = reader.position;
    const exchangeBytes = reader.u8();
    const exchangeAt = reader.advance(exchangeBytes);
    const routingKeyBytes = reader.u8();
    const routingKeyAt = reader.advance(routingKeyBytes);
    const key = reader.buffer.toString('latin1', from, reader.position);
    let address = this.addresses.get(key);
    if (address === undefined) {
      if (this.addresses.size >= addressesMax) this.addresses.clear();
      address = new Address(
        reader.buffer.toString('utf8', exchangeAt, exchangeAt + exchangeBytes),
        reader.buffer.toString('utf8', routingKeyAt, routingKeyAt + routingKeyBytes),
      );
      this.addresses.set(key, address);
    }
    return address;
  }
}
