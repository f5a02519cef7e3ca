// Fetches what survivor-send left, one by one with basic.get. Exits 1 when one of the --count messages is missing.
import amqp from 'amqplib';
import { fail, readOptions, url } from './options.mjs';

const { count } = readOptions({ count: 3 });
const connection = await amqp.connect(url);
const channel = await connection.createChannel();
// Passive: it must still be there.
await channel.checkQueue('survivors');

for (let number = 1; number <= count; number++) {
  const message = await channel.get('survivors');
  if (message === false) fail(`message ${number} is missing`);
  console.log(`found ${message.content}`);
  if (message.properties.headers.number !== number) fail('it is not in its place');
  channel.ack(message);
}
await channel.deleteQueue('survivors', { ifEmpty: true });
console.log(`all ${count} survived`);
await connection.close();
