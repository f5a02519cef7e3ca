import { type SimPlatform, SimWorld } from '@chapar/platform';
import { beforeEach, describe, expect, it } from 'vitest';
import type { EtcdTxn } from './etcd.js';
import { SimEtcd } from './sim-etcd.js';
import type { SimEtcdClient } from './sim-etcd-client.js';

const put = (key: string, value = 'x', lease: string | null = null): EtcdTxn => {
  return { compare: [], success: [{ kind: 'put', key, value, lease }], failure: [] };
};

describe('the simulated etcd', () => {
  let world: SimWorld;
  let etcd: SimEtcd;
  let machine: SimPlatform;
  let client: SimEtcdClient;
  let other: SimEtcdClient;
  let heard: string[];

  const advance = (ms: number) => world.scheduler.advance(ms);
  const settle = <T>(promise: Promise<T>) => world.scheduler.settle(promise);
  const outcome = (promise: Promise<unknown>) =>
    settle(
      promise.then(
        () => 'done',
        (error: unknown) => String(error),
      ),
    );
  const watch = (from = etcd.keys.revision + 1) =>
    client.watch('', from, {
      changed: (events) => heard.push(...events.map(({ key }) => key)),
      heard: () => undefined,
      ended: ({ compacted, reason }) => heard.push(`(${compacted ?? ''} ${reason})`),
    });

  beforeEach(() => {
    world = new SimWorld(4);
    etcd = new SimEtcd(world.scheduler);
    heard = [];
    machine = world.machine('a');
    client = etcd.connect(machine.clock, machine.random, machine);
    const { clock, random } = world.machine('b');
    other = etcd.connect(clock, random);
  });

  it('applies what it does not answer, and loses what never arrives', async () => {
    client.path.answerLoss = 1;
    expect(await outcome(client.txn(put('applied')))).toMatch('did not answer in time');
    client.path.answerLoss = 0;
    client.path.requestLoss = 1;
    expect(await outcome(client.txn(put('lost')))).toMatch('did not answer in time');
    client.path.requestLoss = 0;
    expect(etcd.keys.under('').map(({ key }) => key)).toEqual(['applied']);
  });

  it('applies what a process sent before it died', async () => {
    void client.txn(put('last word'));
    machine.kill();
    client.close();
    await advance(10);
    expect(etcd.keys.under('').map(({ key }) => key)).toEqual(['last word']);
  });

  it('answers a stopped process when it goes on, however late', async () => {
    const lease = await settle(client.grantLease(10));
    const renewed = client.keepLease(lease);
    machine.pause();
    await advance(1_500);
    machine.resume();
    expect(await settle(renewed)).toBe(10);
  });

  it('shows each client what changed after its own lag, in order and none left out', async () => {
    watch();
    client.path.watchLagMs = 300;
    for (const key of ['1', '2']) await settle(other.txn(put(key)));
    await advance(200);
    await settle(other.txn(put('3')));
    expect(heard).toEqual([]);
    await advance(150);
    expect(heard).toEqual(['1', '2']);
    client.path.watchLagMs = 0;
    await advance(200);
    expect(heard).toEqual(['1', '2', '3']);
  });

  it('brings what happened during a short cut, and ends a watch that hears nothing for long', async () => {
    watch();
    client.path.cut = true;
    await settle(other.txn(put('missed')));
    await advance(1_000);
    expect(heard).toEqual([]);
    client.path.cut = false;
    await advance(3_000);
    expect(heard).toEqual(['missed']);
    client.path.cut = true;
    await advance(10_000);
    expect(heard[1]).toMatch(/nothing was heard/);
  });

  it('breaks a watch instead of telling it something', async () => {
    watch();
    client.path.watchLoss = 1;
    await settle(other.txn(put('lost on the way')));
    await advance(10);
    expect(heard).toEqual(['( the connection broke)']);
  });

  it('ends a watch that is behind a compaction', async () => {
    const { revision } = etcd.keys;
    for (const key of ['1', '2']) await settle(other.txn(put(key)));
    etcd.compact();
    watch(revision + 1);
    await advance(10);
    expect(heard).toEqual([`(${etcd.keys.revision} the revision was compacted)`]);
  });

  it('ends leases, but not while it has no majority, and anew after each election', async () => {
    const lease = await settle(client.grantLease(10));
    await settle(client.txn(put('leased', 'x', lease)));
    await advance(9_000);
    etcd.stop();
    await advance(60_000);
    etcd.resume();
    await advance(9_000);
    expect(etcd.keys.under('')).toHaveLength(1);
    await advance(2_000);
    expect(etcd.keys.under('')).toEqual([]);
    expect(etcd.leaseCount).toBe(0);
  });

  it('breaks all watches when it is restarted', async () => {
    watch();
    etcd.restart();
    await advance(10);
    expect(heard).toEqual(['( the connection was reset)']);
    expect(await outcome(client.txn(put('x')))).toBe('done');
  });

  it('takes deletions only when its quota is used up', async () => {
    await settle(client.txn(put('old')));
    etcd.alarms.add('NOSPACE');
    expect(await outcome(client.txn(put('new')))).toMatch('database space exceeded');
    const remove: EtcdTxn = { compare: [], success: [{ kind: 'delete', key: 'old' }], failure: [] };
    expect(await outcome(client.txn(remove))).toBe('done');
  });
});
