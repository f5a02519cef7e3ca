import type { PacketCursor } from './cursor.js';
import { malformed, protocolError } from './error.js';
import {
  AUTH,
  CONNECT,
  DISCONNECT,
  PUBACK,
  PUBCOMP,
  PUBLISH,
  PUBREC,
  PUBREL,
  packetName,
  SUBSCRIBE,
  UNSUBSCRIBE,
} from './packet.js';

/** Identifiers of properties (§2.2.2.2). */
export const PROPERTY = {
  payloadFormat: 0x01,
  messageExpiry: 0x02,
  contentType: 0x03,
  responseTopic: 0x08,
  correlationData: 0x09,
  subscriptionId: 0x0b,
  sessionExpiry: 0x11,
  assignedClientId: 0x12,
  serverKeepAlive: 0x13,
  authMethod: 0x15,
  authData: 0x16,
  requestProblem: 0x17,
  willDelay: 0x18,
  requestResponse: 0x19,
  responseInformation: 0x1a,
  serverReference: 0x1c,
  reasonString: 0x1f,
  receiveMaximum: 0x21,
  topicAliasMaximum: 0x22,
  topicAlias: 0x23,
  maximumQos: 0x24,
  retainAvailable: 0x25,
  user: 0x26,
  packetSizeMax: 0x27,
} as const;

/** Stands for the properties of a will, which are no packet. */
export const WILL = 16;

type Kind = 'byte' | 'flag' | 'u16' | 'u16+' | 'u32' | 'u32+' | 'varint+' | 'text' | 'binary' | 'pair';

/** What each is, and where a client may send it. `+`: zero is a protocol error; `flag`: 0 or 1. */
const known: { readonly [id: number]: { readonly kind: Kind; readonly name: string; readonly in: readonly number[] } } =
  {
    [PROPERTY.payloadFormat]: { kind: 'flag', name: 'Payload Format Indicator', in: [PUBLISH, WILL] },
    [PROPERTY.messageExpiry]: { kind: 'u32', name: 'Message Expiry Interval', in: [PUBLISH, WILL] },
    [PROPERTY.contentType]: { kind: 'text', name: 'Content Type', in: [PUBLISH, WILL] },
    [PROPERTY.responseTopic]: { kind: 'text', name: 'Response Topic', in: [PUBLISH, WILL] },
    [PROPERTY.correlationData]: { kind: 'binary', name: 'Correlation Data', in: [PUBLISH, WILL] },
    [PROPERTY.subscriptionId]: { kind: 'varint+', name: 'Subscription Identifier', in: [SUBSCRIBE] },
    [PROPERTY.sessionExpiry]: { kind: 'u32', name: 'Session Expiry Interval', in: [CONNECT, DISCONNECT] },
    [PROPERTY.authMethod]: { kind: 'text', name: 'Authentication Method', in: [CONNECT, AUTH] },
    [PROPERTY.authData]: { kind: 'binary', name: 'Authentication Data', in: [CONNECT, AUTH] },
    [PROPERTY.requestProblem]: { kind: 'flag', name: 'Request Problem Information', in: [CONNECT] },
    [PROPERTY.willDelay]: { kind: 'u32', name: 'Will Delay Interval', in: [WILL] },
    [PROPERTY.requestResponse]: { kind: 'flag', name: 'Request Response Information', in: [CONNECT] },
    [PROPERTY.reasonString]: {
      kind: 'text',
      name: 'Reason String',
      in: [PUBACK, PUBREC, PUBREL, PUBCOMP, DISCONNECT, AUTH],
    },
    [PROPERTY.receiveMaximum]: { kind: 'u16+', name: 'Receive Maximum', in: [CONNECT] },
    [PROPERTY.topicAliasMaximum]: { kind: 'u16', name: 'Topic Alias Maximum', in: [CONNECT] },
    [PROPERTY.topicAlias]: { kind: 'u16', name: 'Topic Alias', in: [PUBLISH] },
    [PROPERTY.user]: {
      kind: 'pair',
      name: 'User Property',
      in: [CONNECT, PUBLISH, WILL, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBSCRIBE, UNSUBSCRIBE, DISCONNECT, AUTH],
    },
    [PROPERTY.packetSizeMax]: { kind: 'u32+', name: 'Maximum Packet Size', in: [CONNECT] },
  };

/** Who hears of a property: where its value begins and ends. */
export type PropertyVisitor = (id: number, start: number, end: number) => void;

/**
 * Walks the properties of a client's packet, whose length stands at the cursor, and checks each: known, allowed in this packet, once
 * (but user properties), of a value that it may have. [MQTT-2.2.2-2], §2.2.2.2
 */
export function walkProperties(cursor: PacketCursor, packet: number, visit: PropertyVisitor | null): void {
  const length = cursor.varint();
  const end = cursor.at + length;
  if (end > cursor.end) throw malformed('the properties are longer than their packet');
  let seen = 0;
  while (cursor.at < end) {
    const id = cursor.varint();
    const property = known[id];
    if (!property?.in.includes(packet)) {
      const where = packet === WILL ? 'a will' : packetName(packet);
      throw malformed(`property 0x${id.toString(16)} is not one of ${where}`);
    }
    if (property.kind !== 'pair') {
      if (hasBit(seen, id)) throw protocolError(`${property.name} comes twice`);
      seen = withBit(seen, id);
    }
    const start = cursor.at;
    readValue(cursor, property.kind, property.name);
    if (cursor.at > end) throw malformed('the properties end within a value');
    visit?.(id, start, cursor.at);
  }
}

/** Identifiers go up to 0x27, more than the bits of a number: the ones above 30 share the upper half by 53-bit arithmetic. */
function hasBit(set: number, id: number): boolean {
  return Math.floor(set / 2 ** id) % 2 === 1;
}

function withBit(set: number, id: number): number {
  return set + 2 ** id;
}

function readValue(cursor: PacketCursor, kind: Kind, name: string): void {
  if (kind === 'text') cursor.skipText();
  else if (kind === 'pair') {
    cursor.skipText();
    cursor.skipText();
  } else if (kind === 'binary') cursor.skip(cursor.u16());
  else checkNumber(cursor, kind, name);
}

function checkNumber(cursor: PacketCursor, kind: Kind, name: string): void {
  const value = readNumber(cursor, kind);
  if (kind === 'flag' && value > 1) throw protocolError(`${name} is ${value}`);
  if (kind.endsWith('+') && value === 0) throw protocolError(`${name} is 0`);
}

function readNumber(cursor: PacketCursor, kind: Kind): number {
  if (kind.startsWith('u16')) return cursor.u16();
  if (kind.startsWith('u32')) return cursor.u32();
  return kind === 'varint+' ? cursor.varint() : cursor.u8();
}
