import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { adopt, EtcdClient, leaseKeysMax, noKeyBetween } from '@chapar/cluster';
import { metadataKey } from '@chapar/core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { skipUnless } from '../support/skip.js';
import { hasEtcd, onLoopback, type RealEtcd, startEtcd, startEtcdCluster } from './real-etcd.js';
import { platform, RealMember } from './real-member.js';

const noEtcd = skipUnless(hasEtcd, 'etcd is not installed (Debian: etcd-server, etcd-client)');

const { clock, log, random, disk } = platform;
const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const queue = (name: string) => metadataKey('queues', '/', name);
const put = (key: string, value: unknown) => [{ key, value: value as number }];

async function until(what: () => boolean, seconds = 20): Promise<void> {
  const deadline = performance.now() + seconds * 1000;
  while (!what()) {
    if (performance.now() > deadline) throw new Error(`not within ${seconds} s: ${what}`);
    await wait(20);
  }
}

const members: RealMember[] = [];
function member(name: string, etcd: RealMember['etcd'] | RealEtcd): RealMember {
  const made = new RealMember(name, 'endpoints' in etcd ? etcd : { endpoints: [etcd.endpoint] });
  members.push(made);
  return made;
}
afterEach(async () => {
  for (const { membership, store } of members) {
    await membership?.close().catch(() => undefined);
    await store?.close().catch(() => undefined);
  }
  for (const made of members.splice(0)) made.remove();
});

describe.skipIf(noEtcd)('members of a cluster, with a real etcd', () => {
  let etcd: RealEtcd;
  let prefixes = 0;
  let prefix = '';
  const start = (machine: RealMember) => machine.start({ prefix });
  beforeAll(async () => {
    etcd = await startEtcd();
  });
  afterAll(() => etcd.stop());
  const nextPrefix = () => {
    prefix = `/members-${++prefixes}`;
  };

  it('make it, join it, come back after a death at once, and are forgotten', async () => {
    nextPrefix();
    const [a, b] = [member('a', etcd), member('b', etcd)];
    await Promise.all([a, b].map(start));
    expect(a.membership.cluster).toBe(b.membership.cluster);
    const seen: unknown[] = [];
    // Its copy may be behind b's registration, which is not what is counted.
    await until(() => a.membership.mirror.get('nodes/b') !== undefined);
    a.membership.mirror.watch('nodes/b', a.membership.mirror.revision, (events) => {
      seen.push(...events.map(({ value }) => value !== undefined));
    });
    const { dataId, session } = b.membership;
    await b.vanish();
    expect((await start(b)).joined).toMatchObject({ how: 'returned', dataId });
    expect(b.membership.session!.revision).toBeGreaterThan(session!.revision);
    await wait(7000);
    expect(seen).toEqual([true]);
    const home = { incarnation: 'q', home: dataId };
    await a.membership.metadata.change([], put(queue('q'), home));
    await expect(a.membership.members.forget('b')).rejects.toThrow('stop it first');
    await b.vanish();
    await until(() => a.membership.members.get(dataId)?.live === null);
    expect((await a.membership.members.forget('b')).queues).toEqual([{ vhost: '/', name: 'q' }]);
    expect((await a.membership.metadata.load('queues/')).entries).toEqual([]);
    await expect(start(b)).rejects.toMatchObject({ reason: 'forgotten' });
  });

  it('is made by one of several that start together', async () => {
    nextPrefix();
    const machines = ['a', 'b', 'c', 'd'].map((name) => member(name, etcd));
    await Promise.all(machines.map(start));
    expect(new Set(machines.map(({ membership }) => membership.cluster)).size).toBe(1);
    expect(machines.filter(({ membership }) => membership.joined.how === 'founded')).toHaveLength(1);
  });

  it('claim thousands of names on few leases, which go with the node', async () => {
    nextPrefix();
    const [a, b] = [member('a', etcd), member('b', etcd)];
    await start(a);
    await start(b);
    const keys = Array.from({ length: 2 * leaseKeysMax + 500 }, (_, i) => `%2F/q${i}`);
    const claim = ({ membership: { claims } }: RealMember) => Promise.all(keys.map((key) => claims.claim(key, 1)));
    const outcomes = await Promise.all([claim(a), claim(b)]);
    for (let i = 0; i < keys.length; i++) expect(outcomes[0]![i]).not.toBe(outcomes[1]![i]);
    const held = outcomes.map((each) => each.filter(Boolean).length);
    expect([a, b].map(({ membership }) => membership.claims.count)).toEqual(held);
    for (const { membership } of [a, b]) {
      expect(membership.claims.leaseCount).toBeLessThanOrEqual(Math.ceil(keys.length / leaseKeysMax));
    }
    await wait(8000);
    expect(b.membership.mirror.under('claims/')).toHaveLength(keys.length);
    await a.vanish();
    await until(() => b.membership.mirror.under('claims/').length === held[1], 15);
    expect((await claim(b)).every(Boolean)).toBe(true);
  });

  it('erase transient exchanges when nobody else is registered, and not otherwise', async () => {
    nextPrefix();
    const [a, b] = [member('a', etcd), member('b', etcd)];
    await start(a);
    await start(b);
    const exchanges = async () => (await a.membership.metadata.load('exchanges/')).entries.length;
    await a.membership.metadata.change([], put('exchanges/%2F/t', { incarnation: 't', transient: true }));
    await a.vanish();
    await start(a);
    expect(await exchanges()).toBe(1);
    await b.stop();
    await a.vanish();
    await start(a);
    await wait(200);
    expect(await exchanges()).toBe(0);
  });

  it('compare ranges of keys, compact, and hear what etcd says of itself', async () => {
    const client = new EtcdClient({ tls: null, auth: null, clock, log, endpoints: [etcd.endpoint] });
    try {
      const key = '/ranges/b';
      const txn = (first: string, end: string) =>
        client.txn({
          compare: [noKeyBetween(first, end)],
          success: [{ kind: 'put', key, value: '1', lease: null }],
          failure: [],
        });
      const { succeeded, revision } = await txn('/ranges/', '/ranges0');
      expect(succeeded).toBe(true);
      expect((await txn('/ranges/', '/ranges0')).succeeded).toBe(false);
      expect((await txn('/ranges/', '/ranges/b')).succeeded).toBe(true);
      expect((await txn('/ranges/b\0', '/ranges0')).succeeded).toBe(true);
      await client.compact(revision);
      await expect(client.compact(revision)).rejects.toMatchObject({ outcome: 'refused' });
      expect(await client.status()).toMatchObject({
        version: expect.stringMatching(/^3\./),
        hasLeader: true,
        alarms: [],
      });
      expect((await client.status()).databaseBytes).toBeGreaterThan(0);
    } finally {
      client.close();
    }
  });

  it('are made anew in another etcd from what they remember', async () => {
    nextPrefix();
    const [a, b] = [member('a', etcd), member('b', etcd)];
    await start(a);
    await start(b);
    await Promise.all(
      Array.from({ length: 1000 }, (_, i) =>
        a.membership.metadata.change([], put(queue(`q${i}`), { incarnation: `${i}`, home: b.membership.dataId })),
      ),
    );
    await until(() => b.membership.mirror.revision >= a.membership.mirror.revision);
    await a.stop();
    await b.stop();
    const other = await startEtcd();
    try {
      const options = { clock, log, random, disk, prefix, force: false };
      const on = async ({ directory, membership: { dataId } }: RealMember) => {
        const client = new EtcdClient({ tls: null, auth: null, clock, log, endpoints: [other.endpoint] });
        try {
          return await adopt({ ...options, etcd: client, directory, dataId });
        } finally {
          client.close();
        }
      };
      for (const machine of [a, b]) Object.assign(machine, { etcd: { endpoints: [other.endpoint] } });
      await expect(start(a)).rejects.toMatchObject({ reason: 'empty-etcd' });
      expect(await on(a)).toMatchObject({ how: 'rebuilt', put: 1002 });
      expect(await on(b)).toMatchObject({ how: 'merged', put: 0, skipped: 1002 });
      for (const machine of [a, b]) {
        expect((await start(machine)).joined).toMatchObject({ how: 'returned' });
        expect((await machine.membership.metadata.load('queues/')).entries).toHaveLength(1000);
      }
      await a.stop();
      await b.stop();
    } finally {
      await other.stop();
    }
  });
});

describe.skipIf(noEtcd)('an etcd that fails a node', () => {
  let etcd: RealEtcd;
  const folder = mkdtempSync(path.join(tmpdir(), 'chapar-snapshots-'));
  beforeAll(async () => {
    etcd = await startEtcd();
  });
  afterAll(async () => {
    await etcd.stop();
    rmSync(folder, { recursive: true });
  });

  it('is waited for by a node that starts; killed and started again, paused, it ends no session', async () => {
    const a = member('a', etcd);
    const { metadata, registration, health } = await a.start();
    const session = registration.session!.revision;
    await metadata.change([], put('k', 1));
    await etcd.kill();
    await until(() => !registration.isSure && !health.view().reachable);
    await expect(metadata.change([], put('k', 2))).rejects.toThrow(/etcd/);
    expect((await metadata.load('k')).entries[0]?.value).toBe(1);
    const b = member('b', etcd);
    const waits: string[] = [];
    const starting = b.start({ onWaiting: (what) => waits.push(what) });
    await until(() => waits.length > 0);
    etcd.start();
    await etcd.ready();
    expect((await starting).joined.how).toBe('joined');
    await until(() => registration.isSure && health.view().reachable);
    expect(registration.session!.revision).toBe(session);
    await metadata.change([], put('k', 3));
    // Slow beyond every deadline, and for longer than a lease: whether the session outlives it is etcd's to say.
    etcd.signal('SIGSTOP');
    await wait(8000);
    expect(registration.isSure).toBe(false);
    etcd.signal('SIGCONT');
    await until(() => registration.isSure, 30);
    await metadata.change([], put('k', 4));
    expect((await b.membership.metadata.load('k')).entries.length).toBeLessThanOrEqual(1);
    await until(() => b.membership.mirror.get('meta/k')?.value === 4);
  });

  it('is not obeyed when an older snapshot was put in its place, neither by a node that runs nor by one that starts', async () => {
    const prefix = '/older';
    const a = member('a', etcd);
    const { metadata, mirror } = await a.start({ prefix });
    const snapshot = path.join(folder, 'snapshot');
    etcd.ctl('snapshot', 'save', snapshot);
    for (let i = 0; i < 20; i++) await metadata.change([], put(`k${i}`, i));
    const b = member('b', etcd);
    await b.start({ prefix });
    await b.stop();
    await etcd.restore(snapshot);
    await until(() => mirror.stranger !== null);
    expect(mirror.stranger).toMatch(/restored from a backup or emptied/);
    expect((await metadata.load('k')).entries).toHaveLength(20);
    await expect(b.start({ prefix })).rejects.toMatchObject({ reason: 'older-etcd' });
    await wait(3000);
    expect((await metadata.load('k')).entries).toHaveLength(20);
  });

  it('that was emptied takes nothing with it', async () => {
    const prefix = '/emptied';
    const a = member('a', etcd);
    const { metadata, mirror } = await a.start({ prefix });
    await metadata.change([], put('k', 1));
    etcd.ctl('del', '--prefix', prefix);
    await until(() => mirror.stranger !== null);
    expect(mirror.stranger).toBe('etcd does not know this cluster any more');
    expect((await metadata.load('k')).entries).toHaveLength(1);
  });
});

describe.skipIf(noEtcd)('an etcd without room', () => {
  it('is shown by its alarm, and the node goes on when that has ended', async () => {
    const etcd = await startEtcd(['--quota-backend-bytes', String(4 * 1024 * 1024)]);
    try {
      const a = member('a', etcd);
      const { metadata, health, registration, mirror } = await a.start();
      const session = registration.session!.revision;
      const fill = async () => {
        for (let i = 0; i < 100; i++) await metadata.change([], put(`k${i % 3}`, 'x'.repeat(100_000)));
      };
      await expect(fill()).rejects.toThrow('database space exceeded');
      await until(() => health.view().alarms.includes('NOSPACE'));
      expect(health.view().databaseBytes).toBeGreaterThan(2 * 1024 * 1024);
      // Leases live on: the node keeps its name for longer than they last.
      await wait(7000);
      expect(registration.session!.revision).toBe(session);
      etcd.ctl('compact', String(mirror.revision));
      etcd.ctl('defrag');
      etcd.ctl('alarm', 'disarm');
      await metadata.change([], put('again', 1));
      await until(() => health.view().alarms.length === 0);
      await a.stop();
    } finally {
      await etcd.stop();
    }
  });
});

describe.skipIf(noEtcd)('an etcd that has lost its leader', () => {
  it('ends the watches of a member that is still there', async () => {
    const etcds = await startEtcdCluster();
    const client = new EtcdClient({ tls: null, auth: null, clock, log, endpoints: [etcds[0]!.endpoint] });
    try {
      const reasons: string[] = [];
      let heard = 0;
      client.watch('/x', 1, {
        changed: () => undefined,
        heard: () => heard++,
        ended: ({ reason }) => reasons.push(reason),
      });
      await until(() => heard > 0);
      await etcds[1]!.kill();
      await etcds[2]!.kill();
      await until(() => reasons.length > 0);
      expect(reasons[0]).toContain('no leader');
    } finally {
      client.close();
      for (const each of etcds) await each.stop();
    }
  });
});

describe.skipIf(noEtcd)('an etcd with certificates and passwords', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'chapar-etcd-ca-'));
  const file = (name: string) => path.join(folder, name);
  let etcd: RealEtcd;
  const tls = () => ({
    ca: readFileSync(file('ca.pem')),
    cert: readFileSync(file('node.pem')),
    key: readFileSync(file('node.key.pem')),
  });
  const auth = { user: 'chapar', password: 'secret' };
  const endpoints = () => [etcd.endpoint];

  beforeAll(async () => {
    const { status, stderr } = spawnSync('node', ['tools/dev-ca.mjs', folder, 'node'], { encoding: 'utf8' });
    if (status !== 0) throw new Error(stderr);
    const tlsFiles = { ca: file('ca.pem'), cert: file('server.pem'), key: file('server.key.pem') };
    etcd = await startEtcd([], { ...onLoopback, tls: tlsFiles });
    etcd.ctl('user', 'add', 'root:all');
    etcd.ctl('user', 'grant-role', 'root', 'root');
    etcd.ctl('role', 'add', 'chapar');
    etcd.ctl('role', 'grant-permission', 'chapar', '--prefix=true', 'readwrite', '/chapar/');
    etcd.ctl('user', 'add', `${auth.user}:${auth.password}`);
    etcd.ctl('user', 'grant-role', auth.user, 'chapar');
    etcd.ctl('auth', 'enable');
    etcd.user = 'root:all';
  });
  afterAll(async () => {
    await etcd.stop();
    rmSync(folder, { recursive: true });
  });

  it('is used by a user who may use the prefix and nothing else, over its restart too', async () => {
    const a = member('a', { endpoints: endpoints(), tls: tls(), auth });
    const b = member('b', { endpoints: endpoints(), tls: tls(), auth });
    const { metadata, registration, claims, health } = await a.start();
    await b.start();
    const session = registration.session!.revision;
    await Promise.all(Array.from({ length: 300 }, (_, i) => metadata.change([], put(`k${i}`, i))));
    expect(await claims.claim('%2F/q', 1)).toBe(true);
    await until(() => b.membership.mirror.get('meta/k299') !== undefined);
    await until(() => health.view().version !== null);
    // Upkeep needs no more rights than the rest.
    const client = new EtcdClient({ endpoints: endpoints(), tls: tls(), auth, clock, log });
    await client.compact(a.membership.mirror.revision);
    client.close();
    await etcd.kill();
    await wait(1000);
    etcd.start();
    await etcd.ready();
    await until(() => health.view().reachable && registration.isSure, 30);
    await metadata.change([], put('after', 1));
    await until(() => b.membership.mirror.get('meta/after') !== undefined);
    await wait(8000);
    expect(registration.session!.revision).toBe(session);
    expect(b.membership.mirror.get('claims/%2F/q')).toBeDefined();
    await a.stop();
    expect((await a.start()).joined.how).toBe('returned');
  });

  it('refuses the wrong password, no password, and another prefix, with texts that say so', async () => {
    const refused = (options: Partial<RealMember['etcd']>, prefix = '/chapar') => {
      return member('x', { endpoints: endpoints(), tls: tls(), ...options }).start({ prefix });
    };
    await expect(refused({ auth: { ...auth, password: 'wrong' } })).rejects.toThrow(
      /etcd does not let this node in: .*authentication failed/,
    );
    await expect(refused({})).rejects.toThrow(
      /etcd does not let this node in: (.*user name is empty|.*permission denied)/,
    );
    await expect(refused({ auth }, '/other')).rejects.toThrow(/etcd does not let this node in: .*permission denied/);
  });

  it('is not talked to when its certificate is not ours, nor without a certificate of our own', async () => {
    const { ca, cert, key } = tls();
    const stopped = new AbortController();
    const waits: string[] = [];
    const start = (options: Partial<RealMember['etcd']>) => {
      return member('x', { endpoints: endpoints(), auth, ...options }).start({
        signal: stopped.signal,
        onWaiting: (what) => waits.push(what),
      });
    };
    const other = mkdtempSync(path.join(tmpdir(), 'chapar-other-ca-'));
    spawnSync('node', ['tools/dev-ca.mjs', other, 'node']);
    const foreign = readFileSync(path.join(other, 'ca.pem'));
    rmSync(other, { recursive: true });
    await expect(start({ tls: { ca: foreign, cert, key } })).rejects.toThrow(
      /etcd does not let this node in: .*certificate/,
    );
    const starting = start({ tls: { ca, cert: null, key: null } });
    const outcome = expect(starting).rejects.toThrow(/the node stops|does not let/);
    await Promise.race([outcome, until(() => waits.length > 0)]);
    stopped.abort();
    await outcome;
  });
});
