import { describe, expect, it } from 'vitest';
import { TopologyKit } from '../../../../test/support/core-kit.js';
import { BrokerError } from '../errors.js';
import {
  declareExchange,
  declareQueue,
  type ExchangeDeclaration,
  type QueueDeclaration,
  serverName,
} from './declare.js';
import { removeExchange, removeQueue } from './remove.js';

const always = { ifUnused: false, ifEmpty: false };

function queue(name: string, more: Partial<QueueDeclaration> = {}): QueueDeclaration {
  return { name, serverNamed: false, durable: true, autoDelete: false, owner: null, arguments: {}, ...more };
}

function exchange(name: string, more: Partial<ExchangeDeclaration> = {}): ExchangeDeclaration {
  return { name, type: 'direct', durable: true, autoDelete: false, internal: false, arguments: {}, ...more };
}

/** Calls and returns what is thrown, at once or later. */
async function thrownBy(call: () => unknown): Promise<BrokerError> {
  try {
    await call();
  } catch (error) {
    if (error instanceof BrokerError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('queue.declare', () => {
  it('answers at once for what needs no store, and for what exists', async () => {
    const kit = await TopologyKit.open();
    const transient = declareQueue(kit.topology, kit.vhost, queue('t', { durable: false }));
    expect(transient).toBe(kit.vhost.localQueue('t'));
    const durable = await declareQueue(kit.topology, kit.vhost, queue('d'));
    expect(declareQueue(kit.topology, kit.vhost, queue('d'))).toBe(durable);
    expect(kit.logs.logs.size).toBe(1);
  });

  it('keeps a durable exclusive queue in memory, without a log', async () => {
    const kit = await TopologyKit.open();
    const owner = {};
    const made = await declareQueue(kit.topology, kit.vhost, queue('q', { owner }));
    expect(made.logs).toBe(false);
    expect(made.properties.durable).toBe(true);
    expect(kit.metadata.keys()).toEqual(['vhosts/%2F']);
  });

  for (const [argument, first, second, text] of [
    ['durable', { durable: true }, { durable: false }, "received 'false' but current is 'true'"],
    ['auto_delete', { autoDelete: false }, { autoDelete: true }, "received 'true' but current is 'false'"],
    ['x-message-ttl', { arguments: { 'x-message-ttl': 1 } }, {}, "received none but current is '1'"],
    ['x-message-ttl', {}, { arguments: { 'x-message-ttl': 1 } }, "received '1' but current is none"],
    [
      'x-max-length',
      { arguments: { 'x-max-length': 5 } },
      { arguments: { 'x-max-length': 6 } },
      "received '6' but current is '5'",
    ],
    [
      'x-dead-letter-exchange',
      { arguments: { 'x-dead-letter-exchange': 'a' } },
      { arguments: { 'x-dead-letter-exchange': 'b' } },
      "received 'b' but current is 'a'",
    ],
    ['x-queue-type', {}, { arguments: { 'x-queue-type': 'quorum' } }, "received 'quorum' but current is 'classic'"],
    [
      'x-max-priority',
      { arguments: { 'x-max-priority': 10 } },
      { arguments: { 'x-max-priority': 5 } },
      "received '5' but current is '10'",
    ],
    ['x-max-priority', { arguments: { 'x-max-priority': 10 } }, {}, "received none but current is '10'"],
    [
      'x-single-active-consumer',
      {},
      { arguments: { 'x-single-active-consumer': true } },
      "received 'true' but current is none",
    ],
  ] as const) {
    it(`refuses another ${argument}: ${text}`, async () => {
      const kit = await TopologyKit.open();
      await declareQueue(kit.topology, kit.vhost, queue('q', first as Partial<QueueDeclaration>));
      const error = await thrownBy(() =>
        declareQueue(kit.topology, kit.vhost, queue('q', second as Partial<QueueDeclaration>)),
      );
      expect(error.message).toBe(
        `PRECONDITION_FAILED - inequivalent arg '${argument}' for queue 'q' in vhost '/': ${text}`,
      );
      expect(error.code).toBe(406);
    });
  }

  it('takes the same arguments in another order and width, and others that it does not know', async () => {
    const kit = await TopologyKit.open();
    const args = { 'x-max-length': 5, 'x-overflow': 'drop-head', 'x-queue-type': 'classic', mine: 1 };
    const made = await declareQueue(kit.topology, kit.vhost, queue('q', { arguments: args }));
    const again = { 'x-overflow': 'drop-head', 'x-max-length': 5.0, mine: 2, 'x-queue-mode': 'lazy' };
    expect(declareQueue(kit.topology, kit.vhost, queue('q', { arguments: again }))).toBe(made);
    expect(made.properties.arguments).toEqual(args);
  });

  for (const [args, text] of [
    [
      { 'x-message-ttl': -1 },
      "invalid arg 'x-message-ttl' for queue 'q' in vhost '/': expected an integer from 0 to 315360000000, got -1",
    ],
    [
      { 'x-message-ttl': '5' },
      "invalid arg 'x-message-ttl' for queue 'q' in vhost '/': expected an integer from 0 to 315360000000, got '5'",
    ],
    [
      { 'x-expires': 0 },
      "invalid arg 'x-expires' for queue 'q' in vhost '/': expected an integer from 1 to 315360000000, got 0",
    ],
    [
      { 'x-expires': 315_360_000_001 },
      "invalid arg 'x-expires' for queue 'q' in vhost '/': expected an integer from 1 to 315360000000, got 315360000001",
    ],
    [
      { 'x-max-length': 1.5 },
      "invalid arg 'x-max-length' for queue 'q' in vhost '/': expected an integer of at least 0, got 1.5",
    ],
    [
      { 'x-max-priority': 256 },
      "invalid arg 'x-max-priority' for queue 'q' in vhost '/': expected an integer from 0 to 255, got 256",
    ],
    [
      { 'x-overflow': 'drop' },
      "invalid arg 'x-overflow' for queue 'q' in vhost '/': expected one of drop-head, reject-publish, reject-publish-dlx, got 'drop'",
    ],
    [
      { 'x-single-active-consumer': 1 },
      "invalid arg 'x-single-active-consumer' for queue 'q' in vhost '/': expected true or false, got 1",
    ],
    [
      { 'x-dead-letter-routing-key': 'k' },
      "invalid arg 'x-dead-letter-routing-key' for queue 'q' in vhost '/': x-dead-letter-exchange is not set",
    ],
    [
      { 'x-queue-type': 'stream' },
      "invalid arg 'x-queue-type' for queue 'q' in vhost '/': unsupported queue type 'stream': streams are not built yet",
    ],
    [
      { 'x-queue-type': 'other' },
      "invalid arg 'x-queue-type' for queue 'q' in vhost '/': unsupported queue type 'other': it is not known",
    ],
    [{ 'x-queue-type': 5 }, "invalid arg 'x-queue-type' for queue 'q' in vhost '/': expected a string, got 5"],
    [
      { 'x-max-priority': -1 },
      "invalid arg 'x-max-priority' for queue 'q' in vhost '/': expected an integer from 0 to 255, got -1",
    ],
    [
      { 'x-max-priority': '5' },
      "invalid arg 'x-max-priority' for queue 'q' in vhost '/': expected an integer from 0 to 255, got '5'",
    ],
  ] as const) {
    it(`refuses ${JSON.stringify(args)}`, async () => {
      const kit = await TopologyKit.open();
      const error = await thrownBy(() => declareQueue(kit.topology, kit.vhost, queue('q', { arguments: args })));
      expect(error.message).toBe(`PRECONDITION_FAILED - ${text}`);
      expect(kit.vhost.queues.size).toBe(0);
    });
  }

  it('refuses a quorum queue that is transient, exclusive or auto-delete', async () => {
    const kit = await TopologyKit.open();
    const args = { 'x-queue-type': 'quorum' };
    for (const [property, reason, more] of [
      ['non-durable', 'a quorum queue is durable', { durable: false }],
      ['exclusive-owner', 'a quorum queue cannot be exclusive', { owner: {} }],
      ['auto-delete', 'a quorum queue cannot be auto-delete', { autoDelete: true }],
    ] as const) {
      const error = await thrownBy(() =>
        declareQueue(kit.topology, kit.vhost, queue('q', { arguments: args, ...more })),
      );
      expect(error.message).toBe(
        `PRECONDITION_FAILED - invalid property '${property}' for queue 'q' in vhost '/': ${reason}`,
      );
    }
  });

  it('keeps amq. for itself', async () => {
    const kit = await TopologyKit.open();
    const error = await thrownBy(() => declareQueue(kit.topology, kit.vhost, queue('amq.mine')));
    expect(error.message).toBe("ACCESS_REFUSED - queue name 'amq.mine' contains reserved prefix 'amq.*'");
    const name = serverName(kit.topology);
    expect(name).toMatch(/^amq\.gen-[\w-]{22}$/);
    expect(serverName(kit.topology)).not.toBe(name);
    const made = await declareQueue(kit.topology, kit.vhost, queue(name, { serverNamed: true, durable: false }));
    // What exists under such a name can be found again by its name.
    expect(declareQueue(kit.topology, kit.vhost, queue(name, { durable: false }))).toBe(made);
  });

  it('locks an exclusive queue for all but its owner, and a shared one against being made exclusive', async () => {
    const kit = await TopologyKit.open();
    const [owner, other] = [{}, {}];
    const mine = queue('mine', { durable: false, owner });
    const made = await declareQueue(kit.topology, kit.vhost, mine);
    expect(declareQueue(kit.topology, kit.vhost, mine)).toBe(made);
    for (const asker of [other, null]) {
      const error = await thrownBy(() =>
        declareQueue(kit.topology, kit.vhost, queue('mine', { durable: false, owner: asker })),
      );
      expect(error.code).toBe(405);
      expect(error.message).toMatch(
        /^RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'mine' in vhost/,
      );
    }
    await declareQueue(kit.topology, kit.vhost, queue('all', { durable: false }));
    const error = await thrownBy(() => declareQueue(kit.topology, kit.vhost, queue('all', { durable: false, owner })));
    expect(error.key).toBe('resourceLocked');
  });

  it('makes one queue of many declarations of one name at the same time', async () => {
    const kit = await TopologyKit.open();
    const made = await Promise.all(Array.from({ length: 20 }, () => declareQueue(kit.topology, kit.vhost, queue('q'))));
    expect(new Set(made).size).toBe(1);
    // The record of the virtual host, and one of the queue.
    expect(kit.metadata.changes).toBe(2);
  });

  it('judges a declaration that comes while another is under way by what that one made', async () => {
    const kit = await TopologyKit.open();
    kit.metadata.held = true;
    const first = declareQueue(kit.topology, kit.vhost, queue('q'));
    const inequivalent = thrownBy(() => declareQueue(kit.topology, kit.vhost, queue('q', { autoDelete: true })));
    const transient = thrownBy(() => declareQueue(kit.topology, kit.vhost, queue('q', { durable: false })));
    const locked = thrownBy(() => declareQueue(kit.topology, kit.vhost, queue('q', { owner: {} })));
    kit.metadata.show();
    expect((await first).name).toBe('q');
    expect((await inequivalent).key).toBe('inequivalent');
    expect((await transient).key).toBe('inequivalent');
    expect((await locked).key).toBe('resourceLocked');
  });

  it('lets the next one try when the store failed the first', async () => {
    const kit = await TopologyKit.open();
    kit.metadata.held = true;
    const first = thrownBy(() => declareQueue(kit.topology, kit.vhost, queue('q')));
    const second = Promise.resolve(declareQueue(kit.topology, kit.vhost, queue('q')));
    kit.metadata.failure = new Error('no space left on device');
    kit.metadata.show();
    kit.metadata.failure = null;
    kit.metadata.held = false;
    const error = await first;
    expect(error.message).toBe(
      "PRECONDITION_FAILED - the metadata store did not take the change of queue 'q' in vhost '/': no space left on device",
    );
    expect(await second).toBe(kit.vhost.localQueue('q'));
  });

  it('keeps the limit of queues, also among declarations at the same time', async () => {
    const kit = await TopologyKit.open();
    const wishes = ['a', 'b', 'c', 'd', 'e'].map((name) =>
      Promise.resolve()
        .then(() => declareQueue(kit.topology, kit.vhost, queue(name), 3))
        .then(
          () => 'made',
          (error: BrokerError) => error.message,
        ),
    );
    const answers = await Promise.all(wishes);
    expect(answers.slice(0, 3)).toEqual(['made', 'made', 'made']);
    expect(answers[3]).toBe("PRECONDITION_FAILED - cannot declare queue 'd': queue limit in vhost '/' (3) is reached");
    expect(kit.vhost.queues.size).toBe(3);
    // Those that exist are found all the same.
    expect((await declareQueue(kit.topology, kit.vhost, queue('a'), 3)).name).toBe('a');
    await removeQueue(kit.topology, kit.vhost, kit.vhost.localQueue('a')!, always);
    expect((await declareQueue(kit.topology, kit.vhost, queue('e'), 3)).name).toBe('e');
  });

  it('says once per argument that it has no effect yet', async () => {
    const kit = await TopologyKit.open();
    for (const name of ['a', 'b']) {
      await declareQueue(
        kit.topology,
        kit.vhost,
        queue(name, { arguments: { 'x-message-deduplication': true, mine: 1 } }),
      );
    }
    expect(kit.platform.log.find('has no effect').map(({ message }) => message)).toEqual([
      'queue argument x-message-deduplication is kept but has no effect in this version',
    ]);
  });
});

describe('exchange.declare', () => {
  for (const [argument, more, text] of [
    ['type', { type: 'fanout' }, "received 'fanout' but current is 'direct'"],
    ['durable', { durable: false }, "received 'false' but current is 'true'"],
    ['auto_delete', { autoDelete: true }, "received 'true' but current is 'false'"],
    ['internal', { internal: true }, "received 'true' but current is 'false'"],
    ['alternate-exchange', { arguments: { 'alternate-exchange': 'a' } }, "received 'a' but current is none"],
  ] as const) {
    it(`refuses another ${argument}`, async () => {
      const kit = await TopologyKit.open();
      await declareExchange(kit.topology, kit.vhost, exchange('x'));
      const error = await thrownBy(() => declareExchange(kit.topology, kit.vhost, exchange('x', more)));
      expect(error.message).toBe(
        `PRECONDITION_FAILED - inequivalent arg '${argument}' for exchange 'x' in vhost '/': ${text}`,
      );
    });
  }

  it('finds what is there, also the pre-declared, and takes unknown arguments without comparing them', async () => {
    const kit = await TopologyKit.open();
    const made = await declareExchange(kit.topology, kit.vhost, exchange('x', { arguments: { mine: 1 } }));
    expect(declareExchange(kit.topology, kit.vhost, exchange('x'))).toBe(made);
    expect(declareExchange(kit.topology, kit.vhost, exchange('amq.topic', { type: 'topic' }))).toBe(
      kit.vhost.exchanges.get('amq.topic'),
    );
    expect([...kit.vhost.exchanges.keys()]).toEqual([
      '',
      'amq.direct',
      'amq.fanout',
      'amq.topic',
      'amq.headers',
      'amq.match',
      'amq.rabbitmq.trace',
      'x',
    ]);
  });

  it('refuses the default exchange, reserved names, unknown types and a wrong alternate', async () => {
    const kit = await TopologyKit.open();
    const refused = (more: Partial<ExchangeDeclaration>) =>
      thrownBy(() => declareExchange(kit.topology, kit.vhost, exchange('x', more)));
    expect((await refused({ name: '' })).key).toBe('defaultExchange');
    expect((await refused({ name: 'amq.x' })).key).toBe('reservedName');
    const unknown = await refused({ type: 'x-mine' });
    expect([unknown.code, unknown.scope, unknown.message]).toEqual([
      406,
      'channel',
      "PRECONDITION_FAILED - unknown exchange type 'x-mine'",
    ]);
    expect((await refused({ arguments: { 'alternate-exchange': 5 } })).message).toBe(
      "PRECONDITION_FAILED - invalid arg 'alternate-exchange' for exchange 'x' in vhost '/': expected a string, got '5'",
    );
  });

  it('makes one exchange of many declarations at the same time, and judges the others by it', async () => {
    const kit = await TopologyKit.open();
    kit.metadata.held = true;
    const same = [1, 2, 3].map(() => declareExchange(kit.topology, kit.vhost, exchange('x')));
    const other = thrownBy(() => declareExchange(kit.topology, kit.vhost, exchange('x', { type: 'topic' })));
    kit.metadata.show();
    expect(new Set(await Promise.all(same)).size).toBe(1);
    expect((await other).key).toBe('inequivalent');
  });

  it('judges by what another node was quicker to declare', async () => {
    const kit = await TopologyKit.open();
    kit.metadata.held = true;
    const record = { incarnation: 'theirs', type: 'topic', autoDelete: false, internal: false, arguments: {} };
    const theirs = kit.metadata.change([], [{ key: 'exchanges/%2F/x', value: record }]);
    const same = Promise.resolve(declareExchange(kit.topology, kit.vhost, exchange('x', { type: 'topic' })));
    kit.metadata.show();
    await theirs;
    expect((await same).properties.incarnation).toBe('theirs');
  });
});

describe('what the two tell apart', () => {
  it('a queue and an exchange of one name have nothing to do with each other', async () => {
    const kit = await TopologyKit.open();
    const [q, x] = await Promise.all([
      declareQueue(kit.topology, kit.vhost, queue('same')),
      declareExchange(kit.topology, kit.vhost, exchange('same')),
    ]);
    await removeExchange(kit.topology, kit.vhost, x, { ifUnused: false });
    expect(kit.vhost.localQueue('same')).toBe(q);
    expect(kit.vhost.exchanges.has('same')).toBe(false);
  });
});
