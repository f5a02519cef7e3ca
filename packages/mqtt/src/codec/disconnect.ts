import { PacketCursor } from './cursor.js';
import { malformed } from './error.js';
import { DISCONNECT, type Version } from './packet.js';
import { PROPERTY, walkProperties } from './properties.js';
import { REASON } from './reason.js';

/** A client's goodbye (§3.14). */
export interface Disconnect {
  readonly reason: number;
  /** -1: as it was. */
  readonly sessionExpirySeconds: number;
}

/** Codes that a client may send. */
const allowed: readonly number[] = [0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99];

/** Throws MqttError. */
export function readDisconnect(buf: Buffer, bodyAt: number, next: number, version: Version): Disconnect {
  if (bodyAt === next) return { reason: REASON.success, sessionExpirySeconds: -1 };
  if (version !== 5) throw malformed('a DISCONNECT with a body');
  const cursor = new PacketCursor(buf, bodyAt, next);
  const reason = cursor.u8();
  if (!allowed.includes(reason)) throw malformed(`a DISCONNECT with reason code ${reason}`);
  let sessionExpirySeconds = -1;
  if (cursor.remaining > 0) {
    walkProperties(cursor, DISCONNECT, (id, start) => {
      if (id === PROPERTY.sessionExpiry) sessionExpirySeconds = buf.readUInt32BE(start);
    });
    if (cursor.remaining > 0) throw malformed('bytes behind the end of DISCONNECT');
  }
  return { reason, sessionExpirySeconds };
}
