// PUBACK, PUBREC, PUBREL, PUBCOMP: | first byte | remaining length | packet id 2 | 5.0: reason code, properties |
import type { Output } from '@chapar/core';
import { PacketCursor } from './cursor.js';
import { malformed, protocolError } from './error.js';
import { PUBREL, packetName, type Version } from './packet.js';
import { walkProperties } from './properties.js';
import { REASON } from './reason.js';

const allowed: { readonly [type: number]: readonly number[] } = {
  4: [0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99],
  5: [0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99],
  6: [0x00, 0x92],
  7: [0x00, 0x92],
};

/** The packet id; the reason code is left in `ackReason`. */
export let ackReason = 0;

export function readAck(buf: Buffer, type: number, bodyAt: number, next: number, version: Version): number {
  const bytes = next - bodyAt;
  ackReason = REASON.success;
  if (bytes !== 2) readMore(buf, type, bodyAt, next, version);
  const id = (buf[bodyAt]! << 8) | buf[bodyAt + 1]!;
  if (id === 0) throw protocolError(`${packetName(type)} with packet identifier 0`);
  return id;
}

function readMore(buf: Buffer, type: number, bodyAt: number, next: number, version: Version): void {
  if (next - bodyAt < 2 || version !== 5) throw malformed(`${packetName(type)} of ${next - bodyAt} bytes`);
  const reason = buf[bodyAt + 2]!;
  if (!allowed[type]!.includes(reason)) throw malformed(`${packetName(type)} with reason code ${reason}`);
  if (next - bodyAt > 3) {
    const cursor = new PacketCursor(buf, bodyAt + 3, next);
    walkProperties(cursor, type, null);
    if (cursor.remaining > 0) throw malformed(`bytes behind the properties of ${packetName(type)}`);
  }
  ackReason = reason;
}

/** Writes one; the reason only where there is one to tell (5.0). */
export function writeAck(output: Output, type: number, packetId: number, reason: number, version: Version): void {
  const long = version === 5 && reason !== REASON.success;
  output.reserve(5);
  const { slab } = output;
  let { at } = output;
  slab[at++] = (type << 4) | (type === PUBREL ? 2 : 0);
  slab[at++] = long ? 3 : 2;
  slab[at++] = packetId >>> 8;
  slab[at++] = packetId;
  if (long) slab[at++] = reason;
  output.at = at;
}
