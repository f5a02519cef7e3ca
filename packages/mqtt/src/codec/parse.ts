import { type Packet, parser } from 'mqtt-packet';
import { malformed } from './error.js';
import type { Version } from './packet.js';

/**
 * One whole packet, by mqtt-packet: for those that are not hot, behind a check of ours on their bytes. What it objects to beyond that
 * is malformed.
 */
export function parseOne(bytes: Buffer, protocolVersion: Version): Packet {
  let found: Packet | null = null;
  let wrong: Error | null = null;
  const reading = parser({ protocolVersion });
  reading.on('packet', (packet) => {
    found = packet;
  });
  reading.on('error', (error: Error) => {
    wrong = error;
  });
  reading.parse(bytes);
  if (wrong !== null) throw malformed((wrong as Error).message);
  if (found === null) throw malformed('the packet is not complete');
  return found;
}
