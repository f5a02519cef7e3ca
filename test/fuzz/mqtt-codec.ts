// Throws bytes at MQTT's codec. Whatever they are, and however they are cut: nothing but an error of the protocol comes out, memory is
// bounded by what came, and what ours takes mqtt-packet takes, too.
import assert from 'node:assert/strict';
import { generate, type Packet, parser } from 'mqtt-packet';
import { readAck } from '../../packages/mqtt/src/codec/ack.js';
import { readConnect, UnsupportedVersionError } from '../../packages/mqtt/src/codec/connect.js';
import { readDisconnect } from '../../packages/mqtt/src/codec/disconnect.js';
import { MqttError } from '../../packages/mqtt/src/codec/error.js';
import { assertFlags } from '../../packages/mqtt/src/codec/flags.js';
import { PUBREL, type Version } from '../../packages/mqtt/src/codec/packet.js';
import { PacketReader } from '../../packages/mqtt/src/codec/packet-reader.js';
import { PublishView, readPublish } from '../../packages/mqtt/src/codec/publish.js';
import { readSubscribe, readUnsubscribe } from '../../packages/mqtt/src/codec/subscribe.js';
import { mutate, type Random, seeded } from './mutate.js';

export interface MqttFuzzResult {
  readonly seed: number;
  readonly inputs: number;
  readonly accepted: number;
  readonly refused: number;
}

const user = { userProperties: { a: ['1', '2'], b: '3' } };
const seeds: readonly Packet[] = [
  {
    cmd: 'connect',
    clientId: 'c',
    protocolVersion: 5,
    clean: true,
    keepalive: 9,
    properties: { sessionExpiryInterval: 1, receiveMaximum: 2, ...user },
  },
  {
    cmd: 'connect',
    clientId: 'c',
    protocolVersion: 5,
    username: 'u',
    password: Buffer.from('p'),
    will: {
      topic: 't',
      payload: 'w',
      qos: 1,
      retain: true,
      properties: { willDelayInterval: 1, contentType: 'x', ...user },
    },
  },
  { cmd: 'publish', topic: 'a/b', payload: 'payload', qos: 0, dup: false, retain: false },
  {
    cmd: 'publish',
    topic: 'a/b',
    payload: 'payload',
    qos: 2,
    dup: true,
    retain: true,
    messageId: 7,
    properties: {
      topicAlias: 1,
      messageExpiryInterval: 3,
      contentType: 't',
      responseTopic: 'r',
      correlationData: Buffer.from('c'),
      payloadFormatIndicator: true,
      ...user,
    },
  },
  {
    cmd: 'subscribe',
    messageId: 1,
    subscriptions: [
      { topic: 'a/+', qos: 1, nl: true, rap: true, rh: 1 },
      { topic: '#', qos: 2 },
    ],
    properties: { subscriptionIdentifier: 300, ...user },
  },
  { cmd: 'unsubscribe', messageId: 1, unsubscriptions: ['a', 'b/#'], properties: user },
  { cmd: 'puback', messageId: 3, reasonCode: 0x10, properties: { reasonString: 'r', ...user } },
  { cmd: 'pubrec', messageId: 3, reasonCode: 0 },
  { cmd: 'pubrel', messageId: 3, reasonCode: 0x92 },
  { cmd: 'pubcomp', messageId: 3, reasonCode: 0 },
  { cmd: 'disconnect', reasonCode: 4, properties: { sessionExpiryInterval: 2, reasonString: 'r' } },
  { cmd: 'pingreq' },
];

const view = new PublishView();
const packetBytesMax = 10_000;

/** Decodes one whole packet as the connection does. */
function decode(buf: Buffer, at: number, bodyAt: number, next: number, version: Version): void {
  const type = buf[at]! >> 4;
  if (type !== 3) assertFlags(type, buf[at]! & 0x0f, version);
  if (type === 1) readConnect(buf, at, bodyAt, next);
  else if (type === 3) {
    readPublish(buf, at, bodyAt, next, version, view);
    assert(
      view.topicStart <= view.topicEnd && view.topicEnd <= view.payloadStart && view.payloadStart <= view.payloadEnd,
    );
    assert(
      view.propertiesStart <= view.propertiesEnd && view.propertiesEnd <= view.payloadStart && view.payloadEnd === next,
    );
  } else if (type >= 4 && type <= 7) readAck(buf, type, bodyAt, next, version);
  else if (type === 8) readSubscribe(buf, at, bodyAt, next, version);
  else if (type === 10) readUnsubscribe(buf, at, bodyAt, next, version);
  else if (type === 14) readDisconnect(buf, bodyAt, next, version);
  if (type === 3 || (type >= 4 && type <= 7)) agrees(buf.subarray(at, next), version);
}

/** Whatever the codec of ours takes where it does not ask mqtt-packet, mqtt-packet takes, too, and reads the same out of it. */
function agrees(bytes: Buffer, protocolVersion: Version): void {
  // It does not know that clients of 3.1 may mark with DUP what they release again.
  if (protocolVersion === 3 && bytes[0]! >> 4 === PUBREL) return;
  const reading = parser({ protocolVersion });
  let found: Packet | null = null;
  reading.on('packet', (packet) => (found = packet));
  reading.on('error', (error: Error) => assert.fail(`${error.message}: ${bytes.toString('hex')}`));
  reading.parse(Buffer.from(bytes));
  assert(found !== null, bytes.toString('hex'));
  const packet = found as Packet;
  if (packet.cmd !== 'publish') return;
  assert.equal(packet.qos, view.qos);
  assert.equal(packet.payload.length, view.payloadEnd - view.payloadStart);
  assert.equal(packet.properties?.messageExpiryInterval ?? -1, view.expirySeconds);
}

/** Runs for `seconds`; throws with the input in hex when anything but a refusal comes out. */
export function runMqttFuzz(seconds: number, seed: number): MqttFuzzResult {
  const random = seeded(seed);
  const deadline = Date.now() + seconds * 1000;
  let [inputs, accepted, refused] = [0, 0, 0];
  do {
    for (let i = 0; i < 200; i++, inputs++) {
      const version = ([3, 4, 5] as const)[Math.floor(random() * 3)]!;
      const input = someInput(random, version);
      try {
        accepted += read(input, version, random);
      } catch (error) {
        if (!(error instanceof MqttError || error instanceof UnsupportedVersionError))
          throw new Error(`seed ${seed}, version ${version}: ${input.toString('hex')}`, { cause: error });
        refused++;
      }
    }
  } while (Date.now() < deadline);
  return { seed, inputs, accepted, refused };
}

/** One to three packets, perhaps spoilt. */
function someInput(random: Random, protocolVersion: Version): Buffer {
  const parts = Array.from({ length: 1 + Math.floor(random() * 3) }, () => {
    const packet = seeds[Math.floor(random() * seeds.length)]!;
    const own = packet.cmd === 'connect' ? { ...packet, protocolVersion: Math.max(protocolVersion, 4) as 4 } : packet;
    return generate(own, { protocolVersion });
  });
  const whole = Buffer.concat(parts);
  return random() < 0.3 ? whole : mutate(random, whole, 4096);
}

/** In pieces, as a socket brings them. Returns how many packets were taken. */
function read(input: Buffer, version: Version, random: Random): number {
  let taken = 0;
  const sink = {
    packet(chunk: Buffer, at: number, bodyAt: number, next: number): boolean {
      assert(at <= bodyAt && bodyAt <= next && next <= chunk.length);
      decode(chunk, at, bodyAt, next, version);
      taken++;
      return true;
    },
  };
  const reader = new PacketReader(sink, packetBytesMax);
  for (let at = 0; at < input.length; ) {
    const end = Math.min(input.length, at + 1 + Math.floor(random() * 40));
    reader.read(Buffer.from(input.subarray(at, end)));
    at = end;
  }
  return taken;
}
