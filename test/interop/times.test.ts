import { type Channel, type ChannelModel, connect } from 'amqplib';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { type Broker, startBroker } from './broker.js';
import { eventually } from './node/stage.js';

// What queues do by time, with a real client: that it happens, not when. When is asserted in simulated time (test/protocol).
let broker: Broker;
let client: ChannelModel;
let channel: Channel;
beforeAll(async () => {
  broker = await startBroker();
}, 60_000);
afterAll(() => broker.stop());
beforeEach(async () => {
  client = await connect(broker.url);
  channel = await client.createChannel();
});
afterEach(() => client.close());

const deadLetters = { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': 'late' };

test('what expires goes to the dead-letter queue, by the time of the queue or of the message', async () => {
  await channel.assertQueue('late');
  await channel.assertQueue('short', { arguments: { 'x-message-ttl': 50, ...deadLetters } });
  await channel.assertQueue('plain', { arguments: deadLetters });
  channel.sendToQueue('short', Buffer.from('by the queue'), { persistent: true, expiration: '60000' });
  channel.sendToQueue('plain', Buffer.from('by itself'), { persistent: true, expiration: 50 });
  channel.sendToQueue('plain', Buffer.from('for ever'), { persistent: true });
  await eventually(async () => (await channel.checkQueue('late')).messageCount === 2);
  const found = new Map<string, unknown>();
  for (let i = 0; i < 2; i++) {
    const message = await channel.get('late', { noAck: true });
    if (message === false) throw new Error('a dead letter is missing');
    expect(message.properties.expiration).toBeUndefined();
    found.set(message.content.toString(), message.properties.headers!['x-first-death-reason']);
  }
  expect(found).toEqual(
    new Map([
      ['by the queue', 'expired'],
      ['by itself', 'expired'],
    ]),
  );
  expect((await channel.checkQueue('plain')).messageCount).toBe(1);
});

test('an expiration that is no number closes the channel', async () => {
  const other = await client.createChannel();
  const closed = new Promise<Error>((resolve) => other.on('error', resolve));
  other.sendToQueue('nowhere', Buffer.from('x'), { expiration: 'soon' });
  expect((await closed).message).toMatch(/406.*PRECONDITION_FAILED - invalid expiration 'soon'/);
});

test('a queue that nobody uses goes', async () => {
  const { queue } = await channel.assertQueue('', { arguments: { 'x-expires': 200 } });
  await channel.assertQueue(queue, { arguments: { 'x-expires': 200 } });
  // Asking for it would be a use of it: whoever consumed is told instead.
  const { consumerTag } = await channel.consume(queue, () => undefined);
  await channel.cancel(consumerTag);
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  const other = await client.createChannel();
  other.on('error', () => undefined);
  await expect(other.checkQueue(queue)).rejects.toThrow('NOT_FOUND');
});

test('a consumer that does not settle loses what it holds, and its channel lives', async () => {
  await channel.assertQueue('work', { arguments: { 'x-consumer-timeout': 300 } });
  channel.sendToQueue('work', Buffer.from('job'));
  const events: string[] = [];
  let first: Parameters<Parameters<Channel['consume']>[1]>[0] = null;
  await channel.consume('work', (message) => {
    events.push(message === null ? 'cancelled' : `got ${message.content}`);
    first ??= message;
  });
  await eventually(async () => events.length === 2);
  expect(events).toEqual(['got job', 'cancelled']);
  // Too late, and no harm.
  channel.ack(first!);
  const again = await channel.get('work', { noAck: true });
  expect(again !== false && again.fields.redelivered).toBe(true);
});
