import { metadataKey } from '@chapar/core';
import { describe, expect, it } from 'vitest';
import { filesOf, restore, SimMembers } from './sim-members.js';

const queue = (name: string) => metadataKey('queues', '/', name);

describe('a node of a cluster', () => {
  it('makes the cluster when there is none, and others join it', async () => {
    const world = new SimMembers();
    const [a, b] = [world.machine('a'), world.machine('b')];
    const first = await a.start();
    const second = await b.start();
    expect(first.joined).toMatchObject({ how: 'founded', imported: 0, renewedFrom: null });
    expect(second.joined).toMatchObject({ how: 'joined', cluster: first.cluster });
    expect(second.dataId).not.toBe(first.dataId);
    await a.settle(first.metadata.change([], [{ key: 'k', value: 1 }]));
    await world.advance(100);
    expect((await second.metadata.load('k')).entries[0]?.value).toBe(1);
    expect(first.members.list()).toMatchObject([
      { node: 'a', dataId: first.dataId, starts: 1, live: { address: 'a:25672' } },
      { node: 'b', dataId: second.dataId, starts: 1, live: { session: second.session!.revision } },
    ]);
  });

  it('is made by one of many that start at the same time', async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const world = new SimMembers(seed);
      const machines = ['a', 'b', 'c', 'd'].map((name) => world.machine(name));
      const clusters = await Promise.all(machines.map(async (machine) => (await machine.start()).cluster));
      expect(new Set(clusters).size).toBe(1);
      expect(machines.filter(({ membership }) => membership.joined.how === 'founded')).toHaveLength(1);
    }
  });

  it('comes back as who it was, after a stop and after a death', async () => {
    const world = new SimMembers();
    const a = world.machine('a');
    const { dataId, cluster } = await a.start();
    await a.stop();
    expect((await a.start()).joined).toMatchObject({ how: 'returned', dataId, cluster });
    a.kill();
    expect((await a.start()).joined).toMatchObject({ how: 'returned', dataId, cluster });
    expect(a.membership.members.list()).toMatchObject([{ starts: 3 }]);
  });

  it('begins another session when somebody touches the mark of the one that it has', async () => {
    const world = new SimMembers();
    const a = world.machine('a');
    const { metadata, session } = await a.start();
    const touch = (op: { kind: 'put'; value: string; lease: null } | { kind: 'delete' }) =>
      world.etcd.txn({ compare: [], success: [{ key: '/chapar/marks/a', ...op }], failure: [] });
    for (const op of [{ kind: 'put', value: '7', lease: null }, { kind: 'delete' }] as const) {
      touch(op);
      await expect(a.settle(metadata.change([], [{ key: 'k', value: 1 }]))).rejects.toThrow('etcd');
      await world.advance(1000);
      await a.settle(metadata.change([], [{ key: 'k', value: 2 }]));
    }
    expect(a.membership.session!.revision).toBeGreaterThan(session!.revision);
  });

  it('shares etcd with another cluster under another prefix', async () => {
    const world = new SimMembers();
    const [a, b] = [world.machine('a'), world.machine('a')];
    const one = await a.start({ prefix: '/one' });
    const two = await b.start({ prefix: '/two/' });
    expect(one.cluster).not.toBe(two.cluster);
    await a.settle(one.metadata.change([], [{ key: 'k', value: 1 }]));
    await world.advance(100);
    expect((await two.metadata.load('')).entries).toEqual([]);
    await b.stop();
    await expect(b.start({ prefix: '/one' })).rejects.toThrow(
      /belongs to the cluster .* and under \/one\/ in etcd is the cluster/,
    );
    await expect(b.start({ prefix: '/three' })).rejects.toThrow(
      'It was under the prefix /two/: is --etcd-prefix right?',
    );
  });

  it('waits for etcd, and says so', async () => {
    const world = new SimMembers();
    const a = world.machine('a');
    await a.start();
    a.kill();
    world.etcd.stop();
    const waits: string[] = [];
    const starting = a.start({ onWaiting: (what) => waits.push(what) });
    await world.advance(60_000);
    expect(waits[0]).toContain('etcd cannot be used: etcd did not answer in time');
    world.etcd.resume();
    expect((await starting).joined.how).toBe('returned');
  });

  it('waits for its name when another directory has it', async () => {
    const world = new SimMembers();
    const [a, other] = [world.machine('a'), world.machine('a')];
    await a.start();
    const waits: string[] = [];
    const starting = other.start({ onWaiting: (what) => waits.push(what) });
    await world.advance(30_000);
    expect(waits).toEqual(['another data directory is registered as a from a:25672']);
    await a.stop();
    expect((await starting).joined.how).toBe('joined');
  });

  it('may be called something else after a restart', async () => {
    const world = new SimMembers();
    const [a, b] = [world.machine('a'), world.machine('b')];
    await b.start();
    const { dataId } = await a.start();
    a.kill();
    await a.start({ node: 'z' });
    await world.advance(100);
    expect(b.membership.members.registrations().map(({ node }) => node)).toEqual(['b', 'z']);
    expect(b.membership.members.get(dataId)).toMatchObject({ node: 'z', starts: 2 });
  });

  it('takes what it declared alone into the cluster that it makes', async () => {
    const world = new SimMembers();
    const a = world.machine('a');
    const names = Array.from({ length: 250 }, (_, i) => `q${i}`);
    await a.alone(async (metadata) => {
      await metadata.change([], [{ key: 'vhosts/%2F', value: {} }]);
      for (const name of names) await metadata.change([], [{ key: queue(name), value: { incarnation: name } }]);
    });
    const { joined, metadata, dataId } = await a.start();
    expect(joined).toMatchObject({ how: 'founded', imported: 251 });
    const { entries } = await metadata.load('queues/');
    expect(entries).toHaveLength(250);
    expect(entries[0]?.value).toEqual({ incarnation: 'q0', home: dataId });
    expect((await metadata.load('vhosts/')).entries).toMatchObject([{ value: {} }]);
  });

  it('goes on with that after a death in the middle of it, while others wait', async () => {
    const world = new SimMembers();
    const [a, b] = [world.machine('a'), world.machine('b')];
    await a.alone(async (metadata) => {
      for (let i = 0; i < 250; i++)
        await metadata.change([], [{ key: queue(`q${i}`), value: { incarnation: `${i}` } }]);
    });
    void a.begin().catch(() => undefined);
    while (world.etcd.keys.under('/chapar/meta/').length === 0) await world.advance(0.5);
    a.kill();
    expect(world.etcd.keys.under('/chapar/cluster')[0]?.value).toContain('founding');
    expect(world.etcd.keys.under('/chapar/meta/').length).toBeLessThan(250);
    const waits: string[] = [];
    const starting = b.start({ onWaiting: (what) => waits.push(what) });
    await world.advance(5000);
    expect(waits[0]).toContain('the cluster is being made by the data directory');
    const { metadata } = await a.start();
    expect((await metadata.load('queues/')).entries).toHaveLength(250);
    expect((await starting).joined.how).toBe('joined');
  });

  it('does not join a cluster when it would lose sight of what it declared alone', async () => {
    const world = new SimMembers();
    const [a, b, c] = [world.machine('a'), world.machine('b'), world.machine('c')];
    await a.start();
    await b.alone((metadata) => metadata.change([], [{ key: queue('q'), value: { incarnation: '1' } }]));
    await expect(b.start()).rejects.toThrow(/served alone and holds 1 queues, which the cluster/);
    // What every new directory has is no obstacle.
    await c.alone((metadata) =>
      metadata.change(
        [],
        ['vhosts/%2F', 'users/guest', 'permissions/%2F/guest', 'marks/default-user'].map((key) => ({ key, value: {} })),
      ),
    );
    expect((await c.start()).joined.how).toBe('joined');
    await b.stop().catch(() => undefined);
  });
});

describe('a node is refused', () => {
  it('by an etcd that has nothing of its cluster', async () => {
    const world = new SimMembers();
    const a = world.machine('a');
    const { cluster } = await a.start();
    await a.stop();
    const empty = world.machine('b', world.newEtcd());
    await empty.settle(restore(empty, await a.settle(filesOf(a))));
    await expect(empty.start()).rejects.toMatchObject({
      reason: 'empty-etcd',
      message: expect.stringContaining(cluster),
    });
    expect(empty.etcd.keys.under('')).toEqual([]);
  });

  it('by an etcd that is older than what it has seen', async () => {
    const world = new SimMembers();
    const a = world.machine('a');
    await a.start();
    await a.stop();
    await a.start();
    for (let i = 0; i < 50; i++) await a.settle(a.membership.metadata.change([], [{ key: 'k', value: i }]));
    await a.stop();
    // Restored: it has the cluster and the node, and a lower revision.
    const older = world.newEtcd();
    const entries = world.etcd.keys.under('');
    for (const { key, value } of entries) {
      older.txn({ compare: [], success: [{ kind: 'put', key, value, lease: null }], failure: [] });
    }
    const there = world.machine('a', older);
    await there.settle(restore(there, await a.settle(filesOf(a))));
    await expect(there.start()).rejects.toMatchObject({ reason: 'older-etcd' });
    // Somebody went on with it, so that the revision is no longer lower: its starts tell.
    while (older.keys.revision < world.etcd.keys.revision + 10) {
      older.txn({ compare: [], success: [{ kind: 'put', key: '/x', value: '1', lease: null }], failure: [] });
    }
    const member = entries.find(({ key }) => key.startsWith('/chapar/members/'))!;
    const value = JSON.stringify({ ...JSON.parse(member.value), starts: 1, boot: 'the first' });
    older.txn({ compare: [], success: [{ kind: 'put', key: member.key, value, lease: null }], failure: [] });
    await expect(there.start()).rejects.toThrow('it knows 1 starts of this node, of which there were 2');
    older.txn({ compare: [], success: [{ kind: 'delete', key: member.key }], failure: [] });
    await expect(there.start()).rejects.toThrow('it does not know this node, which has been part of the cluster');
  });

  it('by a cluster of a newer format, and by a directory of one', async () => {
    const world = new SimMembers();
    const a = world.machine('a');
    world.etcd.txn({
      compare: [],
      success: [{ kind: 'put', key: '/chapar/cluster', value: '{"format":2,"id":"x"}', lease: null }],
      failure: [],
    });
    await expect(a.start()).rejects.toMatchObject({ reason: 'newer-format' });
    const b = world.machine('b', world.newEtcd());
    await b.start();
    await b.stop();
    const path = '/data/cluster.json';
    const memory = JSON.parse((await b.settle(b.platform.disk.readFile(path))).toString());
    await b.settle(b.platform.disk.replaceFile(path, Buffer.from(JSON.stringify({ ...memory, format: 2 }))));
    await expect(b.start()).rejects.toMatchObject({ reason: 'newer-format' });
    await b.settle(b.platform.disk.replaceFile(path, Buffer.from('{')));
    await expect(b.start()).rejects.toMatchObject({ reason: 'damaged-file' });
  });

  it('by an etcd in which somebody else has the prefix', async () => {
    const world = new SimMembers();
    world.etcd.txn({
      compare: [],
      success: [{ kind: 'put', key: '/chapar/theirs', value: 'x', lease: null }],
      failure: [],
    });
    await expect(world.machine('a').start()).rejects.toThrow('etcd has keys under /chapar/, but no cluster');
    expect(world.etcd.keys.under('/chapar/')).toHaveLength(1);
  });
});

describe('a data directory', () => {
  it('that was restored from a backup joins as somebody else, with its logs aside', async () => {
    const world = new SimMembers();
    const [a, b] = [world.machine('a'), world.machine('b')];
    await b.start();
    const { dataId } = await a.start();
    await a.stop();
    const backup = await a.settle(filesOf(a));
    await a.start();
    await a.stop();
    await a.settle(restore(a, backup));
    const { joined } = await a.start();
    expect(joined).toMatchObject({ how: 'joined', renewedFrom: dataId });
    expect(joined.dataId).not.toBe(dataId);
    expect(a.platform.log.find('was restored from a backup, or is a copy', 'warn')).toHaveLength(1);
    expect([...(await a.settle(filesOf(a, `/data/aside/${dataId}`))).keys()]).toContain(
      `/data/aside/${dataId}/metadata/metadata.log`,
    );
    await world.advance(100);
    expect(b.membership.members.list().map(({ live }) => live !== null)).toEqual(
      expect.arrayContaining([true, true, false]),
    );
    await a.stop();
    expect((await a.start()).joined).toMatchObject({ how: 'returned', dataId: joined.dataId, renewedFrom: null });
  });

  it('that was copied is two, also when both start at the same time', async () => {
    for (let seed = 1; seed <= 10; seed++) {
      const world = new SimMembers(seed);
      const a = world.machine('a');
      const { dataId } = await a.start();
      await a.stop();
      const copy = world.machine('copy');
      await copy.settle(restore(copy, await a.settle(filesOf(a))));
      await a.settle(Promise.all([a.begin(), copy.begin()]));
      const ids = [a, copy].map(({ membership }) => membership.dataId);
      expect(ids).toContain(dataId);
      expect(new Set(ids).size).toBe(2);
    }
  });

  it('that was copied is two: the one that starts first goes on as the one', async () => {
    const world = new SimMembers();
    const a = world.machine('a');
    const { dataId } = await a.start();
    await a.stop();
    const copy = world.machine('copy');
    await copy.settle(restore(copy, await a.settle(filesOf(a))));
    await copy.start();
    const { joined } = await a.start();
    expect(copy.membership.joined.dataId).toBe(dataId);
    expect(joined.renewedFrom).toBe(dataId);
    expect(joined.dataId).not.toBe(dataId);
  });

  it('is the same one however its starts are cut short', async () => {
    const world = new SimMembers();
    const a = world.machine('a');
    const { dataId } = await a.start();
    for (let ms = 0; ms < 12; ms += 0.25) {
      a.kill();
      void a.begin().catch(() => undefined);
      await world.advance(ms);
      a.kill();
      const { joined } = await a.start();
      expect(joined).toMatchObject({ how: 'returned', dataId });
    }
  });

  it('is the same one when etcd hears of a start only after it was cut short and another one began', async () => {
    let late = 0;
    for (let ms = 20; ms < 40; ms += 0.1) {
      const world = new SimMembers();
      const a = world.machine('a');
      const { dataId } = await a.start();
      a.kill();
      void a.begin().catch(() => undefined);
      a.client.path.delayMs = 10;
      await world.advance(ms);
      a.kill();
      const { joined } = await a.start();
      expect(joined).toMatchObject({ how: 'returned', dataId });
      await world.advance(50);
      if (a.membership.members.list()[0]!.starts === 3) late++;
      expect(a.membership.session).not.toBeNull();
    }
    expect(late).toBeGreaterThan(0);
  });

  it('is the same one although answers of etcd are lost', async () => {
    for (let seed = 1; seed <= 10; seed++) {
      const world = new SimMembers(seed);
      const a = world.machine('a');
      const { dataId } = await a.start();
      for (let i = 0; i < 5; i++) {
        a.kill();
        const connect = a.etcd.connect.bind(a.etcd);
        a.etcd.connect = (clock, random) => {
          const client = connect(clock, random);
          client.path.answerLoss = 0.5;
          return client;
        };
        expect((await a.start()).joined).toMatchObject({ how: 'returned', dataId });
        a.etcd.connect = connect;
      }
    }
  });
});
