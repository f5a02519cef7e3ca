// Adds one to a number, as a service: takes questions from the queue "rpc_queue" and sends each answer where the
// question's reply_to says, with the question's correlation_id. Ends after --count questions.
import amqp from 'amqplib';
import { giveUpAfter, readOptions, url } from './options.mjs';

const { count, seconds } = readOptions({ count: 3, seconds: 30 });
giveUpAfter(seconds, `fewer than ${count} questions came`);

const connection = await amqp.connect(url);
const channel = await connection.createChannel();
await channel.assertQueue('rpc_queue', { durable: false, autoDelete: false });
await channel.prefetch(1);

console.log('waiting for questions');
let answered = 0;
await channel.consume('rpc_queue', async (question) => {
  const { replyTo, correlationId } = question.properties;
  const n = Number(question.content);
  console.log(`asked ${n}, answered ${n + 1}`);
  channel.sendToQueue(replyTo, Buffer.from(String(n + 1)), { correlationId });
  channel.ack(question);
  if (++answered === count) await goHome();
});

// Closing the channel first makes sure that everything sent on it has been dealt with.
async function goHome() {
  await channel.close();
  await connection.close();
}
