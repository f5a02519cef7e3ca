// Listens to the log through a queue of its own that nobody has to clean up. Ends after --count lines.
import amqp from 'amqplib';
import { giveUpAfter, readOptions, url } from './options.mjs';

const { count, seconds } = readOptions({ count: 3, seconds: 30 });
giveUpAfter(seconds, `fewer than ${count} log lines came`);

const connection = await amqp.connect(url);
const channel = await connection.createChannel();
await channel.assertExchange('logs', 'fanout', { durable: false });

// An empty name asks the broker to invent one; exclusive means: mine alone, and gone when my connection is gone.
const { queue } = await channel.assertQueue('', { exclusive: true });
await channel.bindQueue(queue, 'logs', '');

console.log(`listening with the queue ${queue}`);
let seen = 0;
await channel.consume(
  queue,
  async (message) => {
    console.log(`heard ${message.content}`);
    if (++seen === count) await connection.close();
  },
  { noAck: true },
);
