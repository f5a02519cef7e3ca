import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { addUser, type Fixture, startFixture } from './compose.js';
import { FakeConnection } from './fake-connection.js';

let fixture: Fixture;
let hers: FakeConnection;
let his: FakeConnection;
beforeEach(async () => {
  fixture = await startFixture();
  await fixture.put('/api/queues/%2F/q', {});
  await addUser(fixture, 'alice', ['management'], ['/']);
  await addUser(fixture, 'monitor', ['monitoring']);
  const queue = fixture.broker.topology.vhosts.get('/')!.localQueue('q')!;
  hers = new FakeConnection(fixture.broker, 'alice', '/', 1001).channel(queue).channel();
  his = new FakeConnection(fixture.broker, 'bob', '/', 1002).channel();
});
afterEach(() => fixture.close());

const path = ({ name }: FakeConnection, rest = '') => `/api/connections/${encodeURIComponent(name)}${rest}`;
const names = (rows: { name: string }[]) => rows.map(({ name }) => name);

describe('connections', () => {
  test('of a user that is deleted are closed, nobody else’s', async () => {
    expect((await fixture.delete('/api/users/alice')).status).toBe(204);
    expect([hers.closedFor, his.closedFor]).toEqual(["user 'alice' is deleted", null]);
  });

  test('in the field’s shape', async () => {
    expect((await fixture.get(path(hers))).json).toEqual({
      auth_mechanism: 'PLAIN',
      blocked_reason: null,
      channel_max: 2047,
      channels: 2,
      client_properties: { product: 'fake', 'big-number': 9007199254740992, when: 5 },
      connected_at: 1_700_000_000_000,
      frame_max: 131_072,
      host: '127.0.0.1',
      last_blocked_age: 'infinity',
      last_blocked_by: 'none',
      name: '127.0.0.1:1001 -> 127.0.0.1:5672',
      node: 'chapar@test',
      peer_cert_issuer: null,
      peer_cert_subject: null,
      peer_cert_validity: null,
      peer_host: '127.0.0.1',
      peer_port: 1001,
      port: 5672,
      protocol: 'AMQP 0-9-1',
      recv_oct: 10,
      recv_oct_details: { rate: 0 },
      send_oct: 20,
      send_oct_details: { rate: 0 },
      send_pend: 0,
      ssl: false,
      ssl_cipher: null,
      ssl_hash: null,
      ssl_key_exchange: null,
      ssl_protocol: null,
      state: 'running',
      timeout: 60,
      type: 'network',
      user: 'alice',
      user_provided_name: 'mine',
      user_who_performed_action: 'alice',
      vhost: '/',
    });
  });

  test('everybody sees their own, monitors all', async () => {
    expect(names((await fixture.get('/api/connections')).json)).toEqual([hers.name, his.name]);
    expect(names((await fixture.get('/api/connections', 'monitor:pw')).json)).toEqual([hers.name, his.name]);
    expect(names((await fixture.get('/api/connections', 'alice:pw')).json)).toEqual([hers.name]);
    expect(names((await fixture.get('/api/vhosts/%2F/connections', 'alice:pw')).json)).toEqual([hers.name]);
    expect(names((await fixture.get('/api/connections/username/bob')).json)).toEqual([his.name]);
    expect((await fixture.get('/api/connections/username/bob', 'alice:pw')).status).toBe(401);
    expect((await fixture.get(path(his), 'alice:pw')).status).toBe(401);
    expect((await fixture.get('/api/connections/none')).status).toBe(404);
    expect((await fixture.get('/api/overview', 'alice:pw')).json.object_totals).toMatchObject({
      connections: 1,
      channels: 2,
    });
  });

  test('everybody closes their own, administrators all', async () => {
    expect((await fixture.delete(path(his), 'monitor:pw')).status).toBe(401);
    expect((await fixture.delete(path(his), 'alice:pw')).status).toBe(401);
    expect(his.closedFor).toBeNull();
    expect((await fixture.delete(path(hers), 'alice:pw')).status).toBe(204);
    expect(hers.closedFor).toBe('Closed via management plugin');
    const answer = await fixture.management.inject({
      method: 'DELETE',
      url: '/api/connections/username/bob',
      headers: { authorization: `Basic ${Buffer.from('guest:guest').toString('base64')}`, 'x-reason': 'because' },
    });
    expect(answer.statusCode).toBe(204);
    expect(his.closedFor).toBe('because');
    expect((await fixture.get('/api/connections')).json).toEqual([]);
  });
});

describe('channels and consumers', () => {
  test('channels in the field’s shape', async () => {
    const name = `${hers.name} (1)`;
    const { json } = await fixture.get(`/api/channels/${encodeURIComponent(name)}`);
    expect(json).toMatchObject({
      acks_uncommitted: 0,
      confirm: true,
      connection_details: { name: hers.name, peer_host: '127.0.0.1', peer_port: 1001 },
      consumer_count: 1,
      global_prefetch_count: 0,
      message_stats: { ack: 2, confirm: 3, deliver_get: 4, publish: 3, return_unroutable: 1 },
      messages_unacknowledged: 2,
      messages_uncommitted: 0,
      messages_unconfirmed: 0,
      name,
      node: 'chapar@test',
      number: 1,
      prefetch_count: 5,
      state: 'running',
      transactional: false,
      user: 'alice',
      vhost: '/',
    });
    expect(json.consumer_details).toHaveLength(1);
    expect((await fixture.get(`/api/channels/${encodeURIComponent(`${hers.name} (9)`)}`)).status).toBe(404);
    expect((await fixture.get(`/api/channels/${encodeURIComponent(`${his.name} (1)`)}`, 'alice:pw')).status).toBe(404);
  });

  test('channels of all, of a connection, of a virtual host', async () => {
    const all = [`${hers.name} (1)`, `${hers.name} (2)`, `${his.name} (1)`];
    expect(names((await fixture.get('/api/channels')).json)).toEqual(all);
    expect(names((await fixture.get('/api/vhosts/%2F/channels')).json)).toEqual(all);
    expect(names((await fixture.get(path(hers, '/channels'))).json)).toEqual(all.slice(0, 2));
    expect(names((await fixture.get('/api/channels', 'alice:pw')).json)).toEqual(all.slice(0, 2));
  });

  test('which consumer a queue serves that serves one at a time', async () => {
    await fixture.put('/api/queues/%2F/single', { arguments: { 'x-single-active-consumer': true } });
    const queue = fixture.broker.topology.vhosts.get('/')!.localQueue('single')!;
    expect((await fixture.get('/api/queues/%2F/single')).json.single_active_consumer_tag).toBeNull();
    his.channel(queue);
    hers.channel(queue);
    const { json } = await fixture.get('/api/consumers/%2F');
    const active = (json as { active: boolean; activity_status: string }[]).map((each) => [
      each.activity_status,
      each.active,
    ]);
    expect(active.sort()).toEqual([
      ['single_active', true],
      ['up', true],
      ['waiting', false],
    ]);
    expect((await fixture.get('/api/queues/%2F/single')).json).toMatchObject({
      single_active_consumer_tag: 'ctag-single',
      exclusive_consumer_tag: null,
    });
  });

  test('consumers, and those of a queue', async () => {
    const consumer = {
      ack_required: true,
      active: true,
      activity_status: 'up',
      arguments: {},
      channel_details: {
        connection_name: hers.name,
        name: `${hers.name} (1)`,
        node: 'chapar@test',
        number: 1,
        peer_host: '127.0.0.1',
        peer_port: 1001,
        user: 'alice',
      },
      consumer_tag: 'ctag-q',
      exclusive: false,
      prefetch_count: 5,
      queue: { name: 'q', vhost: '/' },
    };
    expect((await fixture.get('/api/consumers')).json).toEqual([consumer]);
    expect((await fixture.get('/api/consumers/%2F')).json).toEqual([consumer]);
    expect((await fixture.get('/api/consumers', 'monitor:pw')).json).toEqual([]);
    const queue = (await fixture.get('/api/queues/%2F/q')).json;
    expect(queue.consumers).toBe(1);
    expect(queue.consumer_details).toEqual([consumer]);
    const inUse = await fixture.delete('/api/queues/%2F/q?if-unused=true');
    expect(inUse.status).toBe(400);
    expect(inUse.json.reason).toBe("queue 'q' in vhost '/' in use");
  });
});

test('a deleted virtual host takes its connections along', async () => {
  await fixture.put('/api/vhosts/v');
  const there = new FakeConnection(fixture.broker, 'alice', 'v', 1003);
  await fixture.delete('/api/vhosts/v');
  expect(there.closedFor).toContain("vhost 'v' is deleted");
});
