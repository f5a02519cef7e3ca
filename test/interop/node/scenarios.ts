import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import type { Broker } from '../broker.js';
import type { ScenarioName } from '../scenarios.js';
import type { Client, Library, Received, Table } from './client.js';
import { Inbox } from './inbox.js';

/** What a scenario has at hand. Connections made by `connect` are closed at its end. */
export interface Stage {
  broker: Broker;
  connect(login?: { user: string; password: string }): Promise<Client>;
  /** Consumes with a handler that may take its time; the scenario's end waits for it. */
  serve(client: Client, queue: string, handler: (message: Received) => Promise<void>): Promise<void>;
  /** Makes names of queues and exchanges its own. */
  own(name: string): string;
}

type Scenario = (stage: Stage) => Promise<void>;

export async function play(scenario: Scenario, library: Library, broker: Broker): Promise<void> {
  const clients: Client[] = [];
  const underWay = new Set<Promise<void>>();
  const stage: Stage = {
    broker,
    own: (name) => `${library.name}.${name}`,
    async connect(login) {
      const url = new URL(broker.url);
      if (login) Object.assign(url, { username: login.user, password: login.password });
      const client = await library.connect(url.href);
      clients.push(client);
      return client;
    },
    async serve(client, queue, handler) {
      await client.consume(queue, {}, (message) => underWay.add(handler(message)));
    },
  };
  try {
    await scenario(stage);
    await Promise.all(underWay);
  } finally {
    for (const client of clients) await client.close().catch(() => {});
  }
}

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

async function startAdder({ connect, serve }: Stage): Promise<void> {
  const client = await connect();
  await client.deleteQueue('rpc_queue');
  await client.declareQueue('rpc_queue', { durable: false });
  await client.prefetch(1);
  await serve(client, 'rpc_queue', async (question) => {
    const n = Number(question.body);
    await client.publish({ key: question.replyTo!, body: String(n + 1), correlationId: question.correlationId });
    question.ack();
  });
}

async function askAdder(client: Client, replyTo: string): Promise<void> {
  const inbox = await Inbox.open(client, replyTo, { noAck: true });
  const asked = new Map([1, 41, 1_000_000].map((n) => [randomUUID() as string, n]));
  for (const [correlationId, n] of asked) {
    await client.publish({ key: 'rpc_queue', body: String(n), correlationId, replyTo });
  }
  for (const answer of await inbox.take(asked.size)) {
    expect(Number(answer.body)).toBe(asked.get(answer.correlationId!)! + 1);
    asked.delete(answer.correlationId!);
  }
  expect(asked.size).toBe(0);
  await client.deleteQueue('rpc_queue');
}

/** Runs `attempt` on a channel of its own, which the broker is expected to close. */
async function expectRefusal(client: Client, text: RegExp, attempt: (channel: Client) => Promise<unknown>) {
  const channel = await client.channel();
  await expect(attempt(channel)).rejects.toThrow(text);
}

/** Deletions by the broker that follow a lost connection take a moment. */
async function eventually(condition: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error('it did not happen within 10 s');
    await sleep(50);
  }
}

export const nodeScenarios: Record<ScenarioName, Scenario> = {
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

  async 'log-fanout'({ connect, own }) {
    const [anna, ben, writer] = [await connect(), await connect(), await connect()];
    await writer.declareExchange(own('log'), 'fanout', { durable: false });
    const queues: string[] = [];
    const inboxes: Inbox[] = [];
    for (const listener of [anna, ben]) {
      const { name } = await listener.declareQueue('', { exclusive: true, durable: false });
      await listener.bind(name, own('log'), '');
      inboxes.push(await Inbox.open(listener, name, { noAck: true }));
      queues.push(name);
    }
    expect(new Set(queues).size).toBe(2);
    for (const name of queues) expect(name).toMatch(/^amq\.gen-/);

    for (const line of ['one', 'two', 'three']) await writer.publish({ exchange: own('log'), key: '', body: line });
    for (const inbox of inboxes) {
      await inbox.take(3);
      expect(inbox.texts).toEqual(['one', 'two', 'three']);
    }

    // Exclusive: nobody else may even look at it while its owner lives, and it is gone when the owner is.
    await expectRefusal(writer, /RESOURCE_LOCKED/, (channel) => channel.declareQueue(queues[0]!, { passive: true }));
    await anna.close();
    ben.drop();
    for (const name of queues) {
      await eventually(async () => {
        const channel = await writer.channel();
        const look = channel.declareQueue(name, { passive: true });
        return look.then(
          () => false,
          (error: Error) => /NOT_FOUND/.test(error.message),
        );
      });
    }
    await writer.deleteExchange(own('log'));
  },

  async 'topic-logs'({ connect, own }) {
    const client = await connect();
    await client.declareExchange(own('topic'), 'topic', { durable: false });
    const listen = async (...patterns: string[]) => {
      const { name } = await client.declareQueue('', { exclusive: true, durable: false });
      for (const pattern of patterns) await client.bind(name, own('topic'), pattern);
      return Inbox.open(client, name, { noAck: true });
    };
    const idle = await listen('#.notImportant');
    const busy = await listen('*.*.important');
    const both = await listen('#.notImportant', '*.*.important', '#');
    const keys = [
      'notImportant',
      'a.notImportant',
      'a.b.c.d.notImportant',
      'notImportant.a',
      'important',
      'a.important',
      'a.b.important',
      'a.b.c.important',
      '..important',
      'a.b.notImportant',
      'c.d.important',
    ];
    for (const key of keys) await client.publish({ exchange: own('topic'), key, body: key });
    await both.take(keys.length);
    await idle.take(4);
    await busy.take(3);
    // Whatever else was routed would stand in the inboxes before the last one.
    expect(idle.texts).toEqual(['notImportant', 'a.notImportant', 'a.b.c.d.notImportant', 'a.b.notImportant']);
    expect(busy.texts).toEqual(['a.b.important', '..important', 'c.d.important']);
    expect(both.texts).toEqual(keys);
    await client.deleteExchange(own('topic'));
  },

  async 'headers-any-all'({ connect, own }) {
    const client = await connect();
    await client.declareExchange(own('headers'), 'headers', { durable: false });
    const listen = async (table: Table) => {
      const { name } = await client.declareQueue('', { exclusive: true, durable: false });
      await client.bind(name, own('headers'), '', table);
      return Inbox.open(client, name, { noAck: true });
    };
    const all = await listen({ 'x-match': 'all', format: 'pdf', pages: 2 });
    const any = await listen({ 'x-match': 'any', format: 'pdf', pages: 2 });
    const messages: [string, Table][] = [
      ['neither', { format: 'txt', pages: 3 }],
      ['format', { format: 'pdf' }],
      ['pages', { format: 'txt', pages: 2 }],
      ['none', {}],
      ['both', { format: 'pdf', pages: 2, more: true }],
    ];
    for (const [body, headers] of messages) await client.publish({ exchange: own('headers'), key: '', body, headers });
    await all.take(1);
    await any.take(3);
    expect(all.texts).toEqual(['both']);
    expect(any.texts).toEqual(['format', 'pages', 'both']);
    await client.deleteExchange(own('headers'));
  },

  async 'rpc-reply-queue'(stage) {
    await startAdder(stage);
    const client = await stage.connect();
    const { name } = await client.declareQueue('', { exclusive: true, durable: false });
    await askAdder(client, name);
  },

  async 'rpc-direct-reply-to'(stage) {
    await startAdder(stage);
    await askAdder(await stage.connect(), 'amq.rabbitmq.reply-to');
  },

  async 'chat-rooms'({ connect, own, broker }) {
    const join = async (user: string) => {
      await broker.addUser(user, 'secret');
      const client = await connect({ user, password: 'secret' });
      await client.declareExchange(own('rooms'), 'direct', { durable: false });
      const { name: queue } = await client.declareQueue('', { exclusive: true, durable: false });
      const inbox = await Inbox.open(client, queue, { noAck: true });
      const say = (room: string, body: string, userId = user) =>
        client.publish({ exchange: own('rooms'), key: room, body, userId });
      return { client, queue, inbox, say };
    };
    const [alice, bob] = [await join('alice'), await join('bob')];
    const heard = async (inbox: Inbox) => {
      const { key, userId, body } = await inbox.next();
      return `[${key}] ${userId}: ${body}`;
    };

    await alice.client.bind(alice.queue, own('rooms'), 'kitchen');
    await bob.client.bind(bob.queue, own('rooms'), 'garden');
    await alice.say('kitchen', 'anybody?');
    expect(await heard(alice.inbox)).toBe('[kitchen] alice: anybody?');

    await bob.client.unbind(bob.queue, own('rooms'), 'garden');
    await bob.client.bind(bob.queue, own('rooms'), 'kitchen');
    await alice.say('garden', 'and here?');
    await bob.say('kitchen', 'me');
    expect(await heard(alice.inbox)).toBe('[kitchen] bob: me');
    expect(await heard(bob.inbox)).toBe('[kitchen] bob: me');

    const lie = { exchange: own('rooms'), key: 'kitchen', body: 'I am a fool', userId: 'bob' };
    const refusal = /PRECONDITION_FAILED - user_id property set to 'bob' but authenticated user was 'alice'/;
    await expectRefusal(alice.client, refusal, (channel) => channel.publish(lie));

    await bob.client.unbind(bob.queue, own('rooms'), 'kitchen');
    await alice.say('kitchen', 'gone?');
    expect(await heard(alice.inbox)).toBe('[kitchen] alice: gone?');
    expect(bob.inbox.texts).toEqual(['me']);
    await alice.client.deleteExchange(own('rooms'));
  },

  async 'chat-for-all'({ connect, own }) {
    const join = async () => {
      const client = await connect();
      await client.declareExchange(own('all'), 'fanout', { durable: false });
      const { name } = await client.declareQueue('', { exclusive: true, durable: false });
      await client.bind(name, own('all'), '');
      return { client, inbox: await Inbox.open(client, name, { noAck: true }) };
    };
    const people = [await join(), await join(), await join()];
    for (const [number, { client }] of people.entries()) {
      await client.publish({ exchange: own('all'), key: 'ignored', body: `hello from ${number}`, userId: 'guest' });
    }
    for (const { inbox } of people) {
      await inbox.take(3);
      expect(inbox.texts).toEqual(['hello from 0', 'hello from 1', 'hello from 2']);
      expect(inbox.all.map(({ userId }) => userId)).toEqual(['guest', 'guest', 'guest']);
    }
    await people[0]!.client.deleteExchange(own('all'));
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

  async 'mandatory-return'({ connect, own }) {
    const client = await connect();
    const events: string[] = [];
    client.onReturn((code, text, body) => events.push(`${code} ${text} ${body}`));
    await client.publish({ key: own('nobody'), body: 'lost?', mandatory: true });
    events.push('confirmed');
    expect(events).toEqual(['312 NO_ROUTE lost?', 'confirmed']);

    await client.publish({ key: own('nobody'), body: 'dropped' });
    const { name } = await client.declareQueue('', { exclusive: true, durable: false });
    await client.publish({ key: name, body: 'found', mandatory: true });
    expect(events).toHaveLength(2);
    expect((await client.get(name))!.body.toString()).toBe('found');
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

  async 'channel-error'({ connect, own }) {
    const client = await connect();
    await client.declareQueue(own('steady'), { durable: true });
    await expectRefusal(client, /NOT_FOUND - no queue '.*missing' in vhost/, (channel) =>
      channel.declareQueue(own('missing'), { passive: true }),
    );
    await expectRefusal(client, /PRECONDITION_FAILED - inequivalent arg 'durable'/, (channel) =>
      channel.declareQueue(own('steady'), { durable: false }),
    );
    await expectRefusal(client, /NOT_FOUND - no exchange '.*missing' in vhost/, (channel) =>
      channel.publish({ exchange: own('missing'), key: '', body: '' }),
    );
    await expectRefusal(client, /ACCESS_REFUSED/, (channel) => channel.declareQueue('amq.mine'));
    // The errors closed their channels; this one never noticed.
    await client.publish({ key: own('steady'), body: 'still here' });
    expect((await client.get(own('steady')))!.body.toString()).toBe('still here');
    await client.deleteQueue(own('steady'));
  },

  async 'cancel-notify'({ connect, own }) {
    const [client, other] = [await connect(), await connect()];
    await client.declareQueue(own('doomed'));
    const cancelled = new Promise<void>((resolve) => {
      client.consume(own('doomed'), { onCancel: resolve }, () => {});
    });
    await eventually(async () => (await other.declareQueue(own('doomed'))).consumers === 1);
    await other.deleteQueue(own('doomed'));
    await cancelled;
  },

  async 'header-types'({ connect }) {
    const client = await connect();
    const { name } = await client.declareQueue('', { exclusive: true, durable: false });
    const headers = {
      text: 'grüße, 世界',
      empty: '',
      yes: true,
      no: false,
      small: 7,
      negative: -5,
      large: 2 ** 40,
      fraction: 1.5,
      nothing: null,
      table: { a: { b: { c: 'deep' } } },
      list: [1, 'two', [3, false], { four: 4 }],
      long: 'x'.repeat(5000),
    };
    await client.publish({ key: name, body: '', headers });
    const message = await client.get(name);
    expect(message!.headers).toEqual(headers);
    expect(message!.body).toHaveLength(0);
  },
};

/** The two halves of surviving; between them the test stops or kills the broker. */
export const survivalScenarios: Record<'leave' | 'check', Scenario> = {
  async leave({ connect, own }) {
    const client = await connect();
    await client.declareExchange(own('lasting'), 'direct', { durable: true });
    await client.declareQueue(own('survivors'), { durable: true });
    await client.bind(own('survivors'), own('lasting'), 'key');
    for (const body of ['one', 'two', 'three']) {
      await client.publish({ exchange: own('lasting'), key: 'key', body, persistent: true, headers: { body } });
      await client.publish({ exchange: own('lasting'), key: 'key', body: 'transient' });
    }
  },

  async check({ connect, own }) {
    const client = await connect();
    const { messages } = await client.declareQueue(own('survivors'), { passive: true, durable: true });
    expect(messages, 'the persistent three, and no transient one').toBe(3);
    for (const body of ['one', 'two', 'three']) {
      const message = await client.get(own('survivors'));
      expect([message?.body.toString(), message?.headers?.['body'], message?.persistent]).toEqual([body, body, true]);
      message!.ack();
    }
    // The binding is there too.
    await client.publish({ exchange: own('lasting'), key: 'key', body: 'again' });
    expect((await client.get(own('survivors')))?.body.toString()).toBe('again');
    await client.deleteQueue(own('survivors'));
    await client.deleteExchange(own('lasting'));
  },
};
