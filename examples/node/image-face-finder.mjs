// Looks for faces in every picture that is uploaded (the rule stands in picture.mjs). Ends after --count pictures.
import amqp from 'amqplib';
import { giveUpAfter, readOptions, url } from './options.mjs';
import { findFaces } from './picture.mjs';

const { count, seconds } = readOptions({ count: 1, seconds: 30 });
giveUpAfter(seconds, `fewer than ${count} pictures came`);

const connection = await amqp.connect(url);
const channel = await connection.createChannel();
await channel.assertExchange('images', 'fanout', { durable: true });
await channel.assertQueue('images.faces', { durable: true });
await channel.bindQueue('images.faces', 'images', '');
await channel.prefetch(1);

console.log('waiting for pictures');
let done = 0;
await channel.consume('images.faces', async (message) => {
  const faces = findFaces(message.content);
  console.log(`found ${faces.length} faces in ${message.content.length} bytes`);
  const { replyTo, correlationId } = message.properties;
  channel.sendToQueue(replyTo, Buffer.from(JSON.stringify(faces)), { type: 'faces', correlationId });
  channel.ack(message);
  if (++done === count) await goHome();
});

// Closing the channel first makes sure that everything sent on it has been dealt with.
async function goHome() {
  await channel.close();
  await connection.close();
}
