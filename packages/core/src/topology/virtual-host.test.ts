import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { messageOf, TopologyKit } from '../../../../test/support/core-kit.js';
import { Address } from '../address.js';
import type { Arguments } from '../arguments.js';
import { DirectQueue } from '../queue/direct-queue.js';
import { type BindingRequest, bind, unbind } from './bind.js';
import { declareExchange, declareQueue } from './declare.js';
import type { VirtualHost } from './virtual-host.js';

const queueWish = (name: string) => ({
  name,
  serverNamed: false,
  durable: false,
  autoDelete: false,
  owner: null,
  arguments: {},
});
const exchangeWish = (name: string, type: string, args: Arguments = {}) => ({
  name,
  type,
  durable: false,
  autoDelete: false,
  internal: false,
  arguments: args,
});

/** Where a publish goes, by name. */
function routed(vhost: VirtualHost, exchange: string, routingKey: string, headers: Arguments = {}): string[] {
  const address = vhost.address(exchange, routingKey);
  return vhost.route(address, messageOf(address, 'x', { headers })).queues.map(({ name }) => name);
}

// ---- the reference: nothing remembered, every rule read anew ------------------------------------------------------

interface PlainExchange {
  readonly type: string;
  readonly alternate: string | undefined;
}
interface PlainBinding {
  readonly source: string;
  readonly to: string;
  readonly key: string;
  readonly args: Arguments;
}

class Plain {
  readonly exchanges = new Map<string, PlainExchange>();
  readonly queues = new Set<string>();
  bindings: PlainBinding[] = [];

  route(exchange: string, key: string, headers: Arguments): Set<string> {
    const found = new Set<string>();
    const seen = new Set<string>();
    const visit = (name: string): void => {
      const known = this.exchanges.get(name);
      if (known === undefined || seen.has(name)) return;
      seen.add(name);
      const matching = this.bindings.filter(
        (each) => each.source === name && this.fits(known.type, each, key, headers),
      );
      for (const { to } of matching) {
        if (to.startsWith('exchange:')) visit(to.slice(9));
        else found.add(to.slice(6));
      }
      if (matching.length === 0 && known.alternate !== undefined) visit(known.alternate);
    };
    visit(exchange);
    return found;
  }

  private fits(type: string, { key: bound, args }: PlainBinding, key: string, headers: Arguments): boolean {
    if (type === 'fanout') return true;
    if (type === 'direct') return bound === key;
    if (type === 'headers') return Object.entries(args).every(([name, value]) => headers[name] === value);
    const pattern = bound
      .split('.')
      .map((word) => (word === '*' ? '[^.]+' : word))
      .join('\\.');
    return bound === '#' || new RegExp(`^${pattern}$`).test(key);
  }

  dropExchange(name: string): void {
    this.exchanges.delete(name);
    this.bindings = this.bindings.filter(({ source, to }) => source !== name && to !== `exchange:${name}`);
  }

  dropQueue(name: string): void {
    this.queues.delete(name);
    this.bindings = this.bindings.filter(({ to }) => to !== `queue:${name}`);
  }
}

const types = ['direct', 'fanout', 'topic', 'headers'];
const exchangeName = fc.constantFrom('e0', 'e1', 'e2', 'e3', 'e4');
const queueName = fc.constantFrom('q0', 'q1', 'q2', 'q3');
const key = fc.constantFrom('a', 'b', 'a.b', '*', '#', 'a.*');
const headers = fc.constantFrom<Arguments>({}, { h: 1 }, { h: 2 }, { h: 1, i: 1 });
const destination = fc.oneof(
  exchangeName.map((name) => `exchange:${name}`),
  queueName.map((name) => `queue:${name}`),
);
const step = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.tuple(fc.constant('exchange'), exchangeName, fc.constantFrom(...types), fc.option(exchangeName)),
  },
  { weight: 3, arbitrary: fc.tuple(fc.constant('queue'), queueName) },
  { weight: 8, arbitrary: fc.tuple(fc.constant('bind'), exchangeName, destination, key, headers) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('unbind'), fc.nat()) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('drop exchange'), exchangeName) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('drop queue'), queueName) },
);

describe('the way from an address to queues', () => {
  it('is the reference walk through any graph, after every change', async () => {
    const probes = ['e0', 'e1', 'e2', 'e3', 'e4'].flatMap((name) =>
      ['a', 'b', 'a.b'].map((each) => [name, each] as const),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 40 }),
        fc.array(headers, { minLength: 40, maxLength: 40 }),
        async (steps, given) => {
          const { topology, vhost } = await TopologyKit.open();
          const plain = new Plain();
          for (const [at, [what, ...rest]] of steps.entries()) {
            if (what === 'exchange') {
              const [name, type, alternate] = rest as [string, string, string | null];
              if (plain.exchanges.has(name)) continue;
              const args: Arguments = alternate === null ? {} : { 'alternate-exchange': alternate };
              declareExchange(topology, vhost, exchangeWish(name, type, args));
              plain.exchanges.set(name, { type, alternate: alternate ?? undefined });
            } else if (what === 'queue') {
              const [name] = rest as [string];
              declareQueue(topology, vhost, queueWish(name));
              plain.queues.add(name);
            } else if (what === 'bind') {
              const [source, to, routingKey, args] = rest as [string, string, string, Arguments];
              const [kind, name] = to.split(':') as ['queue' | 'exchange', string];
              if (!plain.exchanges.has(source) || !plain[`${kind}s`].has(name)) continue;
              bind(topology, vhost, { source, kind, destination: name, routingKey, arguments: args });
              plain.bindings.push({ source, to, key: routingKey, args });
            } else if (what === 'unbind') {
              const gone = plain.bindings[(rest[0] as number) % Math.max(1, plain.bindings.length)];
              if (gone === undefined) continue;
              const [kind, name] = gone.to.split(':') as ['queue' | 'exchange', string];
              const { source, key: routingKey, args } = gone;
              unbind(topology, vhost, { source, kind, destination: name, routingKey, arguments: args });
              const text = JSON.stringify(gone);
              plain.bindings = plain.bindings.filter((each) => JSON.stringify(each) !== text);
            } else if (what === 'drop exchange') {
              const known = vhost.exchanges.get(rest[0] as string);
              if (known !== undefined) topology.dropExchange(vhost, known);
              plain.dropExchange(rest[0] as string);
            } else {
              const known = vhost.localQueue(rest[0] as string);
              if (known !== undefined) topology.dropQueue(vhost, known);
              plain.dropQueue(rest[0] as string);
            }
            for (const [name, routingKey] of probes) {
              if (!plain.exchanges.has(name)) continue;
              const found = routed(vhost, name, routingKey, given[at]);
              // Each queue at most once, however many ways lead to it.
              expect(found.sort()).toEqual([...plain.route(name, routingKey, given[at]!)].sort());
            }
          }
        },
      ),
      { numRuns: 400, seed: 6 },
    );
  });

  it('remembers routes until something changes, and never those that headers decided', async () => {
    const { topology, vhost } = await TopologyKit.open();
    declareQueue(topology, vhost, queueWish('q'));
    const request: BindingRequest = {
      source: 'amq.direct',
      kind: 'queue',
      destination: 'q',
      routingKey: 'k',
      arguments: {},
    };
    await bind(topology, vhost, request);
    const address = vhost.address('amq.direct', 'k');
    const message = messageOf(address);
    const first = vhost.route(address, message);
    expect(vhost.route(address, message)).toBe(first);
    declareQueue(topology, vhost, queueWish('other'));
    const second = vhost.route(address, message);
    expect(second).not.toBe(first);
    expect(second.queues).toEqual(first.queues);
    await bind(topology, vhost, { ...request, source: 'amq.headers', arguments: { h: 1 } });
    await bind(topology, vhost, { ...request, kind: 'exchange', destination: 'amq.headers', routingKey: 'h' });
    expect(routed(vhost, 'amq.direct', 'h', { h: 1 })).toEqual(['q']);
    expect(routed(vhost, 'amq.direct', 'h', { h: 2 })).toEqual([]);
    expect(routed(vhost, 'amq.direct', 'h', { h: 1 })).toEqual(['q']);
  });

  it('leads through the default exchange by name, to queues and to ends without a buffer', async () => {
    const { topology, vhost } = await TopologyKit.open();
    expect(routed(vhost, '', 'q')).toEqual([]);
    declareQueue(topology, vhost, queueWish('q'));
    expect(routed(vhost, '', 'q')).toEqual(['q']);
    topology.dropQueue(vhost, vhost.localQueue('q')!);
    expect(routed(vhost, '', 'q')).toEqual([]);
    // These come and go without a word to anybody.
    const sent: string[] = [];
    vhost.directQueues.set('reply', new DirectQueue('reply', (message) => sent.push(message.body().toString())));
    const address = vhost.address('', 'reply');
    const { queues, logs } = vhost.route(address, messageOf(address));
    queues[0]!.enqueue(messageOf(address, 'answer'), null);
    expect([sent, logs]).toEqual([['answer'], false]);
    vhost.directQueues.delete('reply');
    expect(routed(vhost, '', 'reply')).toEqual([]);
  });

  it('with several keys comes to each queue once', async () => {
    const { topology, vhost } = await TopologyKit.open();
    for (const name of ['a', 'b']) declareQueue(topology, vhost, queueWish(name));
    const addresses = ['a', 'b', 'a', 'nowhere'].map((name) => vhost.address('', name));
    const { queues } = vhost.routeMany(addresses, messageOf(addresses[0]!));
    expect(queues.map(({ name }) => name)).toEqual(['a', 'b']);
    expect(vhost.routeMany([addresses[3]!], messageOf(addresses[3]!)).queues).toEqual([]);
  });

  it('says whether confirms have to wait', async () => {
    const { topology, vhost } = await TopologyKit.open();
    await declareQueue(topology, vhost, { ...queueWish('durable'), durable: true });
    declareQueue(topology, vhost, queueWish('transient'));
    const to = (...names: string[]) => {
      const addresses = names.map((name) => vhost.address('', name));
      return vhost.routeMany(addresses, messageOf(addresses[0]!)).logs;
    };
    expect([to('durable'), to('transient'), to('transient', 'durable'), to('no')]).toEqual([true, false, true, false]);
  });

  it('an alternate takes what matches nothing, also where a chain of them ends in a circle or nowhere', async () => {
    const { topology, vhost } = await TopologyKit.open();
    declareQueue(topology, vhost, queueWish('lost'));
    for (const [name, alternate] of [
      ['a', 'b'],
      ['b', 'c'],
      ['c', 'a'],
      ['d', 'd'],
      ['e', 'missing'],
      ['f', 'amq.fanout'],
    ] as const) {
      declareExchange(topology, vhost, exchangeWish(name, 'direct', { 'alternate-exchange': alternate }));
    }
    expect(routed(vhost, 'a', 'k')).toEqual([]);
    await bind(topology, vhost, { source: 'c', kind: 'queue', destination: 'lost', routingKey: 'k', arguments: {} });
    expect(routed(vhost, 'a', 'k')).toEqual(['lost']);
    expect(routed(vhost, 'd', 'k')).toEqual([]);
    expect(routed(vhost, 'e', 'k')).toEqual([]);
    // Bound to something, though that leads nowhere: that is a match.
    await bind(topology, vhost, { source: 'f', kind: 'exchange', destination: 'd', routingKey: 'k', arguments: {} });
    await bind(topology, vhost, {
      source: 'amq.fanout',
      kind: 'queue',
      destination: 'lost',
      routingKey: '',
      arguments: {},
    });
    expect(routed(vhost, 'f', 'k')).toEqual([]);
    expect(routed(vhost, 'f', 'other')).toEqual(['lost']);
  });
});

describe('addresses', () => {
  it('are one object a pair of names, and as many as are remembered at most', async () => {
    const { vhost } = await TopologyKit.open();
    const first = vhost.address('e', 'k');
    expect(vhost.address('e', 'k')).toBe(first);
    expect(vhost.address('', 'e')).not.toBe(vhost.address('e', ''));
    const known = () => [...(vhost as unknown as { addresses: Map<string, Map<string, Address>> }).addresses.values()];
    for (let i = 0; i < 70_000; i++) vhost.address(`e${i % 3}`, `key ${i}`);
    expect(known().reduce((sum, keys) => sum + keys.size, 0)).toBeLessThanOrEqual(65_536);
    // Forgotten names may come back, and route as before.
    expect(vhost.address('e', 'k')).toEqual(first);
  });

  it('do not pile up with queues that come and go', async () => {
    const { topology, vhost } = await TopologyKit.open();
    for (let i = 0; i < 1_000; i++) {
      const queue = await declareQueue(topology, vhost, queueWish(`reply ${i}`));
      expect(routed(vhost, '', queue.name)).toEqual([queue.name]);
      topology.dropQueue(vhost, queue);
    }
    const { addressCount } = vhost as unknown as { addressCount: number };
    expect(addressCount).toBe(0);
  });

  it('hold both names as length and UTF-8, of 255 bytes at most', () => {
    expect(new Address('ä', 'key').wire).toEqual(Buffer.from([2, 0xc3, 0xa4, 3, 0x6b, 0x65, 0x79]));
    expect(new Address('', '').wire).toEqual(Buffer.from([0, 0]));
    expect(new Address('e'.repeat(255), 'k'.repeat(255)).wire).toHaveLength(512);
    expect(() => new Address('e'.repeat(256), '')).toThrow(RangeError);
    expect(() => new Address('', 'ä'.repeat(128))).toThrow(RangeError);
  });
});
