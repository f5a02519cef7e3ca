// Uploads a picture of some 100 KiB; a fanout exchange copies it to a thumbnailer and to a face finder, and both send
// their results back. Start the two workers (image-thumbnailer, image-face-finder) before or after this.
import amqp from 'amqplib';
import { fail, giveUpAfter, readOptions, url } from './options.mjs';
import { drawPicture, readPicture } from './picture.mjs';

const { faces, seconds } = readOptions({ faces: 4, seconds: 30 });
giveUpAfter(seconds, 'a result is missing (are both workers running?)');

const connection = await amqp.connect(url);
const channel = await connection.createConfirmChannel();
await channel.assertExchange('images', 'fanout', { durable: true });
for (const queue of ['images.thumbnails', 'images.faces']) {
  await channel.assertQueue(queue, { durable: true });
  await channel.bindQueue(queue, 'images', '');
}
const { queue: replyTo } = await channel.assertQueue('', { exclusive: true });

const picture = drawPicture(faces);
const whole = readPicture(picture);
const results = new Set();
let bothCame;
const finished = new Promise((resolve) => {
  bothCame = resolve;
});

await channel.consume(
  replyTo,
  ({ properties, content }) => {
    if (properties.type === 'thumbnail') {
      const { width, height } = readPicture(content);
      console.log(`the thumbnailer made ${width} x ${height}, ${content.length} bytes`);
      if (width !== Math.floor(whole.width / 8)) fail('the thumbnail has the wrong size');
    } else {
      const found = JSON.parse(content);
      console.log(`the face finder found ${found.length} faces`);
      if (found.length !== faces) fail(`there are ${faces}`);
    }
    results.add(properties.type);
    if (results.size === 2) bothCame();
  },
  { noAck: true },
);

channel.publish('images', '', picture, {
  persistent: true,
  contentType: 'image/x-portable-pixmap',
  replyTo,
  correlationId: 'picture-1',
});
await channel.waitForConfirms();
console.log(`uploaded a picture of ${picture.length} bytes`);

await finished;
await channel.close();
await connection.close();
