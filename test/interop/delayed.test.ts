import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { type Channel, type ConfirmChannel, type ConsumeMessage, connect, type Options } from 'amqplib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Broker, startBroker } from '../../examples/demo/broker.mjs';

const main = fileURLToPath(new URL('../../packages/server/bin/chapar.mjs', import.meta.url));
const timeout = 60_000;

let broker: Broker;
beforeAll(async () => {
  broker = await startBroker();
}, timeout);
afterAll(() => broker?.stop(), timeout);

async function withChannel<T>(use: (channel: ConfirmChannel) => Promise<T>): Promise<T> {
  const connection = await connect(broker.url);
  connection.on('error', () => undefined);
  try {
    return await use(await connection.createConfirmChannel());
  } finally {
    await connection.close().catch(() => undefined);
  }
}

async function declare(channel: Channel): Promise<void> {
  const args = { 'x-delayed-type': 'topic' };
  await channel.assertExchange('later', 'x-delayed-message', { durable: true, arguments: args });
  await channel.assertQueue('due', { durable: true });
  await channel.bindQueue('due', 'later', 'mail.*');
}

function publish(channel: Channel, body: string, delay: number, more: Options.Publish = {}): void {
  channel.publish('later', 'mail.x', Buffer.from(body), { persistent: true, headers: { 'x-delay': delay }, ...more });
}

async function waiting(): Promise<number> {
  const answer = await fetch(new URL('/api/exchanges/%2F/later', new URL(broker.managementUrl!).origin), {
    headers: { authorization: `Basic ${Buffer.from('guest:guest').toString('base64')}` },
  });
  return ((await answer.json()) as { messages_delayed: number }).messages_delayed;
}

/** The next messages of the queue, with the delays in their headers. */
function take(channel: Channel, count: number): Promise<[body: string, delay: unknown][]> {
  const taken: [string, unknown][] = [];
  return new Promise((resolve, reject) => {
    const got = (message: ConsumeMessage | null) => {
      taken.push([message!.content.toString(), message!.properties.headers?.['x-delay']]);
      if (taken.length === count) resolve(taken);
    };
    channel.consume('due', got, { noAck: true }).catch(reject);
  });
}

test(
  'delayed messages come in the order of their times, also when the broker was killed meanwhile',
  async () => {
    await withChannel(async (channel) => {
      await declare(channel);
      for (const [body, delay] of [
        ['third', 1_500],
        ['first', 100],
        ['second', 700],
        ['never', 3_600_000],
      ] as const)
        publish(channel, body, delay);
      await channel.waitForConfirms();
    });
    await broker.kill9();
    await broker.restart();
    await withChannel(async (channel) => {
      expect(await take(channel, 3)).toEqual([
        ['first', -100],
        ['second', -700],
        ['third', -1_500],
      ]);
    });
    expect(await waiting()).toBe(1);
    const purge = spawnSync(process.execPath, [main, 'purge', '--delayed', 'later', '--data-dir', broker.dataDir!]);
    expect([purge.status, purge.stdout.toString()]).toEqual([0, "no message delayed by exchange 'later' is left\n"]);
    expect(await waiting()).toBe(0);
  },
  timeout,
);

test(
  'a delay that cannot be is refused with words',
  async () => {
    const connection = await connect(broker.url);
    const channel = await connection.createChannel();
    await declare(channel);
    const error = new Promise<Error>((resolve) => channel.once('error', resolve));
    publish(channel, 'x', 4_294_967_296);
    expect((await error).message).toContain("invalid x-delay '4294967296': expected a whole number of milliseconds");
    await connection.close();
  },
  timeout,
);
