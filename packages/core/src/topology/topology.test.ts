import { describe, expect, it } from 'vitest';
import { TopologyKit } from '../../../../test/support/core-kit.js';
import type { Arguments } from '../arguments.js';
import { metadataKey } from '../ports.js';
import type { QueueConsumer } from '../queue/consumer.js';
import type { Binding } from '../routing/binding.js';
import { type BindingRequest, bind, unbind } from './bind.js';
import { declareExchange, declareQueue, type ExchangeDeclaration, type QueueDeclaration } from './declare.js';
import { removeExchange, removeQueue } from './remove.js';

const always = { ifUnused: false, ifEmpty: false };

/** A kit with short words for what these tests do. */
class Scene {
  readonly kit: TopologyKit;

  constructor(kit: TopologyKit) {
    this.kit = kit;
    const { topology } = kit;
    // As the broker does it.
    topology.onExchangeUnused = (vhost, exchange) => {
      queueMicrotask(() => void removeExchange(topology, vhost, exchange, { ifUnused: false }));
    };
    topology.onQueueUnused = (vhost, queue) => {
      queueMicrotask(() => void removeQueue(topology, vhost, queue, always));
    };
  }

  static async open(): Promise<Scene> {
    return new Scene(await TopologyKit.open());
  }

  async queue(name: string, more: Partial<QueueDeclaration> = {}) {
    const wish = { name, serverNamed: false, durable: true, autoDelete: false, owner: null, arguments: {}, ...more };
    return declareQueue(this.kit.topology, this.kit.vhost, wish);
  }

  async exchange(name: string, more: Partial<ExchangeDeclaration> = {}) {
    const wish = { name, type: 'topic', durable: true, autoDelete: false, internal: false, arguments: {}, ...more };
    return declareExchange(this.kit.topology, this.kit.vhost, wish);
  }

  request(source: string, to: string, routingKey = '', args: Arguments = {}): BindingRequest {
    const [kind, destination] = to.split(':') as ['queue' | 'exchange', string];
    return { source, kind, destination, routingKey, arguments: args };
  }

  async bind(source: string, to: string, routingKey = '', args: Arguments = {}): Promise<void> {
    await bind(this.kit.topology, this.kit.vhost, this.request(source, to, routingKey, args));
  }

  async unbind(source: string, to: string, routingKey = '', args: Arguments = {}): Promise<void> {
    await unbind(this.kit.topology, this.kit.vhost, this.request(source, to, routingKey, args));
  }

  async removeQueue(name: string): Promise<void> {
    await removeQueue(this.kit.topology, this.kit.vhost, this.kit.vhost.localQueue(name)!, always);
  }

  async removeExchange(name: string): Promise<void> {
    await removeExchange(this.kit.topology, this.kit.vhost, this.kit.vhost.exchanges.get(name)!, { ifUnused: false });
  }

  /** Everything in the virtual host but the pre-declared, as text. */
  describe(): string[] {
    const { vhost } = this.kit;
    const show = ({ source, destination, routingKey, arguments: args, revision, propertiesKey }: Binding) =>
      `${source.name} -> ${destination.kind}:${destination.name} ${routingKey} ${JSON.stringify(args)} ${revision > 0} ${propertiesKey}`;
    const exchanges = [...vhost.exchanges.values()];
    return [
      ...exchanges
        .filter(({ name }) => name !== '' && !name.startsWith('amq.'))
        .map(({ properties, type }) => JSON.stringify({ ...properties, type: type.name })),
      ...[...vhost.queues.values()].map(({ properties }) => JSON.stringify(properties)),
      ...exchanges.flatMap(({ bindings }) => [...bindings.values()].map(show)),
    ].sort();
  }

  get bindingKeys(): string[] {
    return this.kit.metadata.keys().filter((key) => key.startsWith('bindings/'));
  }
}

describe('bind and unbind', () => {
  it('stores a binding between durable ends only', async () => {
    const scene = await Scene.open();
    await scene.exchange('x');
    await scene.exchange('passing', { durable: false });
    await scene.queue('q');
    await scene.queue('t', { durable: false });
    await scene.queue('mine', { owner: scene });
    for (const source of ['x', 'passing', 'amq.topic']) {
      for (const to of ['queue:q', 'queue:t', 'queue:mine']) await scene.bind(source, to, 'k');
    }
    await scene.bind('x', 'exchange:passing');
    await scene.bind('x', 'exchange:amq.fanout');
    expect(scene.bindingKeys).toHaveLength(3);
    const durable = [...scene.kit.vhost.exchanges.values()]
      .flatMap(({ bindings }) => [...bindings.values()])
      .filter((binding) => binding.revision > 0)
      .map(({ source, destination }) => `${source.name}>${destination.name}`);
    expect(durable.sort()).toEqual(['amq.topic>q', 'x>amq.fanout', 'x>q']);
  });

  it('tells bindings apart by key and arguments, whatever the order of these, and binds none twice', async () => {
    const scene = await Scene.open();
    await scene.queue('q');
    const exchange = scene.kit.vhost.exchanges.get('amq.headers')!;
    await scene.bind('amq.headers', 'queue:q', 'k', { a: 1, b: 2 });
    await scene.bind('amq.headers', 'queue:q', 'k', { b: 2, a: 1 });
    await scene.bind('amq.headers', 'queue:q', 'k', { a: 1 });
    await scene.bind('amq.headers', 'queue:q', '', {});
    await scene.bind('amq.headers', 'queue:q', 'k', {});
    expect([...exchange.bindings.values()].map(({ propertiesKey }) => propertiesKey)).toEqual([
      expect.stringMatching(/^k~[\w-]{22}$/),
      expect.stringMatching(/^k~[\w-]{22}$/),
      '~',
      'k',
    ]);
    await scene.unbind('amq.headers', 'queue:q', 'k', { b: 2, a: 1 });
    expect(exchange.bindings.size).toBe(3);
    expect(scene.bindingKeys).toHaveLength(3);
    // What is not there is no error.
    await scene.unbind('amq.headers', 'queue:q', 'k', { c: 1 });
    await scene.unbind('nowhere', 'queue:nobody');
  });

  it('says which end is missing', async () => {
    const scene = await Scene.open();
    await scene.queue('q');
    await expect(scene.bind('no', 'queue:q')).rejects.toThrow("NOT_FOUND - no exchange 'no' in vhost '/'");
    await expect(scene.bind('amq.topic', 'queue:no')).rejects.toThrow("NOT_FOUND - no queue 'no' in vhost '/'");
    await expect(scene.bind('amq.topic', 'exchange:no')).rejects.toThrow("NOT_FOUND - no exchange 'no' in vhost '/'");
    await expect(scene.bind('', 'queue:q')).rejects.toMatchObject({ key: 'defaultExchange' });
    await expect(scene.bind('amq.topic', 'exchange:')).rejects.toMatchObject({ key: 'defaultExchange' });
    await expect(scene.unbind('', 'queue:q')).rejects.toMatchObject({ key: 'defaultExchange' });
    await expect(scene.bind('amq.match', 'queue:q', '', { 'x-match': 'some' })).rejects.toThrow(
      `PRECONDITION_FAILED - invalid arg 'x-match' for exchange 'amq.match' in vhost '/': expected all, any, all-with-x or any-with-x, got "some"`,
    );
  });

  it('says which end was deleted while the binding was on its way', async () => {
    for (const [gone, text] of [
      ['queues/%2F/q', "no queue 'q' in vhost '/'"],
      ['exchanges/%2F/x', "no exchange 'x' in vhost '/'"],
    ] as const) {
      const scene = await Scene.open();
      await scene.queue('q');
      await scene.exchange('x');
      scene.kit.metadata.held = true;
      const deleted = scene.kit.metadata.change([], [{ key: gone, value: undefined }]);
      const bound = scene.bind('x', 'queue:q');
      scene.kit.metadata.show();
      await deleted;
      await expect(bound).rejects.toThrow(text);
      expect(scene.bindingKeys).toEqual([]);
    }
    const scene = await Scene.open();
    await scene.exchange('x');
    await scene.exchange('y');
    scene.kit.metadata.held = true;
    const deleted = scene.kit.metadata.change([], [{ key: 'exchanges/%2F/y', value: undefined }]);
    const bound = scene.bind('x', 'exchange:y');
    scene.kit.metadata.show();
    await deleted;
    await expect(bound).rejects.toThrow("no exchange 'y' in vhost '/'");
  });

  it('makes one binding of many at the same time', async () => {
    const scene = await Scene.open();
    await scene.queue('q');
    await Promise.all([1, 2, 3, 4].map(() => scene.bind('amq.topic', 'queue:q', 'k')));
    expect(scene.kit.vhost.exchanges.get('amq.topic')!.bindings.size).toBe(1);
    await Promise.all([1, 2, 3, 4].map(() => scene.unbind('amq.topic', 'queue:q', 'k')));
    expect(scene.describe()).toHaveLength(1);
    expect(scene.bindingKeys).toEqual([]);
  });

  it('ignores a stored binding whose end has another incarnation', async () => {
    const scene = await Scene.open();
    const x = await scene.exchange('x');
    const q = await scene.queue('q');
    const put = async (sourceIncarnation: string, destinationIncarnation: string) => {
      const key = metadataKey('bindings', '/', 'x', 'queue', 'q', JSON.stringify(['k', {}]));
      const value = { sourceIncarnation, destinationIncarnation, routingKey: 'k', arguments: {} };
      await scene.kit.metadata.change([], [{ key, value }]);
    };
    await put('another', q.incarnation);
    await put(x.properties.incarnation, 'another');
    expect(x.bindings.size).toBe(0);
    await put(x.properties.incarnation, q.incarnation);
    expect(x.bindings.size).toBe(1);
  });
});

describe('delete', () => {
  it('takes the stored bindings along', async () => {
    const scene = await Scene.open();
    await scene.exchange('x');
    await scene.queue('q');
    await scene.bind('x', 'queue:q', 'a');
    await scene.bind('amq.topic', 'queue:q', 'b');
    await scene.bind('amq.topic', 'exchange:x', 'c');
    await scene.removeQueue('q');
    expect(scene.bindingKeys).toHaveLength(1);
    await scene.removeExchange('x');
    expect(scene.bindingKeys).toEqual([]);
    expect(scene.describe()).toEqual([]);
    expect(scene.kit.vhost.queueBindings.size).toBe(0);
  });

  it('takes an exchange that is bound to itself', async () => {
    const scene = await Scene.open();
    await scene.exchange('x');
    await scene.exchange('self-deleting', { autoDelete: true });
    await scene.bind('x', 'exchange:x', 'a');
    await scene.bind('self-deleting', 'exchange:self-deleting', 'a');
    await scene.removeExchange('x');
    await scene.removeExchange('self-deleting');
    expect(scene.describe()).toEqual([]);
    expect(scene.bindingKeys).toEqual([]);
  });

  it('keeps the conditions', async () => {
    const scene = await Scene.open();
    const { topology, vhost } = scene.kit;
    const x = await scene.exchange('x');
    const q = await scene.queue('q', { durable: false });
    await scene.bind('x', 'queue:q', 'a');
    const used = () => removeExchange(topology, vhost, x, { ifUnused: true });
    expect(used).toThrow("PRECONDITION_FAILED - exchange 'x' in vhost '/' in use");
    for (const name of ['', 'amq.topic']) {
      const system = () => removeExchange(topology, vhost, vhost.exchanges.get(name)!, { ifUnused: false });
      expect(system).toThrow(
        name === ''
          ? 'not permitted on the default exchange'
          : "deletion of system exchange 'amq.topic' in vhost '/' not allowed",
      );
    }
    const sink = { deliver: () => true, detached: () => undefined };
    const spec = { tag: 'c', acknowledges: true, exclusive: false, priority: 0, arguments: {}, window: null };
    const consumer = q.attach(spec, sink) as QueueConsumer;
    expect(() => removeQueue(topology, vhost, q, { ifUnused: true, ifEmpty: false })).toThrow(
      "queue 'q' in vhost '/' in use",
    );
    consumer.detach();
    await removeQueue(topology, vhost, q, { ifUnused: true, ifEmpty: true });
    expect(vhost.queues.size).toBe(0);
    await removeExchange(topology, vhost, x, { ifUnused: true });
    expect(vhost.exchanges.has('x')).toBe(false);
  });

  it('of two that come together, the second finds nothing left to do', async () => {
    const scene = await Scene.open();
    await scene.queue('q');
    await Promise.all([scene.removeQueue('q'), scene.removeQueue('q')]);
    expect(scene.kit.metadata.keys()).toEqual(['vhosts/%2F']);
  });

  it('a late one leaves the transient queue and binding alone that have the names by now', async () => {
    const scene = await Scene.open();
    const { metadata, vhost } = scene.kit;
    await scene.queue('q');
    await scene.bind('amq.topic', 'queue:q', 'k');
    metadata.held = true;
    const first = scene.removeQueue('q');
    const second = scene.removeQueue('q');
    metadata.show(1);
    await first;
    const transient = await scene.queue('q', { durable: false });
    await scene.bind('amq.topic', 'queue:q', 'k');
    metadata.show();
    await second;
    expect(vhost.localQueue('q')).toBe(transient);
    expect(vhost.exchanges.get('amq.topic')!.bindings.size).toBe(1);
    metadata.held = false;
    await scene.exchange('x');
    metadata.held = true;
    const [one, two] = [scene.removeExchange('x'), scene.removeExchange('x')];
    metadata.show(1);
    await one;
    const passing = await scene.exchange('x', { durable: false });
    metadata.show();
    await two;
    expect(vhost.exchanges.get('x')).toBe(passing);
  });

  it('of one queue object does nothing to another of its name', async () => {
    const scene = await Scene.open();
    const { topology, vhost } = scene.kit;
    const old = await scene.queue('q');
    await scene.removeQueue('q');
    const now = await scene.queue('q');
    await removeQueue(topology, vhost, old, always);
    expect(vhost.localQueue('q')).toBe(now);
    const oldX = await scene.exchange('x');
    await scene.removeExchange('x');
    const nowX = await scene.exchange('x', { durable: false });
    await removeExchange(topology, vhost, oldX, { ifUnused: false });
    topology.dropExchange(vhost, oldX);
    expect(vhost.exchanges.get('x')).toBe(nowX);
  });

  it('forgets the log of a queue and the address that named it', async () => {
    const scene = await Scene.open();
    const { incarnation } = await scene.queue('q');
    const address = scene.kit.vhost.address('', 'q');
    await scene.removeQueue('q');
    expect(scene.kit.logs.removed).toEqual([incarnation]);
    expect(scene.kit.vhost.address('', 'q')).not.toBe(address);
    expect(address.route).toBeNull();
  });
});

describe('events that tell what is known', () => {
  it('change nothing: neither messages nor bindings are lost', async () => {
    const scene = await Scene.open();
    const q = await scene.queue('q');
    const x = await scene.exchange('x');
    await scene.bind('x', 'queue:q', 'k');
    const before = scene.describe();
    for (const prefix of ['queues/', 'exchanges/', 'bindings/', 'vhosts/']) {
      const { entries } = await scene.kit.metadata.load(prefix);
      await scene.kit.metadata.change(
        [],
        entries.map(({ key, value }) => ({ key, value })),
      );
    }
    expect(scene.describe()).toEqual(before);
    expect(scene.kit.vhost.localQueue('q')).toBe(q);
    expect(scene.kit.vhost.exchanges.get('x')).toBe(x);
    expect(scene.kit.logs.removed).toEqual([]);
  });

  it('put a queue of another incarnation in the place of the old one', async () => {
    const scene = await Scene.open();
    const old = await scene.queue('q');
    await scene.bind('amq.topic', 'queue:q', 'k');
    const value = { incarnation: 'next', autoDelete: false, arguments: {} };
    await scene.kit.metadata.change([], [{ key: 'queues/%2F/q', value }]);
    expect(old.deleted).toBe(true);
    expect(scene.kit.vhost.localQueue('q')!.incarnation).toBe('next');
    expect(scene.kit.vhost.exchanges.get('amq.topic')!.bindings.size).toBe(0);
  });
});

describe('auto-delete', () => {
  const sink = { deliver: () => true, detached: () => undefined };
  const spec = { tag: 'c', acknowledges: true, exclusive: false, priority: 0, arguments: {}, window: null };

  it('an exchange goes with its last binding, through a chain, and not before it ever had one', async () => {
    const scene = await Scene.open();
    await scene.exchange('first', { autoDelete: true });
    await scene.exchange('second', { autoDelete: true, durable: false });
    await scene.exchange('unbound', { autoDelete: true });
    await scene.queue('q');
    await scene.bind('first', 'exchange:second', 'a');
    await scene.bind('second', 'queue:q', 'a');
    await scene.bind('second', 'queue:q', 'b');
    await scene.unbind('second', 'queue:q', 'a');
    await scene.kit.platform.clock.advance(0);
    expect(scene.kit.vhost.exchanges.has('second')).toBe(true);
    await scene.removeQueue('q');
    await scene.kit.platform.clock.advance(0);
    expect([...scene.kit.vhost.exchanges.keys()].filter((name) => /^(first|second|unbound)$/.test(name))).toEqual([
      'unbound',
    ]);
    expect(scene.bindingKeys).toEqual([]);
  });

  it('a queue goes with its last consumer, and not before it ever had one', async () => {
    for (const durable of [true, false]) {
      const scene = await Scene.open();
      const q = await scene.queue('q', { durable, autoDelete: true });
      const [one, two] = [q.attach(spec, sink) as QueueConsumer, q.attach(spec, sink) as QueueConsumer];
      one.detach();
      await scene.kit.platform.clock.advance(0);
      expect(scene.kit.vhost.queues.size).toBe(1);
      two.stop();
      await scene.kit.platform.clock.advance(0);
      expect(scene.kit.vhost.queues.size).toBe(0);
      expect(scene.kit.metadata.keys()).toEqual(['vhosts/%2F']);
    }
  });
});

describe('a restart', () => {
  it('gives the same topology, without what was transient', async () => {
    const scene = await Scene.open();
    await scene.exchange('x', { arguments: { 'alternate-exchange': 'amq.fanout', other: [1, { a: null }] } });
    await scene.exchange('in', { internal: true, type: 'headers' });
    await scene.queue('a/b %~', { arguments: { 'x-max-length': 5, n: 1.5 } });
    await scene.queue('', { autoDelete: true });
    await scene.bind('x', 'queue:a/b %~', 'k.#', {});
    await scene.bind('x', 'exchange:in', '', {});
    await scene.bind('in', 'queue:a/b %~', '', { 'x-match': 'any', h: { $integer: '9007199254740993' }, v: null });
    await scene.bind('amq.direct', 'queue:a/b %~', 'ключ/%2F');
    await scene.bind('amq.direct', 'exchange:x', 'e');
    const kept = scene.describe();
    await scene.exchange('passing', { durable: false });
    await scene.queue('passing', { durable: false });
    await scene.bind('amq.direct', 'queue:passing', 'k');
    await scene.bind('passing', 'queue:a/b %~', 'k');
    const next = new Scene(await scene.kit.restart(scene.kit.logs.afterCrash()));
    expect(next.describe()).toEqual(kept);
    // And it routes: what is bound is bound, and can be unbound and deleted.
    await next.unbind('x', 'queue:a/b %~', 'k.#');
    await next.removeQueue('a/b %~');
    await next.removeExchange('x');
    await next.removeExchange('in');
    await next.removeQueue('');
    expect(next.kit.metadata.keys()).toEqual(['vhosts/%2F']);
  });

  it('drops the messages of queues that are gone, and says so', async () => {
    const scene = await Scene.open();
    const { incarnation } = await scene.queue('q');
    const logs = scene.kit.logs.afterCrash();
    await scene.removeQueue('q');
    const next = await scene.kit.restart(logs);
    expect(logs.removed).toEqual([incarnation]);
    expect(next.platform.log.find('messages of a deleted queue were dropped', 'warn')).toHaveLength(1);
  });

  it('leaves an exchange out whose type this version does not know, and says so', async () => {
    const scene = await Scene.open();
    const record = { incarnation: 'i', type: 'x-newer', autoDelete: false, internal: false, arguments: {} };
    await scene.kit.metadata.change([], [{ key: 'exchanges/%2F/x', value: record }]);
    const next = await scene.kit.restart(scene.kit.logs.afterCrash());
    expect(next.vhost.exchanges.has('x')).toBe(false);
    expect(next.platform.log.find('does not know', 'error')).toHaveLength(1);
  });
});
