import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addUser, type Fixture, startFixture, token } from './compose.js';

let fixture: Fixture;
beforeAll(async () => {
  fixture = await startFixture();
});
afterAll(() => fixture.close());

describe('who is let in', () => {
  test('nobody without a password, and the browser is asked for one', async () => {
    const answer = await fixture.get('/api/overview', null);
    expect(answer.status).toBe(401);
    expect(answer.headers['www-authenticate']).toMatch(/^Basic realm=/);
  });

  test('not with a wrong password, nor with half a header', async () => {
    const wrong = await fixture.get('/api/overview', 'guest:wrong');
    expect(wrong.status).toBe(401);
    expect(wrong.json).toEqual({ error: 'not_authorized', reason: 'Login failed' });
    expect((await fixture.get('/api/overview', 'guest')).status).toBe(401);
    expect((await fixture.get('/api/overview', 'token:wrong')).status).toBe(401);
  });

  test('with this node’s token as an administrator who needs no permissions', async () => {
    expect((await fixture.get('/api/whoami', `token:${token}`)).json).toEqual({
      name: 'chapar-cli',
      tags: ['administrator'],
    });
    expect((await fixture.put('/api/queues/%2F/by-token', { durable: true }, `token:${token}`)).status).toBe(201);
  });

  test('not a user without tags of the API', async () => {
    const plain = await addUser(fixture, 'plain', ['impersonator'], ['/']);
    const answer = await fixture.get('/api/whoami', plain);
    expect(answer.status).toBe(401);
    expect(answer.json).toEqual({ error: 'not_authorised', reason: 'Not management user' });
  });

  test('a body is not even read from somebody unknown', async () => {
    const answer = await fixture.put('/api/users/x', 'x'.repeat(3 * 1024 * 1024), null);
    expect(answer.status).toBe(401);
  });
});

describe('what tags and permissions allow', () => {
  test('management: own virtual hosts only, and no users', async () => {
    await fixture.put('/api/vhosts/other');
    const manager = await addUser(fixture, 'manager', ['management'], ['other']);
    expect((await fixture.get('/api/vhosts?columns=name', manager)).json).toEqual([{ name: 'other' }]);
    expect((await fixture.get('/api/queues/%2F', manager)).status).toBe(401);
    expect((await fixture.get('/api/queues/other', manager)).status).toBe(200);
    expect((await fixture.get('/api/users', manager)).json).toEqual({
      error: 'not_authorised',
      reason: 'Not administrator user',
    });
    expect((await fixture.put('/api/vhosts/mine', {}, manager)).status).toBe(401);
    const listed = (await fixture.get('/api/exchanges?columns=vhost', manager)).json as { vhost: string }[];
    expect(new Set(listed.map(({ vhost }) => vhost))).toEqual(new Set(['other']));
  });

  test('monitoring: sees all virtual hosts, not what is in them', async () => {
    const monitor = await addUser(fixture, 'monitor', ['monitoring']);
    const names = (await fixture.get('/api/vhosts?columns=name', monitor)).json;
    expect(names).toEqual([{ name: '/' }, { name: 'other' }]);
    expect((await fixture.get('/api/queues/%2F', monitor)).status).toBe(401);
    expect((await fixture.get('/api/queues', monitor)).json).toEqual([]);
  });

  test('an administrator without permissions sees a queue, and may not declare one', async () => {
    const admin = await addUser(fixture, 'admin', ['administrator']);
    expect((await fixture.get('/api/queues/%2F/by-token', admin)).status).toBe(200);
    const refused = await fixture.put('/api/queues/%2F/more', {}, admin);
    expect(refused.status).toBe(401);
    expect(refused.json.error).toBe('not_authorised');
  });

  test('permissions on names are those of AMQP', async () => {
    const narrow = await addUser(fixture, 'narrow', ['management']);
    await fixture.broker.permissions.set('/', 'narrow', { configure: '^mine', write: '^mine', read: '' });
    expect((await fixture.put('/api/queues/%2F/mine-1', {}, narrow)).status).toBe(201);
    const refused = await fixture.put('/api/queues/%2F/yours', {}, narrow);
    expect(refused.status).toBe(401);
    expect(refused.json.reason).toContain("configure access to queue 'yours' in vhost '/' refused for user 'narrow'");
    expect((await fixture.delete('/api/queues/%2F/mine-1/contents', narrow)).status).toBe(401);
  });
});

describe('paths and methods', () => {
  test('what is not there is 404 in the field’s words', async () => {
    for (const path of ['/api/nothing', '/api/queues/%2F/nothing', '/api/queues/nothing', '/nothing']) {
      const answer = await fixture.get(path);
      expect(answer.status).toBe(404);
      expect(answer.json).toEqual({ error: 'Object Not Found', reason: 'Not Found' });
    }
    expect((await fixture.put('/api/queues/nothing/q')).json).toEqual({
      error: 'not_found',
      reason: 'vhost_not_found',
    });
  });

  test('a method that a path does not take is 405 with those that it takes', async () => {
    const answer = await fixture.post('/api/overview', {});
    expect(answer.status).toBe(405);
    expect(answer.headers['allow']).toBe('GET, HEAD, OPTIONS');
    const options = await fixture.request('OPTIONS', '/api/queues/%2F/q', undefined, null);
    expect(options.status).toBe(200);
    expect(options.headers['allow']).toBe('GET, PUT, DELETE, HEAD, OPTIONS');
  });

  test('HEAD answers as GET without a body', async () => {
    const answer = await fixture.request('HEAD', '/api/overview');
    expect(answer.status).toBe(200);
    expect(answer.text).toBe('');
  });

  test('a path that cannot be decoded is the caller’s fault', async () => {
    expect((await fixture.get('/api/queues/%ZZ/q')).status).toBe(400);
  });
});

describe('bodies', () => {
  test('bad JSON says where it is bad', async () => {
    const answer = await fixture.put('/api/queues/%2F/q', '{\n  "durable": tru\n}');
    expect(answer.status).toBe(400);
    expect(answer.json.error).toBe('bad_request');
    expect(answer.json.reason).toBe('not_json: the body is not JSON from line 2, column 14 on');
    expect((await fixture.put('/api/queues/%2F/q', '{"durable": true')).json.reason).toContain('line 1, column 17');
    expect((await fixture.put('/api/queues/%2F/q', '[]')).json.reason).toContain('must be an object');
  });

  test('a body that is too large, or nested too deep, is refused', async () => {
    expect((await fixture.put('/api/queues/%2F/q', `{"x":"${'x'.repeat(2 * 1024 * 1024)}"}`)).status).toBe(413);
    const deep = `{"arguments":${'['.repeat(100_000)}${']'.repeat(100_000)}}`;
    expect((await fixture.put('/api/queues/%2F/q', deep)).status).toBe(400);
  });

  test('a value of the wrong type names its key', async () => {
    const answer = await fixture.put('/api/queues/%2F/q', { durable: 'maybe' });
    expect(answer.json.reason).toBe('durable must be true or false, got "maybe"');
  });
});

describe('health', () => {
  test('live and ready need no password', async () => {
    expect((await fixture.get('/health/live', null)).json).toEqual({ status: 'ok' });
    expect((await fixture.get('/health/ready', null)).status).toBe(200);
    fixture.ready = false;
    const answer = await fixture.get('/health/ready', null);
    fixture.ready = true;
    expect(answer.status).toBe(503);
    expect(answer.json.status).toBe('failed');
  });

  test('the field’s checks', async () => {
    expect((await fixture.get('/api/aliveness-test/%2F')).json).toEqual({ status: 'ok' });
    expect((await fixture.get('/api/health/checks/port-listener/5672')).json).toEqual({ status: 'ok', port: 5672 });
    expect((await fixture.get('/api/health/checks/port-listener/1')).status).toBe(503);
    expect((await fixture.get('/api/health/checks/protocol-listener/amqp')).status).toBe(200);
    expect((await fixture.get('/api/health/checks/protocol-listener/mqtt')).status).toBe(503);
  });
});
