import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CodecError, type CodecErrorKind } from './errors.js';
import { fieldTable } from './field-value.js';
import { FRAME_HEADER_BYTES, FRAME_METHOD, FRAME_OVERHEAD } from './frames.js';
import { METHOD, METHODS } from './method-table.js';
import { decodeMethod, encodeMethod, type MethodInput, type MethodOf, methodName } from './methods.js';

const ARBITRARY = {
  bit: fc.boolean(),
  octet: fc.nat(0xff),
  short: fc.nat(0xffff),
  long: fc.nat(0xffffffff),
  longlong: fc.maxSafeNat(),
  text: fc.string({ unit: 'grapheme', maxLength: 20 }),
  shortstr: fc.string({ unit: 'grapheme', maxLength: 20 }),
  longstr: fc.uint8Array().map((bytes) => Buffer.from(bytes)),
  table: fc.dictionary(fc.string({ maxLength: 9 }), fc.oneof(fc.integer(), fc.string(), fc.boolean())).map(fieldTable),
};

test.each(METHODS)('%s comes back as it was written', (name, classId, methodId, fields) => {
  const id = (classId << 16) | methodId;
  expect(methodName(id)).toBe(name);
  const model = Object.fromEntries(Object.entries(fields).map(([field, kind]) => [field, ARBITRARY[kind]]));
  fc.assert(
    fc.property(fc.record(model), fc.nat(0xffff), (values, channel) => {
      const frame = encodeMethod(channel, { name, ...values } as MethodInput);
      expect([frame[0], frame.readUInt16BE(1), frame.readUInt32BE(3)]).toEqual([
        FRAME_METHOD,
        channel,
        frame.length - FRAME_OVERHEAD,
      ]);
      expect(frame.at(-1)).toBe(0xce);
      expect(decodeMethod(frame, FRAME_HEADER_BYTES, frame.length - 1)).toEqual({ id, name, ...values });
    }),
    { numRuns: 20 },
  );
  const empty = payload({ name } as MethodInput);
  expect(payload(decodeMethod(empty) as MethodInput)).toEqual(empty);
});

test('an id has a name like the method', () => {
  expect(METHOD.BASIC_PUBLISH).toBe((60 << 16) | 40);
  expect(METHOD.BASIC_GET_EMPTY).toBe((60 << 16) | 72);
  expect(METHOD.CONNECTION_UPDATE_SECRET_OK).toBe((10 << 16) | 71);
  expect(Object.keys(METHOD)).toHaveLength(METHODS.length);
  expect(new Set(Object.values(METHOD)).size).toBe(METHODS.length);
});

test('the types know the fields of a method by its name', () => {
  const method: MethodOf<'queue.declare'> = {
    id: METHOD.QUEUE_DECLARE,
    name: 'queue.declare',
    ticket: 0,
    queue: 'q',
    passive: false,
    durable: true,
    exclusive: false,
    autoDelete: false,
    noWait: false,
    arguments: fieldTable(),
  };
  expect(decodeMethod(payload(method))).toEqual(method);
});

test.each<[string, string, CodecErrorKind]>([
  ['nothing', '', 'frame'],
  ['half an id', '003200', 'frame'],
  ['an unknown class', '00630001', 'unknown-method'],
  ['an unknown method of a known class', '003200ff', 'unknown-method'],
  ['basic.ack cut in its tag', '003c005000000000000000', 'frame'],
  ['basic.ack with a byte too many', '003c005000000000000000010000', 'frame'],
  ['queue.purge with a name that is not UTF-8', '0032001e000001ff00', 'frame'],
  ['queue.unbind with a broken table', '003200320000000000000000' + '03016b5a', 'syntax'],
  ['queue.unbind with a table past the end', '003200320000000000000000' + 'ff', 'syntax'],
])('%s is refused', (_, hex, kind) => {
  let thrown: unknown;
  try {
    decodeMethod(Buffer.from(hex, 'hex'));
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(CodecError);
  expect((thrown as CodecError).kind).toBe(kind);
  expect((thrown as CodecError).id).toBe(kind === 'unknown-method' ? Number(`0x${hex}`) : 0);
});

test('bits that no argument has are ignored, as RabbitMQ does', () => {
  expect(decodeMethod(Buffer.from('005a000a', 'hex'))).toEqual({ id: METHOD.TX_SELECT, name: 'tx.select' });
  expect(decodeMethod(Buffer.from('0055000aff', 'hex'))).toMatchObject({ noWait: true });
});

test('a routing key of a message in flight may be any bytes', () => {
  const publish = Buffer.from('003c0028' + '0000' + '00' + '01ff' + '00', 'hex');
  expect(decodeMethod(publish)).toMatchObject({ name: 'basic.publish', routingKey: '\ufffd' });
});

test('a delivery tag beyond 2^53 is rounded, not refused', () => {
  expect(decodeMethod(Buffer.from('003c0050' + 'ffffffffffffffff' + '00', 'hex'))).toMatchObject({
    deliveryTag: 2 ** 64,
  });
});

test('what cannot be written is a CodecError', () => {
  expect(() => encodeMethod(1, { name: 'queue.declare', queue: 'q'.repeat(256) })).toThrow(CodecError);
  expect(() => encodeMethod(1, { name: 'queue.undeclare' } as unknown as MethodInput)).toThrow(CodecError);
});

function payload(method: MethodInput): Buffer {
  const frame = encodeMethod(0, method);
  return frame.subarray(FRAME_HEADER_BYTES, frame.length - 1);
}
