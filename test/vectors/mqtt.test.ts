// Packets byte by byte, as the specification draws them, decoded at every cut. They were written by hand from its figures and tables,
// not by any codec.
import { describe, expect, test } from 'vitest';
import { ackReason, readAck } from '../../packages/mqtt/src/codec/ack.js';
import { readConnect } from '../../packages/mqtt/src/codec/connect.js';
import { readDisconnect } from '../../packages/mqtt/src/codec/disconnect.js';
import type { Version } from '../../packages/mqtt/src/codec/packet.js';
import { PacketReader } from '../../packages/mqtt/src/codec/packet-reader.js';
import { PublishView, readPublish } from '../../packages/mqtt/src/codec/publish.js';
import { readSubscribe, readUnsubscribe } from '../../packages/mqtt/src/codec/subscribe.js';

const text = (value: string): string => {
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length]), bytes]).toString('hex');
};

interface Vector {
  readonly name: string;
  readonly version: Version;
  readonly hex: string;
  readonly says: object;
  /** Shorter by some bytes it is a packet, too: one filter less. */
  readonly mayEnd?: boolean;
}

const vectors: readonly Vector[] = [
  {
    name: 'CONNECT 3.1',
    version: 3,
    hex: `10 11 ${text('MQIsdp')} 03 02 003c ${text('abc')}`,
    says: { version: 3, clientId: 'abc', cleanStart: true, keepAliveSeconds: 60, sessionExpirySeconds: 0 },
  },
  {
    name: 'CONNECT 3.1.1 with everything',
    version: 4,
    hex: `10 1d ${text('MQTT')} 04 ec 000a ${text('c')} ${text('w/t')} ${text('bye')} ${text('u')} ${text('p')}`,
    says: {
      version: 4,
      username: 'u',
      password: Buffer.from('p'),
      cleanStart: false,
      will: { topic: 'w/t', payload: Buffer.from('bye'), qos: 1, retain: true },
    },
  },
  {
    name: 'CONNECT 5.0 with properties and those of the will in their order',
    version: 5,
    hex: `10 35 ${text('MQTT')} 05 16 0000 0b 11 0000000a 21 0014 22 0005 ${text('c')} 15 18 00000005 26 ${text('b')} ${text('1')} 26 ${text('a')} ${text('2')} 01 01 ${text('t')} ${text('x')}`,
    says: {
      sessionExpirySeconds: 10,
      receiveMaximum: 20,
      topicAliasMaximum: 5,
      will: {
        delaySeconds: 5,
        qos: 2,
        retain: false,
        properties: Buffer.from(`26${text('b')}${text('1')}26${text('a')}${text('2')}0101`, 'hex'),
      },
    },
  },
  {
    name: 'PUBLISH of QoS 0',
    version: 4,
    hex: `30 07 ${text('a/b')} 6869`,
    says: { qos: 0, packetId: 0, topic: 'a/b', payload: 'hi' },
  },
  {
    name: 'PUBLISH of QoS 2, DUP, RETAIN',
    version: 4,
    hex: `3d 09 ${text('a/b')} 0102 6869`,
    says: { qos: 2, dup: true, retain: true, packetId: 258, payload: 'hi' },
  },
  {
    name: 'PUBLISH of 5.0 with an alias, an expiry and without payload',
    version: 5,
    hex: `32 0d 0000 0007 08 02 0000003c 23 0003`,
    says: { qos: 1, packetId: 7, topic: '', topicAlias: 3, expirySeconds: 60, payload: '' },
  },
  { name: 'PUBACK', version: 4, hex: '40 02 1234', says: { packetId: 0x1234, reason: 0 } },
  { name: 'PUBREL of 5.0 with a reason', version: 5, hex: '62 03 0001 92', says: { packetId: 1, reason: 0x92 } },
  {
    name: 'PUBREC of 5.0 with a reason string',
    version: 5,
    hex: `50 08 0001 10 04 1f ${text('r')}`,
    says: { packetId: 1, reason: 0x10 },
  },
  {
    name: 'SUBSCRIBE',
    mayEnd: true,
    version: 4,
    hex: `82 0e 000a ${text('a/b')} 01 ${text('c/d')} 02`,
    says: {
      packetId: 10,
      filters: [
        { filter: 'a/b', qos: 1 },
        { filter: 'c/d', qos: 2 },
      ],
    },
  },
  {
    name: 'SUBSCRIBE of 5.0 with every option and an identifier of two bytes',
    version: 5,
    hex: `82 0a 0001 03 0b c802 ${text('a')} 2d`,
    says: {
      subscriptionId: 328,
      filters: [{ filter: 'a', qos: 1, noLocal: true, retainAsPublished: true, retainHandling: 2 }],
    },
  },
  {
    name: 'UNSUBSCRIBE',
    mayEnd: true,
    version: 4,
    hex: `a2 0c 000a ${text('a/b')} ${text('c/d')}`,
    says: { packetId: 10, filters: ['a/b', 'c/d'] },
  },
  {
    name: 'DISCONNECT of 5.0',
    version: 5,
    hex: 'e0 07 04 05 11 00000009',
    says: { reason: 4, sessionExpirySeconds: 9 },
  },
];

const view = new PublishView();

function decode(buf: Buffer, at: number, bodyAt: number, next: number, version: Version): object {
  const type = buf[at]! >> 4;
  if (type === 1) return readConnect(buf, at, bodyAt, next);
  if (type === 8) return readSubscribe(buf, at, bodyAt, next, version);
  if (type === 10) return readUnsubscribe(buf, at, bodyAt, next, version);
  if (type === 14) return readDisconnect(buf, bodyAt, next, version);
  if (type !== 3) return { packetId: readAck(buf, type, bodyAt, next, version), reason: ackReason };
  readPublish(buf, at, bodyAt, next, version, view);
  const { topicStart, topicEnd, payloadStart, payloadEnd } = view;
  return {
    ...view,
    topic: buf.toString('utf8', topicStart, topicEnd),
    payload: buf.toString('utf8', payloadStart, payloadEnd),
  };
}

describe.each(vectors)('$name', ({ version, hex, says, mayEnd: shorter }) => {
  const bytes = Buffer.from(hex.replaceAll(' ', ''), 'hex');

  test('says what it says, cut anywhere', () => {
    expect(bytes.length).toBe(bytes[1]! + 2);
    for (let cut = 0; cut <= bytes.length; cut++) {
      const found: object[] = [];
      const reader = new PacketReader(
        {
          packet(buf, at, bodyAt, next) {
            found.push(decode(buf, at, bodyAt, next, version));
            return true;
          },
        },
        1000,
      );
      reader.read(bytes.subarray(0, cut));
      reader.read(bytes.subarray(cut));
      expect(found).toMatchObject([says]);
    }
  });

  test('is refused when it ends too early', () => {
    for (let length = bytes.length - 3; length >= 1; length--) {
      const short = Buffer.from(bytes.subarray(0, length + 2));
      short[1] = length;
      let outcome = 'taken';
      try {
        decode(short, 0, 2, short.length, version);
      } catch (error) {
        outcome = (error as Error).constructor.name;
      }
      // A shorter payload, and an answer without its reason or properties, are packets, too.
      const mayEnd = shorter ?? [3, 4, 5, 6, 7, 14].includes(bytes[0]! >> 4);
      if (!mayEnd) expect(outcome).toBe('MqttError');
      else expect(['taken', 'MqttError']).toContain(outcome);
    }
  });
});
