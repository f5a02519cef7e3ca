// Two consumers share one queue, and the broker deals the messages out in turn. Uses the client rabbitmq-client.
import { Connection } from 'rabbitmq-client';
import { fail, giveUpAfter, readOptions, url } from './options.mjs';

const { count, seconds } = readOptions({ count: 10, seconds: 30 });
giveUpAfter(seconds, 'the work was not done');

const received = { Anna: 0, Ben: 0 };
let allDone;
const finished = new Promise((resolve) => {
  allDone = resolve;
});

async function startWorker(name) {
  const connection = new Connection(url);
  const consumer = connection.createConsumer(
    { queue: 'shared', queueOptions: { durable: true }, qos: { prefetchCount: 1 } },
    async (message) => {
      received[name]++;
      console.log(`${name} got ${message.body}`);
      if (received.Anna + received.Ben === count) allDone();
      // Returning acknowledges the message; an error thrown here would give it back to the queue.
    },
  );
  await new Promise((resolve) => consumer.once('ready', resolve));
  return { consumer, connection };
}

const workers = [await startWorker('Anna'), await startWorker('Ben')];

const connection = new Connection(url);
const publisher = connection.createPublisher({ confirm: true });
for (let number = 1; number <= count; number++) {
  // Waiting for each confirm lets both workers keep up, so that the turns are plain to see.
  await publisher.send({ routingKey: 'shared', durable: true }, `job ${number}`);
}

await finished;
for (const worker of workers) {
  await worker.consumer.close();
  await worker.connection.close();
}
await publisher.close();
await connection.queueDelete('shared');
await connection.close();

console.log(`Anna did ${received.Anna}, Ben did ${received.Ben}`);
if (Math.abs(received.Anna - received.Ben) > 1) fail('they did not share evenly');
