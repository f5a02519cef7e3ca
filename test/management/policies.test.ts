import type { JsonValue } from '@chapar/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addUser, type Fixture, startFixture } from './compose.js';

let fixture: Fixture;
beforeAll(async () => {
  fixture = await startFixture();
});
afterAll(() => fixture.close());

const definition = { 'message-ttl': 1 };

describe.each(['policies', 'operator-policies'])('%s', (kind) => {
  const path = `/api/${kind}/%2F/p1`;

  test('are stored and listed in the field’s shape', async () => {
    const policy = { pattern: '^a', definition: { 'max-length': 5 }, priority: 1, 'apply-to': 'queues' };
    expect((await fixture.put(path, policy)).status).toBe(201);
    expect((await fixture.put(path, policy)).status).toBe(204);
    expect((await fixture.get(path)).text).toBe(
      '{"vhost":"/","name":"p1","pattern":"^a","apply-to":"queues","definition":{"max-length":5},"priority":1}',
    );
    expect((await fixture.get(`/api/${kind}`)).json).toEqual([{ vhost: '/', name: 'p1', ...policy }]);
    expect((await fixture.get(`/api/${kind}/%2F`)).json).toEqual([{ vhost: '/', name: 'p1', ...policy }]);
    await fixture.put(path, { pattern: '.*', definition });
    expect((await fixture.get(path)).json).toMatchObject({ priority: 0, 'apply-to': 'all' });
    expect((await fixture.delete(path)).status).toBe(204);
    expect((await fixture.delete(path)).status).toBe(404);
  });

  // As RabbitMQ 3.10.8 answers, but for two things: values are JSON where it shows Erlang terms, and a definition that is no object is 500 there.
  test.each<[JsonValue, string]>([
    [{}, '[{key_missing,pattern},{key_missing,definition}]'],
    [{ pattern: '^a' }, '[{key_missing,definition}]'],
    [{ definition }, '[{key_missing,pattern}]'],
    [{ pattern: '^a', definition: {} }, 'Validation failed\n\nno policy provided\n'],
    [{ pattern: '^a', definition: 'x' }, 'Validation failed\n\ndefinition must be a dictionary: "x"\n'],
    [{ pattern: 5, definition }, 'Validation failed\n\npattern should be a string but was 5\n'],
    [{ pattern: '^a', definition: { 'message-ttl': 'x' } }, 'Validation failed\n\n"x" is not a valid message TTL\n'],
    [
      { pattern: '^a', definition, priority: '5' },
      'Validation failed\n\npriority should be a number, actually was "5"\n',
    ],
    [
      { pattern: '^a', definition: { 'message-ttl': -1 }, priority: 'y', 'apply-to': 'z' },
      'Validation failed\n\n-1 is not a valid message TTL\n' +
        "apply-to 'z' unrecognised; should be one of: 'all', 'exchanges', 'queues', 'classic_queues', 'quorum_queues', 'streams'\n" +
        'priority should be a number, actually was "y"\n',
    ],
  ])('%j is refused', async (body, reason) => {
    const answer = await fixture.put(path, body);
    expect([answer.status, answer.json]).toEqual([400, { error: 'bad_request', reason }]);
  });

  test('a pattern that is none is refused, and says why', async () => {
    const { status, json } = await fixture.put(path, { pattern: '(', definition });
    expect(status).toBe(400);
    expect(json.reason).toMatch(
      /^Validation failed\n\npattern should be regular expression but is invalid: '\(' is not/,
    );
  });

  test('of a virtual host that is not there are missing', async () => {
    const policy = { pattern: '^a', definition };
    const put = await fixture.put(`/api/${kind}/nope/p`, policy);
    expect([put.status, put.json]).toEqual([404, { error: 'not_found', reason: 'vhost_not_found' }]);
    const missing = [404, { error: 'Object Not Found', reason: 'Not Found' }];
    for (const each of [`/api/${kind}/nope`, `/api/${kind}/nope/p`, `/api/${kind}/%2F/none`]) {
      const { status, json } = await fixture.get(each);
      expect([status, json]).toEqual(missing);
    }
  });
});

describe('who sets them', () => {
  test('policymakers set policies, not operator policies', async () => {
    await addUser(fixture, 'u1', ['management']);
    const maker = await addUser(fixture, 'maker', ['policymaker'], ['/']);
    const policy = { pattern: '^a', definition };
    expect((await fixture.put('/api/policies/%2F/mine', policy, maker)).status).toBe(201);
    expect((await fixture.put('/api/operator-policies/%2F/mine', policy, maker)).status).toBe(401);
    expect((await fixture.put('/api/policies/%2F/other', policy, 'u1:pw')).status).toBe(401);
    expect((await fixture.delete('/api/policies/%2F/mine', maker)).status).toBe(204);
  });
});

describe('what they come to', () => {
  const columns = '?columns=policy,operator_policy,effective_policy_definition,effective_policy_origin';
  const shown = async (path: string) => (await fixture.get(`/api/${path}${columns}`)).json;

  beforeAll(async () => {
    await fixture.put('/api/queues/%2F/qa', { durable: true, arguments: { 'x-max-length': 5, 'x-message-ttl': 60 } });
    await fixture.put('/api/queues/%2F/qb', { durable: true });
    await fixture.put('/api/exchanges/%2F/qe', { type: 'fanout', durable: true });
  });

  test('nothing', async () => {
    expect(await shown('queues/%2F/qa')).toEqual({
      policy: null,
      operator_policy: null,
      effective_policy_definition: {},
      effective_policy_origin: {},
    });
    expect(await shown('exchanges/%2F/qe')).toEqual({});
    expect((await fixture.get('/api/queues?disable_stats=true')).json[0]).not.toHaveProperty('policy');
  });

  test('is shown, with the reason for each value', async () => {
    const set = { 'message-ttl': 1000, 'max-length': 10, 'alternate-exchange': 'amq.fanout' };
    await fixture.put('/api/policies/%2F/p', { pattern: '^q', definition: set });
    await fixture.put('/api/operator-policies/%2F/o', {
      pattern: '^qa',
      definition: { 'message-ttl': 500, 'max-length': 3 },
    });
    expect(await shown('queues/%2F/qa')).toEqual({
      policy: 'p',
      operator_policy: 'o',
      effective_policy_definition: { 'message-ttl': 500, 'max-length': 3, 'alternate-exchange': 'amq.fanout' },
      effective_policy_origin: {
        'message-ttl': { from: 'argument', name: 'x-message-ttl', value: 60 },
        'max-length': { from: 'operator_policy', name: 'o', value: 3 },
        'alternate-exchange': { from: 'policy', name: 'p', value: 'amq.fanout' },
      },
    });
    expect(await shown('queues/%2F/qb')).toMatchObject({ policy: 'p', operator_policy: null });
    expect(await shown('exchanges/%2F/qe')).toMatchObject({
      policy: 'p',
      effective_policy_origin: { 'alternate-exchange': { from: 'policy', name: 'p', value: 'amq.fanout' } },
    });
    const [basic] = (await fixture.get('/api/queues?disable_stats=true')).json;
    expect(basic).toHaveProperty('policy', 'p');
  });

  test('acts from the answer on', async () => {
    const queue = fixture.broker.topology.vhosts.get('/')!.localQueue('qb')!;
    expect([queue.rules.ttlMs, queue.rules.lengthMax]).toEqual([1000, 10]);
    await fixture.delete('/api/policies/%2F/p');
    expect([queue.rules.ttlMs, queue.rules.lengthMax]).toEqual([Infinity, Infinity]);
  });

  test('and so does an import of definitions', async () => {
    const policies = [{ vhost: '/', name: 'p', pattern: '^qb', definition: { 'max-length': 7 }, priority: 0 }];
    expect((await fixture.post('/api/definitions', { policies })).status).toBe(204);
    expect(await shown('queues/%2F/qb')).toMatchObject({
      policy: 'p',
      effective_policy_definition: { 'max-length': 7 },
    });
    const refused = await fixture.post('/api/definitions', { policies: [{ ...policies[0]!, definition: { odd: 1 } }] });
    expect([refused.status, refused.json.reason]).toEqual([400, expect.stringContaining('not recognised policy')]);
  });
});
