import {
  type Guard,
  GuardFailedError,
  type JsonValue,
  type MetadataEvent,
  type MetadataStore,
  type Write,
} from '@chapar/core';
import { createNodePlatform, type Log } from '@chapar/platform';
import { describe, expect, test } from 'vitest';
import { ensureDefaultUser } from './default-user.js';
import { fieldAlgorithm, fieldHash, scryptAlgorithm } from './hash.js';
import { InternalUsers } from './internal.js';

/** The port's contract, in memory. */
class MemoryMetadata implements MetadataStore {
  readonly values = new Map<string, { value: JsonValue; revision: number }>();
  private revision = 0;
  private readonly watchers = new Set<(events: readonly MetadataEvent[]) => void>();

  async load(prefix: string) {
    const found = [...this.values].filter(([key]) => key.startsWith(prefix));
    return { revision: this.revision, entries: found.map(([key, { value, revision }]) => ({ key, value, revision })) };
  }
  watch(prefix: string, _from: number, listener: (events: readonly MetadataEvent[]) => void) {
    const filtered = (events: readonly MetadataEvent[]) => {
      const ours = events.filter((event) => event.key.startsWith(prefix));
      if (ours.length > 0) listener(ours);
    };
    this.watchers.add(filtered);
    return () => this.watchers.delete(filtered);
  }
  async change(when: readonly Guard[], then: readonly Write[]) {
    for (const { key, revision } of when) {
      const current = this.values.get(key);
      const holds =
        revision === 'absent'
          ? !current
          : revision === 'present'
            ? current !== undefined
            : current?.revision === revision;
      if (!holds) throw new GuardFailedError(key);
    }
    this.revision++;
    for (const { key, value } of then) {
      if (value === undefined) this.values.delete(key);
      else this.values.set(key, { value, revision: this.revision });
    }
    const events = then.map(({ key, value }) => ({ key, value, revision: this.revision }));
    for (const watcher of this.watchers) watcher(events);
    return this.revision;
  }
  async close() {}
}

const here = { loopback: true, peer: '127.0.0.1:5' };
const away = { loopback: false, peer: '10.0.0.9:5' };
const { clock, random } = createNodePlatform({ log: { level: 'silent' } });

async function open(metadata = new MemoryMetadata()) {
  const complaints: string[] = [];
  const log = { error: (_fields: object, message: string) => complaints.push(message) } as unknown as Log;
  const users = new InternalUsers({ metadata, clock, random, log, loopbackUsers: ['guest'], loginCacheMs: 60_000 });
  await users.open();
  return { metadata, users, complaints };
}

describe('logging in', () => {
  test('the right password of a user, with tags and back end', async () => {
    const { users } = await open();
    await users.put({ name: 'alice', tags: ['monitoring'], password: 'secret' });
    expect(users.get('alice')?.hashingAlgorithm).toBe(scryptAlgorithm);
    expect(await users.password('alice', 'secret', away)).toEqual({
      ok: true,
      principal: { user: 'alice', tags: ['monitoring'], backend: 'internal' },
    });
  });

  test.each([
    ['alice', 'Secret', "wrong password for user 'alice'"],
    ['bob', 'secret', "there is no user 'bob'"],
    ['alice', '', "an empty password for user 'alice'"],
    ['cert', 'secret', "user 'cert' has no password"],
    ['cert', '', "an empty password for user 'cert'"],
    ['imported', 'wrong', "wrong password for user 'imported'"],
  ])('%s with password %j is refused', async (name, password, reason) => {
    const { users } = await open();
    await users.put({ name: 'alice', tags: [], password: 'secret' });
    await users.put({ name: 'cert', tags: [] });
    await users.put({ name: 'imported', tags: [], passwordHash: fieldHash('right', Buffer.alloc(4)) });
    expect(await users.password(name, password, here)).toEqual({ ok: false, reason });
  });

  test("an imported hash without an algorithm is the field's sha256", async () => {
    const { users } = await open();
    await users.put({ name: 'i', tags: [], passwordHash: 'kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR' });
    expect(users.get('i')?.hashingAlgorithm).toBe(fieldAlgorithm);
    expect((await users.password('i', 'test12', here)).ok).toBe(true);
  });

  test('guest from this machine only, by password and by certificate', async () => {
    const { users } = await open();
    await users.put({ name: 'guest', tags: [], password: 'guest' });
    expect((await users.password('guest', 'guest', here)).ok).toBe(true);
    const reason = "user 'guest' may log in from this machine only (auth.loopbackUsers)";
    expect(await users.password('guest', 'guest', away)).toEqual({ ok: false, reason });
    expect(await users.external('guest', away)).toEqual({ ok: false, reason });
  });

  test('by certificate: known users, with or without a password', async () => {
    const { users } = await open();
    await users.put({ name: 'cert', tags: ['x'] });
    expect(await users.external('cert', away)).toEqual({
      ok: true,
      principal: { user: 'cert', tags: ['x'], backend: 'internal' },
    });
    expect(await users.external('nobody', away)).toEqual({ ok: false, reason: "there is no user 'nobody'" });
  });

  test('a changed password counts at once, although the old one was remembered', async () => {
    const { users } = await open();
    await users.put({ name: 'a', tags: [], password: 'old' });
    expect((await users.password('a', 'old', here)).ok).toBe(true);
    await users.put({ name: 'a', tags: ['t'], password: 'new' });
    expect((await users.password('a', 'old', here)).ok).toBe(false);
    expect(await users.password('a', 'new', here)).toMatchObject({ ok: true, principal: { tags: ['t'] } });
    await users.delete('a');
    expect((await users.password('a', 'new', here)).ok).toBe(false);
  });

  test('a user who changes while the password is being checked is refused', async () => {
    const { users } = await open();
    await users.put({ name: 'a', tags: [], password: 'old' });
    const login = users.password('a', 'old', here);
    await users.put({ name: 'a', tags: [], passwordHash: '' });
    expect(await login).toEqual({ ok: false, reason: "user 'a' was changed during the login" });
  });

  test('a storm of different logins is bounded; the rest is turned away at once', async () => {
    const { users } = await open();
    const cheap = Buffer.concat([Buffer.from([1, 1, 1, 0]), Buffer.alloc(48)]).toString('base64');
    await users.put({ name: 'a', tags: [], passwordHash: cheap, hashingAlgorithm: scryptAlgorithm });
    const results = await Promise.all(Array.from({ length: 1100 }, (_, i) => users.password('a', `p${i}`, here)));
    const reasons = results.map((result) => (result.ok ? '' : result.reason));
    expect(reasons.filter((reason) => reason.startsWith('1000 logins are waiting'))).toHaveLength(98);
    expect(reasons.filter((reason) => reason === "wrong password for user 'a'")).toHaveLength(1002);
  });
});

describe('administration', () => {
  test('users come back from metadata, sorted, without their passwords', async () => {
    const { metadata, users } = await open();
    await users.put({ name: 'b/ö', tags: ['management'], password: 'p', limits: { 'max-connections': 3 } });
    await users.put({ name: 'a', tags: [] });
    const again = await open(metadata);
    expect(again.users.list().map(({ name, tags, limits }) => ({ name, tags, limits }))).toEqual([
      { name: 'a', tags: [], limits: {} },
      { name: 'b/ö', tags: ['management'], limits: { 'max-connections': 3 } },
    ]);
    expect((await again.users.password('b/ö', 'p', here)).ok).toBe(true);
    expect(JSON.stringify([...metadata.values])).not.toContain('"p"');
  });

  test.each([
    [{ password: 'x', passwordHash: 'y' }, 'not both'],
    [{ password: '' }, 'an empty password'],
    [{ passwordHash: 'zzz' }, 'not base64'],
    [
      { passwordHash: fieldHash('x', Buffer.alloc(4)), hashingAlgorithm: 'sha1' },
      'is not a password hashing algorithm',
    ],
    [{ password: 'x', hashingAlgorithm: 'sha1' }, 'is not a password hashing algorithm'],
  ])('put refuses %j', async (given, why) => {
    const { users, metadata } = await open();
    await expect(users.put({ name: 'a', tags: [], ...given })).rejects.toThrow(why);
    await expect(users.put({ name: 'a', tags: [], ...given })).rejects.toBeInstanceOf(RangeError);
    expect(metadata.values.size).toBe(0);
  });

  test('delete takes the permissions along, and only those', async () => {
    const { metadata, users } = await open();
    await users.put({ name: 'a', tags: [] });
    const put = (key: string) => metadata.change([], [{ key, value: {} }]);
    for (const key of [
      'permissions/%2F/a',
      'topic-permissions/v/a/x',
      'user-limits/a/max-connections',
      'permissions/a/b',
    ])
      await put(key);
    expect(await users.delete('a')).toBe(true);
    expect([...metadata.values.keys()]).toEqual(['permissions/a/b']);
    expect(await users.delete('a')).toBe(false);
  });

  test('a record that is no user is reported and left out', async () => {
    const metadata = new MemoryMetadata();
    await metadata.change([], [{ key: 'users/x', value: 5 }]);
    const { users, complaints } = await open(metadata);
    expect(users.list()).toEqual([]);
    expect(complaints).toEqual(['a user in metadata cannot be read and is left out']);
    await users.put({ name: 'y', tags: [] });
    expect(users.list().map(({ name }) => name)).toEqual(['y']);
  });

  test('after close changes are not followed any more', async () => {
    const { metadata, users } = await open();
    users.close();
    await metadata.change([], [{ key: 'users/x', value: { passwordHash: '', hashingAlgorithm: '', tags: [] } }]);
    expect(users.get('x')).toBeUndefined();
  });
});

describe('the first administrator', () => {
  const guest = { name: 'guest', readPassword: async () => 'guest' };

  test('a fresh store gets one, with all permissions', async () => {
    const { metadata, users } = await open();
    expect(await ensureDefaultUser(metadata, random, guest)).toBe(true);
    expect(await users.password('guest', 'guest', here)).toMatchObject({
      ok: true,
      principal: { tags: ['administrator'] },
    });
    expect(metadata.values.get('permissions/%2F/guest')?.value).toEqual({ configure: '.*', write: '.*', read: '.*' });
  });

  test('once: a deleted guest stays away, also when nobody is left', async () => {
    const { metadata, users } = await open();
    await ensureDefaultUser(metadata, random, guest);
    await users.delete('guest');
    expect(await ensureDefaultUser(metadata, random, guest)).toBe(false);
    expect(users.list()).toEqual([]);
  });

  test('another one instead, and then no guest; a store with users is left alone and its password not asked for', async () => {
    const { metadata, users } = await open();
    await ensureDefaultUser(metadata, random, { name: 'root', readPassword: async () => 'pw' });
    expect(users.list().map(({ name }) => name)).toEqual(['root']);
    const other = await open();
    await other.users.put({ name: 'somebody', tags: [] });
    const mustNotAsk = () => Promise.reject(new Error('asked'));
    expect(await ensureDefaultUser(other.metadata, random, { name: 'guest', readPassword: mustNotAsk })).toBe(false);
  });

  test('two nodes that begin at once make one', async () => {
    const { metadata } = await open();
    const made = await Promise.all([
      ensureDefaultUser(metadata, random, guest),
      ensureDefaultUser(metadata, random, guest),
    ]);
    expect(made.sort()).toEqual([false, true]);
  });
});
