import type { JsonValue } from '@chapar/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addUser, type Fixture, startFixture } from './compose.js';

let fixture: Fixture;
beforeAll(async () => {
  fixture = await startFixture();
  await addUser(fixture, 'u1', ['management']);
});
afterAll(() => fixture.close());

describe('permissions', () => {
  test('set, changed, listed from all sides, cleared', async () => {
    const record = { configure: '^a', write: '.*', read: '' };
    expect((await fixture.put('/api/permissions/%2F/u1', record)).status).toBe(201);
    expect((await fixture.put('/api/permissions/%2F/u1', record)).status).toBe(204);
    const row = { user: 'u1', vhost: '/', ...record };
    expect((await fixture.get('/api/permissions/%2F/u1')).json).toEqual(row);
    expect((await fixture.get('/api/users/u1/permissions')).json).toEqual([row]);
    expect((await fixture.get('/api/vhosts/%2F/permissions')).json).toContainEqual(row);
    expect((await fixture.get('/api/permissions')).json).toContainEqual(row);
    expect((await fixture.delete('/api/permissions/%2F/u1')).status).toBe(204);
    expect((await fixture.delete('/api/permissions/%2F/u1')).status).toBe(404);
  });

  test('refuses what cannot be', async () => {
    expect((await fixture.put('/api/permissions/%2F/u1', {})).json.reason).toBe(
      '[{key_missing,configure},{key_missing,write},{key_missing,read}]',
    );
    const all = { configure: '', write: '', read: '' };
    expect((await fixture.put('/api/permissions/%2F/nobody', all)).json.reason).toBe('vhost_or_user_not_found');
    expect((await fixture.put('/api/permissions/%2F/u1', { ...all, read: '(?=x)' })).status).toBe(400);
  });

  test('topic permissions, by exchange', async () => {
    const path = '/api/topic-permissions/%2F/u1';
    const topic = { exchange: 'amq.topic', write: '^a', read: '^b' };
    expect((await fixture.put(path, topic)).status).toBe(201);
    expect((await fixture.put(path, { ...topic, exchange: 'other' })).status).toBe(204);
    expect((await fixture.get(path)).json).toHaveLength(2);
    expect((await fixture.get('/api/users/u1/topic-permissions')).json).toContainEqual({
      user: 'u1',
      vhost: '/',
      ...topic,
    });
    expect((await fixture.delete(`${path}/other`)).status).toBe(204);
    expect((await fixture.get('/api/vhosts/%2F/topic-permissions')).json).toHaveLength(1);
    expect((await fixture.delete(path)).status).toBe(204);
    expect((await fixture.get('/api/topic-permissions')).json).toEqual([]);
    expect((await fixture.put(path, { exchange: 'x', write: '' })).json.reason).toBe('[{key_missing,read}]');
  });
});

describe('parameters', () => {
  test('per virtual host and global', async () => {
    const path = '/api/parameters/federation-upstream/%2F/up';
    expect((await fixture.put(path, { value: { uri: 'amqp://x' } })).status).toBe(201);
    expect((await fixture.put(path, { value: { uri: 'amqp://y' } })).status).toBe(204);
    const row = { component: 'federation-upstream', vhost: '/', name: 'up', value: { uri: 'amqp://y' } };
    for (const list of ['', '/federation-upstream', '/federation-upstream/%2F']) {
      expect((await fixture.get(`/api/parameters${list}`)).json).toEqual([row]);
    }
    expect((await fixture.get(path)).json).toEqual(row);
    expect((await fixture.delete(path)).status).toBe(204);
    expect((await fixture.put(path, {})).json.reason).toBe('[{key_missing,value}]');
    expect((await fixture.put('/api/global-parameters/g', { value: false })).status).toBe(201);
    expect((await fixture.get('/api/global-parameters')).json).toEqual([{ name: 'g', value: false }]);
    expect((await fixture.get('/api/global-parameters/g')).json).toEqual({ name: 'g', value: false });
    expect((await fixture.delete('/api/global-parameters/g')).status).toBe(204);
    expect((await fixture.get('/api/global-parameters/g')).status).toBe(404);
  });
});

describe('limits', () => {
  test('of a virtual host act at once', async () => {
    await fixture.put('/api/vhosts/small');
    await fixture.put('/api/permissions/small/guest', { configure: '.*', write: '.*', read: '.*' });
    expect((await fixture.put('/api/vhost-limits/small/max-queues', { value: 1 })).status).toBe(204);
    expect((await fixture.get('/api/vhost-limits')).json).toEqual([{ vhost: 'small', value: { 'max-queues': 1 } }]);
    expect((await fixture.get('/api/vhost-limits/%2F')).json).toEqual([]);
    expect((await fixture.put('/api/queues/small/q1')).status).toBe(201);
    const refused = await fixture.put('/api/queues/small/q2');
    expect(refused.status).toBe(400);
    expect(refused.json.reason).toContain('queue limit');
    expect((await fixture.delete('/api/vhost-limits/small/max-queues')).status).toBe(204);
    expect((await fixture.put('/api/queues/small/q2')).status).toBe(201);
    expect((await fixture.delete('/api/vhost-limits/small/max-queues')).status).toBe(204);
    expect((await fixture.put('/api/vhost-limits/nope/max-queues', { value: 1 })).json.reason).toBe('vhost_not_found');
  });

  // As RabbitMQ 3.10.8 answers, with JSON where it shows Erlang terms.
  test.each<[string, JsonValue, string]>([
    ['vhost-limits/%2F/max-queues', {}, '[{key_missing,value}]'],
    [
      'vhost-limits/%2F/max-foo',
      { value: 1 },
      'Validation failed\n\nUnrecognised terms {"max-foo":1} in limits; known are max-connections and max-queues\n',
    ],
    [
      'vhost-limits/%2F/max-queues',
      { value: '5' },
      'Validation failed\n\nmax-queues should be a number, actually was "5"\n',
    ],
    [
      'vhost-limits/%2F/max-queues',
      { value: 1.5 },
      'Validation failed\n\nmax-queues should be a number, actually was 1.5\n',
    ],
    [
      'user-limits/u1/max-foo',
      { value: 1 },
      'Unrecognised terms {"max-foo":1} in user-limits; known are max-connections and max-channels',
    ],
    ['user-limits/u1/max-channels', { value: 'x' }, 'max-channels should be a number, actually was "x"'],
  ])('%s: %j is refused', async (path, body, reason) => {
    const answer = await fixture.put(`/api/${path}`, body);
    expect([answer.status, answer.json]).toEqual([400, { error: 'bad_request', reason }]);
  });

  test('of a user are kept with the user, and leave the password', async () => {
    expect((await fixture.put('/api/user-limits/u1/max-channels', { value: 5 })).status).toBe(204);
    expect((await fixture.get('/api/user-limits')).json).toEqual([{ user: 'u1', value: { 'max-channels': 5 } }]);
    expect((await fixture.get('/api/user-limits/u1', 'u1:pw')).json).toHaveLength(1);
    expect((await fixture.get('/api/user-limits/guest', 'u1:pw')).status).toBe(401);
    expect((await fixture.get('/api/users/u1')).json.limits).toEqual({ 'max-channels': 5 });
    expect((await fixture.delete('/api/user-limits/u1/max-channels')).status).toBe(204);
    expect((await fixture.get('/api/user-limits')).json).toEqual([]);
    expect((await fixture.put('/api/user-limits/nobody/max-channels', { value: 5 })).status).toBe(400);
  });
});

describe('facts', () => {
  test('the overview has what tools look for', async () => {
    const { json } = await fixture.get('/api/overview');
    expect(json).toMatchObject({
      cluster_name: 'test',
      node: 'chapar@test',
      product_name: 'Chapar',
      rabbitmq_version: '4.1.0',
      management_version: '4.1.0',
      chapar_version: '0.1.0',
      object_totals: { connections: 0, channels: 0, consumers: 0 },
      queue_totals: { messages: 0, messages_ready: 0, messages_unacknowledged: 0 },
      message_stats: {},
      listeners: [
        { protocol: 'amqp', port: 5672 },
        { protocol: 'http', port: 15672 },
      ],
      contexts: [{ port: '15672' }],
    });
    const types = json.exchange_types.map(({ name }: { name: string }) => name);
    expect(types).toEqual(expect.arrayContaining(['headers', 'x-consistent-hash', 'x-modulus-hash', 'x-random']));
    expect((await fixture.get('/api/overview', 'u1:pw')).json).not.toHaveProperty('listeners');
  });

  test('nodes', async () => {
    const [node] = (await fixture.get('/api/nodes')).json;
    expect(node).toMatchObject({ name: 'chapar@test', running: true, type: 'disc', partitions: [], mem_alarm: false });
    expect(node.mem_used).toBeGreaterThan(1_000_000);
    expect((await fixture.get('/api/nodes/chapar@test?memory=true')).json.memory.total.rss).toBeGreaterThan(1_000_000);
    expect((await fixture.get('/api/nodes/other')).status).toBe(404);
    expect((await fixture.get('/api/nodes', 'u1:pw')).status).toBe(401);
  });

  test('small ones', async () => {
    expect((await fixture.get('/api/cluster-name')).json).toEqual({ name: 'test' });
    expect((await fixture.get('/api/version', null)).json).toBe('4.1.0');
    expect((await fixture.get('/api/extensions')).json).toEqual([]);
    const hash = (await fixture.get('/api/auth/hash_password/secret')).json.ok;
    await fixture.put('/api/users/hashed', { password_hash: hash, tags: 'management' });
    expect((await fixture.get('/api/whoami', 'hashed:secret')).status).toBe(200);
  });
});

describe('a virtual host', () => {
  test('that is protected is not deleted', async () => {
    const path = '/api/vhosts/dear';
    expect((await fixture.post(`${path}/deletion/protection`)).status).toBe(404);
    await fixture.put(path, { description: 'd' });
    expect((await fixture.post(`${path}/deletion/protection`)).status).toBe(204);
    await fixture.put(path, { description: 'e' });
    expect((await fixture.get(path)).json).toMatchObject({ description: 'e', protected_from_deletion: true });
    const refused = await fixture.delete(path);
    expect([refused.status, refused.json]).toEqual([
      412,
      {
        error: 'precondition_failed',
        reason: "Refusing to delete virtual host 'dear' because it is protected from deletion",
      },
    ]);
    const { vhosts } = (await fixture.get('/api/definitions')).json;
    expect(vhosts).toContainEqual(
      expect.objectContaining({ name: 'dear', metadata: expect.objectContaining({ protected_from_deletion: true }) }),
    );
    expect((await fixture.delete(`${path}/deletion/protection`)).status).toBe(204);
    expect((await fixture.delete(path)).status).toBe(204);
  });

  test('gives queues that name no type its own', async () => {
    await fixture.put('/api/vhosts/typed', { default_queue_type: 'quorum' });
    await fixture.put('/api/permissions/typed/guest', { configure: '.*', write: '.*', read: '.*' });
    for (const status of [201, 204]) {
      expect((await fixture.put('/api/queues/typed/q', { durable: true })).status).toBe(status);
    }
    await fixture.put('/api/queues/typed/t', { durable: false });
    await fixture.put('/api/queues/typed/c', { durable: true, arguments: { 'x-queue-type': 'classic' } });
    const shown = (await fixture.get('/api/queues/typed?columns=name,type,arguments&sort=name')).json;
    expect(shown).toEqual([
      { name: 'c', type: 'classic', arguments: { 'x-queue-type': 'classic' } },
      { name: 'q', type: 'quorum', arguments: { 'x-queue-type': 'quorum' } },
      { name: 't', type: 'classic', arguments: {} },
    ]);
    // An import keeps what a queue was.
    const queues = [{ name: 'old', vhost: 'typed', type: 'classic', durable: true, arguments: {} }];
    expect((await fixture.post('/api/definitions', { queues })).status).toBe(204);
    expect((await fixture.get('/api/queues/typed/old')).json.type).toBe('classic');
    expect((await fixture.put('/api/vhosts/typed', { default_queue_type: 'odd' })).status).toBe(400);
  });
});
