// Looks whether a queue is there, without creating it:  node queue-look.mjs NAME
import amqp from 'amqplib';
import { fail, readOptions, url } from './options.mjs';

const [name] = readOptions().rest;
if (name === undefined) fail('say which queue');

const connection = await amqp.connect(url);
const channel = await connection.createChannel();
// A passive declare of what is not there closes the channel (and only the channel) with 404.
channel.on('error', () => {});

try {
  const { messageCount, consumerCount } = await channel.checkQueue(name);
  console.log(`queue ${name}: ${messageCount} messages, ${consumerCount} consumers`);
} catch (error) {
  if (error.code !== 404) throw error;
  console.log(`there is no queue ${name}`);
}
await connection.close();
