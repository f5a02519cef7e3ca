// Makes a picture eight times smaller for every picture that is uploaded. Ends after --count pictures.
import amqp from 'amqplib';
import { giveUpAfter, readOptions, url } from './options.mjs';
import { shrink } from './picture.mjs';

const { count, seconds } = readOptions({ count: 1, seconds: 30 });
giveUpAfter(seconds, `fewer than ${count} pictures came`);

const connection = await amqp.connect(url);
const channel = await connection.createChannel();
await channel.assertExchange('images', 'fanout', { durable: true });
await channel.assertQueue('images.thumbnails', { durable: true });
await channel.bindQueue('images.thumbnails', 'images', '');
await channel.prefetch(1);

console.log('waiting for pictures');
let done = 0;
await channel.consume('images.thumbnails', async (message) => {
  const thumbnail = shrink(message.content, 8);
  console.log(`made ${thumbnail.length} bytes of ${message.content.length}`);
  const { replyTo, correlationId } = message.properties;
  channel.sendToQueue(replyTo, thumbnail, { type: 'thumbnail', correlationId });
  channel.ack(message);
  if (++done === count) await goHome();
});

// Closing the channel first makes sure that everything sent on it has been dealt with.
async function goHome() {
  await channel.close();
  await connection.close();
}
