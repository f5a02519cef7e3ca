// A chat for all on a fanout exchange: what one says, everybody hears. Type lines; /quit or the end of the input ends it.
// Log in with --user and --password, as for chat-rooms.
import { createInterface } from 'node:readline';
import amqp from 'amqplib';
import { giveUpAfter, readOptions, url } from './options.mjs';

const { user, password, seconds } = readOptions({ user: 'guest', password: 'guest', seconds: 300 });
giveUpAfter(seconds, 'the chat took too long');

const login = new URL(url);
login.username = user;
login.password = password;
const connection = await amqp.connect(login.href);
const channel = await connection.createChannel();
await channel.assertExchange('chat.all', 'fanout', { durable: false });
const { queue } = await channel.assertQueue('', { exclusive: true });
await channel.bindQueue(queue, 'chat.all', '');
await channel.consume(queue, ({ properties, content }) => console.log(`${properties.userId}: ${content}`), {
  noAck: true,
});

console.log(`${user} is here`);
for await (const line of createInterface({ input: process.stdin })) {
  if (line === '/quit') break;
  channel.publish('chat.all', '', Buffer.from(line), { userId: user });
}
process.stdin.destroy();
await channel.close();
await connection.close();
console.log(`${user} is gone`);
