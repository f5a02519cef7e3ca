import { DIALECT_AMQP091, type JsonValue } from '@chapar/core';
import { allRoutes, methods } from '@chapar/management';
import { createSimPlatform } from '@chapar/platform';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Fixture, startFixture, token } from './compose.js';

let fixture: Fixture;
beforeAll(async () => {
  fixture = await startFixture();
  await fixture.put('/api/queues/%2F/q', { durable: true });
});
afterAll(() => fixture.close());

const encode = () => ({ properties: Buffer.alloc(0), persistent: false, priority: -1, expirationMs: -1 });
const options = {
  token: null,
  form: { dialect: DIALECT_AMQP091, encode },
  durability: '',
  isReady: () => true,
  listeners: () => [],
  membership: null,
};
const endpoints = allRoutes(options, createSimPlatform(1)).flatMap((route) =>
  methods.filter((method) => route[method] !== undefined).map((method) => ({ method, path: route.path })),
);

/** Names that are there, that are not, and that mean harm. */
const name = fc.constantFrom(
  'q',
  '/',
  'guest',
  'amq.topic',
  'amq.default',
  'nothing',
  '',
  '__proto__',
  'constructor',
  '~',
  'max-queues',
  '1',
  'x'.repeat(300),
  '\u0000',
  'ü',
);
const key = fc.constantFrom(
  ...[
    'value',
    'tags',
    'password',
    'password_hash',
    'hashing_algorithm',
    'limits',
    'configure',
    'write',
    'read',
    'exchange',
  ],
  ...[
    'pattern',
    'definition',
    'priority',
    'apply-to',
    'durable',
    'arguments',
    'type',
    'auto_delete',
    'routing_key',
    'name',
  ],
  ...[
    'properties',
    'payload',
    'payload_encoding',
    'count',
    'ackmode',
    'encoding',
    'truncate',
    'users',
    'vhosts',
    'queues',
  ],
  ...[
    'exchanges',
    'bindings',
    'permissions',
    'topic_permissions',
    'policies',
    'parameters',
    'global_parameters',
    'vhost',
  ],
  ...[
    'source',
    'destination',
    'destination_type',
    'component',
    'description',
    'metadata',
    'default_queue_type',
    'user',
  ],
  ...['__proto__', 'x-message-ttl', 'x-queue-type', 'alternate-exchange', 'x-match', 'headers', 'CC', 'BCC', 'user_id'],
);
const scalar = fc.oneof(
  fc.constantFrom<JsonValue>(
    '',
    '(',
    '.*',
    'auto',
    'string',
    'base64',
    'ack_requeue_true',
    'queue',
    'topic',
    'quorum',
    'q',
    '/',
    'guest',
  ),
  fc.constantFrom<JsonValue>(0, -1, 1.5, 1e308, 2 ** 53, true, false, null),
  fc.string({ maxLength: 8 }),
);
const { value } = fc.letrec<{ value: JsonValue; table: JsonValue }>((tie) => ({
  table: fc.dictionary(key, tie('value'), { maxKeys: 8 }) as fc.Arbitrary<JsonValue>,
  value: fc.oneof({ depthSize: 'small' }, scalar, fc.array(tie('value'), { maxLength: 3 }), tie('table')),
}));
const body = fc.oneof(
  { weight: 5, arbitrary: fc.dictionary(key, value, { maxKeys: 12 }).map((table) => JSON.stringify(table)) },
  { weight: 1, arbitrary: value.map((each) => JSON.stringify(each)) },
  { weight: 1, arbitrary: fc.string() },
);

test('whatever is sent, the fault is the sender’s', async () => {
  const request = fc.record({
    endpoint: fc.constantFrom(...endpoints),
    names: fc.array(name, { minLength: 5, maxLength: 5 }),
    body,
  });
  await fc.assert(
    fc.asyncProperty(request, async ({ endpoint: { method, path }, names, body }) => {
      // What an earlier request may have deleted.
      if (!fixture.broker.topology.vhosts.has('/')) await fixture.put('/api/vhosts/%2F', {}, `token:${token}`);
      await fixture.put('/api/queues/%2F/q', {}, `token:${token}`);
      let at = 0;
      const url = path.replace(/:\w+/g, () => encodeURIComponent(names[at++ % names.length]!));
      const { status, text } = await fixture.request(
        method,
        url,
        method === 'GET' ? undefined : body,
        `token:${token}`,
      );
      expect(status, `${method} ${url} ${body} -> ${text}`).not.toBe(500);
    }),
    { numRuns: 1500 },
  );
  expect(fixture.log.find('fault of ours')).toEqual([]);
});
