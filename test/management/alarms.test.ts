import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Fixture, startFixture } from './compose.js';
import { FakeConnection } from './fake-connection.js';

let fixture: Fixture;
beforeAll(async () => {
  fixture = await startFixture();
});
afterAll(() => fixture.close());

const get = async (path: string) => fixture.get(path);

test('without an alarm the checks are fine and nobody is blocked', async () => {
  for (const name of ['alarms', 'local-alarms']) {
    expect(await get(`/api/health/checks/${name}`)).toMatchObject({ status: 200, json: { status: 'ok' } });
  }
  const [node] = (await get('/api/nodes')).json;
  expect(node).toMatchObject({ mem_alarm: false, disk_free_alarm: false, alarms: [], disk_free_limit: 50_000_000 });
  expect(node.mem_limit).toBe(fixture.broker.resources.memoryBytesMax);
  expect(node.mem_used).toBeGreaterThan(10_000_000);
  new FakeConnection(fixture.broker, 'guest', '/', 1001);
  const [connection] = (await get('/api/connections')).json;
  expect(connection).toMatchObject({ blocked_reason: null, last_blocked_age: 'infinity', last_blocked_by: 'none' });
});

test('an alarm is told with what, why, since when, and who waits', async () => {
  fixture.broker.alarms.raise('memory', 'memory is short');
  fixture.broker.alarms.raise('disk', 'disk space is short');
  fixture.broker.alarms.raise('disk-pace', 'the disk is behind', false);
  for (const name of ['alarms', 'local-alarms']) {
    const { status, json } = await get(`/api/health/checks/${name}`);
    expect(status).toBe(503);
    expect(json).toMatchObject({ status: 'failed', reason: 'resource alarm(s) in effect' });
    expect(json.alarms).toMatchObject([
      { resource: 'memory', node: 'chapar@test', reason: 'memory is short' },
      { resource: 'disk', node: 'chapar@test', reason: 'disk space is short' },
    ]);
    expect(Math.abs(Date.now() - json.alarms[0].since)).toBeLessThan(60_000);
  }
  const [node] = (await get('/api/nodes')).json;
  expect(node).toMatchObject({ mem_alarm: true, disk_free_alarm: true });
  expect((await get('/api/overview')).json.alarms).toHaveLength(2);

  const waiting = new FakeConnection(fixture.broker, 'guest', '/', 1002);
  Object.assign(waiting, { blocked: { reason: 'memory is short', lastBlockedAtMs: Date.now() - 5000 } });
  const { json } = await get(`/api/connections/${encodeURIComponent(waiting.name)}`);
  expect(json).toMatchObject({ blocked_reason: 'memory is short', last_blocked_by: 'resource' });
  expect(json.last_blocked_age).toBeGreaterThanOrEqual(5);
  expect(json.last_blocked_age).toBeLessThan(60);
});

test('it is over when it is over', async () => {
  for (const source of ['memory', 'disk', 'disk-pace']) fixture.broker.alarms.clear(source);
  expect((await get('/api/health/checks/alarms')).status).toBe(200);
});

test('durability is shown', async () => {
  expect((await get('/api/overview')).json.durability).toBe('in memory, for a test');
  expect((await get('/api/nodes')).json[0].durability).toBe('in memory, for a test');
});
