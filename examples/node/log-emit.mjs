// Writes log lines to a fanout exchange: everybody who listens gets a copy, and who is away misses them.
import amqp from 'amqplib';
import { readOptions, url } from './options.mjs';

const { count } = readOptions({ count: 3 });
const connection = await amqp.connect(url);
const channel = await connection.createConfirmChannel();
await channel.assertExchange('logs', 'fanout', { durable: false });

for (let number = 1; number <= count; number++) {
  channel.publish('logs', '', Buffer.from(`log line ${number}`));
  console.log(`wrote log line ${number}`);
}

await channel.waitForConfirms();
await connection.close();
