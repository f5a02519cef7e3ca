import { createServer, type Socket } from 'node:net';
import { EtcdClient, EtcdError } from '@chapar/cluster';
import { GuardFailedError } from '@chapar/core';
import { createNodePlatform } from '@chapar/platform';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { metadataContract } from '../contract/metadata.contract.js';
import { skipUnless } from '../support/skip.js';
import { type MetadataNode, startMetadataNode } from './cluster-node.js';
import { freePort, hasEtcd, Path, RealEtcd, startEtcd, startEtcdCluster } from './real-etcd.js';

const noEtcd = skipUnless(hasEtcd, 'etcd is not installed (Debian: etcd-server, etcd-client)');

const put = (key: string, value: number) => [{ key, value }];
const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function until(what: () => boolean, seconds = 20): Promise<void> {
  const deadline = performance.now() + seconds * 1000;
  while (!what()) {
    if (performance.now() > deadline) throw new Error(`not within ${seconds} s: ${what}`);
    await wait(20);
  }
}

describe.skipIf(noEtcd)('with a real etcd', () => {
  let etcd: RealEtcd;
  let prefixes = 0;
  const nodes: MetadataNode[] = [];
  const freshPrefix = () => `/chapar-${++prefixes}/`;
  const start = async (name: string, prefix: string, port = etcd.clientPort) => {
    const node = await startMetadataNode(name, prefix, { endpoints: [`http://127.0.0.1:${port}`] });
    nodes.push(node);
    return node;
  };

  beforeAll(async () => {
    etcd = await startEtcd();
  });
  afterAll(async () => {
    for (const node of nodes) await node.close();
    await etcd.stop();
  });

  metadataContract('etcd', async () => {
    const prefix = freshPrefix();
    let node: MetadataNode;
    const begin = async () => {
      node = await start('chapar@a', prefix);
      return { metadata: node.metadata };
    };
    // The process is not ours to kill: the node comes back with its old session still there.
    const leave = () => {
      node.registration.onEnded = null;
      node.etcd.close();
    };
    return { start: begin, stop: () => node.close(), kill: leave, crash: leave, settle: (promise) => promise };
  });

  it('sees one order on every node, with hundreds of changes in flight', async () => {
    const prefix = freshPrefix();
    const [a, b] = [await start('a', prefix), await start('b', prefix)];
    const heard: unknown[][] = [[], []];
    for (const [i, { metadata, mirror }] of [a, b].entries()) {
      metadata.watch('', mirror.revision, (events) => heard[i]!.push(...events));
    }
    await Promise.all(
      Array.from({ length: 2000 }, (_, i) => (i % 2 ? a : b).metadata.change([], put(`k${i % 97}`, i))),
    );
    await until(() => heard.every((events) => events.length === 2000));
    expect(heard[1]).toEqual(heard[0]);
  });

  it('loses no event over broken connections while thousands come, nor over a compaction', async () => {
    const prefix = freshPrefix();
    const path = await Path.to(etcd.clientPort);
    const [a, b] = [await start('a', prefix), await start('b', prefix, path.port)];
    const seen = new Map<string, unknown>();
    b.metadata.watch('', b.mirror.revision, (events) => {
      for (const { key, value } of events) {
        if (value === undefined) seen.delete(key);
        else seen.set(key, value);
      }
    });
    for (let round = 0; round < 6; round++) {
      const changes: Promise<unknown>[] = [];
      for (let i = 0; i < 1500; i++) {
        changes.push(a.metadata.change([], [{ key: `k${i}`, value: (i + round) % 5 === 0 ? undefined : round }]));
        if (i % 500 === 250) path.reset();
      }
      await Promise.all(changes);
      if (round === 2) {
        path.isCut = true;
        path.reset();
        await a.metadata.change([], put('while away', 1));
        etcd.ctl('compact', String(a.mirror.revision));
        path.isCut = false;
        path.reset();
      }
    }
    const { entries } = await a.metadata.load('');
    await until(() => b.mirror.revision >= a.mirror.revision, 30);
    expect((await b.metadata.load('')).entries).toEqual(entries);
    expect(Object.fromEntries(seen)).toEqual(Object.fromEntries(entries.map(({ key, value }) => [key, value])));
    await b.close();
    nodes.splice(nodes.indexOf(b), 1);
    await path.close();
  }, 120_000);

  it('reads more keys than fit into one answer', async () => {
    const prefix = freshPrefix();
    const a = await start('a', prefix);
    await Promise.all(Array.from({ length: 3500 }, (_, i) => a.metadata.change([], put(`k${i}`, i))));
    const b = await start('b', prefix);
    expect((await b.metadata.load('')).entries).toEqual((await a.metadata.load('')).entries);
    expect((await b.metadata.load('')).entries).toHaveLength(3500);
  });

  it('refuses what etcd refuses, without harm to the neighbours', async () => {
    const a = await start('a', freshPrefix());
    const tooLarge = a.metadata.change([], [{ key: 'large', value: 'x'.repeat(3 * 1024 * 1024) }]);
    const other = a.metadata.change([], put('small', 1));
    await expect(tooLarge).rejects.toThrow(EtcdError);
    await other;
    await expect(a.metadata.change([{ key: 'small', revision: 'absent' }], put('small', 2))).rejects.toThrow(
      GuardFailedError,
    );
  });

  it('takes its name back at once after a death, and lets another data directory wait', async () => {
    const prefix = freshPrefix();
    const first = await start('a', prefix);
    const session = first.registration.session!.revision;
    first.registration.onEnded = null;
    first.etcd.close();
    const again = await start('a', prefix);
    expect(again.registration.session!.revision).toBeGreaterThan(session);
    await again.metadata.change([], put('k', 1));
  });
});

describe.skipIf(noEtcd)('with three etcd members', () => {
  let members: RealEtcd[];
  beforeAll(async () => {
    members = await startEtcdCluster();
  });
  afterAll(async () => {
    for (const member of members) await member.stop();
  });

  it('goes on when a member dies, and keeps its session', async () => {
    const node = await startMetadataNode('a', '/chapar/', { endpoints: members.map(({ endpoint }) => endpoint) });
    try {
      const session = node.registration.session!.revision;
      let value = 0;
      for (const member of members.slice(0, 3)) {
        await member.kill();
        for (const deadline = performance.now() + 6000; performance.now() < deadline; ) {
          // What was given up may have been applied: only what was promised is asked for.
          await node.metadata.change([], put('k', ++value)).catch((error: unknown) => {
            expect(error).toBeInstanceOf(EtcdError);
          });
          await wait(20);
        }
        await node.metadata.change([], put('k', ++value));
        expect((await node.metadata.load('k')).entries[0]?.value).toBe(value);
        member.start();
        await member.ready();
      }
      expect(node.registration.session!.revision).toBe(session);
    } finally {
      await node.close();
    }
  }, 120_000);

  it('is read and not written without a majority, and goes on when there is one again', async () => {
    const node = await startMetadataNode('b', '/chapar-b/', { endpoints: members.map(({ endpoint }) => endpoint) }, 5);
    try {
      await node.metadata.change([], put('k', 1));
      await members[0]!.kill();
      await members[1]!.kill();
      await expect(node.metadata.change([], put('k', 2))).rejects.toThrow(/etcd/);
      expect((await node.metadata.load('k')).entries[0]?.value).toBe(1);
      const session = node.registration.session!.revision;
      await until(() => !node.registration.isSure, 10);
      members[0]!.start();
      members[1]!.start();
      await until(() => node.registration.isSure, 30);
      // No lease ends while there is no leader, and each has its full time from the next one on.
      expect(node.registration.session!.revision).toBe(session);
      await node.metadata.change([], put('k', 3));
      expect((await node.metadata.load('k')).entries[0]?.value).toBe(3);
    } finally {
      await node.close();
    }
  }, 120_000);
});

describe.skipIf(noEtcd)('with an etcd behind a connection that is taken and never answered', () => {
  it('is reached over another one when it is there', async () => {
    const [port, peer] = [await freePort(), await freePort()];
    // As when a machine vanishes after its kernel has taken the connection: it stays open, and nobody ever says a word on it.
    const silent = createServer({ pauseOnConnect: true });
    const taken: Socket[] = [];
    silent.on('connection', (socket) => taken.push(socket));
    await new Promise<void>((resolve) => silent.listen(port, '127.0.0.1', resolve));
    const { clock, log } = createNodePlatform({ log: { level: 'silent' } });
    const client = new EtcdClient({ endpoints: [`http://127.0.0.1:${port}`], tls: null, auth: null, clock, log });
    await expect(client.range('/')).rejects.toThrow(EtcdError);
    expect(taken).toHaveLength(1);
    silent.close();
    const etcd = new RealEtcd('one', port, peer, ['--initial-cluster', `one=http://127.0.0.1:${peer}`]);
    try {
      etcd.start();
      await etcd.ready();
      let found = false;
      await until(() => {
        const heard = () => {
          found = true;
        };
        if (!found) void client.range('/').then(heard, () => undefined);
        return found;
      });
    } finally {
      client.close();
      await etcd.stop();
      for (const socket of taken) socket.destroy();
    }
  }, 60_000);
});

describe.skipIf(noEtcd)('with an etcd whose quota is small', () => {
  it('says so, and goes on when there is room', async () => {
    const etcd = await startEtcd(['--quota-backend-bytes', String(4 * 1024 * 1024)]);
    const node = await startMetadataNode('a', '/chapar/', { endpoints: [etcd.endpoint] });
    try {
      const fill = async () => {
        for (let i = 0; i < 100; i++)
          await node.metadata.change([], [{ key: `k${i % 3}`, value: 'x'.repeat(100_000) }]);
      };
      await expect(fill()).rejects.toThrow('database space exceeded');
      etcd.ctl('compact', String(node.mirror.revision));
      etcd.ctl('defrag');
      etcd.ctl('alarm', 'disarm');
      await node.metadata.change([], put('again', 1));
    } finally {
      await node.close();
      await etcd.stop();
    }
  }, 60_000);
});
