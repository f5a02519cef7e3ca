import type { MetadataEvent, MetadataStore } from '@chapar/core';
import { SimRandom } from '@chapar/platform';
import { beforeEach, describe, expect, it } from 'vitest';
import { BoundaryDisk } from '../../../test/contract/boundary-disk.js';
import { SimStore } from '../../../test/contract/sim-store.js';
import { EmbeddedMetadata } from './metadata.js';

const path = '/data/metadata/metadata.log';
let node: SimStore;
let metadata: MetadataStore;

const open = async () => {
  ({ metadata } = await node.start());
};
const put = (key: string, value: string | number) => node.settle(metadata.change([], [{ key, value }]));
const state = async () =>
  Object.fromEntries((await node.settle(metadata.load(''))).entries.map(({ key, value }) => [key, value]));
const content = () => node.written(path);

async function start(seed = 1, settings: NonNullable<ConstructorParameters<typeof SimStore>[1]>['metadata'] = {}) {
  node = new SimStore(seed, { metadata: settings });
  await open();
}

beforeEach(() => start());

describe('changes', () => {
  it('share a sync when they come together', async () => {
    const { writes, syncs } = { ...node.platform.disk.counts };
    const values = Array.from({ length: 1_000 }, (_, i) => i);
    await node.settle(Promise.all(values.map((value) => metadata.change([], [{ key: `k${value}`, value }]))));
    expect(node.platform.disk.counts.writes - writes).toBe(1);
    expect(node.platform.disk.counts.syncs - syncs).toBe(1);
  });

  it('gather while a sync is under way', async () => {
    node.platform.disk.delayMs.sync = 10;
    const { syncs } = { ...node.platform.disk.counts };
    const changes: Promise<number>[] = [];
    for (let i = 0; i < 100; i++) {
      changes.push(metadata.change([], [{ key: 'k', value: i }]));
      await node.advance(1);
    }
    await node.settle(Promise.all(changes));
    expect(node.platform.disk.counts.syncs - syncs).toBeLessThanOrEqual(12);
  });

  it('are not visible before they are durable', async () => {
    node.platform.disk.delayMs.sync = 10;
    const heard: MetadataEvent[] = [];
    metadata.watch('', 0, (events) => heard.push(...events));
    const changed = metadata.change([{ key: 'k', revision: 'absent' }], [{ key: 'k', value: 1 }]);
    await node.advance(5);
    expect(await state()).toEqual({});
    expect(heard).toEqual([]);
    // But they count for the guards of those that come behind them.
    const second = metadata.change([{ key: 'k', revision: 'absent' }], [{ key: 'k', value: 2 }]);
    await expect(node.settle(second)).rejects.toThrow(/was changed by somebody else/);
    await node.settle(changed);
    expect(heard).toHaveLength(1);
  });

  it('end with the first failure of the disk', async () => {
    await put('kept', 1);
    node.platform.disk.failNext('sync', 'EIO');
    const waiting = [1, 2].map((value) => metadata.change([], [{ key: 'lost', value }]));
    const outcomes = await node.settle(Promise.allSettled(waiting));
    expect(outcomes.map((outcome) => outcome.status)).toEqual(['rejected', 'rejected']);
    await expect(put('later', 1)).rejects.toMatchObject({ code: 'EIO' });
    expect(await state()).toEqual({ kept: 1 });
    expect(node.platform.log.find('nothing can be declared', 'error')).toHaveLength(1);
    node.crash();
    await open();
    expect((await state())['kept']).toBe(1);
    await put('works', 1);
  });

  it('that were cached when a sync failed are on the disk once they were served', async () => {
    node.platform.disk.failNext('sync', 'EIO');
    await expect(put('cached', 1)).rejects.toThrow();
    node.kill();
    await open();
    const before = await state();
    node.crash();
    await open();
    expect(await state()).toEqual(before);
  });

  it('are refused after close', async () => {
    await node.stop();
    await expect(metadata.change([], [{ key: 'k', value: 1 }])).rejects.toThrow(/closed/);
  });
});

describe('the file', () => {
  it('is rewritten when it has outgrown what lives in it', async () => {
    await start(1, { rewriteBytesMin: 10_000 });
    let largest = 0;
    for (let i = 0; i < 500; i++) {
      await put(`key-${i % 5}`, `value ${i}`);
      largest = Math.max(largest, (await content()).length);
    }
    expect(largest).toBeLessThan(11_000);
    const before = await node.settle(metadata.load(''));
    node.crash();
    await open();
    expect(await node.settle(metadata.load(''))).toEqual(before);
    expect(Object.keys(await state())).toHaveLength(5);
  });

  it('holds thousands of keys through a rewrite', async () => {
    await start(1, { rewriteBytesMin: 0, rewriteFactor: 1 });
    const writes = Array.from({ length: 3_500 }, (_, i) => ({ key: `k${i}`, value: i }));
    await node.settle(metadata.change([], writes));
    await put('last', 1);
    node.crash();
    await open();
    expect(Object.keys(await state())).toHaveLength(3_501);
  });

  it('may end at any byte of its last group', async () => {
    await put('a', 1);
    const whole = (await content()).length;
    await put('b', 2);
    const bytes = await content();
    for (let length = whole; length < bytes.length; length++) {
      await node.stop();
      await node.platform.disk.replaceFile(path, bytes.subarray(0, length));
      await open();
      expect(await state()).toEqual({ a: 1 });
      await put('b', 3);
    }
  });

  it('is refused when what was promised cannot be read, and kept aside', async () => {
    for (const key of ['first', 'second', 'third']) await put(key, 1);
    await node.stop();
    node.platform.disk.corrupt(path, (await content()).indexOf('second'));
    await expect(open()).rejects.toThrow(/metadata\.log is damaged at offset \d+\..*Restore the data directory/);
    const aside = await node.platform.disk.readFile('/data/metadata/damaged/metadata.log');
    expect(aside.subarray(0, 300)).toEqual((await content()).subarray(0, 300));
    // Nor does it lock the directory for ever.
    await expect(open()).rejects.toThrow(/is damaged/);
  });

  it('is refused when its header is damaged, newer or foreign', async () => {
    await put('a', 1);
    await node.stop();
    const healthy = await content();
    node.platform.disk.corrupt(path, 33);
    await expect(open()).rejects.toThrow(/damaged at offset 0/);
    await node.platform.disk.replaceFile(path, healthy);
    node.platform.disk.corrupt(path, 8, 1 ^ 200);
    await expect(open()).rejects.toThrow(/format version 200; this broker reads versions up to 1/);
    const foreign = new SimStore(99);
    await foreign.start();
    await node.platform.disk.replaceFile(path, await foreign.platform.disk.readFile(path));
    await expect(open()).rejects.toThrow(/belongs to another data directory/);
    await node.platform.disk.replaceFile(path, healthy.subarray(0, 20));
    await expect(open()).rejects.toThrow(/damaged at offset 0/);
  });

  it('never gives back a changed value, whichever byte changes', async () => {
    await put('key', 'value');
    await put('other', 'thing');
    const bytes = await content();
    await node.stop();
    for (let at = 0; at < bytes.length; at++) {
      const changed = Buffer.from(bytes);
      changed[at]! ^= 1 << (at % 8);
      await node.platform.disk.replaceFile(path, changed);
      const opened = await open().then(
        () => true,
        () => false,
      );
      if (!opened) continue;
      for (const [key, value] of Object.entries(await state()))
        expect(value).toBe({ key: 'value', other: 'thing' }[key]);
      await node.stop();
    }
  });
});

describe('watchers', () => {
  it('that begin too far behind are told to load again', async () => {
    await put('a', 1);
    await node.stop();
    await open();
    expect(() => metadata.watch('', 0, () => {})).toThrow(/load again/);
  });
});

describe('a power cut', () => {
  /** Changes two counters together, over and over; what was answered has to be there, and the counters have to agree. */
  async function script(disk: BoundaryDisk, node: SimStore, answered: { value: number }): Promise<void> {
    const { log } = node.platform;
    let failure: unknown = null;
    const run = async () => {
      await disk.makeDirectory('/m');
      const dataId = '00000000-0000-4000-8000-000000000000';
      const settings = { rewriteBytesMin: 600, rewriteFactor: 1.5 };
      const store = await EmbeddedMetadata.open({ disk, log, directory: '/m', dataId, ...settings });
      const { entries } = await store.load('');
      const values = entries.map((entry) => entry.value as number);
      if (values.length > 0) expect(values[0]).toBe(values[1]);
      expect(values[0] ?? 0).toBeGreaterThanOrEqual(answered.value);
      for (let value = (values[0] ?? 0) + 1; value <= (values[0] ?? 0) + 25; value++) {
        const pair = ['x', 'y'].map((key) => ({ key, value }));
        await store.change([], pair);
        answered.value = value;
      }
      await store.close();
    };
    let isDone = false;
    run().then(
      () => {
        isDone = true;
      },
      (error: unknown) => {
        failure = error;
      },
    );
    while (!isDone && failure === null && !disk.isStopped) await node.advance(1);
    if (failure !== null) throw failure;
  }

  it.each(['some', 'nothing', 'everything'] as const)(
    'that leaves %s of what was not synced tears no change, at every change of the disk',
    { timeout: 60_000 },
    async (keep) => {
      const probe = new SimStore(1);
      const whole = new BoundaryDisk(probe.platform.disk, Number.POSITIVE_INFINITY, () => {});
      await script(whole, probe, { value: 0 });
      expect(whole.count).toBeGreaterThan(50);
      for (let stopAt = 1; stopAt <= whole.count; stopAt++) {
        const machine = new SimStore(stopAt);
        const random = new SimRandom(stopAt);
        const answered = { value: 0 };
        for (const at of [stopAt, 1 + random.integer(20), Number.POSITIVE_INFINITY]) {
          const disk = new BoundaryDisk(machine.platform.disk, at, () => machine.platform.crash(keep));
          await script(disk, machine, answered);
        }
      }
    },
  );
});
