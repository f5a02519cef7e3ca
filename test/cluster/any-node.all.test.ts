import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { AmqpPeer } from '../support/amqp-peer.js';
import { skipUnless } from '../support/skip.js';
import type { BrokerNode } from './broker-node.js';
import { Guest, until } from './guest.js';
import { RealCluster } from './real-cluster.js';
import { hasEtcd } from './real-etcd.js';

const noEtcd = skipUnless(hasEtcd, 'etcd is not installed (Debian: etcd-server, etcd-client)');

let cluster: RealCluster;
let guests: Guest[] = [];
let names = 0;
/** Queues are declared at c; clients of a and b use them. */
let [a, b, c]: BrokerNode[] = [];

beforeAll(async () => {
  if (noEtcd) return;
  cluster = await RealCluster.start();
  [a, b, c] = cluster.nodes;
});
afterEach(async ({ task }) => {
  if (task.result?.state === 'fail') console.log(cluster.said());
  for (const guest of guests) await guest.close();
  guests = [];
});
afterAll(() => cluster?.close());

async function at(node: BrokerNode | undefined): Promise<Guest> {
  const guest = await Guest.at(node!);
  guests.push(guest);
  return guest;
}

const own = (name: string) => `${name}-${++names}`;
const all = { durable: true } as const;

describe.skipIf(noEtcd)('a queue led elsewhere', { timeout: 30_000 }, () => {
  test('takes from one node and gives to another, in order and once', async () => {
    const [home, sender, receiver] = [await at(c), await at(a), await at(b)];
    const queue = own('line');
    await home.channel.assertQueue(queue, all);
    await receiver.channel.prefetch(50);
    const inbox = await receiver.consume(queue);
    const wanted = Array.from({ length: 2000 }, (_, i) => String(i));
    const confirms = wanted.map((text) => sender.publish(queue, text, { persistent: true }));
    expect(await inbox.take(2000)).toEqual(wanted);
    await Promise.all(confirms);
    await sleep(200);
    expect(inbox.messages).toHaveLength(2000);
    await until('all is settled', async () => {
      const { messages } = await c!.api<{ messages: number }>('GET', `queues/%2F/${queue}`);
      return messages === 0;
    });
  });

  test('is got from, purged and deleted', async () => {
    const [home, one, other] = [await at(c), await at(a), await at(b)];
    const queue = own('line');
    await home.channel.assertQueue(queue, all);
    for (const text of ['1', '2', '3', '4']) await one.publish(queue, text);
    const first = await other.channel.get(queue);
    if (first === false) throw new Error('it is empty');
    expect([first.content.toString(), first.fields.messageCount]).toEqual(['1', 3]);
    other.channel.nack(first, false, true);
    // Nobody answers a nack, and who asks elsewhere may be quicker.
    await until('it is back', async () => (await home.count(queue)).messages === 4);
    const again = await one.channel.get(queue);
    if (again === false) throw new Error('it is empty');
    expect([again.content.toString(), again.fields.redelivered]).toEqual(['1', true]);
    one.channel.ack(again);
    expect(await one.refusal((channel) => channel.deleteQueue(queue, { ifEmpty: true }))).toContain('406');
    expect(await other.channel.purgeQueue(queue)).toEqual({ messageCount: 3 });
    expect(await one.channel.get(queue)).toBe(false);
    const inbox = await other.consume(queue);
    expect(await one.refusal((channel) => channel.deleteQueue(queue, { ifUnused: true }))).toContain('406');
    await one.publish(queue, 'last');
    expect(await inbox.take(1)).toEqual(['last']);
    await one.channel.deleteQueue(queue);
    await inbox.cancelled();
    for (const guest of [home, one, other]) {
      expect(await guest.refusal((channel) => channel.checkQueue(queue))).toContain(
        `NOT_FOUND - no queue '${queue}' in vhost '/'`,
      );
    }
  });

  test('gives no consumer more than it asked for, and takes back what was not settled', async () => {
    const [home, one, other] = [await at(c), await at(a), await at(b)];
    const queue = own('line');
    await home.channel.assertQueue(queue, all);
    for (let i = 0; i < 20; i++) await home.publish(queue, String(i));
    await one.channel.prefetch(7);
    const first = await one.consume(queue);
    await until('seven have come', () => first.messages.length === 7);
    await sleep(300);
    expect(first.messages).toHaveLength(7);
    expect(await other.count(queue)).toEqual({ messages: 13, consumers: 1 });
    await first.take(2);
    await until('two more have come', () => first.messages.length === 9);
    one.drop();
    await until('all are back', async () => (await home.count(queue)).messages === 18);
    const second = await other.consume(queue);
    const texts = await second.take(18);
    expect(texts).toEqual(Array.from({ length: 18 }, (_, i) => String(i + 2)));
    expect(second.texts.slice(0, 8).map((text) => text.endsWith('again'))).toEqual([...Array(7).fill(true), false]);
  });

  test('rejects and requeues as if it were here', async () => {
    const [home, one, other] = [await at(c), await at(a), await at(b)];
    const queue = own('line');
    await home.channel.assertQueue(queue, all);
    for (const text of ['1', '2']) await one.publish(queue, text);
    const inbox = await other.consume(queue);
    const message = await inbox.next('none');
    other.channel.nack(message, false, true);
    await until('it came again', () => inbox.texts.includes('1 again'));
    for (const each of inbox.messages.slice(1)) other.channel.reject(each, false);
    await until('it is empty', async () => (await home.count(queue)).messages === 0);
  });

  test('is exclusive to its connection, wherever the others are', async () => {
    const [owner, one, other] = [await at(c), await at(a), await at(b)];
    const queue = own('mine');
    await owner.channel.assertQueue(queue, { exclusive: true });
    const locked = `RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '${queue}' in vhost '/'`;
    expect(await one.refusal((channel) => channel.consume(queue, () => {}))).toContain(locked);
    expect(await other.refusal((channel) => channel.assertQueue(queue, { exclusive: true }))).toContain(locked);
    // Anybody may publish to it.
    const inbox = await owner.consume(queue);
    await one.publish(queue, 'hello', { mandatory: true });
    expect(await inbox.take(1)).toEqual(['hello']);
    expect(one.returned).toEqual([]);
    owner.drop();
    await until('it is gone everywhere', async () => {
      const said = [one, other].map((guest) => guest.refusal((channel) => channel.checkQueue(queue)));
      return (await Promise.all(said)).every((text) => text.includes('NOT_FOUND'));
    });
    // The name is free.
    await other.channel.assertQueue(queue, { exclusive: true });
  });

  test('deletes itself when the last consumer leaves, wherever that was', async () => {
    const [home, one, other] = [await at(c), await at(a), await at(b)];
    const queue = own('passing');
    await home.channel.assertQueue(queue, { autoDelete: true, durable: false });
    const first = await one.consume(queue);
    const second = await other.consume(queue);
    await one.channel.cancel(first.tag);
    expect(await home.count(queue)).toEqual({ messages: 0, consumers: 1 });
    await other.channel.cancel(second.tag);
    await until('it is gone everywhere', async () => {
      const said = [home, one, other].map((guest) => guest.refusal((channel) => channel.checkQueue(queue)));
      return (await Promise.all(said)).every((text) => text.includes('NOT_FOUND'));
    });
  });

  test('passes from one exclusive consumer to the next, who may begin when the first has been told that it ended', async () => {
    const [home, one, other] = [await at(c), await at(a), await at(b)];
    const queue = own('line');
    await home.channel.assertQueue(queue, all);
    for (let round = 0; round < 30; round++) {
      const guest = [one, other, home][round % 3]!;
      const inbox = await guest.consume(queue, { exclusive: true });
      await home.publish(queue, String(round));
      expect(await inbox.take(1)).toEqual([String(round)]);
      await guest.channel.cancel(inbox.tag);
    }
  });

  test('is part of transactions', async () => {
    const [home, other] = [await at(c), await at(b)];
    const queue = own('line');
    await home.channel.assertQueue(queue, all);
    const peer = await AmqpPeer.open(a!.url);
    await peer.channel();
    const publish = (text: string) =>
      peer.send(
        1,
        { name: 'basic.publish', exchange: '', routingKey: queue },
        { properties: {}, body: Buffer.from(text) },
      );
    peer.send(1, { name: 'tx.select' });
    await peer.expect('tx.select-ok');
    publish('rolled back');
    peer.send(1, { name: 'tx.rollback' });
    await peer.expect('tx.rollback-ok');
    publish('kept');
    publish('kept too');
    expect(await other.count(queue)).toMatchObject({ messages: 0 });
    peer.send(1, { name: 'tx.commit' });
    await peer.expect('tx.commit-ok');
    expect(await other.count(queue)).toMatchObject({ messages: 2 });
    expect(await (await other.consume(queue)).take(2)).toEqual(['kept', 'kept too']);
    peer.destroy();
  });

  test('returns what has nowhere to go, before the confirm', async () => {
    const [home, one] = [await at(c), await at(a)];
    const [exchange, queue] = [own('news'), own('line')];
    await home.channel.assertExchange(exchange, 'direct');
    await home.channel.assertQueue(queue, all);
    await home.channel.bindQueue(queue, exchange, 'known');
    await one.publish('unknown', 'lost', { exchange, mandatory: true });
    expect(one.returned).toEqual(['lost']);
    await one.publish('known', 'found', { exchange, mandatory: true });
    expect(one.returned).toEqual(['lost']);
    expect(await home.count(queue)).toMatchObject({ messages: 1 });
  });

  test('carries questions, and the answers go straight back', async () => {
    const [home, asking, answering] = [await at(c), await at(a), await at(b)];
    const queue = own('questions');
    await home.channel.assertQueue(queue, all);
    const answers = await asking.consume('amq.rabbitmq.reply-to', { noAck: true });
    const questions = await answering.consume(queue);
    for (let i = 0; i < 50; i++) {
      await asking.publish(queue, `${i}?`, { replyTo: 'amq.rabbitmq.reply-to', correlationId: String(i) });
      const { properties, content } = await questions.next();
      await answering.publish(properties.replyTo, `${content}!`, {
        correlationId: properties.correlationId,
        mandatory: true,
      });
      await until('the answer is there', () => answers.messages.length === i + 1);
      expect(answers.messages[i]!.properties.correlationId).toBe(String(i));
    }
    expect(answering.returned).toEqual([]);
  });

  test('answers reach a queue that was named by the server a moment ago', async () => {
    const [asking, answering] = [await at(a), await at(b)];
    for (let i = 0; i < 50; i++) {
      const { queue } = await asking.channel.assertQueue('', { exclusive: true });
      const inbox = await asking.consume(queue, { noAck: true });
      await answering.publish(queue, String(i), { mandatory: true });
      await until('it is there', () => inbox.messages.length === 1);
    }
    expect(answering.returned).toEqual([]);
  });

  test('sends its dead letters to a third node', async () => {
    const [home, there, one] = [await at(c), await at(b), await at(a)];
    const [exchange, queue, grave] = [own('deaths'), own('line'), own('grave')];
    await there.channel.assertExchange(exchange, 'fanout');
    await there.channel.assertQueue(grave, all);
    await there.channel.bindQueue(grave, exchange, '');
    await home.channel.assertQueue(queue, { durable: true, arguments: { 'x-dead-letter-exchange': exchange } });
    for (let i = 0; i < 20; i++) await one.publish(queue, `rejected ${i}`, { persistent: true });
    const inbox = await one.consume(queue);
    for (let i = 0; i < 20; i++) one.channel.nack(await inbox.next('none'), false, false);
    await one.channel.cancel(inbox.tag);
    await one.publish(queue, 'expired', { expiration: '100' });
    const dead = await one.consume(grave);
    expect(await dead.take(21)).toEqual([...Array.from({ length: 20 }, (_, i) => `rejected ${i}`), 'expired']);
    const deaths = (at: number) => dead.messages[at]!.properties.headers!['x-death']![0]!;
    expect(deaths(0)).toMatchObject({ queue, reason: 'rejected', count: 1 });
    expect(deaths(20)).toMatchObject({ queue, reason: 'expired', count: 1 });
  });

  test('gives by priority', async () => {
    const [home, one, other] = [await at(c), await at(a), await at(b)];
    const queue = own('urgent');
    await home.channel.assertQueue(queue, { durable: true, arguments: { 'x-max-priority': 5 } });
    for (const priority of [1, 5, 3, 5, 1]) await one.publish(queue, `p${priority}`, { priority });
    expect(await (await other.consume(queue)).take(5)).toEqual(['p5', 'p5', 'p3', 'p1', 'p1']);
  });

  test('gets what was delayed when it is due', async () => {
    const [home, one, other] = [await at(c), await at(a), await at(b)];
    const [exchange, queue] = [own('later'), own('line')];
    await one.channel.assertExchange(exchange, 'x-delayed-message', { arguments: { 'x-delayed-type': 'direct' } });
    await home.channel.assertQueue(queue, all);
    await other.channel.bindQueue(queue, exchange, 'k');
    const inbox = await other.consume(queue);
    const sentMs = performance.now();
    for (const node of [home, one, other]) {
      for (const delay of [1500, 500])
        await node.publish('k', String(delay), { exchange, headers: { 'x-delay': delay } });
    }
    expect(await inbox.take(3)).toEqual(['500', '500', '500']);
    expect(performance.now() - sentMs).toBeGreaterThan(490);
    expect(await inbox.take(3)).toEqual(['1500', '1500', '1500']);
    expect(performance.now() - sentMs).toBeGreaterThan(1490);
  });
});

describe.skipIf(noEtcd)('what is answered on one node is true on every node', { timeout: 30_000 }, () => {
  test.each([
    ['a durable queue', { durable: true }],
    ['a queue of this connection', { exclusive: true }],
    ['a transient queue', { durable: false, autoDelete: true }],
  ])('bound on one, published to on another at once: %s', async (_, options) => {
    const all = [await at(a), await at(b), await at(c)];
    const exchange = own('news');
    await all[0]!.channel.assertExchange(exchange, 'topic', { durable: false });
    for (let round = 0; round < 60; round++) {
      const [one, other] = [all[round % 3]!, all[(round + 1 + (round % 2)) % 3]!];
      const { queue } = await one.channel.assertQueue(own('line'), options);
      await one.channel.bindQueue(queue, exchange, `key.${round}`);
      await other.publish(`key.${round}`, 'hello', { exchange, mandatory: true });
      expect(other.returned, `round ${round}`).toEqual([]);
      await other.publish(queue, 'by its name', { mandatory: true });
      expect(other.returned, `round ${round}`).toEqual([]);
      expect(await one.channel.deleteQueue(queue)).toEqual({ messageCount: 2 });
    }
  });

  test('unbound and deleted as well', async () => {
    const all = [await at(a), await at(b), await at(c)];
    const exchange = own('news');
    await all[0]!.channel.assertExchange(exchange, 'fanout');
    const { queue } = await all[1]!.channel.assertQueue(own('line'), { durable: true });
    for (let round = 0; round < 30; round++) {
      const [one, other] = [all[round % 3]!, all[(round + 1) % 3]!];
      await one.channel.bindQueue(queue, exchange, '');
      await other.publish('', 'in', { exchange, mandatory: true });
      expect(other.returned).toEqual([]);
      await one.channel.unbindQueue(queue, exchange, '');
      await other.publish('', 'out', { exchange, mandatory: true });
      expect(other.returned.splice(0)).toEqual(['out']);
    }
    await all[2]!.channel.deleteExchange(exchange);
    expect(await all[0]!.refusal((channel) => channel.checkExchange(exchange))).toContain('NOT_FOUND');
  });

  test('one name has one queue, however many declare it at once', async () => {
    const all = [await at(a), await at(b), await at(c)];
    for (const durable of [true, false]) {
      for (let round = 0; round < 20; round++) {
        const name = own('race');
        await Promise.all(all.map((guest) => guest.channel.assertQueue(name, { durable })));
        for (const guest of all) await guest.publish(name, 'x', { mandatory: true });
        expect(await all[round % 3]!.channel.deleteQueue(name)).toEqual({ messageCount: 3 });
        expect(all.flatMap(({ returned }) => returned)).toEqual([]);
      }
    }
  });

  test('a declare that differs is refused everywhere', async () => {
    const [home, other] = [await at(c), await at(a)];
    const queue = own('line');
    await home.channel.assertQueue(queue, { durable: true, arguments: { 'x-max-length': 10 } });
    const said = await other.refusal((channel) => channel.assertQueue(queue, { durable: true }));
    expect(said).toContain(`PRECONDITION_FAILED - inequivalent arg 'x-max-length' for queue '${queue}' in vhost '/'`);
    await other.channel.assertQueue(queue, { durable: true, arguments: { 'x-max-length': 10 } });
  });

  test('users, virtual hosts and permissions of an administrator', async () => {
    await a!.api('PUT', 'vhosts/elsewhere', {});
    await a!.api('PUT', 'users/alice', { password: 'secret', tags: 'management' });
    await a!.api('PUT', 'permissions/elsewhere/alice', { configure: '.*', write: '.*', read: '.*' });
    const peer = await AmqpPeer.open(`${b!.url.replace('guest:guest', 'alice:secret')}/elsewhere`);
    peer.destroy();
    await b!.api('DELETE', 'vhosts/elsewhere');
    await expect(AmqpPeer.open(`${c!.url.replace('guest:guest', 'alice:secret')}/elsewhere`)).rejects.toThrow();
    await c!.api('DELETE', 'users/alice');
  });

  test('no node has called anything an error', () => {
    expect(cluster.errors()).toEqual([]);
  });
});
