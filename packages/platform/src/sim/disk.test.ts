import { beforeEach, describe, expect, it } from 'vitest';
import type { DiskFile } from '../disk.js';
import { createSimPlatform, type SimPlatform } from './platform.js';

let sim: SimPlatform;

beforeEach(async () => {
  sim = createSimPlatform(1);
  await sim.disk.makeDirectory('/data');
});

const write = (file: DiskFile, bytes: Buffer, offset: number) =>
  sim.settle(new Promise<Error | null>((done) => file.writev([bytes], offset, done)));
const sync = (file: DiskFile) => sim.settle(new Promise<Error | null>((done) => file.sync(done)));
const create = (path: string) => sim.disk.open(path, { create: true });
const content = (path: string) => sim.disk.readFile(path);

/** A file whose name is durable, with `durable` synced. */
async function lasting(path: string, durable: Buffer): Promise<DiskFile> {
  const file = await create(path);
  await write(file, durable, 0);
  await sync(file);
  await sim.disk.syncDirectory('/data');
  return file;
}

/** Runs `check` on many seeds: each crash draws anew. */
async function onSeeds(check: (seed: number) => Promise<void>): Promise<void> {
  for (let seed = 1; seed <= 60; seed++) {
    sim = createSimPlatform(seed);
    await sim.disk.makeDirectory('/data');
    await check(seed);
  }
}

describe('what a power cut leaves', () => {
  it('keeps what was synced, always', () =>
    onSeeds(async () => {
      const file = await lasting('/data/a', Buffer.alloc(3_000, 1));
      await write(file, Buffer.alloc(3_000, 2), 3_000);
      sim.crash();
      expect((await content('/data/a')).subarray(0, 3_000)).toEqual(Buffer.alloc(3_000, 1));
    }));

  it('tears what was not, by whole sectors, in any order', async () => {
    const seen = new Set<string>();
    await onSeeds(async () => {
      const file = await lasting('/data/a', Buffer.alloc(2_048, 1));
      await write(file, Buffer.alloc(1_024, 2), 0);
      await write(file, Buffer.alloc(1_024, 3), 1_024);
      sim.crash();
      const sectors = [0, 512, 1_024, 1_536];
      const left = await content('/data/a');
      expect(left.length).toBe(2_048);
      for (const at of sectors) expect(new Set(left.subarray(at, at + 512)).size).toBe(1);
      seen.add(sectors.map((at) => left[at]).join(''));
    });
    // Nothing, everything, a torn first write, and the second write without the first.
    for (const left of ['1111', '2233', '2111', '1133']) expect(seen).toContain(left);
  });

  it('leaves a hole where a later sector came further than an earlier one', async () => {
    let holes = 0;
    await onSeeds(async () => {
      const file = await lasting('/data/a', Buffer.alloc(0));
      await write(file, Buffer.alloc(1_536, 9), 0);
      sim.crash();
      const left = await content('/data/a');
      expect(left.length % 512).toBe(0);
      if (left.length === 1_536 && left[512] === 0) holes++;
    });
    expect(holes).toBeGreaterThan(0);
  });

  it('drops or keeps all on demand', async () => {
    for (const [keep, expected] of [
      ['nothing', 'old'],
      ['everything', 'new'],
    ] as const) {
      sim = createSimPlatform(1);
      await sim.disk.makeDirectory('/data');
      const file = await lasting('/data/a', Buffer.from('old'));
      await write(file, Buffer.from('new'), 0);
      sim.crash(keep);
      expect((await content('/data/a')).toString()).toBe(expected);
    }
  });

  it('loses a name whose directory was not synced, whatever was done to the file', async () => {
    const file = await create('/data/a');
    await write(file, Buffer.from('x'), 0);
    await sync(file);
    sim.crash('nothing');
    expect(await sim.disk.list('/data')).toEqual([]);
  });

  it('renames wholly or not at all, and brings back what was removed without a sync', async () => {
    const seen = new Set<string>();
    await onSeeds(async () => {
      await lasting('/data/a', Buffer.from('new'));
      await lasting('/data/b', Buffer.from('old'));
      await sim.disk.rename('/data/a', '/data/b');
      sim.crash();
      const names = await sim.disk.list('/data');
      seen.add(`${names} ${await content('/data/b')}`);
    });
    expect(seen).toEqual(new Set(['b new', 'a,b old']));
    await lasting('/data/c', Buffer.from('c'));
    await sim.disk.remove('/data/c');
    sim.crash('nothing');
    expect(await sim.disk.list('/data')).toContain('c');
  });

  it('finds either the old or the new content of a replaced file, never less', () =>
    onSeeds(async (seed) => {
      await sim.disk.replaceFile('/data/state', Buffer.alloc(2_000, 1));
      sim.disk.delayMs.sync = 10;
      const replaced = sim.disk.replaceFile('/data/state', Buffer.alloc(2_000, 2));
      await sim.clock.advance(seed % 20);
      sim.crash();
      sim.disk.delayMs.sync = 0;
      const left = await content('/data/state');
      expect(left).toEqual(Buffer.alloc(2_000, seed % 20 >= 10 ? 2 : 1));
      expect(await Promise.race([replaced.then(() => 'done'), Promise.resolve('open')])).toBeDefined();
    }));

  it('never answers what was under way, and may keep some of it', async () => {
    const lengths = new Set<number>();
    await onSeeds(async () => {
      const file = await lasting('/data/a', Buffer.alloc(0));
      let answers = 0;
      sim.disk.delayMs.write = 5;
      file.writev([Buffer.alloc(4_096, 1)], 0, () => answers++);
      file.sync(() => answers++);
      sim.crash();
      await sim.clock.advance(1_000);
      expect(answers).toBe(0);
      lengths.add((await content('/data/a')).length);
    });
    expect(lengths.size).toBeGreaterThan(2);
  });

  it('covers by a sync what was written before it began, not what came later', async () => {
    const file = await lasting('/data/a', Buffer.alloc(0));
    await write(file, Buffer.from('before'), 0);
    sim.disk.delayMs.sync = 50;
    const synced = new Promise((done) => file.sync(done));
    file.writev([Buffer.from('after')], 6, () => {});
    expect(await sim.settle(synced)).toBe(null);
    sim.crash('nothing');
    expect((await content('/data/a')).toString()).toBe('before');
  });
});

describe('a killed process', () => {
  it('leaves its files as they were, and its lock free', async () => {
    const file = await create('/data/a');
    await write(file, Buffer.from('not synced'), 0);
    await sim.disk.lock('/data');
    sim.kill();
    expect((await content('/data/a')).toString()).toBe('not synced');
    await sim.disk.lock('/data');
  });

  it('cannot release the lock of its successor', async () => {
    const old = await sim.disk.lock('/data');
    sim.kill();
    await sim.disk.lock('/data');
    await old.release();
    await expect(sim.disk.lock('/data')).rejects.toThrow(/in use/);
  });
});

describe('failures', () => {
  it('fails the next of a kind, once, with the error that was asked for', async () => {
    const file = await create('/data/a');
    sim.disk.failNext('write');
    expect(await write(file, Buffer.from('x'), 0)).toMatchObject({ code: 'EIO', syscall: 'write' });
    expect(await write(file, Buffer.from('x'), 0)).toBe(null);
    sim.disk.failNext('read', new Error('bad cable'));
    await expect(file.read(0, 1)).rejects.toThrow('bad cable');
    expect((await file.read(0, 1)).toString()).toBe('x');
    sim.disk.failNext('sync', 'ENOSPC');
    await expect(sim.disk.syncDirectory('/data')).rejects.toMatchObject({ code: 'ENOSPC' });
  });

  it('forgets dirty pages after a failed sync, as Linux does: the next sync succeeds and saves nothing', async () => {
    const file = await lasting('/data/a', Buffer.from('old'));
    await write(file, Buffer.from('new'), 0);
    sim.disk.failNext('sync');
    expect(await sync(file)).toMatchObject({ code: 'EIO' });
    expect(await sync(file)).toBe(null);
    expect((await content('/data/a')).toString()).toBe('new');
    sim.crash('everything');
    expect((await content('/data/a')).toString()).toBe('old');
  });

  it('runs full, writes what still fits, and goes on when there is room again', async () => {
    const file = await create('/data/a');
    sim.disk.capacityBytes = 1_000;
    expect(await write(file, Buffer.alloc(800, 1), 0)).toBe(null);
    expect(await sim.disk.freeBytes('/data')).toBe(200);
    expect(await write(file, Buffer.alloc(800, 2), 800)).toMatchObject({ code: 'ENOSPC' });
    expect((await content('/data/a')).length).toBe(1_000);
    expect(await write(file, Buffer.alloc(1_000, 3), 0)).toBe(null);
    await expect(sim.disk.replaceFile('/data/b', Buffer.alloc(10))).rejects.toMatchObject({ code: 'ENOSPC' });
    expect(await sim.disk.list('/data')).toEqual(['a']);
    sim.disk.capacityBytes = 2_000;
    await sim.disk.replaceFile('/data/b', Buffer.alloc(10));
  });

  it('rots', async () => {
    await lasting('/data/a', Buffer.from([1, 2, 3]));
    sim.disk.corrupt('/data/a', 1, 0x80);
    sim.crash();
    expect(await content('/data/a')).toEqual(Buffer.from([1, 0x82, 3]));
  });

  it('counts what it is asked to do', async () => {
    const file = await create('/data/a');
    await write(file, Buffer.alloc(10), 0);
    await write(file, Buffer.alloc(20), 10);
    await sync(file);
    await file.read(0, 5);
    expect(sim.disk.counts).toEqual({ writes: 2, syncs: 1, reads: 1, bytesWritten: 30, bytesRead: 5 });
  });

  it('shows who changes a buffer before the write is done', async () => {
    const file = await create('/data/a');
    const buffer = Buffer.from('right');
    const done = new Promise((resolve) => file.writev([buffer], 0, resolve));
    buffer.write('wrong');
    await sim.settle(done);
    expect((await content('/data/a')).toString()).toBe('wrong');
  });

  it('can be replaced by an empty one, or by a copy of what was on it', async () => {
    const { disk } = sim;
    await disk.replaceFile('/data/file', Buffer.from('old'));
    const image = disk.image();
    await disk.replaceFile('/data/file', Buffer.from('new'));
    disk.format();
    await expect(disk.list('/data')).rejects.toThrow('ENOENT');
    disk.restore(image);
    disk.crash('nothing');
    expect((await content('/data/file')).toString()).toBe('old');
  });
});
