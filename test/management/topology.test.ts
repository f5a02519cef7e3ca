import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Fixture, startFixture } from './compose.js';

let fixture: Fixture;
beforeAll(async () => {
  fixture = await startFixture();
});
afterAll(() => fixture.close());

describe('queues', () => {
  test('PUT is 201 once and 204 again, and 400 with other properties, in the words of AMQP', async () => {
    const body = { durable: true, arguments: { 'x-max-length': 5 } };
    expect((await fixture.put('/api/queues/%2F/q1', body)).status).toBe(201);
    expect((await fixture.put('/api/queues/%2F/q1', body)).status).toBe(204);
    const other = await fixture.put('/api/queues/%2F/q1', { durable: false });
    expect(other.status).toBe(400);
    expect(other.json).toEqual({
      error: 'bad_request',
      reason: "inequivalent arg 'durable' for queue 'q1' in vhost '/': received 'false' but current is 'true'",
    });
    expect((await fixture.put('/api/queues/%2F/bad', { arguments: { 'x-max-length': -1 } })).status).toBe(400);
  });

  test('booleans come as texts too', async () => {
    expect((await fixture.put('/api/queues/%2F/texts', { durable: 'true', auto_delete: 'false' })).status).toBe(201);
    expect((await fixture.get('/api/queues/%2F/texts?columns=durable,auto_delete')).json).toEqual({
      auto_delete: false,
      durable: true,
    });
  });

  test('shows what the field shows', async () => {
    const { json } = await fixture.get('/api/queues/%2F/q1');
    expect(json).toMatchObject({
      name: 'q1',
      vhost: '/',
      durable: true,
      auto_delete: false,
      exclusive: false,
      type: 'classic',
      state: 'running',
      node: 'chapar@test',
      arguments: { 'x-max-length': 5 },
      consumers: 0,
      consumer_details: [],
      messages: 0,
      messages_details: { rate: 0 },
      messages_ready: 0,
      messages_unacknowledged: 0,
      policy: null,
      effective_policy_definition: {},
      exclusive_consumer_tag: null,
      message_bytes: 0,
    });
    const [basic] = (await fixture.get('/api/queues/%2F?disable_stats=true')).json;
    expect(basic).not.toHaveProperty('messages');
    const [totals] = (await fixture.get('/api/queues/%2F?disable_stats=true&enable_queue_totals=true')).json;
    expect(totals).toHaveProperty('messages', 0);
  });

  test('DELETE is 204, then 404; conditions are kept', async () => {
    await fixture.put('/api/queues/%2F/gone');
    expect((await fixture.delete('/api/queues/%2F/gone?if-empty=true&if-unused=true')).status).toBe(204);
    expect((await fixture.delete('/api/queues/%2F/gone')).status).toBe(404);
  });

  test('names with every kind of character', async () => {
    for (const name of ['a/b', '50%', 'ö ü', 'amq.default', '?#&=+', '%2F', 'x'.repeat(255)]) {
      const path = `/api/queues/%2F/${encodeURIComponent(name)}`;
      expect((await fixture.put(path)).status).toBe(name === 'amq.default' ? 401 : 201);
      if (name === 'amq.default') continue;
      expect((await fixture.get(path)).json.name).toBe(name);
    }
  });
});

test('names that AMQP could not say are refused', async () => {
  const long = 'ü'.repeat(128);
  for (const path of [`queues/%2F/${long}`, `exchanges/%2F/${long}`, `vhosts/${long}`]) {
    expect((await fixture.put(`/api/${encodeURI(path).replaceAll('%252F', '%2F')}`, {})).json.reason).toContain(
      'at most 255 bytes',
    );
  }
  expect((await fixture.post('/api/bindings/%2F/e/amq.topic/q/q1', { routing_key: long })).status).toBe(400);
});

describe('exchanges', () => {
  test('declared, shown, deleted; the broker’s own cannot be', async () => {
    const body = { type: 'topic', durable: true, internal: true, arguments: { 'alternate-exchange': 'amq.fanout' } };
    expect((await fixture.put('/api/exchanges/%2F/ex', body)).status).toBe(201);
    expect((await fixture.put('/api/exchanges/%2F/ex', body)).status).toBe(204);
    expect((await fixture.get('/api/exchanges/%2F/ex')).json).toMatchObject({
      name: 'ex',
      ...body,
      auto_delete: false,
    });
    expect((await fixture.put('/api/exchanges/%2F/ex', { type: 'fanout' })).status).toBe(400);
    expect((await fixture.put('/api/exchanges/%2F/odd', { type: 'odd' })).json.reason).toBe(
      "unknown exchange type 'odd'",
    );
    expect((await fixture.delete('/api/exchanges/%2F/amq.topic')).status).toBe(401);
    expect((await fixture.put('/api/exchanges/%2F/amq.mine', { type: 'fanout' })).status).toBe(401);
    expect((await fixture.delete('/api/exchanges/%2F/ex')).status).toBe(204);
    expect((await fixture.get('/api/exchanges/%2F/ex')).status).toBe(404);
  });

  test('messages that wait in one are counted and can be dropped', async () => {
    const path = '/api/exchanges/%2F/later';
    expect((await fixture.put(path, { type: 'x-delayed-message' })).status).toBe(400);
    const body = { type: 'x-delayed-message', durable: true, arguments: { 'x-delayed-type': 'fanout' } };
    expect((await fixture.put(path, body)).status).toBe(201);
    expect((await fixture.get(path)).json).toMatchObject({ ...body, messages_delayed: 0 });
    const message = { routing_key: '', payload: 'x', payload_encoding: 'string' };
    const delayed = { ...message, properties: { delivery_mode: 2, headers: { 'x-delay': 60_000 } } };
    for (let i = 0; i < 2; i++) {
      expect((await fixture.post(`${path}/publish`, delayed)).json).toEqual({ routed: true });
    }
    const endless = { ...message, properties: { headers: { 'x-delay': 'for ever' } } };
    expect((await fixture.post(`${path}/publish`, endless)).json.reason).toContain("invalid x-delay 'for ever'");
    expect((await fixture.get(path)).json.messages_delayed).toBe(2);
    expect((await fixture.delete(`${path}/delayed`)).status).toBe(204);
    expect((await fixture.get(path)).json.messages_delayed).toBe(0);
    expect((await fixture.delete('/api/exchanges/%2F/amq.topic/delayed')).json.reason).toBe(
      "exchange 'amq.topic' is not of type x-delayed-message, so no messages wait in it",
    );
    expect((await fixture.get('/api/exchanges/%2F/amq.topic')).json).not.toHaveProperty('messages_delayed');
    expect((await fixture.delete('/api/exchanges/%2F/nope/delayed')).status).toBe(404);
    expect((await fixture.delete(path)).status).toBe(204);
  });

  test('amq.default names the one without a name', async () => {
    expect((await fixture.get('/api/exchanges/%2F/amq.default')).json).toMatchObject({ name: '', type: 'direct' });
  });
});

describe('bindings', () => {
  beforeAll(async () => {
    await fixture.put('/api/exchanges/%2F/from', { type: 'topic', durable: true });
    await fixture.put('/api/queues/%2F/to', { durable: true });
  });

  test('POST names the new binding; it can be read and deleted by that name', async () => {
    const path = '/api/bindings/%2F/e/from/q/to';
    for (const [key, args, propertiesKey] of [
      ['', {}, '~'],
      ['a.*', {}, 'a.%2A'],
      ['x/y z~*', {}, 'x%2Fy+z%7E%2A'],
      ['a.*', { x: 'y', n: 1 }, /^a\.%2A~[\w-]+$/],
    ] as const) {
      const made = await fixture.post(path, { routing_key: key, arguments: args });
      expect(made.status).toBe(201);
      const location = String(made.headers['location']);
      expect(location).toMatch(/^to\/./);
      const named = `/api/bindings/%2F/e/from/q/${location}`;
      const read = await fixture.get(named);
      expect(read.json).toMatchObject({
        source: 'from',
        vhost: '/',
        destination: 'to',
        destination_type: 'queue',
        routing_key: key,
        arguments: args,
        properties_key: expect.stringMatching(propertiesKey instanceof RegExp ? propertiesKey : /./),
      });
      if (typeof propertiesKey === 'string') expect(read.json.properties_key).toBe(propertiesKey);
    }
    expect((await fixture.get(path)).json).toHaveLength(4);
    expect((await fixture.delete(`${path}/a.%252A`)).status).toBe(204);
    // Unquoted, as some clients send it.
    expect((await fixture.delete(`${path}/~`)).status).toBe(204);
    expect((await fixture.delete(`${path}/nothing`)).status).toBe(404);
    expect((await fixture.get(path)).json).toHaveLength(2);
  });

  test('lists hold the default binding of each queue, as the field’s do', async () => {
    const all = (await fixture.get('/api/bindings/%2F')).json as { source: string; destination: string }[];
    expect(all.filter(({ source, destination }) => source === '' && destination === 'to')).toHaveLength(1);
    const ofQueue = (await fixture.get('/api/queues/%2F/to/bindings')).json;
    expect(ofQueue[0]).toMatchObject({ source: '', destination: 'to', routing_key: 'to', properties_key: 'to' });
    expect((await fixture.get('/api/bindings/%2F/e/amq.default/q/to')).json).toHaveLength(1);
  });

  test('between exchanges, from both ends', async () => {
    expect((await fixture.post('/api/bindings/%2F/e/amq.direct/e/from', { routing_key: 'k' })).status).toBe(201);
    const expected = [
      expect.objectContaining({ source: 'amq.direct', destination: 'from', destination_type: 'exchange' }),
    ];
    expect((await fixture.get('/api/exchanges/%2F/from/bindings/destination')).json).toEqual(expected);
    expect((await fixture.get('/api/exchanges/%2F/amq.direct/bindings/source')).json).toEqual(expected);
    expect((await fixture.get('/api/bindings/%2F/e/amq.direct/e/from/k')).status).toBe(200);
    expect((await fixture.delete('/api/bindings/%2F/e/amq.direct/e/from/k')).status).toBe(204);
  });

  test('a missing end is 404 with its name', async () => {
    expect((await fixture.post('/api/bindings/%2F/e/from/q/nope', {})).json).toEqual({
      error: 'not_found',
      reason: "no queue 'nope' in vhost '/'",
    });
    expect((await fixture.post('/api/bindings/%2F/e/amq.default/q/to', {})).status).toBe(401);
  });
});

describe('virtual hosts', () => {
  test('made, changed, listed, deleted with what is in them', async () => {
    expect((await fixture.put('/api/vhosts/v%2F1', { description: 'one', tags: 'a,b' })).status).toBe(201);
    expect((await fixture.put('/api/vhosts/v%2F1', { tags: ['c'], default_queue_type: 'quorum' })).status).toBe(204);
    expect((await fixture.get('/api/vhosts/v%2F1')).json).toMatchObject({
      name: 'v/1',
      description: 'one',
      tags: ['c'],
      default_queue_type: 'quorum',
      metadata: { description: 'one', tags: ['c'], default_queue_type: 'quorum' },
      tracing: false,
      messages: 0,
    });
    expect((await fixture.put('/api/vhosts/v2', { default_queue_type: 'odd' })).status).toBe(400);
    expect((await fixture.delete('/api/vhosts/v%2F1')).status).toBe(204);
    expect((await fixture.delete('/api/vhosts/v%2F1')).status).toBe(404);
  });
});

describe('users', () => {
  test('made with a password or a hash, shown, changed, deleted', async () => {
    expect((await fixture.put('/api/users/alice', { password: 'secret', tags: 'management,other' })).status).toBe(201);
    const shown = (await fixture.get('/api/users/alice')).json;
    expect(shown).toMatchObject({ name: 'alice', tags: ['management', 'other'], limits: {} });
    expect((await fixture.get('/api/whoami', 'alice:secret')).status).toBe(200);
    // From RabbitMQ's documentation: "test12".
    const passwordHash = 'kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR';
    const hashed = await fixture.put('/api/users/alice', { password_hash: passwordHash, tags: ['monitoring'] });
    expect(hashed.status).toBe(204);
    expect((await fixture.get('/api/whoami', 'alice:secret')).status).toBe(401);
    expect((await fixture.get('/api/whoami', 'alice:test12')).json.tags).toEqual(['monitoring']);
    expect((await fixture.delete('/api/users/alice')).status).toBe(204);
    expect((await fixture.delete('/api/users/alice')).status).toBe(404);
  });

  test('tags are asked for; bad hashes are refused', async () => {
    expect((await fixture.put('/api/users/bob', { password: 'x' })).json).toEqual({
      error: 'bad_request',
      reason: 'tags_not_present',
    });
    expect((await fixture.put('/api/users/bob', { password_hash: 'odd', tags: '' })).status).toBe(400);
    const unknown = {
      password_hash: 'kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR',
      hashing_algorithm: 'odd',
      tags: '',
    };
    expect((await fixture.put('/api/users/bob', unknown)).status).toBe(400);
    expect((await fixture.get('/api/users/bob')).status).toBe(404);
  });

  test('many at once, and those without permissions', async () => {
    for (const name of ['u1', 'u2', 'u3']) await fixture.put(`/api/users/${name}`, { tags: '' });
    expect((await fixture.get('/api/users/without-permissions?columns=name')).json).toEqual([
      { name: 'u1' },
      { name: 'u2' },
      { name: 'u3' },
    ]);
    expect((await fixture.post('/api/users/bulk-delete', { users: ['u1', 'u2', 'nobody'] })).status).toBe(204);
    expect((await fixture.get('/api/users?columns=name')).json).toEqual([{ name: 'guest' }, { name: 'u3' }]);
    expect((await fixture.post('/api/users/bulk-delete', {})).json.reason).toBe('[{key_missing,users}]');
  });
});
