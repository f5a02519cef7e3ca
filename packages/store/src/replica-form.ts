import { Address, copyBytes, type DialectId, Message, type Position, type Provenance } from '@chapar/core';
import { beginEntry, ENTRY_PUBLISH } from './entry.js';
import { readU64, writeU32, writeU64 } from './group.js';
import {
  FLAG_EXPIRATION,
  FLAG_MOVED,
  FLAG_PERSISTENT,
  FLAG_PRIORITY,
  FLAG_PROVENANCE,
  FLAG_RECEIVED,
  FLAGS_AT,
  FLAGS_OF_MESSAGE,
  ORIGIN_AT,
  ORIGIN_BYTES_AT,
  POSITION_AT,
  PROPERTIES_BYTES_AT,
  provenanceBytesAt,
  QUEUE_AT,
  timesBytes,
  timesEnd,
  writeBody,
  writePublishHead,
} from './publish-entry.js';

// The form of a message that depends on no file, queue and position: flags, dialect and priority, and what stands behind the position in
// an entry, without the provenance.

const FORM_FIXED_BYTES = 7;
/** Between the beginning of an entry and where its form begins, when flags, dialect and priority are moved behind the position. */
const FORM_AT = PROPERTIES_BYTES_AT - 3;

/** A buffer has to have so much room beside the form of a message, before it. */
export const FORM_ROOM_BYTES = FORM_AT;

/** Writes the form of a message, which ends up in `buf` at [at + FORM_ROOM_BYTES, what is returned). */
export function writeForm(buf: Buffer, at: number, message: Message): number {
  const bodyAt = writePublishHead(buf, at, 0, 0, 0, message);
  writeBody(buf, bodyAt, message);
  copyBytes(buf, at + FLAGS_AT, at + FLAGS_AT + 3, buf, at + FORM_AT);
  return bodyAt + message.bodyBytes;
}

/** The form of the message of the publish entry at [at, end), copied. */
export function formOfEntry(buf: Buffer, at: number, end: number): Buffer {
  const headEnd = timesEnd(buf, at);
  const hasProvenance = (buf[at + FLAGS_AT]! & FLAG_PROVENANCE) !== 0;
  const restAt = hasProvenance ? headEnd + provenanceBytesAt(buf, headEnd) : headEnd;
  const form = Buffer.allocUnsafe(3 + headEnd - at - PROPERTIES_BYTES_AT + end - restAt);
  buf.copy(form, 0, at + FLAGS_AT, at + FLAGS_AT + 3);
  form[0]! &= FLAGS_OF_MESSAGE;
  buf.copy(form, 3, at + PROPERTIES_BYTES_AT, headEnd);
  buf.copy(form, 3 + headEnd - at - PROPERTIES_BYTES_AT, restAt, end);
  return form;
}

/** What a form says of its message, without the rest. Throws RangeError for what is no form that this code knows. */
export function readFormHead(form: Buffer): FormHead {
  const flags = form[0]!;
  let at = FORM_FIXED_BYTES + timesBytes(flags);
  if (form.length < at || (flags & ~FLAGS_OF_MESSAGE) !== 0) throw new RangeError('a message in an unknown form');
  const receivedAtMs = (flags & FLAG_RECEIVED) === 0 ? 0 : readU64(form, at - 8);
  for (let names = 0; names < 2; names++) at += 1 + (form[at] ?? form.length);
  const bodyBytes = form.length - at - form.readUInt32BE(3);
  if (bodyBytes < 0) throw new RangeError('a message that is cut');
  return { bodyBytes, priority: form[2]!, expires: (flags & FLAG_EXPIRATION) !== 0, receivedAtMs };
}

/** The message of a form, which is its own. Throws RangeError for what is no form that this code knows. */
export function messageOfForm(form: Buffer): Message {
  const { bodyBytes, priority, expires, receivedAtMs } = readFormHead(form);
  const flags = form[0]!;
  const exchangeAt = FORM_FIXED_BYTES + timesBytes(flags) + 1;
  const exchangeEnd = exchangeAt + form[exchangeAt - 1]!;
  const propertiesAt = exchangeEnd + 1 + form[exchangeEnd]!;
  const bodyAt = form.length - bodyBytes;
  const message = new Message(
    new Address(form.toString('utf8', exchangeAt, exchangeEnd), form.toString('utf8', exchangeEnd + 1, propertiesAt)),
    form[1] as DialectId,
    (flags & FLAG_PERSISTENT) !== 0,
    (flags & FLAG_PRIORITY) === 0 ? -1 : priority,
    expires ? readU64(form, FORM_FIXED_BYTES) : -1,
    form,
    propertiesAt,
    bodyAt,
    bodyAt,
    form.length,
    null,
    bodyBytes,
  );
  message.receivedAtMs = receivedAtMs;
  return message;
}

export interface FormHead {
  readonly bodyBytes: number;
  /** 0: none. */
  readonly priority: number;
  readonly expires: boolean;
  /** 0: unknown. */
  readonly receivedAtMs: number;
}

/** Bytes of the entry that `writeFormEntry` writes. */
export function formEntryBytes(form: Buffer, provenance: Provenance | null): number {
  const provenanceBytes = provenance === null ? 0 : ORIGIN_AT + nameOf(provenance.origin).length;
  return PROPERTIES_BYTES_AT - 3 + form.length + provenanceBytes;
}

/** Bytes of a form that `writeFormEntry` writes. */
export function formHeadBytes(form: Buffer): number {
  return FORM_FIXED_BYTES + timesBytes(form[0]!);
}

/** The name of the origin that was asked for last: most messages in a row come from one. */
let lastOrigin = '';
let lastName = Buffer.alloc(0);

function nameOf(origin: string): Buffer {
  if (origin === lastOrigin) return lastName;
  const name = Buffer.from(origin);
  if (name.length > 255) throw new RangeError(`the name of an origin takes ${name.length} bytes`);
  lastOrigin = origin;
  lastName = name;
  return name;
}

/** Writes the publish entry of a message in its form, up to where what is left of the form goes; returns the bytes of the form that are in it. */
export function writeFormEntry(
  buf: Buffer,
  at: number,
  entryBytes: number,
  queueNumber: number,
  position: Position,
  provenance: Provenance | null,
  form: Buffer,
): number {
  beginEntry(buf, at, entryBytes, ENTRY_PUBLISH);
  const headBytes = formHeadBytes(form);
  copyBytes(form, 0, 3, buf, at + FLAGS_AT);
  writeU32(buf, at + QUEUE_AT, queueNumber);
  writeU64(buf, at + POSITION_AT, position);
  copyBytes(form, 3, headBytes, buf, at + PROPERTIES_BYTES_AT);
  if (provenance === null) return headBytes;
  buf[at + FLAGS_AT]! |= FLAG_PROVENANCE;
  const from = at + PROPERTIES_BYTES_AT + headBytes - 3;
  writeU64(buf, from, provenance.sequence);
  writeU64(buf, from + 8, provenance.low);
  const name = nameOf(provenance.origin);
  buf[from + ORIGIN_BYTES_AT] = name.length;
  copyBytes(name, 0, name.length, buf, from + ORIGIN_AT);
  return headBytes;
}

/** Which publish the entry at `at` came from; null: it does not say so. */
export function publishProvenance(buf: Buffer, at: number): Provenance | null {
  if ((buf[at + FLAGS_AT]! & FLAG_PROVENANCE) === 0) return null;
  const from = timesEnd(buf, at);
  const end = from + provenanceBytesAt(buf, from);
  return {
    origin: buf.toString('utf8', from + ORIGIN_AT, end),
    sequence: readU64(buf, from),
    low: readU64(buf, from + 8),
  };
}

/** The entry at `at` is a copy of one that stood in an older file. */
export function isMoved(buf: Buffer, at: number): boolean {
  return (buf[at + FLAGS_AT]! & FLAG_MOVED) !== 0;
}

export function markMoved(buf: Buffer, at: number): void {
  buf[at + FLAGS_AT]! |= FLAG_MOVED;
}
