import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Address } from './address.js';
import { copyBytes, DIALECT_AMQP091, Message } from './message.js';

const address = new Address('', 'q');

/** A message as it stands in a socket's chunk, with other bytes around it. */
function inChunk(properties: Buffer, body: Buffer, gap = 3): { message: Message; chunk: Buffer } {
  const chunk = Buffer.concat([
    Buffer.alloc(gap, 0xaa),
    properties,
    Buffer.alloc(gap, 0xbb),
    body,
    Buffer.alloc(gap, 0xcc),
  ]);
  const start = gap + properties.length + gap;
  const message = new Message(
    address,
    DIALECT_AMQP091,
    true,
    -1,
    -1,
    chunk,
    gap,
    gap + properties.length,
    start,
    start + body.length,
    null,
    body.length,
  );
  return { message, chunk };
}

describe('message', () => {
  it('that is kept reads the same when its chunk is used for something else', () => {
    const bytes = fc.uint8Array({ maxLength: 200 }).map((each) => Buffer.from(each));
    fc.assert(
      fc.property(fc.array(fc.tuple(bytes, bytes, fc.nat({ max: 5 })), { maxLength: 30 }), (list) => {
        const kept = list.map(([properties, body, gap]) => {
          const { message, chunk } = inChunk(properties, body, gap);
          message.keep();
          // A second time changes nothing.
          const { bytes: where } = message;
          message.keep();
          expect(message.bytes).toBe(where);
          chunk.fill(0);
          return message;
        });
        for (const [at, [properties, body]] of list.entries()) {
          expect(kept[at]!.properties()).toEqual(properties);
          expect(kept[at]!.body()).toEqual(body);
        }
      }),
      { numRuns: 200, seed: 10 },
    );
  });

  it('pins no chunk when it is small, and stays a view when it is large', () => {
    const small = inChunk(Buffer.alloc(10), Buffer.alloc(16 * 1024 - 10));
    small.message.keep();
    expect(small.message.bytes).not.toBe(small.chunk);
    const large = inChunk(Buffer.alloc(10), Buffer.alloc(16 * 1024 - 9));
    large.message.keep();
    expect(large.message.bytes).toBe(large.chunk);
  });

  it('in pieces keeps them, and copies its properties', () => {
    const chunk = Buffer.from('..properties..');
    const parts = [Buffer.from('one '), Buffer.from('two')];
    const message = new Message(address, DIALECT_AMQP091, false, 5, 1000, chunk, 2, 12, 0, 0, parts, 7);
    message.keep();
    chunk.fill(0);
    expect([message.properties().toString(), message.body().toString(), message.sizeBytes]).toEqual([
      'properties',
      'one two',
      7,
    ]);
    expect(message.parts).toBe(parts);
  });

  it('of nothing is kept too', () => {
    const { message } = inChunk(Buffer.alloc(0), Buffer.alloc(0));
    message.keep();
    expect([message.properties().length, message.body().length]).toEqual([0, 0]);
  });
});

describe('copyBytes', () => {
  it('copies what lies between two places, however much', () => {
    for (const length of [0, 1, 47, 48, 49, 50, 500]) {
      const from = Buffer.from(Array.from({ length: length + 4 }, (_, i) => i & 0xff));
      const to = Buffer.alloc(length + 6, 0xee);
      copyBytes(from, 2, 2 + length, to, 3);
      expect(to).toEqual(Buffer.concat([Buffer.alloc(3, 0xee), from.subarray(2, 2 + length), Buffer.alloc(3, 0xee)]));
    }
  });
});
