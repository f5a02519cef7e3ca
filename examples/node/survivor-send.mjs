// Leaves persistent messages in a durable queue and waits for the broker's promise. Now restart the broker, or kill it
// with SIGKILL, start it again, and run survivor-receive.
import amqp from 'amqplib';
import { readOptions, url } from './options.mjs';

const { count } = readOptions({ count: 3 });
const connection = await amqp.connect(url);
const channel = await connection.createConfirmChannel();
await channel.assertQueue('survivors', { durable: true });

for (let number = 1; number <= count; number++) {
  channel.sendToQueue('survivors', Buffer.from(`survivor ${number}`), { persistent: true, headers: { number } });
}
await channel.waitForConfirms();
console.log(`${count} messages are safe with the broker`);
await connection.close();
