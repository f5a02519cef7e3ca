import { describe, expect, it } from 'vitest';
import { SteppedMetadata } from '../../../test/support/stepped-metadata.js';
import { type Permission, Permissions } from './access.js';
import type { Principal } from './ports.js';

const named = (user: string): Principal => ({ user, tags: ['administrator'], backend: 'internal' });
const alice = named('alice');

async function open(metadata = new SteppedMetadata()): Promise<Permissions> {
  const permissions = new Permissions(metadata);
  await permissions.open();
  return permissions;
}

describe('permissions', () => {
  it('are none without a record, whatever the tags', async () => {
    const permissions = await open();
    expect(permissions.vhost(alice, '/')).toBe(false);
    expect(permissions.resource(alice, '/', 'queue', 'q', 'read')).toBe(false);
    await permissions.set('/', 'alice', { configure: '', write: '', read: '' });
    expect(permissions.vhost(alice, '/')).toBe(true);
    expect(permissions.vhost(alice, 'other')).toBe(false);
    expect(permissions.vhost(named('bob'), '/')).toBe(false);
  });

  for (const [pattern, yes, no] of [
    // found anywhere, unless anchored
    ['.*', ['', 'q', 'amq.gen-x', 'a\nb'], []],
    ['u', ['u', 'a queue'], ['Q', 'q']],
    // also in the name that permissions give the default exchange
    ['q', ['q', ''], ['Q']],
    ['^q$', ['q'], ['qq', 'a q', '']],
    // nothing, but for the one name that is nothing; the default exchange is never that
    ['', [], ['q', 'amq.default', ' ']],
    ['^$', [], ['q', 'amq.default']],
    ['^(amq\\.gen.*|amq\\.default)$', ['amq.gen-1', ''], ['amq.topic', 'q']],
    ['^amq\\.default$', [''], ['q']],
    // what is no pattern of RE2 matches nothing, and harms nobody
    ['(', [], ['(', 'q']],
    ['(?=a)a', [], ['a']],
    ['(a+)+$', ['aaaa'], [`${'b'.repeat(5_000)}`]],
    ['ü', ['grün'], ['grun']],
  ] as const) {
    it(`'${pattern}'`, async () => {
      const metadata = new SteppedMetadata();
      const permissions = await open(metadata);
      const value = { configure: pattern, write: pattern, read: pattern };
      // As a file of definitions or an older version may have left it: not all of these would be taken by `set`.
      await metadata.change([], [{ key: 'permissions/%2F/alice', value }]);
      for (const [names, expected] of [
        [yes, true],
        [no, false],
      ] as const) {
        for (const name of names)
          expect([name, permissions.resource(alice, '/', 'exchange', name, 'write')]).toEqual([name, expected]);
      }
    });
  }

  it('tell configure, write and read apart', async () => {
    const permissions = await open();
    await permissions.set('/', 'alice', { configure: '^c', write: '^w', read: '^r' });
    const granted = (name: string) =>
      (['configure', 'write', 'read'] as Permission[]).filter((each) =>
        permissions.resource(alice, '/', 'queue', name, each),
      );
    expect(['c', 'w', 'r', 'x'].map(granted)).toEqual([['configure'], ['write'], ['read'], []]);
  });

  it('refuse to store what is no pattern', async () => {
    const metadata = new SteppedMetadata();
    const permissions = await open(metadata);
    await expect(permissions.set('/', 'alice', { configure: '.*', write: '(', read: '.*' })).rejects.toThrow('RE2');
    await expect(permissions.setTopic('/', 'alice', 'amq.topic', { write: '[', read: '' })).rejects.toThrow('RE2');
    expect(metadata.keys()).toEqual([]);
  });

  it('raise the version with every change, and are the same after a restart', async () => {
    const metadata = new SteppedMetadata();
    const permissions = await open(metadata);
    const versions = [permissions.version];
    const step = async (change: Promise<void>) => {
      await change;
      versions.push(permissions.version);
    };
    await step(permissions.set('a/b', 'ali ce', { configure: '1', write: '2', read: '3' }));
    await step(permissions.setTopic('a/b', 'ali ce', '', { write: 'x', read: 'y' }));
    await step(permissions.set('a/b', 'bob', { configure: '', write: '', read: '' }));
    await step(permissions.clear('a/b', 'bob'));
    expect(versions).toEqual([...new Set(versions)].sort((a, b) => a - b));
    const next = await open(metadata);
    expect(next.list()).toEqual([{ vhost: 'a/b', user: 'ali ce', record: { configure: '1', write: '2', read: '3' } }]);
    expect(next.listTopics()).toEqual([
      { vhost: 'a/b', user: 'ali ce', exchange: '', record: { write: 'x', read: 'y' } },
    ]);
    expect(next.get('a/b', 'ali ce')).toEqual({ configure: '1', write: '2', read: '3' });
    expect(next.get('a/b', 'bob')).toBeUndefined();
  });

  it('leave no trace of what was cleared', async () => {
    const permissions = await open();
    for (let i = 0; i < 20; i++) {
      await permissions.set(`v${i}`, 'alice', { configure: '', write: '', read: '' });
      await permissions.setTopic(`v${i}`, 'alice', 'x', { write: '', read: '' });
      await permissions.setTopic(`v${i}`, 'alice', 'y', { write: '', read: '' });
      await permissions.clear(`v${i}`, 'alice');
      await permissions.clearTopic(`v${i}`, 'alice');
      await permissions.clearTopic(`v${i}`, 'nobody');
    }
    const { resources, topics } = permissions as unknown as {
      resources: Map<string, unknown>;
      topics: Map<string, unknown>;
    };
    expect([resources.size, topics.size]).toEqual([0, 0]);
  });
});

describe('topic permissions', () => {
  const topic = (permissions: Permissions, key: string, principal = alice, vhost = '/') =>
    permissions.topic(principal, vhost, 'amq.topic', 'write', key);

  it('forbid nothing where there is none', async () => {
    const permissions = await open();
    expect(topic(permissions, 'any.key')).toBe(true);
    await permissions.setTopic('/', 'alice', 'other', { write: '^$', read: '^$' });
    expect(topic(permissions, 'any.key')).toBe(true);
    expect(topic(permissions, 'any.key', named('bob'))).toBe(true);
  });

  it('are patterns on the routing key, one to write and one to read', async () => {
    const permissions = await open();
    await permissions.setTopic('/', 'alice', 'amq.topic', { write: '^a\\.', read: '' });
    expect(topic(permissions, 'a.b')).toBe(true);
    expect(topic(permissions, 'b.a')).toBe(false);
    expect(permissions.topic(alice, '/', 'amq.topic', 'read', 'a.b')).toBe(false);
    expect(permissions.topic(alice, '/', 'amq.topic', 'read', '')).toBe(true);
    await permissions.clearTopic('/', 'alice', 'amq.topic');
    expect(topic(permissions, 'b.a')).toBe(true);
  });

  for (const user of [
    'alice',
    'a.*',
    '^$',
    'x|y',
    'back\\slash',
    '$&',
    "x$'",
    '$`y',
    '$$',
    '{vhost}',
    '(',
    'ü',
    '[a-z]+',
  ]) {
    it(`put the name '${user}' in for {username} as it stands`, async () => {
      const permissions = await open();
      const pattern = '^{vhost}\\.{username}\\.(in|out)$';
      await permissions.setTopic('v.1', user, 'amq.topic', { write: pattern, read: pattern });
      const may = (key: string) => topic(permissions, key, named(user), 'v.1');
      expect(may(`v.1.${user}.in`)).toBe(true);
      for (const key of [
        `v.1.${user}.other`,
        `v.1.${user}x.in`,
        `vx1.${user}.in`,
        'v.1.axx.in',
        'v.1.{username}.in',
        'v.1..in',
        'v.1.x.in',
        'v.1.x\\(in|out)$.in',
      ]) {
        expect([key, may(key)]).toEqual([key, false]);
      }
    });
  }
});
