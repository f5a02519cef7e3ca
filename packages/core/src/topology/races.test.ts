import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TopologyKit } from '../../../../test/support/core-kit.js';
import { BrokerError } from '../errors.js';
import { andThen, type Later } from '../later.js';
import { Queue } from '../queue/queue.js';
import type { Exchange } from '../routing/exchange.js';
import { bind, unbind } from './bind.js';
import { declareExchange, declareQueue } from './declare.js';
import { removeExchange, removeQueue } from './remove.js';
import type { VirtualHost } from './virtual-host.js';

// Few names, so that what overlaps meets.
const queueName = fc.constant('q');
const exchangeName = fc.constantFrom('x0', 'x1');
const binding = fc.record({
  source: exchangeName,
  to: fc.oneof(
    queueName.map((destination) => ({ kind: 'queue' as const, destination })),
    exchangeName.map((destination) => ({ kind: 'exchange' as const, destination })),
  ),
  routingKey: fc.constantFrom('a', 'b'),
});

/** A topology, and what its users were told. */
interface Race {
  readonly kit: TopologyKit;
  /** Answered with, and not asked to go since. */
  readonly promised: Set<Queue | Exchange>;
}

type Step = (race: Race) => Later<unknown>;

const keep =
  ({ promised }: Race) =>
  (made: Queue | Exchange): void => {
    const isGone = made instanceof Queue ? made.deleted : false;
    if (!isGone && !asked.has(made)) promised.add(made);
  };
/** Asked to go, by anybody. */
const asked = new WeakSet<Queue | Exchange>();

function ask({ promised }: Race, object: Queue | Exchange): void {
  asked.add(object);
  promised.delete(object);
}

const declareQueueStep = fc.tuple(queueName, fc.boolean()).map(
  ([name, durable]): Step =>
    (race) => {
      const wish = { name, serverNamed: false, durable, autoDelete: false, owner: null, arguments: {} };
      return andThen(declareQueue(race.kit.topology, race.kit.vhost, wish) as Later<Queue>, keep(race));
    },
);

const declareExchangeStep = fc.tuple(exchangeName, fc.boolean(), fc.boolean()).map(
  ([name, durable, autoDelete]): Step =>
    (race) => {
      const wish = { name, type: 'direct', durable, autoDelete, internal: false, arguments: {} };
      return andThen(declareExchange(race.kit.topology, race.kit.vhost, wish), keep(race));
    },
);

const removeQueueStep = queueName.map(
  (name): Step =>
    (race) => {
      const { topology, vhost } = race.kit;
      const queue = vhost.localQueue(name);
      if (queue === undefined) return;
      ask(race, queue);
      return removeQueue(topology, vhost, queue, { ifUnused: false, ifEmpty: false });
    },
);

const removeExchangeStep = exchangeName.map(
  (name): Step =>
    (race) => {
      const { topology, vhost } = race.kit;
      const exchange = vhost.exchanges.get(name);
      if (exchange === undefined) return;
      ask(race, exchange);
      return removeExchange(topology, vhost, exchange, { ifUnused: false });
    },
);

const bindingSteps = [bind, unbind].map((change) =>
  binding.map(
    ({ source, to, routingKey }): Step =>
      ({ kit }) =>
        change(kit.topology, kit.vhost, { source, ...to, routingKey, arguments: {} }),
  ),
);

const showStep = fc.integer({ min: 1, max: 2 }).map(
  (count): Step =>
    ({ kit }) =>
      kit.metadata.show(count),
);

const steps = fc.oneof(
  declareQueueStep,
  declareExchangeStep,
  removeQueueStep,
  removeExchangeStep,
  ...bindingSteps,
  showStep,
);

/** What survives a restart, as text. */
function durableParts(vhost: VirtualHost): string[] {
  const exchanges = [...vhost.exchanges.values()].filter(({ properties }) => properties.durable);
  return [
    ...exchanges.map(({ properties }) => `exchange ${JSON.stringify(properties)}`),
    ...[...vhost.queues.values()]
      .filter(({ logs }) => logs)
      .map(({ properties }) => `queue ${JSON.stringify(properties)}`),
    ...exchanges
      .flatMap(({ bindings }) => [...bindings.values()])
      .filter(({ revision }) => revision > 0)
      .map(
        ({ source, destination, routingKey }) => `${source.name} ${routingKey} ${destination.kind} ${destination.name}`,
      ),
  ].sort();
}

/** Every end is there, and knows of the binding. */
function assertWhole({ exchanges, queues, queueBindings }: VirtualHost): void {
  for (const exchange of exchanges.values()) {
    for (const each of exchange.bindings.values()) {
      const { destination } = each;
      if (destination.kind === 'queue') {
        expect(queues.get(destination.name)).toBe(destination.queue);
        expect(queueBindings.get(destination.queue)!.has(each)).toBe(true);
      } else {
        expect(exchanges.get(destination.name)).toBe(destination.exchange);
        expect(destination.exchange.inbound.has(each)).toBe(true);
      }
    }
    for (const each of exchange.inbound)
      expect(each.source.bindings.has([...each.source.bindings].find(([, b]) => b === each)![0])).toBe(true);
  }
  for (const queue of queueBindings.keys()) expect(queues.get(queue.name)).toBe(queue);
}

describe('operations that overlap', () => {
  it('leave a whole topology, and the same as a restart finds', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(steps, { minLength: 20, maxLength: 80 }), async (list) => {
        const kit = await TopologyKit.open();
        const race: Race = { kit, promised: new Set() };
        kit.topology.onExchangeUnused = (vhost, exchange) => {
          ask(race, exchange);
          queueMicrotask(() => settle(removeExchange(kit.topology, vhost, exchange, { ifUnused: false })));
        };
        kit.metadata.held = true;
        const open = new Set<Promise<unknown>>();
        const wrong: unknown[] = [];
        const note = (error: unknown) => {
          // What a peer may do wrong; anything else is ours.
          if (!(error instanceof BrokerError) || error.key === 'metadataUnavailable') wrong.push(error);
        };
        const settle = (work: Later<unknown>) => {
          const done = Promise.resolve(work).catch(note);
          open.add(done);
          void done.then(() => open.delete(done));
        };
        const microtasks = async () => {
          for (let i = 0; i < 8; i++) await null;
          assertWhole(kit.vhost);
          for (const each of race.promised) {
            const { queues, exchanges } = kit.vhost;
            if ((each instanceof Queue ? queues : exchanges).get(each.name) !== each)
              wrong.push(`${each.name} is gone`);
          }
        };
        for (const step of list) {
          try {
            settle(step(race));
          } catch (error) {
            note(error);
          }
          await microtasks();
        }
        for (let i = 0; open.size > 0 && i < 1_000; i++) {
          kit.metadata.show();
          await microtasks();
        }
        expect([open.size, wrong]).toEqual([0, []]);
        assertWhole(kit.vhost);
        const before = durableParts(kit.vhost);
        const next = await kit.restart(kit.logs.afterCrash());
        expect(durableParts(next.vhost)).toEqual(before);
      }),
      { numRuns: 400, seed: 14 },
    );
  });

  it('a declaration while the delete of its name is on its way is answered by what is still there', async () => {
    const kit = await TopologyKit.open();
    const wish = { name: 'q', serverNamed: false, durable: true, autoDelete: false, owner: null, arguments: {} };
    const first = await declareQueue(kit.topology, kit.vhost, wish);
    kit.metadata.held = true;
    const deleted = removeQueue(kit.topology, kit.vhost, first, { ifUnused: false, ifEmpty: false });
    expect(declareQueue(kit.topology, kit.vhost, wish)).toBe(first);
    kit.metadata.show();
    await deleted;
    expect(kit.vhost.queues.size).toBe(0);
    kit.metadata.held = false;
    const second = await declareQueue(kit.topology, kit.vhost, wish);
    expect(second.incarnation).not.toBe(first.incarnation);
  });

  it('another node that was quicker with a queue decides what it is', async () => {
    const kit = await TopologyKit.open();
    const wish = { name: 'q', serverNamed: false, durable: true, autoDelete: false, owner: null, arguments: {} };
    kit.metadata.held = true;
    const theirs = { incarnation: 'theirs', autoDelete: false, arguments: {} };
    const change = kit.metadata.change([], [{ key: 'queues/%2F/q', value: theirs }]);
    const same = Promise.resolve(declareQueue(kit.topology, kit.vhost, wish));
    const other = Promise.resolve(declareQueue(kit.topology, kit.vhost, { ...wish, autoDelete: true }));
    kit.metadata.show();
    await change;
    expect((await same).incarnation).toBe('theirs');
    await expect(other).rejects.toMatchObject({ key: 'inequivalent' });
  });
});
