import { describe, expect, it } from 'vitest';
import { messageOf, TopologyKit } from '../../../../test/support/core-kit.js';
import { Permissions } from '../access.js';
import type { Message } from '../message.js';
import type { Principal } from '../ports.js';
import type { Queue } from '../queue/queue.js';
import { Actor } from './actor.js';
import { Publisher, type Target } from './publisher.js';

const alice: Principal = { user: 'alice', tags: [], backend: 'internal' };

async function open() {
  const kit = await TopologyKit.open();
  const permissions = new Permissions(kit.metadata);
  await permissions.open();
  await permissions.set('/', 'alice', { configure: '.*', write: '.*', read: '.*' });
  const parts = { topology: kit.topology, authorizer: permissions, queuesMax: () => Number.POSITIVE_INFINITY };
  const actor = new Actor(parts, alice, kit.vhost, {});
  const calls: string[] = [];
  const publisher = new Publisher(actor, kit.turn, {
    confirmed: (_upTo, newest) => calls.push(`confirmed ${newest}`),
    confirmedAlone: (tag) => calls.push(`alone ${tag}`),
    refused: (tag, why) => calls.push(`refused ${tag} ${why}`),
    returned: (message, address, why) =>
      calls.push(`returned ${message.body()} ${address.exchange}/${address.routingKey} ${why}`),
  });
  const declare = (name: string, durable = false) =>
    actor.declareQueue({ name, durable, exclusive: false, autoDelete: false, arguments: {} }) as Promise<Queue>;
  const message = (target: Target, body: string, persistent = true): Message =>
    messageOf(target.address, body, { persistent });
  const end = () => {
    kit.platform.clock.scheduler.runUntilIdleSync();
    return calls.splice(0);
  };
  return { kit, permissions, actor, publisher, declare, message, end };
}

const exchange = (name: string, more = {}) => ({
  name,
  type: 'topic',
  durable: false,
  autoDelete: false,
  internal: false,
  arguments: {},
  ...more,
});

describe('a target', () => {
  it('is checked: the permission first, then the exchange, then whether it takes messages, then the topic', async () => {
    const { actor, permissions, publisher } = await open();
    await actor.declareExchange(exchange('inner', { internal: true }));
    expect(() => publisher.target('no', 'k')).toThrow("NOT_FOUND - no exchange 'no' in vhost '/'");
    expect(() => publisher.target('inner', 'k')).toThrow(
      "ACCESS_REFUSED - cannot publish to internal exchange 'inner' in vhost '/'",
    );
    expect(() => publisher.target('amq.rabbitmq.trace', 'k')).toThrow('internal exchange');
    await permissions.setTopic('/', 'alice', 'amq.topic', { write: '^a', read: '' });
    expect(() => publisher.target('amq.topic', 'b')).toThrow("write access to topic 'b' in exchange 'amq.topic'");
    expect(await publisher.target('amq.topic', 'a')).toMatchObject({
      address: { exchange: 'amq.topic', routingKey: 'a' },
    });
    await permissions.set('/', 'alice', { configure: '', write: '^amq\\.topic$', read: '' });
    expect(() => publisher.target('no', 'k')).toThrow("write access to exchange 'no' in vhost '/' refused");
    expect(() => publisher.target('', 'q')).toThrow("write access to exchange 'amq.default' in vhost '/' refused");
  });

  it('holds until the topology or a permission changes', async () => {
    const { declare, permissions, publisher } = await open();
    const first = await publisher.target('', 'q');
    expect(publisher.isCurrent(first)).toBe(true);
    await declare('q');
    expect(publisher.isCurrent(first)).toBe(false);
    const second = await publisher.target('', 'q');
    await permissions.set('other', 'bob', { configure: '', write: '', read: '' });
    expect(publisher.isCurrent(second)).toBe(false);
    expect(publisher.isCurrent(await publisher.target('', 'q'))).toBe(true);
  });

  it('of an answer that took its time holds no longer than what was checked', async () => {
    const kit = await TopologyKit.open();
    let version = 1;
    const slow = {
      get version() {
        return version;
      },
      vhost: () => true,
      resource: () => new Promise<boolean>((resolve) => setImmediate(() => resolve(true))),
      topic: () => new Promise<boolean>((resolve) => setImmediate(() => resolve(true))),
    };
    const parts = { topology: kit.topology, authorizer: slow, queuesMax: () => 1 };
    const sink = { confirmed: () => {}, confirmedAlone: () => {}, refused: () => {}, returned: () => {} };
    const publisher = new Publisher(new Actor(parts, alice, kit.vhost, {}), kit.turn, sink);
    const asked = publisher.target('amq.topic', 'k');
    version++;
    expect(publisher.isCurrent(await asked)).toBe(false);
    expect(publisher.isCurrent(await publisher.target('amq.topic', 'k'))).toBe(true);
  });
});

describe('a publish', () => {
  it('is confirmed at the end of the turn, or when the last durable queue has it', async () => {
    const { kit, actor, declare, message, publisher, end } = await open();
    const [a, b] = [await declare('a', true), await declare('b', true)];
    await declare('t');
    for (const destination of ['a', 'b', 't']) {
      await actor.bind({ source: 'amq.fanout', kind: 'queue', destination, routingKey: '', arguments: {} });
    }
    const all = await publisher.target('amq.fanout', 'k');
    const transient = await publisher.target('', 't');
    publisher.publish(transient, message(transient, '1'), false, true);
    publisher.publish(all, message(all, '2'), false, true);
    publisher.publish(all, message(all, '3', false), false, true);
    expect(end()).toEqual(['confirmed 1', 'alone 3']);
    kit.logs.logs.get(a.incarnation)!.commit();
    expect(end()).toEqual([]);
    kit.logs.logs.get(b.incarnation)!.commit();
    expect(end()).toEqual(['confirmed 2']);
    expect([a, b, kit.vhost.localQueue('t')!].map(({ readyCount }) => readyCount)).toEqual([2, 2, 3]);
  });

  it('without confirms takes no tag', async () => {
    const { declare, message, publisher, end } = await open();
    await declare('q', true);
    const target = await publisher.target('', 'q');
    publisher.publish(target, message(target, '1'), false, false);
    expect(end()).toEqual([]);
    publisher.publish(target, message(target, '2', false), false, true);
    expect(end()).toEqual(['confirmed 1']);
  });

  it('that leads nowhere is returned when it is mandatory, before it is confirmed', async () => {
    const { message, publisher, end } = await open();
    const target = await publisher.target('', 'nowhere');
    publisher.publish(target, message(target, 'a'), true, true);
    publisher.publish(target, message(target, 'b'), false, true);
    publisher.publish(target, message(target, 'c'), true, false);
    expect(end()).toEqual(['returned a /nowhere no-route', 'returned c /nowhere no-route', 'confirmed 2']);
    expect(publisher.statistics).toEqual({ published: 3, confirmed: 2, returned: 2 });
  });

  it('is refused within the call when a log has failed', async () => {
    const { kit, declare, message, publisher, end } = await open();
    const queue = await declare('q', true);
    kit.logs.logs.get(queue.incarnation)!.fail();
    const target = await publisher.target('', 'q');
    publisher.publish(target, message(target, '1'), false, true);
    expect(end()).toEqual(['refused 1 store-failed', 'confirmed 0']);
    expect(queue.readyCount).toBe(0);
  });

  it('with several keys comes once to each queue and is returned only when all lead nowhere', async () => {
    const { declare, message, publisher, end, kit } = await open();
    await declare('a');
    await declare('b');
    const to = (...keys: string[]) => Promise.all(keys.map((key) => publisher.target('', key)));
    const some = await to('a', 'b', 'a', 'nowhere');
    publisher.publishMany(some, message(some[0]!, '1'), true, true);
    const none = await to('nowhere', 'neither');
    publisher.publishMany(none, message(none[0]!, '2'), true, true);
    expect(end()).toEqual(['returned 2 /nowhere no-route', 'confirmed 2']);
    expect([...kit.vhost.localQueues()].map(({ readyCount }) => readyCount)).toEqual([1, 1]);
  });

  it('to a target whose exchange is gone by now leads nowhere', async () => {
    const { actor, declare, message, publisher, end } = await open();
    await declare('q');
    await actor.declareExchange(exchange('x'));
    await actor.bind({ source: 'x', kind: 'queue', destination: 'q', routingKey: '#', arguments: {} });
    const target = await publisher.target('x', 'k');
    await actor.deleteExchange('x', { ifUnused: false });
    expect(publisher.isCurrent(target)).toBe(false);
    publisher.publish(target, message(target, '1'), true, true);
    expect(end()).toEqual(['returned 1 x/k no-route', 'confirmed 1']);
  });

  it('is counted at its exchange', async () => {
    const { message, publisher, kit } = await open();
    const target = await publisher.target('amq.fanout', 'k');
    for (let i = 0; i < 3; i++) publisher.publish(target, message(target, '1'), false, false);
    publisher.publishMany([target, target], message(target, '1'), false, false);
    expect(kit.vhost.exchanges.get('amq.fanout')!.publishedIn).toBe(4);
  });
});
