// Asks the service behind "rpc_queue" for n + 1:  node rpc-client.mjs [--direct] NUMBER...
// Answers come to a reply queue of our own, or, with --direct, through direct reply-to: the pseudo-queue
// "amq.rabbitmq.reply-to", for which the broker creates nothing at all.
import { randomUUID } from 'node:crypto';
import amqp from 'amqplib';
import { fail, giveUpAfter, readOptions, url } from './options.mjs';

const { direct, seconds, rest } = readOptions({ direct: false, seconds: 30 });
const numbers = rest.length > 0 ? rest.map(Number) : [1, 41, 99];
giveUpAfter(seconds, 'an answer is missing (is rpc-server running?)');

const connection = await amqp.connect(url);
const channel = await connection.createChannel();
// Declared on both sides, so that client and server may start in either order.
await channel.assertQueue('rpc_queue', { durable: false, autoDelete: false });
const replyTo = direct ? 'amq.rabbitmq.reply-to' : (await channel.assertQueue('', { exclusive: true })).queue;

const waiting = new Map();
await channel.consume(
  replyTo,
  (answer) => {
    const asked = waiting.get(answer.properties.correlationId);
    if (asked === undefined) fail('an answer came to a question that nobody asked');
    waiting.delete(answer.properties.correlationId);
    asked(Number(answer.content));
  },
  { noAck: true },
);

function ask(n) {
  const correlationId = randomUUID();
  channel.sendToQueue('rpc_queue', Buffer.from(String(n)), { correlationId, replyTo });
  return new Promise((resolve) => waiting.set(correlationId, resolve));
}

for (const n of numbers) {
  const answer = await ask(n);
  console.log(`${n} + 1 = ${answer}`);
  if (answer !== n + 1) fail('the answer is wrong');
}
await connection.close();
