// A chat with rooms on a direct exchange. Type a line to say it in your room, or:
//   /join ROOM   hear a room, and speak in it      /leave ROOM   hear it no longer
//   /switch ROOM leave the present room for another  /quit         go home (so does the end of the input)
//   /pretend NAME TEXT   try to speak in somebody else's name (the broker does not let you)
// Log in with --user and --password (a user of the broker). The name beside each line can be trusted, because the
// broker checks the user-id of a message against the login of who publishes it.
import { createInterface } from 'node:readline';
import amqp from 'amqplib';
import { fail, giveUpAfter, readOptions, url } from './options.mjs';

const { user, password, seconds } = readOptions({ user: 'guest', password: 'guest', seconds: 300 });
giveUpAfter(seconds, 'the chat took too long');

const login = new URL(url);
login.username = user;
login.password = password;
const connection = await amqp.connect(login.href);
const channel = await connection.createChannel();
await channel.assertExchange('chat.rooms', 'direct', { durable: false });
const { queue } = await channel.assertQueue('', { exclusive: true });
await channel.consume(
  queue,
  ({ fields, properties, content }) => console.log(`[${fields.routingKey}] ${properties.userId}: ${content}`),
  { noAck: true },
);

let room = null;
const commands = {
  async join(name) {
    await channel.bindQueue(queue, 'chat.rooms', name);
    room = name;
    console.log(`${user} joined ${name}`);
  },
  async leave(name = room) {
    if (name === null) return console.log('you are in no room');
    await channel.unbindQueue(queue, 'chat.rooms', name);
    if (name === room) room = null;
    console.log(`${user} left ${name}`);
  },
  async switch(name) {
    if (room !== null) await commands.leave();
    await commands.join(name);
  },
  async pretend(name, ...words) {
    // A channel of its own, because the broker closes the channel on which somebody lies.
    const liar = await connection.createConfirmChannel();
    const refused = new Promise((resolve) => liar.once('error', resolve));
    liar.publish('chat.rooms', room ?? 'lobby', Buffer.from(words.join(' ')), { userId: name });
    const accepted = liar.waitForConfirms().catch(() => refused);
    const outcome = await Promise.race([refused, accepted]);
    if (!(outcome instanceof Error)) fail(`the broker let ${user} speak as ${name}`);
    console.log(`the broker refused: ${outcome.message}`);
  },
};

console.log(`${user} is here`);
for await (const line of createInterface({ input: process.stdin })) {
  const [, command, argument] = line.match(/^\/(\w+) ?(.*)$/) ?? [];
  if (command === 'quit') break;
  if (command !== undefined && command in commands) await commands[command](...(argument ? argument.split(' ') : []));
  else if (command !== undefined) console.log(`unknown: /${command}`);
  else if (room === null) console.log('you are in no room');
  else channel.publish('chat.rooms', room, Buffer.from(line), { userId: user });
}
process.stdin.destroy();
await channel.close();
await connection.close();
console.log(`${user} is gone`);
