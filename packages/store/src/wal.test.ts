import type { LogStore, Position } from '@chapar/core';
import { beforeEach, describe, expect, it } from 'vitest';
import { makeMessage } from '../../../test/contract/messages.js';
import type { RecoveredMessages } from '../../../test/contract/recovered.js';
import { SimStore } from '../../../test/contract/sim-store.js';
import type { Wal, WalSettings } from './wal.js';

const q = 'aaaaaaaa-0000-4000-8000-000000000001';
const other = 'bbbbbbbb-0000-4000-8000-000000000002';

let node: SimStore;
let logs: LogStore;
let recovered: readonly RecoveredMessages[];

async function start(settings: Partial<WalSettings> = {}, seed = 1): Promise<void> {
  node = new SimStore(seed, { wal: settings });
  await open();
}

async function open(): Promise<void> {
  ({ logs, recovered } = await node.start());
}

const counters = () => (logs as Wal).counters;
const publish = (body: string, incarnation = q): Position => logs.log(incarnation).publish(makeMessage({ body }));
const sync = () => node.settle(logs.sync());
const bodies = (incarnation = q) =>
  recovered
    .find((queue) => queue.incarnation === incarnation)
    ?.messages.map(({ message }) => message.body().toString());
const files = () => node.platform.disk.list('/data/wal');
const errors = () => node.platform.log.find('', 'error');

describe('group commit', () => {
  it('puts everything that gathers during a sync into the next one', async () => {
    await start();
    node.platform.disk.delayMs.sync = 5;
    const before = counters();
    const [syncs, groups] = [before.syncs, before.groups];
    let committed = 0;
    for (const incarnation of [q, other]) {
      logs.log(incarnation).onCommitted = () => {
        committed++;
      };
    }
    // 1,000 messages in 100 turns of a millisecond each.
    for (let turn = 0; turn < 100; turn++) {
      for (let i = 0; i < 10; i++) publish('x'.repeat(100), i % 2 === 0 ? q : other);
      logs.flush();
      await node.advance(1);
    }
    await node.idle();
    // One every 5 ms, and one for the last turns.
    expect(counters().syncs - syncs).toBe(21);
    expect(counters().groups - groups).toBe(21);
    // One call a queue and group, not one a message.
    expect(committed).toBe(42);
  });

  it('writes the publishes of one turn with one write and one sync', async () => {
    await start();
    const { writes, syncs } = node.platform.disk.counts;
    for (let i = 0; i < 1_000; i++) publish(`message ${i}`.padEnd(1_024));
    logs.flush();
    await node.idle();
    expect(node.platform.disk.counts.writes - writes).toBe(1);
    expect(node.platform.disk.counts.syncs - syncs).toBe(1);
  });

  it('asks for no sync when there are settlements alone, and writes few bytes for many of them', async () => {
    await start();
    for (let i = 0; i < 1_000; i++) publish('x');
    await sync();
    const { syncs, bytes } = { ...counters() };
    for (let i = 1; i <= 1_000; i++) {
      logs.log(q).settle(i, i);
      logs.flush();
    }
    await node.advance(20);
    expect(counters().syncs).toBe(syncs);
    expect(counters().bytes - bytes).toBeGreaterThan(0);
    expect(counters().bytes - bytes).toBeLessThan(100);
    await node.advance(50);
    expect(counters().syncs).toBe(syncs + 1);
    await node.advance(1_000);
    expect(counters().syncs).toBe(syncs + 1);
    node.crash();
    await open();
    expect(bodies()).toEqual([]);
  });

  it('lets settlements ride along with a publish', async () => {
    await start();
    publish('a');
    await sync();
    const { syncs } = counters();
    logs.log(q).settle(1, 1);
    publish('b');
    logs.flush();
    await node.idle();
    await node.advance(1_000);
    expect(counters().syncs).toBe(syncs + 1);
    node.crash();
    await open();
    expect(bodies()).toEqual(['b']);
  });

  it('settles by ranges whatever the order of settlements', async () => {
    await start();
    for (let i = 1; i <= 5_000; i++) {
      if (i % 3 === 0) logs.log(q).skip();
      else publish(`${i}`);
    }
    await sync();
    const { bytes } = counters();
    // Two consumers, each settling every other message, one of them from the end.
    for (let i = 1; i <= 4_000; i += 2) logs.log(q).settle(i, i);
    for (let i = 4_000; i >= 2; i -= 2) logs.log(q).settle(i, i);
    await sync();
    expect(counters().bytes - bytes).toBeLessThan(30_000);
    node.crash();
    await open();
    expect(bodies()?.[0]).toBe('4001');
    expect(bodies()).toHaveLength(667);
  });
});

describe('a failing disk', () => {
  it.each([
    ['sync', 'EIO'],
    ['write', 'EIO'],
  ] as const)('ends all promises after a failed %s (%s), and tries nothing again', async (work, code) => {
    await start();
    publish('kept');
    await sync();
    const failures: unknown[] = [];
    for (const incarnation of [q, other]) logs.log(incarnation).onFailed = (error) => failures.push(error);
    const log = logs.log(q);
    node.platform.disk.failNext(work, code);
    log.publish(makeMessage({ body: 'lost' }));
    const waiting = logs.sync();
    await expect(node.settle(waiting)).rejects.toMatchObject({ code });
    expect(failures).toHaveLength(2);
    expect(log.committed).toBe(1);
    expect(errors()).toHaveLength(1);
    expect(errors()[0]?.fields).toMatchObject({ file: '/data/wal/wal-00000001.log' });

    const { writes, syncs } = { ...node.platform.disk.counts };
    expect(log.publish(makeMessage({ body: 'too late' }))).toBe(3);
    log.settle(1, 1);
    logs.remove(other);
    logs.flush();
    await node.advance(1_000);
    await expect(logs.sync()).rejects.toMatchObject({ code });
    expect([node.platform.disk.counts.writes, node.platform.disk.counts.syncs]).toEqual([writes, syncs]);
    expect(log.committed).toBe(1);
    const late: unknown[] = [];
    logs.log('new').onFailed = (error) => late.push(error);
    await node.idle();
    expect(late).toHaveLength(1);

    await node.stop();
    await open();
    expect(bodies()?.[0]).toBe('kept');
    expect(bodies()).not.toContain('too late');
  });

  it('brings what a failed sync left in the cache to the disk before it serves it', async () => {
    await start();
    node.platform.disk.failNext('sync', 'EIO');
    publish('cached');
    await expect(sync()).rejects.toThrow();
    // The kernel has the bytes, takes them for clean, and will never write them of its own accord.
    node.kill();
    await open();
    expect(bodies()).toEqual(['cached']);
    node.crash();
    await open();
    expect(bodies()).toEqual(['cached']);
  });

  it('goes on in the present file when no new one can be made', async () => {
    await start({ fileBytesMax: 400 });
    const { disk } = node.platform;
    // The next write is the header of the file to come.
    logs.log(q).onCommitted = () => disk.failNext('write', 'ENOSPC');
    publish('x'.repeat(300));
    await sync();
    logs.log(q).onCommitted = null;
    await node.idle();
    expect(node.platform.log.find('no further file', 'warn')).toHaveLength(1);
    for (let i = 0; i < 5; i++) {
      publish(`y${i}`);
      await sync();
    }
    node.crash();
    await open();
    expect(bodies()?.slice(1)).toEqual(['y0', 'y1', 'y2', 'y3', 'y4']);
  });
});

describe('files', () => {
  it('rolls, and drops files whose messages are settled', async () => {
    await start({ fileBytesMax: 10_000, bytesMin: 20_000 });
    for (let round = 0; round < 100; round++) {
      const position = publish('x'.repeat(1_000));
      await sync();
      logs.log(q).settle(position, position);
    }
    await sync();
    await node.idle();
    expect((await files()).length).toBeLessThanOrEqual(3);
    expect((await files())[0]).not.toBe('wal-00000001.log');
  });

  it('does not let one old message pin more than itself', async () => {
    await start({ fileBytesMax: 10_000, bytesMin: 30_000 });
    publish('old');
    for (let round = 0; round < 200; round++) {
      const position = publish('x'.repeat(1_000));
      await sync();
      logs.log(q).settle(position, position);
      await node.idle();
    }
    await sync();
    const bytes = (await Promise.all((await files()).map((name) => node.written(`/data/wal/${name}`))))
      .map((content) => content.length)
      .reduce((sum, length) => sum + length, 0);
    expect(bytes).toBeLessThan(50_000);
    node.crash();
    await open();
    expect(bodies()).toEqual(['old']);
    expect(logs.log(q).committed).toBe(201);
  });

  it('puts copied messages back into their places', async () => {
    await start({ fileBytesMax: 5_000, bytesMin: 10_000, liveFactor: 1.2 });
    const kept: string[] = [];
    for (let i = 1; i <= 300; i++) {
      const position = publish(`m${i}`.padEnd(200));
      if (i % 10 === 0) kept.push(`m${i}`.padEnd(200));
      await sync();
      if (i % 10 !== 0) logs.log(q).settle(position, position);
    }
    await sync();
    await node.idle();
    expect((await files())[0]).not.toBe('wal-00000001.log');
    node.crash();
    await open();
    expect(bodies()).toEqual(kept);
  });

  it('remembers an idle queue whose file is gone', async () => {
    await start({ fileBytesMax: 1_000, bytesMin: 2_000 });
    publish('idle');
    logs.log(q).settle(1, 1);
    for (let i = 0; i < 50; i++) {
      const position = publish('x'.repeat(500), other);
      await sync();
      logs.log(other).settle(position, position);
    }
    await sync();
    await node.idle();
    node.crash();
    await open();
    expect((await files())[0]).not.toBe('wal-00000001.log');
    expect(bodies()).toEqual([]);
    expect(publish('next')).toBe(2);
  });

  it('has a file on the disk before its successor gets a group', async () => {
    const fill = async () => {
      publish('x'.repeat(500));
      publish('y'.repeat(500));
      await sync();
      await node.idle();
    };
    await start();
    await fill();
    const [name] = await files();
    const fullBytes = (await node.written(`/data/wal/${name}`)).length + 1;
    for (let seed = 1; seed <= 20; seed++) {
      await start({ fileBytesMax: fullBytes }, seed);
      await fill();
      // Written without a sync, as the last group of the file.
      logs.log(q).settle(1, 1);
      logs.flush();
      await node.advance(10);
      publish('z');
      logs.flush();
      await node.idle();
      expect(await files()).toHaveLength(2);
      node.crash();
      await open();
      // Whatever is there, is there with everything that was written before it.
      expect(bodies()?.map((body) => body[0])).toEqual(['y', 'z']);
    }
  });

  it('takes files away one after the other, also for the directory', async () => {
    for (let seed = 1; seed <= 20; seed++) {
      await start({ fileBytesMax: 1_000 }, seed);
      publish('pins the first file');
      publish('settled in the second file');
      const messages = 8;
      for (let i = 1; i <= messages; i++) {
        const position = publish('x'.repeat(600));
        await sync();
        await node.idle();
        // Each settlement stands in the file behind that of its message.
        logs.log(q).settle(i === 1 ? 2 : position - 1, i === 1 ? 2 : position - 1);
      }
      await sync();
      expect((await files()).length).toBeGreaterThan(4);
      logs.log(q).settle(1, 1);
      await sync();
      let left = (await files()).length;
      for (const before = left; left > before - 3 && left > 2; left = (await files()).length) await node.advance(0);
      node.crash();
      await open();
      expect(bodies()).toHaveLength(1);
    }
  });

  it('does not collect the short files of many restarts', async () => {
    await start();
    publish('x'.repeat(100));
    for (let life = 0; life < 60; life++) {
      publish('y');
      await node.stop();
      await open();
    }
    await node.idle();
    expect((await files()).length).toBeLessThan(25);
    expect(bodies()).toHaveLength(61);
  });
});

describe('what cannot be read', () => {
  beforeEach(() => start());

  const path = '/data/wal/wal-00000001.log';

  it('refuses a file of a newer version, in words', async () => {
    await node.stop();
    node.platform.disk.corrupt(path, 8, 2 ^ 9);
    await expect(open()).rejects.toThrow(/wal-00000001\.log has format version 9; this broker reads versions up to 2/);
  });

  it('refuses a file of another data directory', async () => {
    await node.stop();
    const content = await node.written(path);
    await node.platform.disk.replaceFile('/data/wal/wal-00000007.log', content);
    await expect(open()).rejects.toThrow(/wal-00000007\.log belongs to another data directory or was renamed/);
  });

  it('reports damage to what was synced by file and offset, keeps the file aside and serves the rest', async () => {
    for (const body of ['first', 'second', 'third']) {
      publish(body);
      await sync();
    }
    node.crash();
    const content = await node.written(path);
    const at = content.indexOf('second');
    node.platform.disk.corrupt(path, at);
    await open();
    expect(bodies()).toEqual(['first', 'third']);
    const [report] = node.platform.log.find('damage', 'error');
    expect(report?.fields).toMatchObject({ file: path });
    const { offset } = report!.fields as { offset: number };
    expect(offset).toBeGreaterThan(content.indexOf('first'));
    expect(offset).toBeLessThan(at);
    const aside = await node.platform.disk.readFile('/data/wal/damaged/wal-00000001.log');
    expect(aside.subarray(0, 36)).toEqual(content.subarray(0, 36));
    expect(aside[at]).not.toBe(content[at]);
  });

  it('serves the healthy entries of a damaged group', async () => {
    for (const body of ['first', 'second', 'third']) publish(body);
    await sync();
    publish('fourth');
    await sync();
    node.crash();
    const content = await node.written(path);
    node.platform.disk.corrupt(path, content.indexOf('second'));
    await open();
    expect(bodies()).toEqual(['first', 'third', 'fourth']);
    expect(node.platform.log.find('damage in', 'error')).toHaveLength(1);
  });

  it('notices a file that is missing', async () => {
    for (let life = 0; life < 3; life++) {
      publish(`life ${life}`);
      await sync();
      node.kill();
      await open();
    }
    node.kill();
    await node.platform.disk.remove('/data/wal/wal-00000002.log');
    await open();
    expect(bodies()).toEqual(['life 0', 'life 2']);
    expect(errors()[0]?.fields).toMatchObject({ file: '/data/wal/wal-00000002.log' });
    expect(errors()[0]?.message).toContain('missing');
  });

  it('cuts a torn tail without an alarm', async () => {
    publish('kept');
    await sync();
    publish('torn');
    logs.flush();
    node.crash();
    const content = await node.written(path);
    await node.platform.disk.replaceFile(path, Buffer.concat([content, Buffer.from('CPGR and nothing behind it')]));
    await open();
    expect(bodies()?.[0]).toBe('kept');
    expect(errors()).toEqual([]);
    expect(node.platform.log.find('were cut off', 'info')).toHaveLength(1);
  });

  it('reads groups and files that are larger than what it holds in memory at a time', async () => {
    const sizes = [700_000, 6_000_000, 1, 900_000, 2_500_000, 4_194_304, 3, 5_000_000, 40_000];
    for (const [i, bytes] of sizes.entries()) {
      publish(`${i}`.repeat(bytes));
      await sync();
    }
    node.crash();
    const content = await node.written(path);
    // The header of the group with the fifth message: the next one has to be searched for.
    node.platform.disk.corrupt(path, content.lastIndexOf('CPGR', content.indexOf('44444')));
    await open();
    const expected = sizes.map((bytes, i) => `${i}`.repeat(bytes));
    const found = bodies()!;
    expect(found.length).toBe(sizes.length);
    expect(found.every((body, i) => body === expected[i])).toBe(true);
    expect(node.platform.log.find('damage in', 'error')).toHaveLength(1);
  });

  it('finds a prefix, whatever byte the file ends at', async () => {
    const expected = ['one', 'two', 'three', 'four'];
    for (const body of expected) {
      publish(body);
      await sync();
    }
    node.kill();
    const content = await node.written(path);
    for (let bytes = 0; bytes < content.length; bytes++) {
      for (const name of await files()) await node.platform.disk.remove(`/data/wal/${name}`);
      await node.platform.disk.replaceFile(path, content.subarray(0, bytes));
      await open();
      const found = bodies() ?? [];
      expect(found).toEqual(expected.slice(0, found.length));
      expect(errors()).toEqual([]);
      node.kill();
    }
  });

  it('never serves a changed byte, whichever it is', async () => {
    const expected = ['one', 'two', 'three'];
    for (const body of expected) {
      publish(body);
      await sync();
    }
    await node.stop();
    const content = await node.written(path);
    for (let at = 0; at < content.length; at++) {
      for (const name of await node.platform.disk.list('/data/wal')) {
        if (name.endsWith('.log')) await node.platform.disk.remove(`/data/wal/${name}`);
      }
      const changed = Buffer.from(content);
      changed[at]! ^= 1 << (at % 8);
      await node.platform.disk.replaceFile(path, changed);
      const opened = await open().then(
        () => true,
        // The version byte, or a header that claims another file.
        () => false,
      );
      if (opened) for (const body of bodies() ?? []) expect(expected).toContain(body);
      else expect(at).toBeLessThan(36);
      node.kill();
    }
  });
});
