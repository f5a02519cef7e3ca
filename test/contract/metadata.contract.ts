import { GuardFailedError, type MetadataEvent, type MetadataStore, metadataKey, type Write } from '@chapar/core';
import { beforeEach, describe, expect, it } from 'vitest';

/** A metadata store on a machine that can be stopped and started again. */
export interface MetadataSubject {
  start(): Promise<{ readonly metadata: MetadataStore }>;
  stop(): Promise<void>;
  kill(): void;
  crash(): void;
  settle<T>(promise: Promise<T>): Promise<T>;
}

/** What every implementation of `MetadataStore` does. */
export function metadataContract(name: string, create: () => Promise<MetadataSubject>): void {
  describe(`${name} as a metadata store`, () => {
    let subject: MetadataSubject;
    let metadata: MetadataStore;

    const start = async () => {
      ({ metadata } = await subject.start());
    };
    const change = (...args: Parameters<MetadataStore['change']>) => subject.settle(metadata.change(...args));
    const put = (key: string, value: Write['value'] = key) => change([], [{ key, value }]);
    const load = (prefix = '') => subject.settle(metadata.load(prefix));
    const keys = async (prefix = '') => (await load(prefix)).entries.map((entry) => entry.key);

    beforeEach(async () => {
      subject = await create();
      await start();
    });

    it('is empty at first', async () => {
      expect((await load()).entries).toEqual([]);
    });

    it('gives back what was put, with the revision of its change', async () => {
      const value = { a: [1, 'zwei', null, true, { deep: -0.5 }], ü: '\u0000' };
      const revision = await put('k', value);
      expect(await load()).toEqual({ revision, entries: [{ key: 'k', value, revision }] });
    });

    it('keeps a copy of its own', async () => {
      const value = { list: [1] };
      const changed = metadata.change([], [{ key: 'k', value }]);
      value.list.push(2);
      await subject.settle(changed);
      expect((await load()).entries[0]?.value).toEqual({ list: [1] });
    });

    it('loads by prefix, in order of keys', async () => {
      const queue = (vhost: string, queueName: string) => metadataKey('queues', vhost, queueName);
      for (const key of [
        queue('b', 'x'),
        queue('a', 'z'),
        queue('a', 'y/%'),
        queue('ab', 'x'),
        'exchanges/a/x',
        'zz',
      ]) {
        await put(key);
      }
      expect(await keys('queues/a/')).toEqual([queue('a', 'y/%'), queue('a', 'z')]);
      expect(await keys('queues/')).toEqual([queue('a', 'y/%'), queue('a', 'z'), queue('ab', 'x'), queue('b', 'x')]);
      expect(await keys('nothing/')).toEqual([]);
      expect(await keys()).toHaveLength(6);
    });

    it('replaces and deletes', async () => {
      const first = await put('k', 1);
      const second = await put('k', 2);
      expect(second).toBeGreaterThan(first);
      expect((await load()).entries).toEqual([{ key: 'k', value: 2, revision: second }]);
      await put('other');
      await change([], [{ key: 'k', value: undefined }]);
      expect(await keys()).toEqual(['other']);
      await put('k', 3);
      expect(await keys()).toEqual(['k', 'other']);
    });

    it('takes a null for a value', async () => {
      await put('k', null);
      expect((await load()).entries[0]?.value).toBeNull();
    });

    it.each([
      ['absent', 'new', true],
      ['absent', 'old', false],
      ['present', 'new', false],
      ['present', 'old', true],
    ] as const)('holds a guard of %s for a key that is %s: %s', async (revision, key, holds) => {
      await put('old');
      const changed = change([{ key, revision }], [{ key: 'done', value: 1 }]);
      if (holds) await changed;
      else await expect(changed).rejects.toThrow(GuardFailedError);
      expect(await keys('done')).toEqual(holds ? ['done'] : []);
    });

    it('guards by revision', async () => {
      const first = await put('k', 1);
      await put('other', 1);
      await change([{ key: 'k', revision: first }], [{ key: 'k', value: 2 }]);
      const failed = change([{ key: 'k', revision: first }], [{ key: 'k', value: 3 }]);
      await expect(failed).rejects.toMatchObject({ key: 'k' });
      expect((await load('k')).entries[0]?.value).toBe(2);
      await change([{ key: 'new', revision: 0 }], [{ key: 'new', value: 1 }]);
      await expect(change([{ key: 'new', revision: 0 }], [])).rejects.toThrow(GuardFailedError);
    });

    it('writes all of a change or nothing', async () => {
      const writes = [
        { key: 'a', value: 1 },
        { key: 'b', value: 2 },
      ];
      await expect(change([{ key: 'c', revision: 'present' }], writes)).rejects.toThrow(GuardFailedError);
      expect(await keys()).toEqual([]);
      const revision = await change([{ key: 'c', revision: 'absent' }], writes);
      expect((await load()).entries.map((entry) => entry.revision)).toEqual([revision, revision]);
    });

    it('refuses to write a key twice in one change', async () => {
      const writes = [
        { key: 'a', value: 1 },
        { key: 'a', value: 2 },
      ];
      await expect(change([], writes)).rejects.toThrow(RangeError);
      expect(await keys()).toEqual([]);
    });

    it('lets one of two pass that guard the same', async () => {
      const attempts = [1, 2, 3].map((value) =>
        metadata.change([{ key: 'k', revision: 'absent' }], [{ key: 'k', value }]),
      );
      const outcomes = await subject.settle(Promise.allSettled(attempts));
      expect(outcomes.map((outcome) => outcome.status)).toEqual(['fulfilled', 'rejected', 'rejected']);
      expect((await load()).entries[0]?.value).toBe(1);
      const deletes = [1, 2].map(() =>
        metadata.change([{ key: 'k', revision: 'present' }], [{ key: 'k', value: undefined }]),
      );
      const ends = await subject.settle(Promise.allSettled(deletes));
      expect(ends.map((outcome) => outcome.status)).toEqual(['fulfilled', 'rejected']);
    });

    it('tells watchers what changed under their prefix, before the change resolves', async () => {
      const heard: MetadataEvent[][] = [];
      const { revision } = await load();
      metadata.watch('queues/', revision, (events) => heard.push([...events]));
      await put('exchanges/a');
      expect(heard).toEqual([]);
      const changed = await change(
        [],
        [
          { key: 'queues/a', value: 1 },
          { key: 'exchanges/b', value: 1 },
          { key: 'queues/b', value: undefined },
          { key: 'queues/c', value: 3 },
        ],
      );
      expect(heard).toHaveLength(1);
      expect(heard[0]?.filter((event) => event.key !== 'queues/b')).toEqual([
        { key: 'queues/a', value: 1, revision: changed },
        { key: 'queues/c', value: 3, revision: changed },
      ]);
      await change([], [{ key: 'queues/a', value: undefined }]);
      expect(heard[1]).toMatchObject([{ key: 'queues/a', value: undefined }]);
    });

    it('tells them in order, whatever is asked for at the same time', async () => {
      const heard: unknown[] = [];
      metadata.watch('', (await load()).revision, (events) => heard.push(...events.map((event) => event.value)));
      const values = Array.from({ length: 50 }, (_, i) => i);
      await subject.settle(Promise.all(values.map((value) => metadata.change([], [{ key: 'k', value }]))));
      expect(heard).toEqual(values);
    });

    it('shows a watcher what it tells of', async () => {
      const seen: unknown[] = [];
      metadata.watch('k', (await load()).revision, () => {
        void metadata.load('k').then(({ entries }) => seen.push(entries[0]?.value));
      });
      await put('k', 1);
      expect(seen).toEqual([1]);
    });

    it('tells a watcher that comes late what it missed, once', async () => {
      const { revision } = await load();
      await put('a');
      await put('b');
      const heard: string[] = [];
      metadata.watch('', revision, (events) => heard.push(...events.map((event) => event.key)));
      await put('c');
      expect(heard).toEqual(['a', 'b', 'c']);
    });

    it('stops telling when it is stopped', async () => {
      const heard: string[] = [];
      const stop = metadata.watch('', (await load()).revision, (events) => heard.push(...events.map(({ key }) => key)));
      await put('a');
      stop();
      stop();
      await put('b');
      expect(heard).toEqual(['a']);
    });

    it('keeps the other watchers going when one fails', async () => {
      const heard: string[] = [];
      const { revision } = await load();
      metadata.watch('', revision, () => {
        throw new Error('mistake');
      });
      metadata.watch('', revision, (events) => heard.push(...events.map((event) => event.key)));
      await put('a');
      expect(heard).toEqual(['a']);
    });

    it.each(['stop', 'kill', 'crash'] as const)('has every answered change after a %s', async (end) => {
      await put('a', 1);
      await put('b', 2);
      await change(
        [],
        [
          { key: 'a', value: undefined },
          { key: 'c', value: { x: 'y' } },
        ],
      );
      const before = await load();
      await subject[end]();
      await start();
      const after = await load();
      expect(after.entries).toEqual(before.entries);
      expect(after.revision).toBeGreaterThanOrEqual(before.revision);
      expect(await put('d')).toBeGreaterThan(before.revision);
    });
  });
}
