import { createHash, randomBytes } from 'node:crypto';
import { expect } from 'vitest';
import type { ScenarioName } from '../scenarios.js';
import type { Client } from './client.js';
import { Inbox } from './inbox.js';
import type { Scenario } from './stage.js';
import { eventually } from './stage.js';

const tasks = [1, 2, 3, 4, 5].map((number) => ({ number, text: `task ${number}` }));

async function sendTasks(client: Client, queue: string): Promise<void> {
  await client.declareQueue(queue, { durable: true });
  for (const { number, text } of tasks) {
    const headers = { number, colour: 'red', nested: { deep: [1, 'two', true] } };
    await client.publish({ key: queue, body: text, persistent: true, contentType: 'text/plain', headers });
  }
}

/** Prefetch 1: with one task in hand the rest stays in the queue, however long the work takes. */
async function workThroughTasks(client: Client, watcher: Client, inbox: Inbox, queue: string): Promise<void> {
  for (const { number, text } of tasks) {
    const task = await inbox.next();
    expect(task.body.toString()).toBe(text);
    expect(task.persistent).toBe(true);
    expect(task.contentType).toBe('text/plain');
    expect(task.headers).toMatchObject({ number, colour: 'red', nested: { deep: [1, 'two', true] } });
    const { messages, consumers } = await watcher.declareQueue(queue, { passive: true, durable: true });
    expect({ messages, consumers }).toEqual({ messages: tasks.length - number, consumers: 1 });
    expect(inbox.all).toHaveLength(number);
    task.ack();
  }
  await client.cancel(inbox.consumerTag);
  await client.deleteQueue(queue);
}

/** Queues that share out work, and what happens when it goes wrong. */
export const working = {
  async 'tasks-sender-first'({ connect, own }) {
    await sendTasks(await connect(), own('tasks'));
    const worker = await connect();
    await worker.prefetch(1);
    await workThroughTasks(worker, await connect(), await Inbox.open(worker, own('tasks')), own('tasks'));
  },

  async 'tasks-receiver-first'({ connect, own }) {
    const worker = await connect();
    await worker.declareQueue(own('tasks'), { durable: true });
    await worker.prefetch(1);
    const inbox = await Inbox.open(worker, own('tasks'));
    const sender = await connect();
    await sendTasks(sender, own('tasks'));
    await workThroughTasks(worker, sender, inbox, own('tasks'));
  },

  async 'share-evenly'({ connect, own }) {
    const [anna, ben, sender] = [await connect(), await connect(), await connect()];
    await anna.declareQueue(own('shared'));
    const inboxes = [
      await Inbox.open(anna, own('shared'), { noAck: true }),
      await Inbox.open(ben, own('shared'), { noAck: true }),
    ];
    for (let number = 0; number < 20; number++) await sender.publish({ key: own('shared'), body: String(number) });
    for (const [parity, inbox] of inboxes.entries()) {
      await inbox.take(10);
      expect(inbox.texts).toEqual(Array.from({ length: 10 }, (_, turn) => String(2 * turn + parity)));
    }
    await sender.deleteQueue(own('shared'));
  },

  async 'killed-consumer'({ connect, own }) {
    const [victim, heir, sender] = [await connect(), await connect(), await connect()];
    await sender.declareQueue(own('jobs'), { durable: true });
    for (const body of ['one', 'two']) await sender.publish({ key: own('jobs'), body, persistent: true });
    await victim.prefetch(1);
    const lost = await (await Inbox.open(victim, own('jobs'))).next();
    expect([lost.body.toString(), lost.redelivered]).toEqual(['one', false]);
    victim.drop();
    await eventually(async () => {
      const { messages } = await sender.declareQueue(own('jobs'), { passive: true, durable: true });
      return messages === 2;
    });
    const inbox = await Inbox.open(heir, own('jobs'));
    const [first, second] = await inbox.take(2);
    expect([first!.body.toString(), first!.redelivered]).toEqual(['one', true]);
    expect([second!.body.toString(), second!.redelivered]).toEqual(['two', false]);
    first!.ack();
    second!.ack();
    await sender.deleteQueue(own('jobs'));
  },

  async 'requeue-in-place'({ connect, own }) {
    const client = await connect();
    await client.declareQueue(own('line'));
    for (const body of ['one', 'two', 'three']) await client.publish({ key: own('line'), body });
    const first = await client.get(own('line'));
    const second = await client.get(own('line'));
    second!.requeue();
    first!.requeue();
    const again = [];
    for (let turn = 0; turn < 3; turn++) {
      const message = await client.get(own('line'));
      again.push(`${message!.body} ${message!.redelivered}`);
      message!.ack();
    }
    expect(again).toEqual(['one true', 'two true', 'three false']);
    expect(await client.get(own('line'))).toBeNull();
    await client.deleteQueue(own('line'));
  },

  async 'publisher-confirms'({ connect, own }) {
    const client = await connect();
    await client.declareQueue(own('confirmed'), { durable: true });
    const numbers = Array.from({ length: 1000 }, (_, number) => String(number));
    await Promise.all(
      numbers.map((body, at) => client.publish({ key: own('confirmed'), body, persistent: at % 2 === 0 })),
    );
    const { messages } = await client.declareQueue(own('confirmed'), { passive: true, durable: true });
    expect(messages).toBe(1000);
    await client.prefetch(100);
    const inbox = new Inbox();
    const tag = await client.consume(own('confirmed'), {}, (message) => {
      inbox.all.push(message);
      message.ack();
    });
    await eventually(async () => inbox.all.length === 1000);
    expect(inbox.texts).toEqual(numbers);
    await client.cancel(tag);
    expect(await client.get(own('confirmed'))).toBeNull();
    await client.deleteQueue(own('confirmed'));
  },

  async 'image-upload'({ connect, serve, own }) {
    const uploader = await connect();
    await uploader.declareExchange(own('images'), 'fanout', { durable: true });
    const { name: replyTo } = await uploader.declareQueue('', { exclusive: true, durable: false });
    const inbox = await Inbox.open(uploader, replyTo, { noAck: true });
    const queues = [own('thumbnails'), own('faces')];
    for (const queue of queues) {
      const worker = await connect();
      await worker.declareQueue(queue, { durable: true });
      await worker.bind(queue, own('images'), '');
      await serve(worker, queue, async (image) => {
        const hash = createHash('sha256').update(image.body).digest('hex');
        await worker.publish({ key: image.replyTo!, body: `${queue} ${hash}` });
        image.ack();
      });
    }
    // More than one frame (the usual frame-max is 128 KiB), and one that fills its last frame to the byte.
    for (const size of [102_400, 131_064, 131_072, 300_001]) {
      const image = randomBytes(size);
      const contentType = 'application/octet-stream';
      await uploader.publish({ exchange: own('images'), key: '', body: image, persistent: true, replyTo, contentType });
      const hash = createHash('sha256').update(image).digest('hex');
      const answers = (await inbox.take(2)).map(({ body }) => body.toString());
      expect(answers.sort()).toEqual(queues.map((queue) => `${queue} ${hash}`).sort());
    }
    for (const queue of queues) await uploader.deleteQueue(queue);
    await uploader.deleteExchange(own('images'));
  },
} satisfies Partial<Record<ScenarioName, Scenario>>;
