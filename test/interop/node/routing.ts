import { expect } from 'vitest';
import type { ScenarioName } from '../scenarios.js';
import type { Table } from './client.js';
import { Inbox } from './inbox.js';
import type { Scenario } from './stage.js';
import { eventually, expectRefusal } from './stage.js';

/** Who gets a message: fanout, topics, headers, and nobody at all. */
export const routing = {
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
} satisfies Partial<Record<ScenarioName, Scenario>>;
