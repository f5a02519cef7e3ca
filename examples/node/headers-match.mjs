// A headers exchange looks at the headers instead of the routing key: one queue wants all of them to match, another
// is content with any. Uses amqplib's callback API.
import amqp from 'amqplib/callback_api';
import { fail, giveUpAfter, url } from './options.mjs';

giveUpAfter(30, 'the messages did not arrive');

const documents = [
  { name: 'report.pdf', headers: { format: 'pdf', type: 'report' }, goesTo: ['all', 'any'] },
  { name: 'report.txt', headers: { format: 'txt', type: 'report' }, goesTo: ['any'] },
  { name: 'song.mp3', headers: { format: 'mp3', type: 'song' }, goesTo: [] },
  { name: 'letter.pdf', headers: { format: 'pdf', type: 'letter', pages: 2 }, goesTo: ['any'] },
];
const expected = documents.reduce((sum, { goesTo }) => sum + goesTo.length, 0);
const received = [];

amqp.connect(url, (problem, connection) => {
  if (problem) fail(problem.message);
  connection.createConfirmChannel((problem, channel) => {
    if (problem) fail(problem.message);
    channel.assertExchange('documents', 'headers', { durable: false });
    listen(connection, channel, 'all', () => listen(connection, channel, 'any', () => publish(channel)));
  });
});

function listen(connection, channel, match, whenReady) {
  channel.assertQueue('', { exclusive: true }, (problem, { queue }) => {
    if (problem) fail(problem.message);
    channel.bindQueue(queue, 'documents', '', { 'x-match': match, format: 'pdf', type: 'report' });
    const onMessage = (message) => {
      console.log(`the queue that wants ${match} got ${message.content}`);
      received.push(`${match} ${message.content}`);
      if (received.length === expected) connection.close(compare);
    };
    channel.consume(queue, onMessage, { noAck: true }, whenReady);
  });
}

function publish(channel) {
  for (const { name, headers } of documents) channel.publish('documents', '', Buffer.from(name), { headers });
}

function compare() {
  const wanted = documents.flatMap(({ name, goesTo }) => goesTo.map((match) => `${match} ${name}`));
  if (wanted.sort().join() !== received.sort().join()) fail(`wanted ${wanted}, got ${received}`);
  console.log('every document went where it belongs');
}
