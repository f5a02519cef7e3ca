import type { SessionView } from '@chapar/core';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { addUser, type Fixture, startFixture } from './compose.js';
import { fakeSession } from './fake-session.js';

let fixture: Fixture;
let ended: string[];
beforeEach(async () => {
  fixture = await startFixture();
  await fixture.put('/api/vhosts/other', {});
  await addUser(fixture, 'alice', ['management'], ['/']);
  await addUser(fixture, 'monitor', ['monitoring'], ['/']);
  ended = [];
  fixture.broker.sessions = [
    session('/', 'hers', 'alice', { connection: '127.0.0.1:1 -> 127.0.0.1:1883', disconnectedAtMs: 0 }),
    session('/', 'a/b', 'bob', { expirySeconds: Number.POSITIVE_INFINITY }),
    session('other', 'hers', 'bob'),
  ];
});
afterEach(() => fixture.close());

const session = (vhost: string, clientId: string, user: string, more: Partial<SessionView> = {}): SessionView =>
  fakeSession(vhost, clientId, user, (reason) => ended.push(`${vhost} ${clientId}: ${reason}`), more);

const ids = async (path: string, as?: string) =>
  (await fixture.request('GET', path, undefined, as)).json.map((row: { client_id: string }) => row.client_id);

test('a list of them, in the order of their names', async () => {
  expect(await ids('/api/mqtt/sessions')).toEqual(['a/b', 'hers', 'hers']);
  expect(await ids('/api/mqtt/sessions/other')).toEqual(['hers']);
  expect((await fixture.get('/api/mqtt/sessions?page=1&page_size=1')).json).toMatchObject({
    total_count: 3,
    items: [
      {
        client_id: 'a/b',
        connected: false,
        connection: null,
        disconnected_at: 1000,
        expiry_seconds: null,
        node: 'chapar@test',
        queue: 'mqtt-subscription-a/bqos1',
        subscription_count: 1,
        user: 'bob',
        vhost: '/',
      },
    ],
  });
});

test('one, with its subscriptions', async () => {
  expect((await fixture.get('/api/mqtt/sessions/%2F/hers')).json).toMatchObject({
    connected: true,
    disconnected_at: null,
    expiry_seconds: 60,
    subscriptions: [{ filter: 'a/#', qos: 1 }],
  });
  expect((await fixture.get('/api/mqtt/sessions/%2F/nobody')).status).toBe(404);
  expect((await fixture.get('/api/mqtt/sessions/nowhere/hers')).status).toBe(404);
});

test('everybody sees and ends their own, monitors see all', async () => {
  expect(await ids('/api/mqtt/sessions', 'alice:pw')).toEqual(['hers']);
  expect(await ids('/api/mqtt/sessions', 'monitor:pw')).toEqual(['a/b', 'hers', 'hers']);
  const as = async (method: string, client: string, who: string) =>
    (await fixture.request(method, `/api/mqtt/sessions/%2F/${encodeURIComponent(client)}`, undefined, who)).status;
  expect(await as('GET', 'a/b', 'alice:pw')).toBe(401);
  expect(await as('DELETE', 'a/b', 'alice:pw')).toBe(401);
  expect(await as('DELETE', 'a/b', 'monitor:pw')).toBe(401);
  expect(ended).toEqual([]);
  expect(await as('DELETE', 'hers', 'alice:pw')).toBe(204);
  expect(await as('DELETE', 'a/b', 'guest:guest')).toBe(204);
  expect(ended).toEqual(['/ hers: Closed via management plugin', '/ a/b: Closed via management plugin']);
});
