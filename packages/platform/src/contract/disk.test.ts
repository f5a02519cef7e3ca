import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DirectoryLockedError, type Disk, type DiskFile } from '../disk.js';
import { NodeDisk } from '../node/disk.js';
import { createSimPlatform } from '../sim/platform.js';

interface DiskUnderTest {
  readonly disk: Disk;
  /** An empty directory. */
  readonly directory: string;
  /** Waits for a promise of the disk. */
  wait<T>(promise: Promise<T>): Promise<T>;
  dispose(): Promise<void>;
}

/** What every disk does. */
function diskContract(name: string, make: () => Promise<DiskUnderTest>): void {
  describe(`${name}: disk contract`, () => {
    let under: DiskUnderTest;
    let disk: Disk;
    const path = (file: string) => `${under.directory}/${file}`;
    const wait = <T>(promise: Promise<T>) => under.wait(promise);
    const create = (file: string) => wait(disk.open(path(file), { create: true }));
    const write = (file: DiskFile, parts: readonly Buffer[], offset: number) =>
      wait(settled((done) => file.writev(parts, offset, done)));
    const sync = (file: DiskFile) => wait(settled((done) => file.sync(done)));
    const code = (promise: Promise<unknown>) =>
      wait(
        promise.then(
          () => 'no error',
          (error) => error.code,
        ),
      );

    beforeEach(async () => {
      under = await make();
      disk = under.disk;
    });
    afterEach(() => under.dispose());

    it('reads back what was written, in parts, at offsets, with zeroes in holes', async () => {
      const file = await create('a');
      expect(file.bytesAtOpen).toBe(0);
      await write(file, [Buffer.from('one'), Buffer.alloc(0), Buffer.from('two')], 0);
      await write(file, [Buffer.from('x')], 9);
      await sync(file);
      expect(await wait(file.read(0, 100))).toEqual(Buffer.from('onetwo\0\0\0x'));
      expect(await wait(file.read(4, 2))).toEqual(Buffer.from('wo'));
      expect((await wait(file.read(10, 5))).length).toBe(0);
      await wait(file.close());
      const again = await wait(disk.open(path('a'), { create: false }));
      expect(again.bytesAtOpen).toBe(10);
      expect(again.path).toBe(path('a'));
      await wait(again.close());
    });

    it('writes more parts than one system call takes', async () => {
      const file = await create('many');
      const parts = Array.from({ length: 3_000 }, (_, index) => Buffer.from(`${index % 10}`.repeat(1 + (index % 7))));
      await write(file, parts, 5);
      expect((await wait(file.read(5, 100_000))).equals(Buffer.concat(parts))).toBe(true);
      await wait(file.close());
    });

    it('takes overlapping calls and answers each once, never within the call', async () => {
      const file = await create('overlapping');
      const answers: number[] = [];
      const all = Array.from({ length: 50 }, (_, index) =>
        settled((done) => {
          let isInside = true;
          file.writev([Buffer.alloc(100, index)], index * 100, (error) => {
            expect(isInside).toBe(false);
            answers.push(index);
            done(error);
          });
          isInside = false;
        }),
      );
      await wait(Promise.all(all));
      await sync(file);
      expect(answers.sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, index) => index));
      const content = await wait(file.read(0, 5_000));
      expect(content.every((byte, index) => byte === Math.floor(index / 100))).toBe(true);
      await wait(file.close());
    });

    it('writes nothing without parts and says so', async () => {
      const file = await create('none');
      expect(await write(file, [], 0)).toBe(null);
      expect(await write(file, [Buffer.alloc(0)], 10)).toBe(null);
      expect((await wait(file.read(0, 10))).length).toBe(0);
      await wait(file.close());
    });

    it('truncates and grows', async () => {
      const file = await create('cut');
      await write(file, [Buffer.from('abcdef')], 0);
      await wait(file.truncate(3));
      expect(await wait(file.read(0, 10))).toEqual(Buffer.from('abc'));
      await wait(file.truncate(5));
      expect(await wait(file.read(0, 10))).toEqual(Buffer.from('abc\0\0'));
      await wait(file.close());
    });

    it('refuses a closed file with EBADF instead of touching another one', async () => {
      const file = await create('closed');
      await wait(file.close());
      const other = await create('other');
      await expect(write(file, [Buffer.from('x')], 0)).rejects.toMatchObject({ code: 'EBADF' });
      await expect(sync(file)).rejects.toMatchObject({ code: 'EBADF' });
      expect((await wait(other.read(0, 10))).length).toBe(0);
      await wait(other.close());
    });

    it('gives node codes for what is absent', async () => {
      expect(await code(disk.open(path('absent'), { create: false }))).toBe('ENOENT');
      expect(await code(disk.open(path('absent/file'), { create: true }))).toBe('ENOENT');
      expect(await code(disk.readFile(path('absent')))).toBe('ENOENT');
      expect(await code(disk.list(path('absent')))).toBe('ENOENT');
      expect(await code(disk.remove(path('absent')))).toBe('ENOENT');
      expect(await code(disk.rename(path('absent'), path('b')))).toBe('ENOENT');
    });

    it('replaces a file as a whole and leaves nothing beside it', async () => {
      await wait(disk.replaceFile(path('state'), Buffer.from('long first content')));
      await wait(disk.replaceFile(path('state'), Buffer.from('second'), { mode: 0o600 }));
      expect(await wait(disk.readFile(path('state')))).toEqual(Buffer.from('second'));
      expect(await wait(disk.list(under.directory))).toEqual(['state']);
    });

    it('makes replacements of one path in the order in which they were asked for', async () => {
      const all = Array.from({ length: 20 }, (_, index) => disk.replaceFile(path('state'), Buffer.from(`${index}`)));
      await wait(Promise.all(all));
      expect((await wait(disk.readFile(path('state')))).toString()).toBe('19');
      expect(await wait(disk.list(under.directory))).toEqual(['state']);
    });

    it('renames over another file, removes, and lists in order', async () => {
      for (const name of ['b', 'a', 'c']) await wait(disk.replaceFile(path(name), Buffer.from(name)));
      await wait(disk.rename(path('c'), path('a')));
      await wait(disk.remove(path('b')));
      await wait(disk.replaceFile(path('0'), Buffer.alloc(0)));
      await wait(disk.syncDirectory(under.directory));
      expect(await wait(disk.list(under.directory))).toEqual(['0', 'a']);
      expect((await wait(disk.readFile(path('a')))).toString()).toBe('c');
    });

    it('makes directories with their parents, twice if asked', async () => {
      await wait(disk.makeDirectory(path('x/y/z')));
      await wait(disk.makeDirectory(path('x/y/z')));
      expect(await wait(disk.list(path('x/y')))).toEqual(['z']);
      await wait(disk.replaceFile(path('file'), Buffer.alloc(0)));
      expect(await code(disk.makeDirectory(path('file')))).toBe('EEXIST');
      expect(await wait(disk.freeBytes(under.directory))).toBeGreaterThan(0);
    });

    it('locks a directory for one holder at a time', async () => {
      const lock = await wait(disk.lock(under.directory));
      await expect(wait(disk.lock(under.directory))).rejects.toBeInstanceOf(DirectoryLockedError);
      await wait(lock.release());
      await wait(lock.release());
      const next = await wait(disk.lock(under.directory));
      await expect(wait(disk.lock(under.directory))).rejects.toBeInstanceOf(DirectoryLockedError);
      await wait(next.release());
      expect(await code(disk.lock(path('absent')))).toBe('ENOENT');
    });
  });
}

function settled(start: (done: (error: Error | null) => void) => void): Promise<null> {
  return new Promise((resolve, reject) => {
    start((error) => (error === null ? resolve(null) : reject(error)));
  });
}

diskContract('Node', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'chapar-disk-'));
  return {
    disk: new NodeDisk(),
    directory,
    wait: (promise) => promise,
    dispose: () => rm(directory, { recursive: true }),
  };
});
for (const delayMs of [0, 5]) {
  diskContract(`simulated, ${delayMs} ms`, async () => {
    const sim = createSimPlatform(1);
    await sim.disk.makeDirectory('/data');
    Object.assign(sim.disk.delayMs, { write: delayMs, sync: delayMs, read: delayMs });
    return { disk: sim.disk, directory: '/data', wait: (promise) => sim.settle(promise), dispose: async () => {} };
  });
}
