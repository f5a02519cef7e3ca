import { type Clock, NodeRandom } from '@chapar/platform';
import { expect, test } from 'vitest';
import { LoginCache } from './login-cache.js';

function setUp(keepMs = 1000) {
  const now = { ms: 0 };
  const clock = { monotonicMs: () => now.ms } as Clock;
  const cache = new LoginCache(clock, new NodeRandom(), keepMs);
  const calls = { count: 0 };
  const login = (user: string, hash: string, password: string, right = true) =>
    cache.check(user, hash, password, async () => {
      calls.count++;
      return right;
    });
  return { now, cache, calls, login };
}

test('a verified login is remembered for its time and no longer', async () => {
  const { now, calls, login } = setUp();
  expect(await login('u', 'h', 'p')).toBe(true);
  now.ms = 999;
  expect(await login('u', 'h', 'p')).toBe(true);
  expect(calls.count).toBe(1);
  now.ms = 1000;
  expect(await login('u', 'h', 'p')).toBe(true);
  expect(calls.count).toBe(2);
});

test('another password, user or stored hash is another login', async () => {
  const { calls, login } = setUp();
  await login('ab', 'c', 'd');
  expect(await login('ab', 'c', 'x', false)).toBe(false);
  expect(await login('a', 'bc', 'd', false)).toBe(false);
  expect(await login('ab', 'changed', 'd', false)).toBe(false);
  expect(calls.count).toBe(4);
});

test('a refused login is verified anew every time', async () => {
  const { calls, login } = setUp();
  expect(await login('u', 'h', 'p', false)).toBe(false);
  expect(await login('u', 'h', 'p', true)).toBe(true);
  expect(calls.count).toBe(2);
});

test('equal logins at the same time share one verification, also when it fails or throws', async () => {
  const { cache, calls, login } = setUp();
  expect(await Promise.all([login('u', 'h', 'p'), login('u', 'h', 'p'), login('u', 'h', 'p')])).toEqual([
    true,
    true,
    true,
  ]);
  expect(calls.count).toBe(1);
  const broken = () => cache.check('v', 'h', 'p', () => Promise.reject(new Error('no memory')));
  const results = await Promise.allSettled([broken(), broken()]);
  expect(results.map((result) => result.status)).toEqual(['rejected', 'rejected']);
  expect(await login('v', 'h', 'p')).toBe(true);
});

test('forget drops the entries of that user alone', async () => {
  const { cache, calls, login } = setUp();
  await login('u', 'h', 'p');
  await login('v', 'h', 'p');
  cache.forget('u');
  await login('v', 'h', 'p');
  expect(calls.count).toBe(2);
  await login('u', 'h', 'p');
  expect(calls.count).toBe(3);
});

test('it is bounded: the oldest go', async () => {
  const { calls, login } = setUp();
  for (let i = 0; i <= 10_000; i++) await login(`u${i}`, 'h', 'p');
  expect(calls.count).toBe(10_001);
  await login('u10000', 'h', 'p');
  await login('u1', 'h', 'p');
  expect(calls.count).toBe(10_001);
  await login('u0', 'h', 'p');
  expect(calls.count).toBe(10_002);
});

test('a time of 0 remembers nothing', async () => {
  const { calls, login } = setUp(0);
  await login('u', 'h', 'p');
  await login('u', 'h', 'p');
  expect(calls.count).toBe(2);
});
