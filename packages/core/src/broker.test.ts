import { createSimPlatform } from '@chapar/platform';
import { describe, expect, it } from 'vitest';
import { ControlledLogs } from '../../../test/support/controlled-logs.js';
import { messageOf, queueAddress } from '../../../test/support/core-kit.js';
import { LedLog } from '../../../test/support/led-log.js';
import { MirroringResidence } from '../../../test/support/mirroring-residence.js';
import { SteppedMetadata } from '../../../test/support/stepped-metadata.js';
import { Broker } from './broker.js';
import type { ConnectionView } from './inspect.js';
import type { Principal, User, UserDirectory } from './ports.js';
import type { Queue } from './queue/queue.js';
import type { Residence } from './topology/residence.js';

const identity = { node: 'n', clusterName: 'c', product: 'Chapar', productVersion: '4.1.0', version: '0.1.0' };

const limits = {
  connectionsMax: 3,
  channelsMax: 10,
  frameBytesMax: 131_072,
  heartbeatSeconds: 60,
  handshakeSeconds: 10,
  messageBytesMax: 1024,
  unsentBytesMax: 1024,
  stalledSeconds: 10,
};

function directory(users: readonly User[]): UserDirectory {
  const never = async () => {
    throw new Error('not here');
  };
  return {
    list: () => users,
    get: (name) => users.find((user) => user.name === name),
    put: never,
    delete: never,
    fieldHash: () => '',
    onDeleted: null,
  };
}

async function open(
  metadata = new SteppedMetadata(),
  logs = new ControlledLogs(),
  users: User[] = [],
  residence: Residence | null = null,
): Promise<Broker> {
  const authenticator = {
    password: async () => ({ ok: false, reason: 'not here' }) as const,
    external: async () => ({ ok: false, reason: 'not here' }) as const,
  };
  const platform = createSimPlatform(1);
  const parts = { platform, metadata, logs, users: directory(users), authenticator, authorizer: null };
  const broker = new Broker({ ...parts, identity, limits, residence });
  await broker.open();
  return broker;
}

const alice: Principal = { user: 'alice', tags: [], backend: 'internal' };
const everything = { configure: '.*', write: '.*', read: '.*' };

/** As much of a connection as limits and closing look at. */
function connection(broker: Broker, vhost: string, user: string, channelCount = 0): { closed: string[] } {
  const closed: string[] = [];
  const view = {
    vhost,
    principal: { ...alice, user },
    channelCount,
    close: (reason: string) => {
      closed.push(reason);
      broker.connections.delete(view);
    },
  } as unknown as ConnectionView;
  broker.connections.add(view);
  return { closed };
}

const wish = (name: string, more = {}) => ({
  name,
  durable: true,
  exclusive: false,
  autoDelete: false,
  arguments: {},
  ...more,
});

describe('broker', () => {
  it('makes the virtual host / on a fresh directory only', async () => {
    const metadata = new SteppedMetadata();
    const broker = await open(metadata);
    expect([...broker.topology.vhosts.keys()]).toEqual(['/']);
    await broker.putVirtualHost('other', { description: 'd', tags: ['t'], defaultQueueType: 'classic' });
    await broker.deleteVirtualHost('/');
    metadata.disconnect();
    const next = await open(metadata);
    expect([...next.topology.vhosts.keys()]).toEqual(['other']);
    expect(next.topology.vhosts.get('other')!.properties.description).toBe('d');
  });

  it('lets nobody into a virtual host that is not there, or without permission', async () => {
    const broker = await open();
    expect(() => broker.enter(alice, 'no', {})).toThrow('NOT_ALLOWED - vhost no not found');
    expect(() => broker.enter(alice, '/', {})).toThrow("NOT_ALLOWED - access to vhost '/' refused for user 'alice'");
    await broker.permissions.set('/', 'alice', { configure: '', write: '', read: '' });
    const actor = await broker.enter(alice, '/', {});
    expect(actor.vhost.name).toBe('/');
  });

  it('deletes the mirrored queues of a virtual host with what says where their copies are, each in one change', async () => {
    const metadata = new SteppedMetadata();
    const broker = await open(metadata, new ControlledLogs(), [], new MirroringResidence());
    const before = metadata.keys();
    await broker.putVirtualHost('a', { description: '', tags: [], defaultQueueType: 'quorum' });
    await broker.permissions.set('a', 'alice', everything);
    const actor = await broker.enter(alice, 'a', {});
    for (let i = 0; i < 70; i++) await actor.declareQueue(wish(`q${i}`));
    const keysOf = (kind: string) => metadata.keys().filter((key) => key.startsWith(kind));
    expect([keysOf('queues/').length, keysOf('mirrors/').length]).toEqual([70, 70]);
    const sizes: number[] = [];
    const change = metadata.change.bind(metadata);
    metadata.change = (when, then) => {
      sizes.push(when.length + then.length);
      return change(when, then).then((revision) => {
        expect(keysOf('queues/').length).toBe(keysOf('mirrors/').length);
        return revision;
      });
    };
    expect(await broker.deleteVirtualHost('a')).toBe(true);
    expect(metadata.keys()).toEqual(before);
    expect(sizes.every((size) => size <= 126)).toBe(true);
    expect(sizes).toHaveLength(3);
  });

  it('records for a clean stop how far its own queues were delivered, and of those that it leads nothing', async () => {
    const logs = new ControlledLogs();
    const broker = await open(new SteppedMetadata(), logs, [], new MirroringResidence());
    await broker.permissions.set('/', 'alice', everything);
    const actor = await broker.enter(alice, '/', {});
    const own = await actor.declareQueue(wish('own'));
    const face = await actor.declareQueue(wish('led', { arguments: { 'x-queue-type': 'quorum' } }));
    const vhost = broker.topology.vhosts.get('/')!;
    broker.topology.lead(vhost, face.properties, new LedLog(), null);
    await broker.close();
    expect([...logs.deliveredUpTo.keys()]).toEqual([own.incarnation]);
  });

  it('deletes a virtual host with all that belongs to it, and nothing of its neighbours', async () => {
    const metadata = new SteppedMetadata();
    const broker = await open(metadata);
    const bystanders = metadata.keys();
    for (const name of ['a', 'a/b', 'ab']) {
      await broker.putVirtualHost(name, { description: '', tags: [], defaultQueueType: 'classic' });
      await broker.permissions.set(name, 'alice', everything);
      await broker.permissions.setTopic(name, 'alice', 'amq.topic', { write: '.*', read: '.*' });
      for (const kind of ['policies', 'operator-policies'] as const) await broker.records.put(kind, [name, 'p'], {});
      await broker.records.put('vhost-limits', [name, 'max-queues'], 5);
      await broker.records.put('parameters', ['component', name, 'p'], {});
      const actor = await broker.enter(alice, name, {});
      await actor.declareQueue(wish('q'));
      const exchange = { name: 'x', type: 'topic', durable: true, autoDelete: true, internal: false, arguments: {} };
      await actor.declareExchange(exchange);
      await actor.bind({ source: 'x', kind: 'queue', destination: 'q', routingKey: 'k', arguments: {} });
    }
    await broker.records.put('parameters', ['a', 'ab', 'a'], {});
    const [mine, other] = [connection(broker, 'a', 'alice'), connection(broker, 'ab', 'alice')];
    const { queues } = broker.topology.vhosts.get('a')!;
    const queue = queues.get('q')!;
    expect(await broker.deleteVirtualHost('a')).toBe(true);
    await broker.platform.clock.endOfTurn(() => undefined);
    expect(queue.deleted).toBe(true);
    expect(queues.size).toBe(0);
    expect(mine.closed).toEqual(["vhost 'a' is deleted"]);
    expect(other.closed).toEqual([]);
    expect(await broker.deleteVirtualHost('a')).toBe(false);
    expect(await broker.deleteVirtualHost('a/b')).toBe(true);
    expect(metadata.keys().filter((key) => !bystanders.includes(key))).toEqual([
      'bindings/ab/x/queue/q/%5B%22k%22%2C%7B%7D%5D',
      'exchanges/ab/x',
      'operator-policies/ab/p',
      'parameters/a/ab/a',
      'parameters/component/ab/p',
      'permissions/ab/alice',
      'policies/ab/p',
      'queues/ab/q',
      'topic-permissions/ab/alice/amq.topic',
      'vhost-limits/ab/max-queues',
      'vhosts/ab',
    ]);
    // A new one of the name starts empty, also after a restart.
    await broker.putVirtualHost('a', { description: '', tags: [], defaultQueueType: 'classic' });
    metadata.disconnect();
    const next = await open(metadata);
    expect(next.topology.vhosts.get('a')!.queues.size).toBe(0);
    expect(() => next.enter(alice, 'a', {})).toThrow('refused for user');
  });

  it('leaves nothing behind of a declaration that was accepted while its virtual host was being deleted', async () => {
    const metadata = new SteppedMetadata();
    const broker = await open(metadata);
    await broker.permissions.set('/', 'alice', everything);
    const actor = await broker.enter(alice, '/', {});
    metadata.held = true;
    const deleted = broker.deleteVirtualHost('/');
    const declared = Promise.resolve(actor.declareQueue(wish('q'))).then(
      () => 'declared',
      (error: Error) => error.message,
    );
    const show = setInterval(() => metadata.show(), 1);
    await deleted;
    clearInterval(show);
    expect(await declared).toMatch(/^(declared|CONNECTION_FORCED - vhost '\/' is deleted)$/);
    expect(metadata.keys()).toEqual([]);
  });

  it('records at a clean stop how far each queue was delivered, and hands everything to the log', async () => {
    const metadata = new SteppedMetadata();
    const logs = new ControlledLogs();
    const broker = await open(metadata, logs);
    await broker.permissions.set('/', 'alice', everything);
    const actor = await broker.enter(alice, '/', {});
    const queue = await actor.declareQueue(wish('q'));
    await actor.declareQueue(wish('t', { durable: false }));
    for (const body of ['a', 'b', 'c']) queue.enqueue(messageOf(queueAddress('q'), body, { persistent: true }), null);
    const spec = { tag: '', acknowledges: true, exclusive: false, priority: 0, arguments: {}, window: null };
    queue.get(queue.holder(spec, { deliver: () => true, detached: () => undefined }));
    await broker.close();
    expect([...logs.deliveredUpTo]).toEqual([[queue.incarnation, 1]]);
    expect(logs.flushes).toBe(1);
    metadata.disconnect();
    const next = await open(metadata, logs.afterStop());
    const again = next.topology.vhosts.get('/')!.localQueue('q')!;
    const flags = [await again.get(null), await again.get(null), await again.get(null)].map((got) => got?.redelivered);
    expect(flags).toEqual([true, false, false]);
  });

  it('deletes what deletes itself, and tries again what cannot be', async () => {
    const metadata = new SteppedMetadata();
    const broker = await open(metadata);
    await broker.permissions.set('/', 'alice', everything);
    const actor = await broker.enter(alice, '/', {});
    const spec = { tag: '', acknowledges: true, exclusive: false, priority: 0, arguments: {}, window: null };
    const sink = { deliver: () => true, detached: () => undefined };
    const one = (await actor.declareQueue(wish('one', { autoDelete: true }))) as Queue;
    const two = (await actor.declareQueue(wish('two', { autoDelete: true }))) as Queue;
    one.attach(spec, sink).detach();
    await new Promise(setImmediate);
    expect([...actor.vhost.queues.keys()]).toEqual(['two']);
    metadata.failure = new Error('no space left on device');
    two.attach(spec, sink).detach();
    await new Promise(setImmediate);
    expect([...actor.vhost.queues.keys()]).toEqual(['two']);
    const { log } = broker.platform as ReturnType<typeof createSimPlatform>;
    expect(log.find('could not be deleted', 'warn')).toHaveLength(1);
    const { clock } = broker.platform as ReturnType<typeof createSimPlatform>;
    await clock.advance(6_000);
    expect([...actor.vhost.queues.keys()]).toEqual(['two']);
    metadata.failure = null;
    const consumer = two.attach(spec, sink);
    await clock.advance(6_000);
    expect([...actor.vhost.queues.keys()]).toEqual(['two']);
    metadata.failure = new Error('no space left on device');
    consumer.detach();
    await clock.advance(1_000);
    metadata.failure = null;
    await clock.advance(6_000);
    expect([...actor.vhost.queues.keys()]).toEqual([]);
  });

  it('closes the connections that are named', async () => {
    const broker = await open();
    const [a, b] = [connection(broker, '/', 'alice'), connection(broker, '/', 'bob')];
    expect(broker.closeWhere(({ principal }) => principal.user === 'bob', 'go')).toBe(1);
    expect([a.closed, b.closed]).toEqual([[], ['go']]);
  });
});

describe('limits', () => {
  const limited = (limitsOfUser: User['limits']): User[] => [
    { name: 'alice', passwordHash: '', hashingAlgorithm: '', tags: [], limits: limitsOfUser },
  ];
  const enter = async (broker: Broker) => {
    try {
      await broker.enter(alice, '/', {});
      return 'in';
    } catch (error) {
      return (error as Error).message;
    }
  };
  const refusedByVhost = (limit: number) =>
    `NOT_ALLOWED - access to vhost '/' refused for user 'alice': connection limit (${limit}) is reached`;

  it('of the node, the virtual host and the user on connections', async () => {
    const broker = await open(undefined, undefined, limited({ 'max-connections': 1 }));
    await broker.permissions.set('/', 'alice', everything);
    expect(await enter(broker)).toBe('in');
    const mine = connection(broker, 'other', 'alice');
    expect(await enter(broker)).toBe(
      "NOT_ALLOWED - connection refused for user 'alice': user connection limit (1) is reached",
    );
    broker.closeWhere(() => true, '');
    expect(mine.closed).toHaveLength(1);
    await broker.records.put('vhost-limits', ['/', 'max-connections'], 1);
    connection(broker, 'other', 'bob');
    expect(await enter(broker)).toBe('in');
    connection(broker, '/', 'bob');
    expect(await enter(broker)).toBe(refusedByVhost(1));
    await broker.records.put('vhost-limits', ['/', 'max-connections'], -1);
    expect(await enter(broker)).toBe('in');
    connection(broker, '/', 'bob');
    expect(await enter(broker)).toBe('NOT_ALLOWED - connection refused: node connection limit (3) is reached');
  });

  it('of 0 let nobody in', async () => {
    const broker = await open();
    await broker.permissions.set('/', 'alice', everything);
    await broker.records.put('vhost-limits', ['/', 'max-connections'], 0);
    expect(await enter(broker)).toBe(refusedByVhost(0));
  });

  it('of the user on channels, over all its connections', async () => {
    const broker = await open(undefined, undefined, limited({ 'max-channels': 3 }));
    connection(broker, '/', 'alice', 1);
    connection(broker, 'other', 'alice', 1);
    connection(broker, '/', 'bob', 50);
    broker.limits.assertChannel('alice');
    broker.limits.assertChannel('bob');
    connection(broker, '/', 'alice', 1);
    expect(() => broker.limits.assertChannel('alice')).toThrow(
      "NOT_ALLOWED - number of channels opened for user 'alice' has reached the maximum allowed user limit of (3)",
    );
  });

  it('of the virtual host on queues', async () => {
    const broker = await open();
    await broker.permissions.set('/', 'alice', everything);
    await broker.records.put('vhost-limits', ['/', 'max-queues'], 1);
    const actor = await broker.enter(alice, '/', {});
    await actor.declareQueue(wish('a'));
    expect(() => actor.declareQueue(wish('b', { durable: false }))).toThrow('queue limit in vhost');
    await broker.records.delete('vhost-limits', '/', 'max-queues');
    await actor.declareQueue(wish('b'));
    expect(actor.vhost.queues.size).toBe(2);
  });
});
