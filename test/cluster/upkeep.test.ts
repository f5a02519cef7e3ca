import { staleBindings } from '@chapar/cluster';
import { type JsonValue, metadataKey } from '@chapar/core';
import { describe, expect, it } from 'vitest';
import { type SimMember, SimMembers } from './sim-members.js';

const minute = 60_000;

async function nodes(...names: string[]) {
  const world = new SimMembers();
  const machines = names.map((name) => world.machine(name));
  for (const machine of machines) await machine.start();
  return { world, machines };
}

const put = (machine: SimMember, records: { readonly [key: string]: JsonValue }) =>
  machine.settle(
    machine.membership.metadata.change(
      [],
      Object.entries(records).map(([key, value]) => ({ key, value })),
    ),
  );

const keysOf = async (machine: SimMember, prefix: string) =>
  (await machine.membership.metadata.load(prefix)).entries.map(({ key }) => key);

const binding = (source: string, kind: string, destination: string) =>
  metadataKey('bindings', '/', source, kind, destination, '["k",{}]');
const ends = (sourceIncarnation: string, destinationIncarnation: string) => ({
  sourceIncarnation,
  destinationIncarnation,
  routingKey: 'k',
  arguments: {},
});

describe('upkeep', () => {
  it('compacts all but ten minutes of history, and no watch notices', async () => {
    const { world, machines } = await nodes('a', 'b');
    const [a, b] = machines as [SimMember, SimMember];
    expect([a, b].map(({ membership }) => membership.upkeep.isOurs)).toEqual([true, false]);
    for (let i = 0; i < 30; i++) {
      await put(a, { k: i });
      await world.advance(minute);
    }
    const { keys } = world.etcd;
    const since = keys.since('/chapar/meta/', keys.compacted + 1)!.filter(({ key }) => key === '/chapar/meta/k').length;
    expect(since).toBeGreaterThanOrEqual(10);
    expect(since).toBeLessThanOrEqual(13);
    expect((await b.membership.metadata.load('k')).entries[0]?.value).toBe(29);
    // The next one in line goes on with it.
    const before = keys.compacted;
    await a.stop();
    await world.advance(100);
    expect(b.membership.upkeep.isOurs).toBe(true);
    for (let i = 0; i < 15; i++) {
      await put(b, { k: i });
      await world.advance(minute);
    }
    expect(keys.compacted).toBeGreaterThan(before);
  });

  it('deletes bindings that have lost an end, and no others', async () => {
    const { world, machines } = await nodes('a');
    const [a] = machines as [SimMember];
    await put(a, {
      'vhosts/%2F': {},
      'exchanges/%2F/x': { incarnation: 'x1' },
      'exchanges/%2F/y': { incarnation: 'y2' },
      'queues/%2F/q': { incarnation: 'q1' },
      [binding('x', 'queue', 'q')]: ends('x1', 'q1'),
      [binding('x', 'exchange', 'y')]: ends('x1', 'y2'),
      [binding('amq.direct', 'queue', 'q')]: ends('amq.direct', 'q1'),
    });
    const kept = await keysOf(a, 'bindings/');
    for (let i = 0; i < 230; i++) await put(a, { [binding('x', 'queue', `gone${i}`)]: ends('x1', `g${i}`) });
    await put(a, {
      [binding('y', 'queue', 'q')]: ends('y1', 'q1'),
      [binding('x', 'exchange', 'amq.fanout')]: ends('x0', 'amq.fanout'),
      [metadataKey('bindings', 'no such vhost', 'amq.direct', 'queue', 'q', '[]')]: ends('amq.direct', 'q1'),
    });
    expect(staleBindings(a.membership.mirror)).toHaveLength(233);
    await world.advance(12 * minute);
    expect(await keysOf(a, 'bindings/')).toEqual(kept);
  });
});

describe('transient exchanges', () => {
  const records = {
    'vhosts/%2F': {},
    'exchanges/%2F/t': { incarnation: 't', transient: true },
    'exchanges/%2F/d': { incarnation: 'd' },
    'queues/%2F/q': { incarnation: 'q' },
    [binding('t', 'queue', 'q')]: ends('t', 'q'),
    [binding('d', 'exchange', 't')]: ends('d', 't'),
    [binding('d', 'queue', 'q')]: ends('d', 'q'),
  };

  it('are there as long as any node is', async () => {
    const { world, machines } = await nodes('a', 'b');
    const [a, b] = machines as [SimMember, SimMember];
    await put(a, records);
    await a.stop();
    await a.start();
    expect(await keysOf(a, 'exchanges/')).toHaveLength(2);
    // Cut off from etcd it is still there, and comes back without having been away for those who use it.
    b.client.path.cut = true;
    await world.advance(15_000);
    b.client.path.cut = false;
    await world.advance(15_000);
    expect(await keysOf(b, 'exchanges/')).toHaveLength(2);
  });

  it('are erased with their bindings by the first node that starts when all are gone', async () => {
    const { world, machines } = await nodes('a', 'b');
    const [a, b] = machines as [SimMember, SimMember];
    await put(a, records);
    await a.stop();
    b.kill();
    // Its own last life does not count as another node.
    await b.start();
    await world.advance(100);
    expect(await keysOf(b, 'exchanges/')).toEqual(['exchanges/%2F/d']);
    expect(await keysOf(b, 'bindings/')).toEqual([binding('d', 'queue', 'q')]);
    await put(b, { 'exchanges/%2F/t': { incarnation: 't2', transient: true } });
    await a.start();
    await world.advance(100);
    expect(await keysOf(a, 'exchanges/')).toHaveLength(2);
  });

  it('that are declared while several start at once are not erased', async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const world = new SimMembers(seed);
      const [a, b] = [world.machine('a'), world.machine('b')];
      await a.start();
      await a.stop();
      const declare = (machine: SimMember) =>
        machine
          .begin()
          .then((membership) => membership.register())
          .then(() => {
            const key = `exchanges/%2F/${machine.name}`;
            return machine.membership.metadata.change(
              [],
              [{ key, value: { incarnation: machine.name, transient: true } }],
            );
          });
      await a.settle(Promise.all([a, b].map(declare)));
      await world.advance(10_000);
      expect(await keysOf(a, 'exchanges/')).toEqual(['exchanges/%2F/a', 'exchanges/%2F/b']);
    }
  });
});

describe('the state of etcd', () => {
  it('says whether it can be reached, since when, and its alarms', async () => {
    const { world, machines } = await nodes('a');
    const [a] = machines as [SimMember];
    const { health } = a.membership;
    const changes: string[] = [];
    health.onChange = ({ reachable, alarms }) => changes.push(`${reachable} ${alarms}`);
    await world.advance(1000);
    expect(health.view()).toMatchObject({
      reachable: true,
      error: null,
      alarms: [],
      stranger: null,
      version: 'simulated',
    });
    const wallMs = a.platform.clock.wallMs();
    world.etcd.stop();
    await world.advance(20_000);
    expect(health.view()).toMatchObject({ reachable: false, error: expect.stringContaining('etcd') });
    expect(health.view().sinceMs - wallMs).toBeGreaterThan(0);
    expect(health.view().sinceMs - wallMs).toBeLessThan(10_000);
    world.etcd.resume();
    await world.advance(10_000);
    expect(health.view().reachable).toBe(true);
    // The transaction that finds no room is applied, and answered with an error.
    a.client.path.watchLagMs = 200;
    world.etcd.isFull = true;
    await put(a, { k: 1 });
    await expect(put(a, { k: 2 })).rejects.toThrow('etcdserver: mvcc: database space exceeded');
    await world.advance(10_000);
    expect(health.view().alarms).toEqual(['NOSPACE']);
    expect((await a.membership.metadata.load('k')).entries[0]?.value).toBe(1);
    world.etcd.alarms.delete('NOSPACE');
    await world.advance(10_000);
    await put(a, { k: 3 });
    expect(changes).toEqual(['false ', 'true ', 'true NOSPACE', 'true ']);
    expect(a.platform.log.find('etcd has raised NOSPACE: its quota is used up', 'error')).toHaveLength(1);
  });
});
