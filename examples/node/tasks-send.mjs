// Puts tasks into the durable queue "tasks". Start it before or after tasks-receive: nothing is lost either way.
import amqp from 'amqplib';
import { readOptions, url } from './options.mjs';

const { count } = readOptions({ count: 5 });
const connection = await amqp.connect(url);
const channel = await connection.createConfirmChannel();

// A durable queue survives a restart of the broker, and so does a persistent message in it.
await channel.assertQueue('tasks', { durable: true });

for (let number = 1; number <= count; number++) {
  channel.sendToQueue('tasks', Buffer.from(`task ${number} of ${count}`), {
    persistent: true,
    contentType: 'text/plain',
    headers: { number, colour: number % 2 === 1 ? 'red' : 'green', urgent: number === 1 },
  });
  console.log(`sent task ${number} of ${count}`);
}

await channel.waitForConfirms();
console.log('the broker has confirmed all of them');
await connection.close();
