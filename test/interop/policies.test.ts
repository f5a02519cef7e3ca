import amqp, { type Channel } from 'amqplib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Broker, startBroker } from './broker.js';

const timeout = 60_000;
let broker: Broker;
beforeAll(async () => {
  broker = await startBroker();
}, timeout);
afterAll(() => broker?.stop(), timeout);

type Definition = { readonly [setting: string]: string | number };

/** As an administrator does it, over HTTP; null takes the policy away. */
async function policy(name: string, pattern: string, definition: Definition | null): Promise<void> {
  const { protocol, host, username, password } = new URL(broker.managementUrl!);
  const address = new URL(broker.url);
  const vhost = address.pathname.slice(1) === '' ? '%2F' : address.pathname.slice(1);
  const answer = await fetch(`${protocol}//${host}/api/policies/${vhost}/${name}`, {
    method: definition === null ? 'DELETE' : 'PUT',
    headers: {
      authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`,
      'content-type': 'application/json',
    },
    ...(definition === null ? {} : { body: JSON.stringify({ pattern, definition, 'apply-to': 'queues' }) }),
  });
  if (!answer.ok) throw new Error(`${answer.status}: ${await answer.text()}`);
}

/** Waits for what the broker does by itself. */
async function soon<T>(look: () => Promise<T | false>): Promise<T> {
  for (;;) {
    const found = await look();
    if (found !== false) return found;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function refuseOne(channel: Channel, queue: string): Promise<void> {
  const message = await soon(() => channel.get(queue));
  channel.nack(message, false, false);
}

test('a queue in use follows the policy that an administrator sets, changes and takes away', {
  timeout,
}, async ({ skip }) => {
  if (broker.managementUrl === null) skip('CHAPAR_TEST_MANAGEMENT_URL is not set, so no policies can be made');
  const connection = await amqp.connect(broker.url);
  const channel = await connection.createConfirmChannel();
  await channel.assertQueue('policed.work', { durable: true });
  await channel.assertQueue('morgue', { durable: true });
  const publish = async (body: string) => {
    channel.sendToQueue('policed.work', Buffer.from(body), { persistent: true });
    await channel.waitForConfirms();
  };

  await publish('gone');
  await refuseOne(channel, 'policed.work');
  await policy('bury', '^policed\\.', { 'dead-letter-exchange': '', 'dead-letter-routing-key': 'morgue' });
  // RabbitMQ tells its queues a moment later.
  const dead = await soon(async () => {
    await publish('kept');
    await refuseOne(channel, 'policed.work');
    return channel.get('morgue', { noAck: true });
  });
  expect(dead.content.toString()).toBe('kept');
  expect(dead.properties.headers!['x-first-death-reason']).toBe('rejected');

  await policy('bury', '^policed\\.', {
    'dead-letter-exchange': '',
    'dead-letter-routing-key': 'morgue',
    'message-ttl': 50,
  });
  const late = await soon(async () => {
    await publish('late');
    const message = await channel.get('morgue', { noAck: true });
    return message !== false && message.properties.headers!['x-first-death-reason'] === 'expired' && message;
  });
  expect(late.content.toString()).toBe('late');

  await policy('bury', '', null);
  // Declared again as it was: policies are no arguments.
  await channel.assertQueue('policed.work', { durable: true });
  for (const queue of ['policed.work', 'morgue']) await channel.deleteQueue(queue);
  await connection.close();
});
