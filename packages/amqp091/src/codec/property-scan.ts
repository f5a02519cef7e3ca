// What a broker must know of a message's properties, found without decoding and without allocating.
import { CodecError } from './errors.js';
import {
  APP_ID_FLAG,
  CLUSTER_ID_FLAG,
  CONTENT_ENCODING_FLAG,
  CONTENT_TYPE_FLAG,
  CORRELATION_ID_FLAG,
  checkedFlags,
  DELIVERY_MODE_FLAG,
  EXPIRATION_FLAG,
  HEADERS_FLAG,
  MESSAGE_ID_FLAG,
  PRIORITY_FLAG,
  REPLY_TO_FLAG,
  TIMESTAMP_FLAG,
  TYPE_FLAG,
  USER_ID_FLAG,
} from './properties.js';
import { checkTable } from './table-scan.js';

/**
 * Where `scanProperties` puts what it finds; made once, filled again and again. Positions are those of the scanned
 * buffer, of a string's bytes without their length and of a table's entries without theirs; -1 means absent.
 */
export class PropertyScan {
  flags = 0;
  /** 0 when absent. */
  deliveryMode = 0;
  /** -1 when absent. */
  priority = -1;
  headersStart = -1;
  headersEnd = -1;
  replyToStart = -1;
  replyToEnd = -1;
  expirationStart = -1;
  expirationEnd = -1;
  userIdStart = -1;
  userIdEnd = -1;
}

const BEFORE_HEADERS = CONTENT_TYPE_FLAG | CONTENT_ENCODING_FLAG;
const AFTER_EXPIRATION = MESSAGE_ID_FLAG | TIMESTAMP_FLAG | TYPE_FLAG | USER_ID_FLAG | APP_ID_FLAG | CLUSTER_ID_FLAG;

/**
 * Checks the structure of the property list `buf[start..end)`, down to the innermost header, and fills `out`.
 * Throws CodecError (syntax); `out` is then only half filled.
 */
export function scanProperties(buf: Buffer, start: number, end: number, out: PropertyScan): void {
  if (start < 0 || end > buf.length || end - start < 2) throw cut(start, end);
  const flags = checkedFlags((buf[start]! << 8) | buf[start + 1]!);
  clear(out, flags);
  let at = start + 2;
  if ((flags & BEFORE_HEADERS) !== 0) {
    if ((flags & CONTENT_TYPE_FLAG) !== 0) at = afterString(buf, at, end);
    if ((flags & CONTENT_ENCODING_FLAG) !== 0) at = afterString(buf, at, end);
  }
  if ((flags & HEADERS_FLAG) !== 0) at = scanHeaders(buf, at, end, out);
  if ((flags & DELIVERY_MODE_FLAG) !== 0) {
    if (at >= end) throw cut(at, end);
    out.deliveryMode = buf[at++]!;
  }
  if ((flags & PRIORITY_FLAG) !== 0) {
    if (at >= end) throw cut(at, end);
    out.priority = buf[at++]!;
  }
  if ((flags & CORRELATION_ID_FLAG) !== 0) at = afterString(buf, at, end);
  if ((flags & REPLY_TO_FLAG) !== 0) {
    out.replyToStart = at + 1;
    out.replyToEnd = at = afterString(buf, at, end);
  }
  if ((flags & EXPIRATION_FLAG) !== 0) {
    out.expirationStart = at + 1;
    out.expirationEnd = at = afterString(buf, at, end);
  }
  if ((flags & AFTER_EXPIRATION) !== 0) at = scanRest(buf, at, end, flags, out);
  if (at !== end) throw at < end ? new CodecError('syntax', `${end - at} bytes after the last property`) : cut(at, end);
}

function scanHeaders(buf: Buffer, at: number, end: number, out: PropertyScan): number {
  if (end - at < 4) throw cut(at, end);
  const length = ((buf[at]! << 24) | (buf[at + 1]! << 16) | (buf[at + 2]! << 8) | buf[at + 3]!) >>> 0;
  const from = at + 4;
  if (length > end - from) throw cut(from, end);
  const after = from + length;
  if (length > 0) checkTable(buf, from, after);
  out.headersStart = from;
  out.headersEnd = after;
  return after;
}

function scanRest(buf: Buffer, from: number, end: number, flags: number, out: PropertyScan): number {
  let at = from;
  if ((flags & MESSAGE_ID_FLAG) !== 0) at = afterString(buf, at, end);
  if ((flags & TIMESTAMP_FLAG) !== 0) at += 8;
  if ((flags & TYPE_FLAG) !== 0) at = afterString(buf, at, end);
  if ((flags & USER_ID_FLAG) !== 0) {
    out.userIdStart = at + 1;
    out.userIdEnd = at = afterString(buf, at, end);
  }
  if ((flags & APP_ID_FLAG) !== 0) at = afterString(buf, at, end);
  if ((flags & CLUSTER_ID_FLAG) !== 0) at = afterString(buf, at, end);
  return at;
}

function afterString(buf: Buffer, at: number, end: number): number {
  if (at >= end) throw cut(at, end);
  const after = at + 1 + buf[at]!;
  if (after > end) throw cut(at, end);
  return after;
}

function cut(at: number, end: number): CodecError {
  return new CodecError('syntax', `properties are cut: nothing fits between ${at} and ${end}`);
}

function clear(out: PropertyScan, flags: number): void {
  out.flags = flags;
  out.deliveryMode = 0;
  out.priority = -1;
  out.headersStart = out.headersEnd = -1;
  out.replyToStart = out.replyToEnd = -1;
  out.expirationStart = out.expirationEnd = -1;
  out.userIdStart = out.userIdEnd = -1;
}
