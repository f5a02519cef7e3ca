import { GuardFailedError, type MetadataEvent } from '@chapar/core';
import { createSimPlatform } from '@chapar/platform';
import { describe, expect, it } from 'vitest';
import { SimEtcd } from './etcd/sim-etcd.js';
import { EtcdMetadata } from './metadata.js';
import { Mirror } from './mirror.js';
import { Registration } from './session.js';
import { Writer } from './writer.js';

const prefix = '/chapar/';

/** Several nodes' metadata in one simulated etcd, all on one clock. */
class World {
  readonly platform = createSimPlatform(7);
  readonly etcd = new SimEtcd(this.platform.clock.scheduler);

  async node(name: string, dataId = name) {
    const { clock, random, log } = this.platform;
    const client = this.etcd.connect(clock, random);
    const mirror = new Mirror(client, { clock, log }, prefix);
    await this.settle(mirror.open());
    const writer = new Writer(client, { clock, log }, prefix, mirror);
    const record = { dataId, boot: random.uuid(), address: 'localhost:1', versions: {} };
    const registration = new Registration({
      etcd: client,
      mirror,
      clock,
      log,
      prefix,
      node: name,
      record,
      leaseSeconds: 10,
    });
    registration.onBegan = (session) => writer.use(session);
    registration.onEnded = () => writer.use(null);
    registration.start();
    await this.advance(100);
    return { name, client, mirror, writer, registration, metadata: new EtcdMetadata(mirror, writer) };
  }

  settle<T>(promise: Promise<T>): Promise<T> {
    return this.platform.settle(promise);
  }

  advance(ms: number): Promise<void> {
    return this.platform.clock.advance(ms);
  }
}

const put = (key: string, value: number) => [{ key, value }];

describe('metadata in etcd', () => {
  it('is seen by every node, in one order', async () => {
    const world = new World();
    const [a, b] = [await world.node('a'), await world.node('b')];
    const heard: MetadataEvent[][] = [[], []];
    for (const [i, { metadata, mirror }] of [a, b].entries()) {
      metadata.watch('', mirror.revision, (events) => heard[i]!.push(...events));
    }
    const changes = Array.from({ length: 300 }, (_, i) => (i % 2 ? a : b).metadata.change([], put(`k${i % 7}`, i)));
    await world.settle(Promise.all(changes));
    await world.advance(10);
    expect(heard[0]).toHaveLength(300);
    expect(heard[1]).toEqual(heard[0]);
  });

  it('puts many changes into one transaction, each with its own verdict', async () => {
    const world = new World();
    const { metadata } = await world.node('a');
    await world.settle(metadata.change([], put('taken', 0)));
    const before = world.etcd.keys.revision;
    const outcomes = await world.settle(
      Promise.allSettled(
        Array.from({ length: 100 }, (_, i) =>
          metadata.change([{ key: i === 50 ? 'taken' : `new${i}`, revision: 'absent' }], put(`new${i}`, i)),
        ),
      ),
    );
    // The first went at once, the others when it was through.
    expect(world.etcd.keys.revision - before).toBe(2);
    const rejected = outcomes.flatMap((outcome, i) => (outcome.status === 'rejected' ? [[i, outcome.reason]] : []));
    expect(rejected).toEqual([[50, new GuardFailedError('taken')]]);
  });

  it('puts changes into one transaction that are guarded by the same key, and none that writes it', async () => {
    const world = new World();
    const { metadata } = await world.node('a');
    await world.settle(metadata.change([], put('vhost', 0)));
    const before = world.etcd.keys.revision;
    const guard = [{ key: 'vhost', revision: 'present' as const }];
    const early = Array.from({ length: 60 }, (_, i) => metadata.change(guard, put(`early${i}`, i)));
    const end = metadata.change([], [{ key: 'vhost', value: undefined }]);
    const late = Array.from({ length: 30 }, (_, i) => metadata.change(guard, put(`late${i}`, i)));
    const outcomes = await world.settle(Promise.allSettled([...early, end, ...late]));
    expect(outcomes.filter(({ status }) => status === 'rejected')).toHaveLength(30);
    expect(outcomes.slice(0, 61).every(({ status }) => status === 'fulfilled')).toBe(true);
    // The first, the others before the end, the end, those behind it.
    expect(world.etcd.keys.revision - before).toBe(4);
  });

  it('applies nothing twice when answers are lost, and tells how it went', async () => {
    const world = new World();
    const a = await world.node('a');
    a.client.path.answerLoss = 0.5;
    // Longer than a call waits, so that some are sent again before the mirror knows.
    a.client.path.watchLagMs = 2500;
    let value = 0;
    let guardFailures = 0;
    for (let i = 0; i < 200; i++) {
      const { entries } = await a.metadata.load('counter');
      const revision = entries[0]?.revision ?? 'absent';
      // Every other change has a guard that cannot hold.
      const holds = i % 2 === 0;
      const guard = holds ? revision : 1;
      try {
        await world.settle(a.metadata.change([{ key: 'counter', revision: guard }], put('counter', value + 1)));
        value++;
        expect(holds).toBe(true);
      } catch (error) {
        expect(error).toEqual(new GuardFailedError('counter'));
        expect(holds).toBe(false);
        guardFailures++;
      }
      const found = await a.metadata.load('counter');
      expect(found.entries[0]?.value).toBe(value);
    }
    expect([value, guardFailures]).toEqual([100, 100]);
  });

  it('lets nobody pay for what etcd refuses of a neighbour', async () => {
    const world = new World();
    const { writer } = await world.node('a');
    // The first goes at once, the others together.
    const changes = ['first', 'healthy', 'ill', 'healthy too'].map((key) =>
      writer.change([], [key === 'ill' ? { key, value: 1, lease: '1' } : { key, value: 1 }]),
    );
    const outcomes = await world.settle(Promise.allSettled(changes));
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'fulfilled']);
    expect(outcomes[2]).toMatchObject({ reason: { message: 'etcdserver: requested lease not found' } });
  });

  it('does not say how a change went when etcd has forgotten it', async () => {
    const world = new World();
    const [a, b] = [await world.node('a'), await world.node('b')];
    a.client.path.watchLagMs = 1000;
    a.client.path.answerLoss = 1;
    const lost = a.metadata.change([{ key: 'k', revision: 'absent' }], put('k', 1));
    await world.advance(10);
    await world.settle(b.metadata.change([{ key: 'k', revision: 'present' }], [{ key: 'k', value: undefined }]));
    a.client.path.cut = true;
    a.client.reset();
    world.etcd.keys.compact(world.etcd.keys.revision);
    a.client.path.answerLoss = 0;
    a.client.path.cut = false;
    await expect(world.settle(lost)).rejects.toThrow('what it did cannot be told, since etcd has forgotten it');
    await world.settle(a.metadata.change([], put('k', 3)));
    expect((await b.metadata.load('k')).entries[0]?.value).toBe(3);
  });

  it('does not undo what somebody else wrote after an answer was lost', async () => {
    const world = new World();
    const [a, b] = [await world.node('a'), await world.node('b')];
    a.client.path.watchLagMs = 4000;
    a.client.path.answerLoss = 1;
    const lost = a.metadata.change([], put('k', 1));
    await world.advance(10);
    await world.settle(b.metadata.change([], put('k', 2)));
    await world.advance(2500);
    a.client.path.answerLoss = 0;
    await world.settle(lost);
    await world.advance(5000);
    expect((await b.metadata.load('k')).entries[0]?.value).toBe(2);
    expect((await a.metadata.load('k')).entries[0]?.value).toBe(2);
  });

  it('tells the deletion of somebody else from its own when the answer is lost', async () => {
    const world = new World();
    const a = await world.node('a');
    for (let i = 0; i < 50; i++) {
      await world.settle(a.metadata.change([], put('k', i)));
      a.client.path.answerLoss = 0.7;
      const deletes = [1, 2].map(() => {
        return a.metadata.change([{ key: 'k', revision: 'present' }], [{ key: 'k', value: undefined }]);
      });
      const outcomes = await world.settle(Promise.allSettled(deletes));
      expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
      a.client.path.answerLoss = 0;
    }
  });

  it('loses no event over cuts, and none over a compaction', async () => {
    const world = new World();
    const [a, b] = [await world.node('a'), await world.node('b')];
    const seen = new Map<string, unknown>();
    b.metadata.watch('', b.mirror.revision, (events) => {
      for (const { key, value } of events) {
        if (value === undefined) seen.delete(key);
        else seen.set(key, value);
      }
    });
    for (let i = 0; i < 40; i++) {
      if (i % 10 === 3) b.client.path.cut = true;
      await world.settle(a.metadata.change([], put(`k${i % 11}`, i)));
      if (i % 5 === 0) await world.settle(a.metadata.change([], [{ key: `k${(i + 3) % 11}`, value: undefined }]));
      if (i % 20 === 6) world.etcd.keys.compact(world.etcd.keys.revision);
      if (i % 10 === 7) {
        b.client.path.cut = false;
        b.client.reset();
      }
    }
    await world.advance(5000);
    const { entries } = await a.metadata.load('');
    expect(Object.fromEntries(seen)).toEqual(Object.fromEntries(entries.map(({ key, value }) => [key, value])));
    expect((await b.metadata.load('')).entries).toEqual(entries);
  });

  it('is read while etcd is away; changes are refused in time, and go on afterwards', async () => {
    const world = new World();
    const a = await world.node('a');
    await world.settle(a.metadata.change([], put('k', 1)));
    world.etcd.stop();
    const started = world.platform.clock.monotonicMs();
    await expect(world.settle(a.metadata.change([], put('k', 2)))).rejects.toThrow('etcd did not answer within 5 s');
    expect(world.platform.clock.monotonicMs() - started).toBeLessThanOrEqual(5001);
    expect((await a.metadata.load('k')).entries[0]?.value).toBe(1);
    await world.advance(30_000);
    await expect(world.settle(a.metadata.change([], put('k', 3)))).rejects.toThrow('etcd did not answer within 0.5 s');
    world.etcd.resume();
    await world.advance(3000);
    await world.settle(a.metadata.change([], put('k', 4)));
    expect((await a.metadata.load('k')).entries[0]?.value).toBe(4);
  });

  it('is not written by a node whose session has ended', async () => {
    const world = new World();
    const [a, b] = [await world.node('a'), await world.node('b')];
    a.client.path.cut = true;
    const late = a.metadata.change([], put('k', 1));
    late.catch(() => undefined);
    await world.advance(11_000);
    expect(a.registration.isSure).toBe(false);
    expect(b.mirror.get('nodes/a')).toBeUndefined();
    await world.settle(b.metadata.change([], put('k', 2)));
    a.client.path.cut = false;
    await world.advance(5000);
    await expect(late).rejects.toThrow();
    expect((await b.metadata.load('k')).entries[0]?.value).toBe(2);
    expect(a.registration.session).not.toBeNull();
    await world.settle(a.metadata.change([], put('k', 3)));
  });
});
