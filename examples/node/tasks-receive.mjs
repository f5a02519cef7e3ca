// Works through the durable queue "tasks", slowly, one task at a time, and ends after --count of them.
import { setTimeout as sleep } from 'node:timers/promises';
import amqp from 'amqplib';
import { fail, giveUpAfter, readOptions, url } from './options.mjs';

const { count, 'work-ms': workMs, seconds } = readOptions({ count: 5, 'work-ms': 50, seconds: 30 });
giveUpAfter(seconds, `fewer than ${count} tasks came`);

const connection = await amqp.connect(url);
const channel = await connection.createChannel();
await channel.assertQueue('tasks', { durable: true });

// Prefetch 1: the broker holds the next task back until this one is acknowledged.
await channel.prefetch(1);

console.log('waiting for tasks');
let inHand = 0;
let done = 0;
await channel.consume('tasks', async (message) => {
  if (message === null) fail('the broker cancelled the consumer');
  if (++inHand > 1) fail('a second task came before the first was acknowledged');
  const { number, colour, urgent } = message.properties.headers;
  console.log(`got ${message.content} (number ${number}, ${colour}${urgent ? ', urgent' : ''})`);
  if (message.properties.deliveryMode !== 2) fail('the task was not persistent');

  await sleep(workMs);

  inHand--;
  channel.ack(message);
  if (++done === count) {
    console.log(`did ${done} tasks`);
    await goHome();
  }
});

// Closing the channel first makes sure that everything sent on it has been dealt with.
async function goHome() {
  await channel.close();
  await connection.close();
}
