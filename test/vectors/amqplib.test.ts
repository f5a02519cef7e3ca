// The codec against another implementation of it: what amqplib writes is read as amqplib meant it, and what the codec
// writes is read by amqplib as it was meant.
import amqplib, { type Channel, type ChannelModel, type ConsumeMessage, type Options } from 'amqplib';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  Decimal,
  decodeMethod,
  encodeMethod,
  equalFieldValue,
  type FieldTable,
  type FieldValue,
  Float,
  FRAME_HEADER_BYTES,
  fieldTable,
  isFieldTable,
  type MethodInput,
  Timestamp,
} from '../../packages/amqp091/src/codec/index.js';
import { contentFrames } from '../support/amqp-peer.js';
import { FakeServer } from './fake-server.js';

let server: FakeServer;
let connection: ChannelModel;
let channel: Channel;

beforeAll(async () => {
  server = await FakeServer.listen();
  connection = await amqplib.connect(server.url, { noDelay: true });
  channel = await connection.createChannel();
});
afterAll(async () => {
  await connection.close();
  await server.close();
  expect(server.failures).toEqual([]);
});

// amqplib reads keys like '__proto__' as its own language does; they are tested elsewhere.
const key = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 12 })
  .filter((name) => name !== '__proto__' && name !== '!');
const { table: anyTable } = fc.letrec<{ value: FieldValue; table: FieldTable }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constant(null),
    fc.boolean(),
    fc.string({ unit: 'grapheme' }),
    fc.integer(),
    fc.integer({ min: -200, max: 200 }),
    fc.integer({ min: -(2 ** 49), max: 2 ** 49 }),
    fc
      .double({ noNaN: true, noDefaultInfinity: true, min: -1e6, max: 1e6 })
      .filter((value) => !Number.isInteger(value)),
    fc.uint8Array().map((bytes) => Buffer.from(bytes)),
    fc.nat().map((seconds) => new Timestamp(seconds)),
    fc.tuple(fc.nat(255), fc.nat(0xffffffff)).map(([scale, unscaled]) => new Decimal(scale, unscaled)),
    fc.array(tie('value'), { maxLength: 3 }),
    tie('table'),
  ),
  table: fc.dictionary(key, tie('value'), { maxKeys: 4 }).map(fieldTable),
}));

test('the handshake', () => {
  const [startOk] = server.methods('connection.start-ok');
  expect(startOk?.method).toMatchObject({
    mechanism: 'PLAIN',
    locale: 'en_US',
    response: Buffer.from('\0guest\0guest'),
  });
  expect(startOk?.method.clientProperties).toMatchObject({ product: 'amqplib', capabilities: { 'basic.nack': true } });
  expect(server.methods('connection.open')[0]?.method.virtualHost).toBe('/');
});

test('arguments of any kind', async () => {
  await fc.assert(
    fc.asyncProperty(anyTable, key, async (table, name) => {
      await channel.assertQueue(name, { arguments: toAmqplib(table), durable: false, autoDelete: true });
      const { method } = server.methods('queue.declare').at(-1)!;
      expect(method).toMatchObject({ queue: name, durable: false, autoDelete: true, exclusive: false, passive: false });
      expect(method.arguments).toEqual(table);
      const again = encodeMethod(1, method as MethodInput);
      const back = decodeMethod(again, FRAME_HEADER_BYTES, again.length - 1);
      expect(back).toEqual(method);
    }),
    { numRuns: 50 },
  );
});

test('types that amqplib only writes when told to', async () => {
  const told = (type: string, value: unknown) => ({ '!': type, value });
  const types = { f: told('float', 5), d: told('double', 5), B: told('uint8', 255), u: told('uint16', 65_535) };
  await channel.assertQueue('q', { arguments: { ...types, i: told('uint32', 2 ** 32 - 1), l: told('int64', 1) } });
  const wanted = { f: new Float(5), d: new Float(5), B: 255, u: 65_535, i: 2 ** 32 - 1, l: 1 };
  expect(server.methods('queue.declare').at(-1)?.method.arguments).toEqual(fieldTable(wanted));
});

test('every flag of a declaration at its own place', async () => {
  for (const flag of ['durable', 'autoDelete', 'internal'] as const) {
    const options = { durable: false, autoDelete: false, internal: false, [flag]: true };
    await channel.assertExchange('e', 'topic', options);
    expect(server.methods('exchange.declare').at(-1)?.method).toMatchObject({
      exchange: 'e',
      type: 'topic',
      ...options,
    });
  }
  await channel.checkExchange('e');
  expect(server.methods('exchange.declare').at(-1)?.method).toMatchObject({ passive: true });
});

test('the other methods a client says', async () => {
  await channel.bindQueue('q', 'e', 'k.#', { a: 1 });
  await channel.unbindQueue('q', 'e', 'k.#', { a: 1 });
  await channel.bindExchange('to', 'from', 'k', {});
  await channel.unbindExchange('to', 'from', 'k', {});
  await channel.purgeQueue('q');
  await channel.deleteQueue('q', { ifUnused: true, ifEmpty: true });
  await channel.deleteExchange('e', { ifUnused: true });
  await channel.prefetch(300, true);
  await channel.recover();
  await channel.get('q', { noAck: true });
  expect(server.methods('queue.bind')[0]?.method).toMatchObject({ routingKey: 'k.#', arguments: { a: 1 } });
  expect(server.methods('queue.unbind')[0]?.method).toMatchObject({ routingKey: 'k.#', arguments: { a: 1 } });
  expect(server.methods('exchange.bind')[0]?.method).toMatchObject({ destination: 'to', source: 'from' });
  expect(server.methods('exchange.unbind')[0]?.method).toMatchObject({ destination: 'to', source: 'from' });
  expect(server.methods('queue.purge')[0]?.method).toMatchObject({ queue: 'q' });
  expect(server.methods('queue.delete')[0]?.method).toMatchObject({ ifUnused: true, ifEmpty: true });
  expect(server.methods('exchange.delete')[0]?.method).toMatchObject({ exchange: 'e', ifUnused: true });
  expect(server.methods('basic.qos')[0]?.method).toMatchObject({ prefetchCount: 300, global: true });
  expect(server.methods('basic.recover')[0]?.method).toMatchObject({ requeue: true });
  expect(server.methods('basic.get')[0]?.method).toMatchObject({ queue: 'q', noAck: true });
});

test('contents with any headers and properties', async () => {
  await fc.assert(
    fc.asyncProperty(anyTable, fc.nat(9000), key, async (headers, size, text) => {
      const body = Buffer.alloc(size, 'body');
      const options: Options.Publish = {
        headers: toAmqplib(headers),
        persistent: true,
        priority: 7,
        correlationId: text,
      };
      const more = {
        replyTo: text,
        expiration: '60',
        messageId: 'm',
        timestamp: 5,
        type: 't',
        userId: 'u',
        appId: text,
      };
      channel.publish('e', text, body, {
        ...options,
        ...more,
        contentType: 'c',
        contentEncoding: 'd',
        mandatory: true,
      });
      await channel.checkQueue('q');
      const said = server.methods('basic.publish').at(-1)!;
      expect(said.method).toMatchObject({ exchange: 'e', routingKey: text, mandatory: true, immediate: false });
      expect(said.body?.equals(body)).toBe(true);
      const basics = { contentType: 'c', contentEncoding: 'd', deliveryMode: 2, priority: 7, correlationId: text };
      expect(said.properties).toEqual({ ...basics, ...more, headers });
    }),
    { numRuns: 50 },
  );
});

test('a delivery with any headers and properties, as amqplib reads it', async () => {
  const inbox: ConsumeMessage[] = [];
  await channel.consume('q', (message) => message !== null && inbox.push(message), { consumerTag: 'tag' });
  await fc.assert(
    fc.asyncProperty(anyTable, fc.nat(9000), async (headers, size) => {
      const body = Buffer.alloc(size, 'body');
      const properties = {
        headers,
        deliveryMode: 2,
        priority: 3,
        timestamp: 5,
        userId: 'ü',
        contentType: 'text/plain',
      };
      const deliver = { name: 'basic.deliver', consumerTag: 'tag', deliveryTag: 2 ** 40, redelivered: true } as const;
      server.tell(encodeMethod(1, { ...deliver, routingKey: 'k' }), ...contentFrames(1, { properties, body }, 4096));
      await channel.checkQueue('q');
      const { fields, properties: read, content } = inbox.at(-1)!;
      expect(fields).toMatchObject({ consumerTag: 'tag', deliveryTag: 2 ** 40, redelivered: true, routingKey: 'k' });
      expect(read).toMatchObject({
        deliveryMode: 2,
        priority: 3,
        timestamp: 5,
        userId: 'ü',
        contentType: 'text/plain',
      });
      expect(equalFieldValue(fromAmqplib(read.headers), headers)).toBe(true);
      expect(content.equals(body)).toBe(true);
    }),
    { numRuns: 50 },
  );
});

/** A table as amqplib wants it told. */
function toAmqplib(table: FieldTable): { [key: string]: unknown } {
  return Object.fromEntries(Object.entries(table).map(([name, value]) => [name, valueToAmqplib(value)]));
}

function valueToAmqplib(value: FieldValue): unknown {
  if (Array.isArray(value)) return value.map(valueToAmqplib);
  if (value instanceof Timestamp) return { '!': 'timestamp', value: value.timestamp };
  if (value instanceof Decimal) return { '!': 'decimal', value: { places: value.scale, digits: value.unscaled } };
  return isFieldTable(value) ? toAmqplib(value) : value;
}

function fromAmqplib(value: unknown): FieldValue {
  if (Array.isArray(value)) return value.map(fromAmqplib);
  if (typeof value !== 'object' || value === null || Buffer.isBuffer(value)) return value as FieldValue;
  const told = value as { '!'?: string; value?: never };
  if (told['!'] === 'timestamp') return new Timestamp(told.value as unknown as number);
  if (told['!'] === 'decimal') {
    const { places, digits } = told.value as unknown as { places: number; digits: number };
    return new Decimal(places, digits);
  }
  return fieldTable(Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, fromAmqplib(inner)])));
}
