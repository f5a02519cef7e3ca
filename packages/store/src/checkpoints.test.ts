import type { LogStore, Position } from '@chapar/core';
import { beforeEach, describe, expect, it } from 'vitest';
import { makeMessage } from '../../../test/contract/messages.js';
import { type RecoveredMessages, readRecovered } from '../../../test/contract/recovered.js';
import { SimStore } from '../../../test/contract/sim-store.js';
import { inspectDirectory } from './inspection.js';
import type { WalSettings } from './wal.js';

const q = 'aaaaaaaa-0000-4000-8000-000000000001';
const other = 'bbbbbbbb-0000-4000-8000-000000000002';
const checkpoint = '/data/wal/checkpoint';

let node: SimStore;
let logs: LogStore;
let recovered: readonly RecoveredMessages[];

async function begin(settings: Partial<WalSettings>): Promise<void> {
  node = new SimStore(1, { wal: { fileBytesMax: 5_000, stopCheckpointBytes: Number.POSITIVE_INFINITY, ...settings } });
  await start();
}

async function start(): Promise<void> {
  ({ logs, recovered } = await node.start());
}

async function publish(count: number, incarnation = q, bytes = 200): Promise<Position> {
  let position = 0;
  for (let i = 0; i < count; i++) {
    position = logs.log(incarnation).publish(makeMessage({ body: `${i} `.padEnd(bytes) }));
    if (i % 5 === 0) await node.settle(logs.sync());
  }
  await node.settle(logs.sync());
  await node.idle();
  return position;
}

const found = (incarnation = q) => recovered.find((queue) => queue.incarnation === incarnation);
const positions = (incarnation = q) => found(incarnation)?.messages.map(({ position }) => position);
const names = () => node.platform.disk.list('/data/wal');
const said = (level: 'warn' | 'error') => node.platform.log.find('', level).map(({ message }) => message);
const read = (path: string) => node.platform.disk.readFile(path);

/** Sixty messages in several files, all but every tenth of the first forty settled, then a checkpoint, then some more. */
async function life(): Promise<readonly Position[]> {
  await begin({ checkpointBytes: 12_000 });
  await publish(40);
  for (let position = 1; position <= 40; position++) if (position % 10 !== 0) logs.log(q).settle(position, position);
  logs.log(q).pend(10, 'rejected');
  logs.log(q).returned(20, 4);
  await publish(20);
  expect(await names()).toContain('checkpoint');
  logs.log(q).settle(41, 41);
  await publish(2, other);
  return [10, 20, 30, 40, ...Array.from({ length: 19 }, (_, i) => 42 + i)];
}

describe('a checkpoint', () => {
  let expected: readonly Position[];

  beforeEach(async () => {
    expected = await life();
  });

  function expectAll(): void {
    expect(positions()).toEqual(expected);
    expect(positions(other)).toEqual([1, 2]);
    expect(found()!.pending).toMatchObject([{ position: 10, reason: 'rejected' }]);
    expect(found()!.returns).toEqual([{ position: 20, count: 4 }]);
  }

  it('spares a start the files before it', async () => {
    const { generation } = (await node.settle(inspectDirectory(node.platform, '/data'))).checkpoint!;
    const first = (await names()).find((name) => name.startsWith('wal-'))!;
    expect(Number(first.slice(4, 12))).toBeLessThan(generation);
    node.kill();
    const { counts } = node.platform.disk;
    const before = counts.bytesRead;
    await start();
    const withCheckpoint = counts.bytesRead - before;
    expectAll();
    node.kill();
    await node.settle(node.platform.disk.remove(checkpoint));
    const between = counts.bytesRead;
    await start();
    expectAll();
    expect(withCheckpoint).toBeLessThan((counts.bytesRead - between) / 1.5);
    expect(said('error')).toEqual([]);
  });

  it('is as none when any byte of it is wrong, or its end is missing', async () => {
    node.kill();
    const whole = await read(checkpoint);
    for (let at = 0; at < whole.length; at += 7) {
      if (at >= 8 && at < 12) continue;
      const changed = Buffer.from(whole);
      changed[at]! ^= 0x41;
      await node.settle(node.platform.disk.replaceFile(checkpoint, at % 2 === 0 ? changed : whole.subarray(0, at)));
      await start();
      expectAll();
      expect(said('warn').at(-1)).toMatch(/the checkpoint is damaged; all of the log is read instead/);
      node.kill();
      await node.settle(node.platform.disk.replaceFile(checkpoint, whole));
    }
    expect(said('error')).toEqual([]);
  });

  it('of a newer version is refused, in words', async () => {
    node.kill();
    node.platform.disk.corrupt(checkpoint, 8, 1 ^ 7);
    await expect(start()).rejects.toThrow(/checkpoint has format version 7; this broker reads versions up to 2/);
  });

  it('whose file has gone is as none', async () => {
    const stale = await read(checkpoint);
    logs.log(q).settle(1, 60);
    logs.log(other).settle(1, await publish(200, other));
    await publish(30, other);
    node.kill();
    await node.settle(node.platform.disk.replaceFile(checkpoint, stale));
    await start();
    expect(positions()).toEqual([]);
    expect(positions(other)).toEqual(Array.from({ length: 30 }, (_, i) => 203 + i));
    expect(said('error')).toEqual([]);
  });

  it('half-written by a life that ended is of no consequence', async () => {
    node.kill();
    await node.settle(node.platform.disk.replaceFile(`${checkpoint}.new`, Buffer.from('half of somethi')));
    await start();
    expectAll();
    await publish(100, other);
    expect(await names()).not.toContain('checkpoint.new');
  });

  it('tells of a file that is missing, by queue, and the rest is served', async () => {
    node.kill();
    const first = (await names()).find((name) => name.startsWith('wal-'))!;
    await node.settle(node.platform.disk.remove(`/data/wal/${first}`));
    await start();
    const lost = expected.filter((position) => !positions()!.includes(position));
    expect(lost.length).toBeGreaterThan(0);
    expect(lost[0]).toBe(10);
    expect(found()!.pending).toEqual([]);
    expect(said('error')).toEqual([
      `damage in the write-ahead log: the file is missing, and with it ${lost.length} messages of the queue ${q}`,
    ]);
  });

  it('tells of a file that is too short, or whose header is damaged', async () => {
    node.kill();
    const first = `/data/wal/${(await names()).find((name) => name.startsWith('wal-'))!}`;
    const whole = await read(first);
    node.platform.disk.corrupt(first, 20);
    await start();
    expectAll();
    expect(said('error')[0]).toMatch(/the header of the file is damaged/);
    node.kill();
    await node.settle(node.platform.disk.replaceFile(first, whole.subarray(0, 1_000)));
    const { recovered: queues } = await unread();
    expect(queues.find(({ incarnation }) => incarnation === q)!.count).toBe(expected.length);
    expect(said('error')).toContainEqual(
      'damage in the write-ahead log: the file ends before messages that had been synced in it',
    );
  });

  /** A start whose messages nobody reads: not all of them can be. */
  async function unread() {
    const store = new SimStore(1, { wal: { checkpointBytes: 1 } });
    Object.assign(store, { platform: node.platform });
    return start2(store);
  }

  async function start2(store: SimStore) {
    const { openStore } = await import('./open.js');
    const opened = await node.settle(openStore({ platform: store.platform, dataDir: '/data' }));
    const queues = await node.settle(opened.logs.recover());
    return { logs: opened.logs, recovered: queues };
  }

  it('gives way when a message cannot be read back, so that the next start looks at everything', async () => {
    node.kill();
    const first = `/data/wal/${(await names()).find((name) => name.startsWith('wal-'))!}`;
    // In the body of message 10, the oldest that lives.
    const at = (await read(first)).indexOf(`9 `.padEnd(200));
    node.platform.disk.corrupt(first, at + 50);
    const opened = await unread();
    expect(said('error')).toEqual([]);
    const answer = await new Promise<readonly Position[]>((resolve) => {
      opened.logs.log(q).read(1, 60, 1_000_000, ({ unreadable }) => resolve(unreadable));
      void node.idle();
    });
    expect(answer).toEqual([10]);
    await node.idle();
    expect(await names()).not.toContain('checkpoint');
    node.kill();
    await start();
    expect(positions()).toEqual(expected.filter((position) => position !== 10));
    expect(said('error')).toContainEqual(
      'damage in the write-ahead log: bytes that had been synced cannot be read back',
    );
  });

  it('is shown by an inspection, which reads everything all the same', async () => {
    const { checkpoint: shown, damages } = await node.settle(inspectDirectory(node.platform, '/data'));
    expect(shown).toMatchObject({ path: checkpoint, isHealthy: true, bytes: (await read(checkpoint)).length });
    expect(shown!.queues).toBeGreaterThanOrEqual(1);
    expect(shown!.messages).toBeGreaterThanOrEqual(4);
    expect(damages).toEqual([]);
    const first = `/data/wal/${(await names()).find((name) => name.startsWith('wal-'))!}`;
    node.platform.disk.corrupt(first, 1_000);
    node.platform.disk.corrupt(checkpoint, 60);
    const second = await node.settle(inspectDirectory(node.platform, '/data'));
    expect(second.checkpoint).toMatchObject({ isHealthy: false });
    expect(second.damages).toMatchObject([{ path: first }]);
  });
});

describe('checkpoints', () => {
  it('take effect only when the group that they end with is on the disk', async () => {
    await begin({ checkpointBytes: 3_000, fileBytesMax: 1_000_000 });
    for (let i = 0; i < 30; i++) logs.log(q).publish(makeMessage({ body: 'x'.repeat(200) }));
    await node.settle(logs.sync());
    await node.idle();
    // One is due with the next group, whose own sync takes long; every later one is done at once.
    let syncs = 0;
    Object.defineProperty(node.platform.disk.delayMs, 'sync', { get: () => (syncs++ === 0 ? 1_000 : 0) });
    logs.log(q).publish(makeMessage());
    logs.flush();
    await node.advance(500);
    expect(syncs).toBe(1);
    expect(logs.log(q).committed).toBe(30);
    expect(await names()).not.toContain('checkpoint');
    await node.advance(1_000);
    expect(logs.log(q).committed).toBe(31);
    expect(await names()).toContain('checkpoint');
  });

  it('are written as the log grows, and seldom when they are large', async () => {
    await begin({ checkpointBytes: 3_000, fileBytesMax: 100_000 });
    const sizes = new Map<string, number>();
    for (let i = 0; i < 600; i++) {
      logs.log(`queue ${i}`.padEnd(200)).publish(makeMessage({ body: '' }));
      await node.settle(logs.sync());
      await node.idle();
      if (!(await names()).includes('checkpoint')) continue;
      const content = await read(checkpoint);
      sizes.set(content.subarray(0, 100).toString('base64'), content.length);
    }
    expect(sizes.size).toBeGreaterThan(2);
    // Each one lists all queues. Written every 3,000 bytes there would be a hundred of them.
    expect(sizes.size).toBeLessThan(6);
  });

  it('are left out while the disk is full, and nothing else is', async () => {
    await begin({ checkpointBytes: 20_000, fileBytesMax: 1_000_000 });
    // The zeroes that the present file has ahead of it take what is appended, and nothing else has room.
    node.platform.disk.capacityBytes = 0;
    for (let i = 0; i < 100; i++) logs.log(`queue ${i}`.padEnd(250)).publish(makeMessage({ body: '' }));
    await node.settle(logs.sync());
    for (let i = 0; i < 10; i++) logs.log(q).publish(makeMessage());
    await node.settle(logs.sync());
    await node.idle();
    expect(node.platform.log.find('there is no room for a checkpoint')).toHaveLength(1);
    expect(await names()).not.toContain('checkpoint');
    expect(await names()).not.toContain('checkpoint.new');
    expect(logs.log(q).committed).toBe(10);
    expect(said('error')).toEqual([]);
    node.kill();
    node.platform.disk.capacityBytes = Number.POSITIVE_INFINITY;
    await start();
    expect(recovered).toHaveLength(101);
  });

  it('at a clean stop let the next start read nothing', async () => {
    await begin({ stopCheckpointBytes: 1_000 });
    await publish(50);
    logs.delivered(q, 7);
    await node.stop();
    const { counts } = node.platform.disk;
    const before = counts.bytesRead;
    const { openStore } = await import('./open.js');
    const store = await node.settle(openStore({ platform: node.platform, dataDir: '/data' }));
    const queues = await node.settle(store.logs.recover());
    expect(queues).toMatchObject([{ incarnation: q, count: 50, first: 1, last: 50, deliveredUpTo: 7 }]);
    expect(counts.bytesRead - before).toBeLessThan(3_000);
    expect((await node.settle(readRecovered(store.logs, queues)))[0]!.messages).toHaveLength(50);
  });
});
