import { PacketCursor } from './cursor.js';
import { malformed, protocolError } from './error.js';
import { DUP_FLAG, type Qos, SUBSCRIBE, UNSUBSCRIBE, type Version } from './packet.js';
import { parseOne } from './parse.js';
import { PROPERTY, walkProperties } from './properties.js';

/** One filter of a SUBSCRIBE with its options (§3.8.3.1). */
export interface FilterWish {
  readonly filter: string;
  readonly qos: Qos;
  readonly noLocal: boolean;
  readonly retainAsPublished: boolean;
  /** 0: retained messages are sent; 1: only for a new subscription; 2: not. */
  readonly retainHandling: 0 | 1 | 2;
}

export interface Subscribe {
  readonly packetId: number;
  readonly filters: readonly FilterWish[];
  /** 0: none. */
  readonly subscriptionId: number;
}

export interface Unsubscribe {
  readonly packetId: number;
  readonly filters: readonly string[];
}

/** Throws MqttError. */
export function readSubscribe(buf: Buffer, at: number, bodyAt: number, next: number, version: Version): Subscribe {
  let subscriptionId = 0;
  const cursor = begin(buf, bodyAt, next, SUBSCRIBE, version, (id, start, end) => {
    if (id === PROPERTY.subscriptionId) subscriptionId = new PacketCursor(buf, start, end).varint();
  });
  let count = 0;
  for (; cursor.remaining > 0; count++) {
    cursor.skipText();
    checkOptions(cursor.u8(), version);
  }
  // [MQTT-3.8.3-2]
  if (count === 0) throw protocolError('a SUBSCRIBE without filters');
  const packet = parseOne(withoutDup(buf, at, next), version);
  if (packet.cmd !== 'subscribe') throw malformed('not a SUBSCRIBE');
  const filters = packet.subscriptions.map(({ topic, qos, nl, rap, rh }) => ({
    filter: topic,
    qos,
    noLocal: nl ?? false,
    retainAsPublished: rap ?? false,
    retainHandling: (rh ?? 0) as 0 | 1 | 2,
  }));
  return { packetId: packet.messageId!, filters, subscriptionId };
}

/** Throws MqttError. */
export function readUnsubscribe(buf: Buffer, at: number, bodyAt: number, next: number, version: Version): Unsubscribe {
  const cursor = begin(buf, bodyAt, next, UNSUBSCRIBE, version, null);
  let count = 0;
  for (; cursor.remaining > 0; count++) cursor.skipText();
  // [MQTT-3.10.3-2]
  if (count === 0) throw protocolError('an UNSUBSCRIBE without filters');
  const packet = parseOne(withoutDup(buf, at, next), version);
  if (packet.cmd !== 'unsubscribe') throw malformed('not an UNSUBSCRIBE');
  return { packetId: packet.messageId!, filters: packet.unsubscriptions };
}

/** What 3.1 allows here and mqtt-packet does not; see `assertFlags`. */
function withoutDup(buf: Buffer, at: number, next: number): Buffer {
  buf[at]! &= ~DUP_FLAG;
  return buf.subarray(at, next);
}

function begin(
  buf: Buffer,
  bodyAt: number,
  next: number,
  type: number,
  version: Version,
  visit: Parameters<typeof walkProperties>[2],
): PacketCursor {
  const cursor = new PacketCursor(buf, bodyAt, next);
  // [MQTT-2.2.1-3]
  if (cursor.u16() === 0) throw protocolError('packet identifier 0');
  if (version === 5) walkProperties(cursor, type, visit);
  return cursor;
}

function checkOptions(options: number, version: Version): void {
  // [MQTT-3.8.3-4], [MQTT-3.8.3-5]
  if ((options & 3) === 3) throw malformed('a subscription with QoS 3');
  if ((options & (version === 5 ? 0xc0 : 0xfc)) !== 0) throw malformed('reserved subscription options are set');
  if (((options >> 4) & 3) === 3) throw protocolError('Retain Handling 3');
}
