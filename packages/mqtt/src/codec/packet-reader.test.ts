import { expect, test } from 'vitest';
import type { MqttError } from './error.js';
import { PacketReader } from './packet-reader.js';

function reading(packetBytesMax = 10_000) {
  const packets: string[] = [];
  const reader = new PacketReader(
    {
      packet(chunk, at, bodyAt, next) {
        packets.push(`${chunk[at]! >> 4}:${chunk.toString('latin1', bodyAt, next)}`);
        return true;
      },
    },
    packetBytesMax,
  );
  return { packets, reader };
}

const packet = (type: number, body: string): Buffer => {
  const length: number[] = [];
  for (let rest = body.length; ; rest >>= 7) {
    length.push(rest > 0x7f ? (rest & 0x7f) | 0x80 : rest);
    if (rest <= 0x7f) break;
  }
  return Buffer.concat([Buffer.from([type << 4, ...length]), Buffer.from(body, 'latin1')]);
};

test('packets are the same however they are cut', () => {
  const bodies = ['', 'a', 'x'.repeat(127), 'y'.repeat(128), 'z'.repeat(9000)];
  const bytes = Buffer.concat(bodies.map((body, at) => packet(at + 1, body)));
  const expected = bodies.map((body, at) => `${at + 1}:${body}`);
  for (const size of [1, 2, 3, 7, 100, 4096, bytes.length]) {
    const { packets, reader } = reading();
    for (let at = 0; at < bytes.length; at += size) reader.read(bytes.subarray(at, at + size));
    expect(packets).toEqual(expected);
    expect(reader.isTorn).toBe(false);
  }
  for (let at = 1; at < bytes.length; at += 13) {
    const { packets, reader } = reading();
    reader.read(bytes.subarray(0, at));
    reader.read(bytes.subarray(at));
    expect(packets).toEqual(expected);
  }
});

test('a peer that announces much and sends little costs little', () => {
  const { reader } = reading(300_000_000);
  const before = process.memoryUsage().arrayBuffers;
  reader.read(Buffer.from([0x30, 0xff, 0xff, 0xff, 0x7f, 0, 1, 0x74]));
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1_000_000);
});

test('too large, and a length of five bytes', () => {
  const reasonOf = (bytes: number[]) => {
    try {
      reading(100).reader.read(Buffer.from(bytes));
    } catch (error) {
      return (error as MqttError).reason;
    }
    return null;
  };
  expect(reasonOf([0x30, 99])).toBe(0x95);
  expect(reasonOf([0x30, 98])).toBe(null);
  expect(reasonOf([0x30, 0x80, 0x80, 0x80, 0x80])).toBe(0x81);
});
