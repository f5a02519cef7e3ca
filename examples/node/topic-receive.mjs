// Listens to the log lines that match one of its patterns:  node topic-receive.mjs '#.notImportant' '*.*.important'
// A star stands for one word, a hash for any number of words (also none). Ends after --count lines.
import amqp from 'amqplib';
import { giveUpAfter, readOptions, url } from './options.mjs';

const { count, seconds, rest } = readOptions({ count: 3, seconds: 30 });
const patterns = rest.length > 0 ? rest : ['#.notImportant'];
giveUpAfter(seconds, `fewer than ${count} log lines came`);

const connection = await amqp.connect(url);
const channel = await connection.createChannel();
await channel.assertExchange('topic-logs', 'topic', { durable: false });
const { queue } = await channel.assertQueue('', { exclusive: true });
for (const pattern of patterns) await channel.bindQueue(queue, 'topic-logs', pattern);

console.log(`listening for ${patterns.join(' and ')}`);
let seen = 0;
await channel.consume(
  queue,
  async (message) => {
    console.log(`heard ${message.fields.routingKey}: ${message.content}`);
    if (++seen === count) await connection.close();
  },
  { noAck: true },
);
