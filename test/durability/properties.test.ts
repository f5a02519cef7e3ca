import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ConfirmChannel, connect, type GetMessage, type Options } from 'amqplib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { BrokerProcess } from '../support/broker-process.js';

const everything: Options.Publish = {
  persistent: true,
  contentType: 'application/json',
  contentEncoding: 'gzip',
  priority: 7,
  correlationId: 'c-1',
  replyTo: 'answers',
  expiration: '3600000',
  messageId: 'm-1',
  timestamp: 1_700_000_000,
  type: 'order',
  userId: 'guest',
  appId: 'shop',
  headers: {
    text: 'grün',
    empty: '',
    yes: true,
    no: false,
    small: 7,
    negative: -40_000,
    large: 2 ** 40,
    fraction: 0.25,
    nothing: null,
    bytes: Buffer.from([0, 255, 1]),
    time: { '!': 'timestamp', value: 1_700_000_000 },
    list: [1, 'two', [true]],
    nested: { deep: { deeper: 'yes' } },
  },
};

let dataDir: string;
let broker: BrokerProcess;

beforeEach(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'chapar-properties-'));
  broker = await BrokerProcess.start({ dataDir });
}, 60_000);
afterEach(async () => {
  await broker.kill9();
  rmSync(dataDir, { recursive: true, force: true });
});

async function open(): Promise<ConfirmChannel> {
  const connection = await connect(broker.url);
  connection.on('error', () => {});
  const channel = await connection.createConfirmChannel();
  channel.on('error', () => {});
  return channel;
}

async function take(channel: ConfirmChannel, queue: string): Promise<GetMessage> {
  const message = await channel.get(queue);
  if (message === false) throw new Error(`${queue} is empty`);
  return message;
}

const endings = {
  'a clean stop': () => broker.stop(),
  'a kill -9': () => broker.kill9(),
};

test.each(Object.entries(endings))(
  '%s changes nothing in a message',
  async (_, end) => {
    const before = await open();
    await before.assertQueue('kept', { durable: true });
    for (const body of ['first', 'second', '']) before.publish('', 'kept', Buffer.from(body), everything);
    await before.waitForConfirms();
    const sample = await take(before, 'kept');
    expect(sample.properties).toMatchObject({
      priority: 7,
      messageId: 'm-1',
      headers: { nested: { deep: { deeper: 'yes' } } },
    });
    before.nack(sample);
    // A nack has no answer; this has.
    await before.checkQueue('kept');
    await end();

    broker = await BrokerProcess.start({ dataDir });
    const after = await open();
    for (const body of ['first', 'second', '']) {
      const message = await take(after, 'kept');
      expect(message.content.toString()).toBe(body);
      expect(message.properties).toEqual(sample.properties);
      expect(message.fields).toMatchObject({ exchange: '', routingKey: 'kept' });
      after.ack(message);
    }
    expect(await after.get('kept')).toBe(false);
  },
  60_000,
);

test.each(Object.entries(endings))(
  'a message grows older over %s',
  async (_, end) => {
    const ttlMs = 3000;
    const before = await open();
    await before.assertQueue('short', { durable: true, messageTtl: ttlMs });
    await before.assertQueue('long', { durable: true, messageTtl: 3_600_000 });
    for (const queue of ['short', 'long']) before.publish('', queue, Buffer.from(queue), { persistent: true });
    await before.waitForConfirms();
    await end();
    await sleep(ttlMs);
    // Counted from the start, it would have its three seconds yet.
    broker = await BrokerProcess.start({ dataDir });
    const after = await open();
    expect(await after.get('short')).toBe(false);
    expect((await take(after, 'long')).content.toString()).toBe('long');
  },
  60_000,
);
