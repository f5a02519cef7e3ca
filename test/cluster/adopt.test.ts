import { type Adoption, type AdoptOptions, adopt } from '@chapar/cluster';
import { metadataKey } from '@chapar/core';
import { describe, expect, it } from 'vitest';
import { directory, readIdentityOf, type SimMember, SimMembers } from './sim-members.js';

const queue = (name: string) => metadataKey('queues', '/', name);

/** A cluster of three with records, all stopped, and its etcd lost. */
async function lostCluster() {
  const world = new SimMembers();
  const [a, b, c] = ['a', 'b', 'c'].map((name) => world.machine(name)) as [SimMember, SimMember, SimMember];
  for (const machine of [a, b, c]) await machine.start();
  for (let i = 0; i < 230; i++) {
    const home = [a, b, c][i % 3]!.membership.dataId;
    await a.settle(a.membership.metadata.change([], [{ key: queue(`q${i}`), value: { incarnation: `${i}`, home } }]));
  }
  const { cluster } = a.membership;
  await world.advance(2000);
  await a.stop();
  // Only the others see this one.
  await b.settle(b.membership.metadata.change([], [{ key: queue('late'), value: { incarnation: 'late' } }]));
  await b.stop();
  await c.stop();
  const etcd = world.newEtcd();
  const begin = (machine: SimMember, options: Partial<AdoptOptions> = {}): Promise<Adoption> => {
    const { clock, log, random, disk } = machine.platform;
    return readIdentityOf(machine).then((dataId) =>
      adopt({
        etcd: etcd.connect(clock, random),
        ...{ clock, log, random, disk, directory, dataId, prefix: '/chapar', force: false },
        ...options,
      }),
    );
  };
  const on = (machine: SimMember, options?: Partial<AdoptOptions>) => machine.settle(begin(machine, options));
  const restart = (machine: SimMember) => {
    Object.assign(machine, { etcd });
    return machine.start();
  };
  return { world, a, b, c, cluster, etcd, begin, on, restart };
}

describe('a cluster whose etcd was lost', () => {
  it('is made anew from what its nodes remember', async () => {
    const { world, a, b, c, cluster, on, restart } = await lostCluster();
    await expect(restart(a)).rejects.toMatchObject({ reason: 'empty-etcd' });
    const planned = await on(a, { plan: true });
    const first = await on(a);
    expect(planned).toEqual({ ...first, cluster: planned.cluster });
    expect(first).toMatchObject({ how: 'rebuilt', from: cluster, put: 233, skipped: 0, removed: 0, isNewer: false });
    expect(first.cluster).not.toBe(cluster);
    // Whoever comes later is told what to do.
    await expect(restart(b)).rejects.toThrow('run `chapar cluster adopt` on this data directory too');
    expect(await on(b)).toMatchObject({ how: 'merged', cluster: first.cluster, put: 1, skipped: 233, isNewer: true });
    expect(await on(b)).toMatchObject({ how: 'merged', put: 0, isNewer: false });
    expect(await on(c)).toMatchObject({ how: 'merged', put: 0, skipped: 234 });
    for (const machine of [a, b, c]) {
      const { joined, metadata, members } = await restart(machine);
      expect(joined).toMatchObject({ how: 'returned', cluster: first.cluster, renewedFrom: null });
      expect((await metadata.load('queues/')).entries).toHaveLength(231);
      expect(members.list().map(({ node, starts }) => `${node} ${starts}`)).toContain(`${machine.name} 2`);
    }
    await world.advance(100);
    expect(a.membership.members.list().every(({ live }) => live !== null)).toBe(true);
  });

  it('is made anew by going on, wherever that was cut short', async () => {
    let halfWay = 0;
    for (let ms = 0.5; ms < 14; ms += 0.5) {
      const { world, a, etcd, begin, on, restart } = await lostCluster();
      void begin(a).catch(() => undefined);
      await world.advance(ms);
      a.platform.kill();
      if (etcd.keys.under('/chapar/cluster')[0]?.value.includes('founding')) halfWay++;
      const again = await on(a);
      expect(['rebuilt', 'merged']).toContain(again.how);
      const { metadata, joined } = await restart(a);
      expect(joined.how).toBe('returned');
      expect((await metadata.load('queues/')).entries).toHaveLength(230);
    }
    expect(halfWay).toBeGreaterThan(5);
  });

  it('takes a node back that was started since the copy that came first', async () => {
    const world = new SimMembers();
    const [a, b] = [world.machine('a'), world.machine('b')];
    await a.start();
    await b.start();
    await world.advance(2000);
    await a.stop();
    for (let i = 0; i < 2; i++) {
      await b.stop();
      await b.start();
    }
    await b.stop();
    const etcd = world.newEtcd();
    for (const machine of [a, b]) {
      const { clock, log, random, disk } = machine.platform;
      const dataId = await machine.settle(readIdentityOf(machine));
      const place = { directory, dataId, prefix: '/chapar', force: false };
      await machine.settle(adopt({ etcd: etcd.connect(clock, random), clock, log, random, disk, ...place }));
      Object.assign(machine, { etcd });
      expect((await machine.start()).joined).toMatchObject({ how: 'returned', dataId });
    }
    expect(b.membership.members.get(b.membership.dataId)?.starts).toBe(4);
  });

  it('replaces what else is there only when that is wanted, and never what is in use', async () => {
    const { world, a, etcd, on, restart } = await lostCluster();
    const other = world.machine('other', etcd);
    await other.start();
    await expect(on(a, { force: true })).rejects.toThrow(
      'Nodes are registered under /chapar/: other. Stop all nodes first',
    );
    await other.stop();
    await expect(on(a)).rejects.toThrow(
      /etcd has something else under \/chapar\/: the cluster .* With --force all of it \(2 keys\)/,
    );
    expect(await on(a, { force: true })).toMatchObject({ how: 'rebuilt', put: 233, removed: 1 });
    expect((await restart(a)).members.list().map(({ node }) => node)).toEqual(['a', 'b', 'c']);
    await expect(other.start()).rejects.toMatchObject({ reason: 'foreign-cluster' });
  });

  it('is not made anew where nothing is wrong, or where there is nothing to make it from', async () => {
    const { world, a, b, etcd, on, restart } = await lostCluster();
    await on(a);
    await on(b);
    const stranger = world.machine('stranger', etcd);
    await stranger.alone(async () => undefined);
    await expect(on(stranger)).rejects.toThrow('has never been in a cluster');
    await restart(a);
    await expect(on(a)).rejects.toThrow(/in use/);
  });

  it('does not take back who was forgotten', async () => {
    const { a, b, on, restart } = await lostCluster();
    await on(a);
    await on(b);
    const { members, dataId } = await restart(a);
    await a.settle(members.forget('b'));
    expect(members.list().map(({ node }) => node)).toEqual(['a', 'c']);
    await expect(restart(b)).rejects.toMatchObject({ reason: 'forgotten' });
    await expect(on(b)).rejects.toThrow('was told to forget');
    expect(members.get(dataId)).toBeDefined();
  });
});
