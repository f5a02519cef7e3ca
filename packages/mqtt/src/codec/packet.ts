/** Types of control packets (§2.1.2), as the upper four bits of the first byte. */
export const CONNECT = 1;
export const CONNACK = 2;
export const PUBLISH = 3;
export const PUBACK = 4;
export const PUBREC = 5;
export const PUBREL = 6;
export const PUBCOMP = 7;
export const SUBSCRIBE = 8;
export const SUBACK = 9;
export const UNSUBSCRIBE = 10;
export const UNSUBACK = 11;
export const PINGREQ = 12;
export const PINGRESP = 13;
export const DISCONNECT = 14;
export const AUTH = 15;

/** Protocol levels: 3.1, 3.1.1, 5.0. */
export type Version = 3 | 4 | 5;

export const DUP_FLAG = 0x08;
export const RETAIN_FLAG = 0x01;

export type Qos = 0 | 1 | 2;

const names = [
  'a packet of type 0',
  'CONNECT',
  'CONNACK',
  'PUBLISH',
  'PUBACK',
  'PUBREC',
  'PUBREL',
  'PUBCOMP',
  'SUBSCRIBE',
  'SUBACK',
  'UNSUBSCRIBE',
  'UNSUBACK',
  'PINGREQ',
  'PINGRESP',
  'DISCONNECT',
  'AUTH',
];

export function packetName(type: number): string {
  return names[type] ?? `a packet of type ${type}`;
}

/** How many bytes a variable byte integer takes (§1.5.5). */
export function varintBytes(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  return value < 0x20_0000 ? 3 : 4;
}

/** Writes a variable byte integer; returns where it ends. */
export function writeVarint(buf: Buffer, at: number, value: number): number {
  let rest = value;
  let to = at;
  while (rest >= 0x80) {
    buf[to++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  buf[to++] = rest;
  return to;
}

/** The largest remaining length. */
export const remainingLengthMax = 268_435_455;
