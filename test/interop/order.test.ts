// Who gets what first, with amqplib: message priorities, consumer priorities, a single active consumer.
import { type Channel, type ChannelModel, connect } from 'amqplib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Broker } from './broker.js';
import { startBroker, whyNot } from './broker.js';
import { eventually } from './node/stage.js';

const timeout = 60_000;
let broker: Broker;
beforeAll(async () => {
  broker = await startBroker();
}, timeout);
afterAll(() => broker?.stop(), timeout);

const connections: ChannelModel[] = [];

async function open(prefetch = 0): Promise<Channel> {
  const connection = await connect(broker.url);
  connection.on('error', () => undefined);
  connections.push(connection);
  const channel = await connection.createChannel();
  if (prefetch > 0) await channel.prefetch(prefetch);
  return channel;
}

async function closeAll(): Promise<void> {
  for (const connection of connections.splice(0)) await connection.close().catch(() => undefined);
}

async function publish(
  queue: string,
  messages: readonly (readonly [body: string, priority?: number])[],
): Promise<void> {
  const channel = await connections[0]!.createConfirmChannel();
  for (const [body, priority] of messages) {
    const own = priority === undefined ? {} : { priority };
    channel.sendToQueue(queue, Buffer.from(body), { persistent: true, ...own });
  }
  await channel.waitForConfirms();
  await channel.close();
}

/** Bodies of what comes, with a mark when it was redelivered; nothing is acknowledged. */
async function collect(channel: Channel, queue: string, log: string[], tag = '', options: object = {}): Promise<void> {
  const listen = (message: { content: Buffer; fields: { redelivered: boolean } } | null) => {
    if (message !== null) log.push(`${tag}${message.content}${message.fields.redelivered ? '!' : ''}`);
  };
  await channel.consume(queue, listen, options);
}

async function arrived(log: readonly string[], expected: readonly string[]): Promise<void> {
  await eventually(async () => log.length >= expected.length);
  expect(log).toEqual(expected);
}

const prioritised = { durable: true, arguments: { 'x-max-priority': 10 } };

describe('amqplib', () => {
  test('message priorities: sorted while they wait, and after a kill -9', { timeout }, async ({ skip }) => {
    const channel = await open(1);
    await channel.assertQueue('ranked', prioritised);
    await publish('ranked', [['a', 1], ['b'], ['c', 9], ['d', 200], ['e', 1]]);
    const got = await channel.get('ranked');
    if (got === false) throw new Error('nothing came');
    expect(got.content.toString()).toBe('d');
    channel.nack(got);
    const reason = whyNot(broker, { needsRestart: true });
    if (reason === null) {
      await closeAll();
      await broker.kill9();
      await broker.restart();
    }
    const again = reason === null ? await open(1) : channel;
    const bodies: string[] = [];
    for (let i = 0; i < 5; i++) {
      const message = await again.get('ranked', { noAck: true });
      if (message) bodies.push(message.content.toString());
    }
    expect(bodies).toEqual(['d', 'c', 'a', 'e', 'b']);
    await again.deleteQueue('ranked');
    await closeAll();
    if (reason !== null) skip(reason);
  });

  test('consumer priorities: the higher first, as long as they may take more', { timeout }, async () => {
    const channel = await open(2);
    await channel.assertQueue('preferring', { durable: true });
    const log: string[] = [];
    await collect(channel, 'preferring', log, 'low:');
    for (const tag of ['one:', 'two:']) {
      await collect(channel, 'preferring', log, tag, { arguments: { 'x-priority': 5 } });
    }
    await publish('preferring', [['1'], ['2'], ['3'], ['4'], ['5'], ['6'], ['7']]);
    await arrived(log, ['one:1', 'two:2', 'one:3', 'two:4', 'low:5', 'low:6']);
    await channel.deleteQueue('preferring');
    await closeAll();
  });

  test('single active consumer: the next one takes over, with what the first one held', { timeout }, async () => {
    const [first, second] = [await open(2), await open()];
    await first.assertQueue('alone', { durable: true, arguments: { 'x-single-active-consumer': true } });
    const log: string[] = [];
    await collect(first, 'alone', log, 'first:');
    await collect(second, 'alone', log, 'second:');
    await publish('alone', [['1'], ['2'], ['3']]);
    await arrived(log, ['first:1', 'first:2']);
    await first.close();
    await arrived(log, ['first:1', 'first:2', 'second:1!', 'second:2!', 'second:3']);
    await second.deleteQueue('alone');
    await closeAll();
  });
});
