// A consumer is killed (SIGKILL, no goodbye) while it holds an unacknowledged message. The broker notices, puts the
// message back, and the next consumer gets it, flagged "redelivered". The program starts its own victim.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import amqp from 'amqplib';
import { fail, giveUpAfter, readOptions, url } from './options.mjs';

const { victim } = readOptions({ victim: false });
giveUpAfter(30, 'the message did not arrive');

const connection = await amqp.connect(url);
const channel = await connection.createConfirmChannel();
await channel.assertQueue('dangerous-work', { durable: true });

if (victim) {
  await channel.consume('dangerous-work', (message) => {
    if (message.fields.redelivered) fail('the victim was not the first to get it');
    console.log(`the victim got ${message.content}, and is killed before it acknowledges`);
    process.kill(process.pid, 'SIGKILL');
  });
} else {
  await channel.purgeQueue('dangerous-work');
  channel.sendToQueue('dangerous-work', Buffer.from('a dangerous job'), { persistent: true });
  await channel.waitForConfirms();

  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), '--victim'], { stdio: 'inherit' });
  const signal = await new Promise((resolve) => child.once('exit', (_, signal) => resolve(signal)));
  if (signal !== 'SIGKILL') fail('the victim ended in another way');

  await channel.consume(
    'dangerous-work',
    async (message) => {
      console.log(`the heir got ${message.content}, redelivered: ${message.fields.redelivered ? 'yes' : 'no'}`);
      if (!message.fields.redelivered) fail('it should be flagged as redelivered');
      channel.ack(message);
      await channel.cancel('heir');
      await channel.deleteQueue('dangerous-work');
      await connection.close();
    },
    { consumerTag: 'heir' },
  );
}
