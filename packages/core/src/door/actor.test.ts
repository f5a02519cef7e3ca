import { describe, expect, it } from 'vitest';
import { messageOf, queueAddress, TopologyKit } from '../../../../test/support/core-kit.js';
import type { Authorizer, Permission, ResourceKind } from '../access.js';
import type { Later } from '../later.js';
import type { Principal } from '../ports.js';
import { Actor } from './actor.js';

const alice: Principal = { user: 'alice', tags: [], backend: 'internal' };

/** Notes what is asked, and refuses what it is told to; answers at once or, as an LDAP server would, later. */
class Recorder implements Authorizer {
  version = 1;
  isSlow = false;
  refused: string | null = null;
  readonly asked: string[] = [];

  vhost(): Later<boolean> {
    return this.answer('vhost');
  }

  resource(
    _principal: Principal,
    vhost: string,
    kind: ResourceKind,
    name: string,
    permission: Permission,
  ): Later<boolean> {
    return this.answer(`${permission} ${kind} ${vhost}${name}`);
  }

  topic(
    _principal: Principal,
    vhost: string,
    exchange: string,
    permission: string,
    routingKey: string,
  ): Later<boolean> {
    return this.answer(`${permission} topic ${vhost}${exchange} ${routingKey}`);
  }

  take(): string[] {
    return this.asked.splice(0);
  }

  private answer(question: string): Later<boolean> {
    this.asked.push(question);
    const answer = question !== this.refused;
    return this.isSlow ? new Promise((resolve) => setImmediate(() => resolve(answer))) : answer;
  }
}

async function open() {
  const kit = await TopologyKit.open();
  const authorizer = new Recorder();
  const actorOf = (owner: object = {}, queuesMax = Number.POSITIVE_INFINITY) =>
    new Actor({ topology: kit.topology, authorizer, queuesMax: () => queuesMax }, alice, kit.vhost, owner);
  return { kit, authorizer, actorOf, actor: actorOf() };
}

const queue = (name: string, more = {}) => ({
  name,
  durable: false,
  exclusive: false,
  autoDelete: false,
  arguments: {},
  ...more,
});
const exchange = (name: string, more = {}) => ({
  name,
  type: 'topic',
  durable: false,
  autoDelete: false,
  internal: false,
  arguments: {},
  ...more,
});
const binding = (source: string, kind: 'queue' | 'exchange', destination: string, routingKey = 'k') => ({
  source,
  kind,
  destination,
  routingKey,
  arguments: {},
});
const always = { ifUnused: false, ifEmpty: false };

describe('what is asked before something is done', () => {
  const operations: [name: string, run: (actor: Actor) => unknown, asked: string[]][] = [
    ['queue.declare', (a) => a.declareQueue(queue('new')), ['configure queue /new']],
    [
      'queue.declare with a dead letter exchange',
      (a) => a.declareQueue(queue('new', { arguments: { 'x-dead-letter-exchange': 'dlx' } })),
      ['configure queue /new', 'read queue /new', 'write exchange /dlx'],
    ],
    ['queue.delete', (a) => a.deleteQueue('q', always), ['configure queue /q']],
    ['queue.purge', (a) => a.purgeQueue('q'), ['read queue /q']],
    ['basic.consume and basic.get', (a) => a.readQueue('q'), ['read queue /q']],
    ['exchange.declare', (a) => a.declareExchange(exchange('new')), ['configure exchange /new']],
    [
      'exchange.declare with an alternate',
      (a) => a.declareExchange(exchange('new', { arguments: { 'alternate-exchange': 'ae' } })),
      ['configure exchange /new', 'read exchange /new', 'write exchange /ae'],
    ],
    ['exchange.delete', (a) => a.deleteExchange('x', { ifUnused: false }), ['configure exchange /x']],
    ['queue.bind', (a) => a.bind(binding('amq.direct', 'queue', 'q')), ['write queue /q', 'read exchange /amq.direct']],
    [
      'queue.bind to a topic exchange',
      (a) => a.bind(binding('x', 'queue', 'q', 'a.#')),
      ['write queue /q', 'read exchange /x', 'read topic /x a.#'],
    ],
    [
      'queue.unbind',
      (a) => a.unbind(binding('amq.direct', 'queue', 'q')),
      ['write queue /q', 'read exchange /amq.direct'],
    ],
    [
      'exchange.bind',
      (a) => a.bind(binding('x', 'exchange', 'amq.direct')),
      ['write exchange /amq.direct', 'read exchange /x', 'read topic /x k'],
    ],
  ];
  for (const [name, run, asked] of operations) {
    it(`${name}: ${asked.join(', ')}`, async () => {
      for (const isSlow of [false, true]) {
        const { authorizer, actor, kit } = await open();
        await actor.declareQueue(queue('q'));
        await actor.declareExchange(exchange('x'));
        authorizer.isSlow = isSlow;
        authorizer.take();
        await run(actor);
        expect(authorizer.take()).toEqual(asked);
        // Each of them can refuse, and then nothing is done.
        for (const question of asked) {
          authorizer.refused = question;
          const before = [kit.vhost.queues.size, kit.vhost.exchanges.size];
          await expect((async () => run(actor))()).rejects.toMatchObject({ code: 403, scope: 'channel' });
          expect([kit.vhost.queues.size, kit.vhost.exchanges.size]).toEqual(before);
        }
      }
    });
  }

  it('is refused in the words of the field', async () => {
    const { authorizer, actor } = await open();
    authorizer.refused = 'configure queue /q';
    expect(() => actor.declareQueue(queue('q'))).toThrow(
      "ACCESS_REFUSED - configure access to queue 'q' in vhost '/' refused for user 'alice'",
    );
    authorizer.refused = 'write exchange /';
    expect(() => actor.require('write', 'exchange', '')).toThrow(
      "ACCESS_REFUSED - write access to exchange 'amq.default' in vhost '/' refused for user 'alice'",
    );
    authorizer.refused = 'read topic /amq.topic a.b';
    await actor.declareQueue(queue('r'));
    expect(() => actor.bind(binding('amq.topic', 'queue', 'r', 'a.b'))).toThrow(
      "ACCESS_REFUSED - read access to topic 'a.b' in exchange 'amq.topic' in vhost '/' refused for user 'alice'",
    );
  });

  it('is nothing for the default exchange, with which nothing can be done', async () => {
    const { authorizer, actor } = await open();
    await actor.declareQueue(queue('q'));
    authorizer.take();
    for (const run of [
      () => actor.declareExchange(exchange('')),
      () => actor.deleteExchange('', { ifUnused: false }),
      () => actor.bind(binding('', 'queue', 'q')),
      () => actor.unbind(binding('', 'queue', 'q')),
      () => actor.bind(binding('amq.topic', 'exchange', '')),
    ]) {
      expect(run).toThrow('ACCESS_REFUSED - operation not permitted on the default exchange');
    }
    expect(authorizer.take()).toEqual([]);
  });
});

describe('queues of a connection', () => {
  it('that are exclusive are locked for others, in every operation', async () => {
    const { actor, actorOf } = await open();
    await actor.declareQueue(queue('mine', { exclusive: true }));
    const other = actorOf();
    for (const run of [
      () => other.findQueue('mine'),
      () => other.declareQueue(queue('mine')),
      () => other.declareQueue(queue('mine', { exclusive: true })),
      () => other.deleteQueue('mine', always),
      () => other.purgeQueue('mine'),
      () => other.readQueue('mine'),
      () => other.bind(binding('amq.direct', 'queue', 'mine')),
      () => other.unbind(binding('amq.direct', 'queue', 'mine')),
    ]) {
      expect(run).toThrow("RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'mine' in vhost '/'.");
    }
    expect((await actor.readQueue('mine')).name).toBe('mine');
  });

  it('go with it, and no others', async () => {
    const { kit, actor, actorOf } = await open();
    const other = actorOf();
    await actor.declareQueue(queue('', { exclusive: true }));
    await actor.declareQueue(queue('mine', { exclusive: true, durable: true }));
    await actor.declareQueue(queue('shared'));
    await other.declareQueue(queue('theirs', { exclusive: true }));
    actor.leave();
    expect([...kit.vhost.queues.keys()].sort()).toEqual(['shared', 'theirs']);
    // The name is free again.
    await other.declareQueue(queue('mine', { exclusive: true }));
    actor.leave();
    expect(kit.vhost.queues.has('mine')).toBe(true);
  });

  it('go with it also when their declaration is answered after it has gone', async () => {
    const { kit, authorizer, actor } = await open();
    authorizer.isSlow = true;
    const declared = actor.declareQueue(queue('late', { exclusive: true }));
    actor.leave();
    const made = await declared;
    expect([made.deleted, kit.vhost.queues.size]).toEqual([true, 0]);
  });

  it('are not remembered for ever', async () => {
    const { kit, actor } = await open();
    for (let i = 0; i < 1_000; i++) {
      const made = await actor.declareQueue(queue('', { exclusive: true }));
      await actor.deleteQueue(made.name, always);
    }
    const { owned } = actor as unknown as { owned: Iterable<unknown> };
    expect([...owned].length).toBeLessThanOrEqual(64);
    expect(kit.vhost.queues.size).toBe(0);
  });

  it('do not keep the connection alive when they are deleted', async () => {
    const { actor } = await open();
    const made = await actor.declareQueue(queue('mine', { exclusive: true }));
    expect(made.properties.owner).toBe(actor.owner);
    await actor.deleteQueue('mine', always);
    expect(made.properties.owner).not.toBe(actor.owner);
    expect(made.properties.owner).not.toBeNull();
  });

  it('are found or not, in the words of the field', async () => {
    const { actor } = await open();
    expect(() => actor.findQueue('no')).toThrow("NOT_FOUND - no queue 'no' in vhost '/'");
    expect(() => actor.findExchange('no')).toThrow("NOT_FOUND - no exchange 'no' in vhost '/'");
    expect(() => actor.readQueue('no')).toThrow("NOT_FOUND - no queue 'no' in vhost '/'");
    // What is not there can be deleted.
    expect(await actor.deleteQueue('no', always)).toBe(0);
    await actor.deleteExchange('no', { ifUnused: true });
  });

  it('get a name when they have none, one each', async () => {
    const { authorizer, actor } = await open();
    const made = [await actor.declareQueue(queue('')), await actor.declareQueue(queue(''))];
    const names = made.map(({ name }) => name);
    for (const name of names) expect(name).toMatch(/^amq\.gen-[\w-]{22}$/);
    expect(new Set(names).size).toBe(2);
    expect(authorizer.take()).toEqual(names.map((name) => `configure queue /${name}`));
  });

  it('are counted against the limit', async () => {
    const { actorOf } = await open();
    const actor = actorOf({}, 1);
    await actor.declareQueue(queue('a'));
    expect(() => actor.declareQueue(queue('b'))).toThrow('queue limit');
  });

  it('answer how many messages went with them', async () => {
    const { kit, actor } = await open();
    const made = await actor.declareQueue(queue('q'));
    for (let i = 0; i < 3; i++) made.enqueue(messageOf(queueAddress('q')), null);
    expect(await actor.purgeQueue('q')).toBe(3);
    for (let i = 0; i < 2; i++) made.enqueue(messageOf(queueAddress('q')), null);
    expect(() => actor.deleteQueue('q', { ifUnused: false, ifEmpty: true })).toThrow(
      "queue 'q' in vhost '/' not empty",
    );
    expect(await actor.deleteQueue('q', always)).toBe(2);
    expect(kit.vhost.queues.size).toBe(0);
  });
});
