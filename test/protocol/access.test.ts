import type { Authorizer, Queue } from '@chapar/core';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { fieldTable, type MethodInput } from '../../packages/amqp091/src/codec/index.js';
import { SimNode } from './sim-node.js';
import type { SimPeer } from './sim-peer.js';

let node: SimNode;
let admin: SimPeer;
beforeEach(async () => {
  node = await SimNode.start();
  admin = await node.channel();
  await admin.call(1, { name: 'queue.declare', queue: 'q' }, 'queue.declare-ok');
  await admin.call(1, { name: 'exchange.declare', exchange: 'e', type: 'topic' }, 'exchange.declare-ok');
});
afterEach(() => node.stop());

async function user(permissions: { configure?: string; write?: string; read?: string }): Promise<SimPeer> {
  await node.addUser('u', permissions);
  return node.channel({ user: 'u' });
}

type Permission = 'configure' | 'write' | 'read';
const table = (name: string, value: string) => ({ arguments: fieldTable({ [name]: value }) });

/** What the field asks for: each operation with the permissions that it needs, in the order in which they are asked. */
const operations: [MethodInput, (readonly [Permission, 'queue' | 'exchange', string])[]][] = [
  [{ name: 'queue.declare', queue: 'new' }, [['configure', 'queue', 'new']]],
  [{ name: 'queue.declare', queue: 'q' }, [['configure', 'queue', 'q']]],
  [
    { name: 'queue.declare', queue: 'new', ...table('x-dead-letter-exchange', 'dlx') },
    [
      ['configure', 'queue', 'new'],
      ['read', 'queue', 'new'],
      ['write', 'exchange', 'dlx'],
    ],
  ],
  [{ name: 'queue.delete', queue: 'q' }, [['configure', 'queue', 'q']]],
  [{ name: 'queue.purge', queue: 'q' }, [['read', 'queue', 'q']]],
  [
    { name: 'queue.bind', queue: 'q', exchange: 'e' },
    [
      ['write', 'queue', 'q'],
      ['read', 'exchange', 'e'],
    ],
  ],
  [
    { name: 'queue.unbind', queue: 'q', exchange: 'e' },
    [
      ['write', 'queue', 'q'],
      ['read', 'exchange', 'e'],
    ],
  ],
  [{ name: 'exchange.declare', exchange: 'new', type: 'fanout' }, [['configure', 'exchange', 'new']]],
  [
    { name: 'exchange.declare', exchange: 'new', type: 'fanout', ...table('alternate-exchange', 'ae') },
    [
      ['configure', 'exchange', 'new'],
      ['read', 'exchange', 'new'],
      ['write', 'exchange', 'ae'],
    ],
  ],
  [{ name: 'exchange.delete', exchange: 'e' }, [['configure', 'exchange', 'e']]],
  [
    { name: 'exchange.bind', source: 'e', destination: 'amq.fanout' },
    [
      ['write', 'exchange', 'amq.fanout'],
      ['read', 'exchange', 'e'],
    ],
  ],
  [
    { name: 'exchange.unbind', source: 'e', destination: 'amq.fanout' },
    [
      ['write', 'exchange', 'amq.fanout'],
      ['read', 'exchange', 'e'],
    ],
  ],
  [{ name: 'basic.consume', queue: 'q' }, [['read', 'queue', 'q']]],
  [{ name: 'basic.get', queue: 'q' }, [['read', 'queue', 'q']]],
  [{ name: 'basic.publish', exchange: 'e', routingKey: 'k' }, [['write', 'exchange', 'e']]],
  [{ name: 'basic.publish', exchange: '', routingKey: 'q' }, [['write', 'exchange', 'amq.default']]],
];

describe('permissions', () => {
  test.each(operations)('%o', async (operation, needed) => {
    const granted = { configure: '^$', write: '^$', read: '^$' };
    for (const [permission, kind, name] of needed) {
      const peer = await user(granted);
      peer.send(1, operation, operation.name === 'basic.publish' ? { body: 'x' } : undefined);
      const { method } = await peer.expect('channel.close');
      expect([method.replyCode, method.replyText]).toEqual([
        403,
        `ACCESS_REFUSED - ${permission} access to ${kind} '${name}' in vhost '/' refused for user 'u'`,
      ]);
      await peer.goodbye();
      granted[permission] += `|^${name.replaceAll('.', '\\.')}$`;
    }
    const peer = await user(granted);
    peer.send(1, operation, operation.name === 'basic.publish' ? { body: 'x' } : undefined);
    expect(await peer.names()).not.toContain('channel.close');
  });

  test('are not asked for a passive declaration', async () => {
    const peer = await user({});
    await peer.call(1, { name: 'queue.declare', queue: 'q', passive: true }, 'queue.declare-ok');
    await peer.call(1, { name: 'exchange.declare', exchange: 'e', passive: true }, 'exchange.declare-ok');
  });

  test('an empty pattern means nothing; the default exchange is amq.default', async () => {
    const peer = await user({ write: '^amq\\.default$' });
    peer.publish(1, 'q', 'x');
    await peer.silence();
    peer.publish(1, 'k', 'x', { exchange: 'e' });
    await peer.expect('channel.close');
  });

  test('server-named queues are asked for by the name that they get', async () => {
    const peer = await user({ configure: '^amq\\.gen-' });
    await peer.call(1, { name: 'queue.declare', exclusive: true }, 'queue.declare-ok');
  });

  test('that change are noticed by the next publish and the next method', async () => {
    const peer = await user({ write: '.*', read: '.*' });
    peer.publish(1, 'k', 'x', { exchange: 'e' });
    peer.publish(1, 'k', 'x', { exchange: 'e' });
    await peer.silence();
    await node.addUser('u', { write: '^other$', read: '.*' });
    peer.publish(1, 'k', 'x', { exchange: 'e' });
    const { method } = await peer.expect('channel.close');
    expect(method.replyText).toBe("ACCESS_REFUSED - write access to exchange 'e' in vhost '/' refused for user 'u'");
  });

  test('of copies are those of the exchange, each with its topic', async () => {
    await node.addUser('u', { write: '.*' });
    await node.settle(node.broker.permissions.setTopic('/', 'u', 'e', { write: '^mine\\.', read: '' }));
    const peer = await node.channel({ user: 'u' });
    peer.publish(1, 'mine.a', 'x', { exchange: 'e', properties: { headers: fieldTable({ CC: ['mine.b'] }) } });
    await peer.silence();
    peer.publish(1, 'mine.a', 'x', { exchange: 'e', properties: { headers: fieldTable({ BCC: ['yours.b'] }) } });
    expect((await peer.expect('channel.close')).method.replyText).toBe(
      "ACCESS_REFUSED - write access to topic 'yours.b' in exchange 'e' in vhost '/' refused for user 'u'",
    );
  });
});

describe('topic permissions', () => {
  beforeEach(async () => {
    await node.addUser('u', { configure: '.*', write: '.*', read: '.*' });
    const record = { write: '^{vhost}{username}\\.out\\.', read: '^{username}\\.in\\.' };
    await node.settle(node.broker.permissions.setTopic('/', 'u', 'e', record));
  });

  test('say which keys may be published to a topic exchange', async () => {
    const peer = await node.channel({ user: 'u' });
    peer.publish(1, '/u.out.x', 'x', { exchange: 'e' });
    peer.publish(1, 'anything', 'x', { exchange: 'amq.topic' });
    peer.publish(1, 'anything', 'x', { exchange: 'amq.direct' });
    await peer.silence();
    peer.publish(1, 'u.out.x', 'x', { exchange: 'e' });
    expect((await peer.expect('channel.close')).method.replyText).toBe(
      "ACCESS_REFUSED - write access to topic 'u.out.x' in exchange 'e' in vhost '/' refused for user 'u'",
    );
  });

  test('say which keys may be bound', async () => {
    const peer = await node.channel({ user: 'u' });
    await peer.call(1, { name: 'queue.bind', queue: 'q', exchange: 'e', routingKey: 'u.in.#' }, 'queue.bind-ok');
    peer.send(1, { name: 'queue.bind', queue: 'q', exchange: 'e', routingKey: '#' });
    expect((await peer.expect('channel.close')).method.replyText).toBe(
      "ACCESS_REFUSED - read access to topic '#' in exchange 'e' in vhost '/' refused for user 'u'",
    );
  });
});

describe('permissions that are asked elsewhere and take their time', () => {
  /** Answers when told to. */
  class SlowAuthorizer implements Authorizer {
    readonly version = 1;
    isSlow = false;
    private waiting: (() => void)[] = [];

    vhost = () => this.ask();
    resource = () => this.ask();
    topic = () => this.ask();

    answer(): void {
      this.isSlow = false;
      for (const resolve of this.waiting.splice(0)) resolve();
    }

    private ask(): boolean | Promise<boolean> {
      return this.isSlow ? new Promise((resolve) => this.waiting.push(() => resolve(true))) : true;
    }
  }

  let authorizer: SlowAuthorizer;
  let slow: SimNode;
  let peer: SimPeer;
  const queues = () => slow.broker.topology.vhosts.get('/')!.queues as Map<string, Queue>;

  beforeEach(async () => {
    authorizer = new SlowAuthorizer();
    slow = await SimNode.start({ authorizer });
    peer = await slow.channel();
    await peer.call(1, { name: 'queue.declare', queue: 'q' }, 'queue.declare-ok');
    peer.publish(1, 'q', 'waits');
    await peer.silence();
    authorizer.isSlow = true;
    return () => slow.stop();
  });

  test('hold their channel alone, in order', async () => {
    await peer.open(2);
    peer.send(1, { name: 'queue.declare', queue: 'r' });
    peer.publish(1, 'r', 'one');
    peer.publish(1, 'r', 'two', { properties: { headers: fieldTable({ CC: ['q'] }) } });
    peer.send(1, { name: 'basic.consume', queue: 'r', noAck: true, consumerTag: 'c' });
    await peer.call(2, { name: 'basic.qos' }, 'basic.qos-ok');
    authorizer.answer();
    expect(await peer.names()).toEqual(['queue.declare-ok', 'basic.consume-ok', 'basic.deliver', 'basic.deliver']);
    expect(queues().get('q')!.readyCount).toBe(2);
  });

  test.each([
    ['a consumer', { name: 'basic.consume', queue: 'q' }],
    ['a message got', { name: 'basic.get', queue: 'q' }],
    ['a message got and settled', { name: 'basic.get', queue: 'q', noAck: true }],
    ['an exclusive queue', { name: 'queue.declare', queue: 'mine', exclusive: true }],
  ] as const)('%s is not kept for a connection that went meanwhile', async (_title, method) => {
    peer.send(1, method);
    await peer.silence();
    await peer.drop();
    authorizer.answer();
    await slow.idle();
    const { consumers, readyCount, unsettledCount } = queues().get('q')!;
    expect([queues().size, consumers.size, readyCount, unsettledCount]).toEqual([1, 0, 1, 0]);
  });

  test('nor is a connection opened that went meanwhile', async () => {
    const other = slow.connect();
    await other.logIn();
    other.tuneOk();
    other.send(0, { name: 'connection.open', virtualHost: '/' });
    await other.silence();
    await other.drop();
    authorizer.answer();
    await slow.idle();
    expect([slow.door.connectionCount, slow.broker.connections.size]).toEqual([1, 1]);
  });
});
