import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Fixture, startFixture } from './compose.js';

let fixture: Fixture;
beforeAll(async () => {
  fixture = await startFixture();
});
afterAll(() => fixture.close());

/** As RabbitMQ 3.10.8 exports one, shortened. */
const file310 = {
  rabbit_version: '3.10.8',
  rabbitmq_version: '3.10.8',
  product_name: 'RabbitMQ',
  product_version: '3.10.8',
  users: [
    {
      name: 'test12',
      password_hash: 'kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR',
      hashing_algorithm: 'rabbit_password_hashing_sha256',
      tags: ['management'],
      limits: { 'max-channels': 7 },
    },
  ],
  vhosts: [{ name: '/' }, { name: 'v1' }],
  permissions: [{ user: 'test12', vhost: 'v1', configure: '.*', write: '.*', read: '^q' }],
  topic_permissions: [{ user: 'test12', vhost: 'v1', exchange: 'amq.topic', write: 'a', read: 'b' }],
  parameters: [
    { value: { uri: 'amqp://x' }, vhost: 'v1', component: 'federation-upstream', name: 'up' },
    { value: { 'max-queues': 50 }, vhost: 'v1', component: 'vhost-limits', name: 'limits' },
    {
      value: { pattern: '^a', definition: { 'max-length': 5 }, priority: 0, 'apply-to': 'all' },
      vhost: 'v1',
      component: 'operator_policy',
      name: 'op',
    },
  ],
  global_parameters: [{ name: 'internal_cluster_id', value: 'rabbitmq-cluster-id-x' }],
  policies: [
    { vhost: 'v1', name: 'p', pattern: '^q', 'apply-to': 'queues', definition: { 'ha-mode': 'all' }, priority: 1 },
  ],
  queues: [
    { name: 'q1', vhost: 'v1', durable: true, auto_delete: false, arguments: { 'x-message-ttl': 60000 } },
    { name: 'q2', vhost: 'v1', durable: false, auto_delete: false, arguments: {} },
  ],
  exchanges: [
    {
      name: 'ex',
      vhost: 'v1',
      type: 'topic',
      durable: true,
      auto_delete: false,
      internal: false,
      arguments: { 'alternate-exchange': 'amq.fanout' },
    },
  ],
  bindings: [
    {
      source: 'amq.direct',
      vhost: 'v1',
      destination: 'ex',
      destination_type: 'exchange',
      routing_key: 'k',
      arguments: {},
    },
    {
      source: 'ex',
      vhost: 'v1',
      destination: 'q1',
      destination_type: 'queue',
      routing_key: 'a.*',
      arguments: { n: 1 },
    },
    { source: 'ex', vhost: 'v1', destination: 'q2', destination_type: 'queue', routing_key: '', arguments: [] },
  ],
};

const withoutOurs = (file: Record<string, unknown>) => {
  const { users, vhosts, permissions, ...others } = file as typeof file310;
  return {
    ...others,
    users: users.filter(({ name }) => name !== 'guest'),
    permissions: permissions.filter(({ user }) => user !== 'guest'),
    vhosts: vhosts.map(({ name }) => name),
  };
};

describe('a file of RabbitMQ 3.10', () => {
  test('is taken whole, twice', async () => {
    expect((await fixture.post('/api/definitions', file310)).status).toBe(204);
    const before = (await fixture.get('/api/definitions')).json;
    const again = await fixture.post('/api/definitions?report=true', file310);
    expect(again.json).toEqual({ taken: 16, kept: [], refused: [] });
    expect((await fixture.get('/api/definitions')).json).toEqual(before);
  });

  test('acts: the user logs in, limits hold, bindings are there', async () => {
    expect((await fixture.get('/api/whoami', 'test12:test12')).json.tags).toEqual(['management']);
    expect((await fixture.get('/api/user-limits/test12')).json).toEqual([
      { user: 'test12', value: { 'max-channels': 7 } },
    ]);
    expect((await fixture.get('/api/vhost-limits/v1')).json).toEqual([{ vhost: 'v1', value: { 'max-queues': 50 } }]);
    expect((await fixture.get('/api/operator-policies/v1/op')).status).toBe(200);
    expect((await fixture.get('/api/bindings/v1/e/ex/q/q1')).json).toHaveLength(1);
  });

  test('comes out as it went in', async () => {
    const exported = withoutOurs((await fixture.get('/api/definitions')).json);
    const { bindings, queues, ...wanted } = withoutOurs(file310);
    const { rabbit_version: _, rabbitmq_version: __, product_name: ___, product_version: ____, ...parts } = wanted;
    expect(exported).toMatchObject(parts);
    expect(exported.queues).toEqual(expect.arrayContaining(queues.map((queue) => ({ ...queue, type: 'classic' }))));
    expect(exported.bindings).toHaveLength(3);
    expect(exported.bindings).toEqual(
      expect.arrayContaining(bindings.map((binding) => ({ ...binding, arguments: { ...binding.arguments } }))),
    );
  });
});

describe('what cannot be taken', () => {
  test('is reported by name with its reason, and the rest is taken', async () => {
    const answer = await fixture.post('/api/definitions', {
      vhosts: [{ name: 'v2' }],
      users: [{ name: 'bad', password_hash: 'odd', tags: '' }],
      queues: [
        { name: 'stream', vhost: 'v2', durable: true, type: 'stream', arguments: { 'x-queue-type': 'stream' } },
        { name: 'lost', vhost: 'nowhere', durable: true, auto_delete: false, arguments: {} },
        { name: 'fine', vhost: 'v2', durable: true, auto_delete: false, arguments: {} },
        'odd',
      ],
      permissions: [{ user: 'nobody', vhost: 'v2', configure: '', write: '', read: '' }],
      bindings: [
        { source: 'amq.topic', vhost: 'v2', destination: 'nothing', destination_type: 'queue', routing_key: 'k' },
      ],
    });
    expect(answer.status).toBe(400);
    expect(answer.json.error).toBe('bad_request');
    expect(answer.json.reason).toContain("6 of 8 definitions were refused: user 'bad': ");
    expect(answer.json.refused).toEqual([
      { kind: 'user', name: 'bad', reason: expect.any(String) },
      { kind: 'permission', name: 'nobody', vhost: 'v2', reason: "no_such_user: 'nobody'" },
      { kind: 'queue', name: 'stream', vhost: 'v2', reason: expect.stringContaining('streams are not built yet') },
      { kind: 'queue', name: 'lost', vhost: 'nowhere', reason: "no_such_vhost: 'nowhere'" },
      { kind: 'queue', name: '', reason: 'a definition must be an object' },
      { kind: 'binding', name: 'amq.topic -> nothing (k)', vhost: 'v2', reason: "no queue 'nothing' in vhost 'v2'" },
    ]);
    expect((await fixture.get('/api/queues/v2/fine')).status).toBe(200);
  });

  test('what is there with other properties stays, as in the field', async () => {
    const queues = [{ name: 'q1', vhost: 'v1', durable: false, auto_delete: false, arguments: {} }];
    expect((await fixture.post('/api/definitions', { queues })).status).toBe(204);
    const report = (await fixture.post('/api/definitions?report=true', { queues })).json;
    expect(report.kept).toEqual([
      { kind: 'queue', name: 'q1', vhost: 'v1', reason: expect.stringContaining("inequivalent arg 'durable'") },
    ]);
    expect((await fixture.get('/api/queues/v1/q1')).json.durable).toBe(true);
  });

  test('a list that is none', async () => {
    expect((await fixture.post('/api/definitions', { queues: {} })).json.reason).toBe(
      'queues must be an array, got {}',
    );
  });
});

describe('a file of one virtual host', () => {
  test('fits another', async () => {
    const file = (await fixture.get('/api/definitions/v1')).json;
    expect(file).not.toHaveProperty('users');
    expect(file.queues[0]).not.toHaveProperty('vhost');
    expect(file.policies[0]).not.toHaveProperty('vhost');
    await fixture.put('/api/vhosts/copy');
    expect((await fixture.post('/api/definitions/copy', file)).status).toBe(204);
    const copy = (await fixture.get('/api/definitions/copy')).json;
    for (const key of ['queues', 'exchanges', 'bindings', 'policies', 'parameters'])
      expect(copy[key]).toEqual(file[key]);
    expect((await fixture.post('/api/definitions/nowhere', file)).json.reason).toBe('vhost_not_found');
    expect((await fixture.get('/api/definitions/nowhere')).status).toBe(404);
  });
});

describe('a file of RabbitMQ 4', () => {
  test('with types beside arguments, and metadata', async () => {
    const metadata = { description: 'four', tags: ['a'], default_queue_type: 'quorum' };
    const answer = await fixture.post('/api/definitions?report=true', {
      rabbitmq_definition_format: 'cluster',
      original_cluster_name: 'c',
      explanation: 'Definitions of cluster c',
      vhosts: [{ name: 'v4', description: 'four', tags: ['a'], default_queue_type: 'quorum', metadata }],
      queues: [{ name: 'qq', vhost: 'v4', type: 'quorum', durable: true, auto_delete: false, arguments: {} }],
    });
    expect(answer.json.refused).toEqual([]);
    expect((await fixture.get('/api/vhosts/v4')).json.metadata).toEqual(metadata);
    expect((await fixture.get('/api/queues/v4/qq')).json).toMatchObject({
      type: 'quorum',
      arguments: { 'x-queue-type': 'quorum' },
    });
  });
});

test('a browser’s form is taken too', async () => {
  const boundary = '----form';
  const payload = [
    `--${boundary}`,
    'Content-Disposition: form-data; name="file"; filename="d.json"',
    'Content-Type: application/json',
    '',
    JSON.stringify({ vhosts: [{ name: 'from-form' }] }),
    `--${boundary}--`,
    '',
  ].join('\r\n');
  const answer = await fixture.management.inject({
    method: 'POST',
    url: '/api/definitions',
    headers: {
      authorization: `Basic ${Buffer.from('guest:guest').toString('base64')}`,
      'content-type': `multipart/form-data; boundary=${boundary}`,
    },
    payload,
  });
  expect(answer.statusCode).toBe(204);
  expect((await fixture.get('/api/vhosts/from-form')).status).toBe(200);
});
