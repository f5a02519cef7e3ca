// Writes log lines to a topic exchange. Their routing keys are words with dots:  node topic-emit.mjs [KEY TEXT]...
import amqp from 'amqplib';
import { readOptions, url } from './options.mjs';

const { rest } = readOptions();
const pairs = [];
for (let at = 0; at + 1 < rest.length; at += 2) pairs.push([rest[at], rest[at + 1]]);
const lines =
  pairs.length > 0
    ? pairs
    : [
        ['notImportant', 'the lamp was cleaned'],
        ['kernel.important', 'two words only, so *.*.important passes it by'],
        ['kernel.disk.important', 'the disk is full'],
        ['shop.web.eu.important', 'four words, so *.*.important passes it by'],
        ['shop.web.eu.notImportant', 'somebody looked at a shoe'],
        ['shop.till.important', 'the drawer is stuck'],
        ['shop.till.notImportant', 'the drawer is open again'],
      ];

const connection = await amqp.connect(url);
const channel = await connection.createConfirmChannel();
await channel.assertExchange('topic-logs', 'topic', { durable: false });

for (const [key, text] of lines) {
  channel.publish('topic-logs', key, Buffer.from(text));
  console.log(`wrote ${key}: ${text}`);
}

await channel.waitForConfirms();
await connection.close();
