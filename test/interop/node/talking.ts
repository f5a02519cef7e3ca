import { randomUUID } from 'node:crypto';
import { expect } from 'vitest';
import type { ScenarioName } from '../scenarios.js';
import type { Client } from './client.js';
import { Inbox } from './inbox.js';
import type { Scenario, Stage } from './stage.js';
import { expectRefusal } from './stage.js';

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

/** Questions with answers, and chats. */
export const talking = {
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
} satisfies Partial<Record<ScenarioName, Scenario>>;
