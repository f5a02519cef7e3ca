import { beforeEach, describe, expect, it } from 'vitest';
import { makeMessage } from '../../../test/contract/messages.js';
import { SimStore } from '../../../test/contract/sim-store.js';

const q = 'aaaaaaaa-0000-4000-8000-000000000001';
const MiB = 1024 * 1024;
const settings = { reserveBytes: 2 * MiB, fileBytesMax: 2 * MiB, bytesMin: 2 * MiB };
let node: SimStore;
let committed: number;
let published: number;
let said: boolean[];
let failed: Error | null;

async function open(): Promise<readonly string[]> {
  said = [];
  failed = null;
  const { logs, recovered } = await node.start();
  const log = logs.log(q);
  logs.onFull = (isFull) => said.push(isFull);
  log.onCommitted = (upTo) => {
    committed = upTo;
  };
  log.onFailed = (error) => {
    failed = error;
  };
  return recovered.flatMap(({ messages }) => messages.map(({ message }) => message.body().toString().trimEnd()));
}

const body = (n: number) => `message ${n}`;
const bodies = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => body(from + i));

async function publish(count: number, bytes = 1024): Promise<void> {
  for (let i = 0; i < count; i++) {
    published = node.store.logs.log(q).publish(makeMessage({ body: body(++published).padEnd(bytes) }));
  }
  node.store.logs.flush();
  await node.advance(5);
}

async function settle(first: number, last: number): Promise<void> {
  node.store.logs.log(q).settle(first, last);
  node.store.logs.flush();
  await node.advance(100);
}

/** Publishes until the disk has no more room; publishers that hear of it stop. */
async function fill(): Promise<void> {
  for (let i = 0; i < 10_000 && said.length === 0; i++) await publish(100);
}

/** How many of [1, `to`] come back within a second. */
async function readable(to: number): Promise<number> {
  let count = 0;
  const read = (from: number): void => {
    node.store.logs.log(q).read(from, to, MiB, ({ messages, upTo }) => {
      count += messages.length;
      if (upTo < to) read(upTo + 1);
    });
  };
  read(1);
  await node.advance(1000);
  return count;
}

const names = () => node.platform.disk.list('/data/wal');

beforeEach(async () => {
  node = new SimStore(1, { wal: settings });
  node.platform.disk.capacityBytes = 12 * MiB;
  committed = 0;
  published = 0;
  await open();
  await node.advance(100);
});

describe('a full disk', () => {
  it('holds publishers, keeps the group that found no room, and loses nothing', async () => {
    expect(await names()).toContain('reserve');
    await fill();
    expect(said).toEqual([true]);
    await node.advance(1000);
    // The reserve was given up for what had gathered.
    expect(await names()).not.toContain('reserve');
    expect(committed).toBe(published);
    expect(failed).toBeNull();
    expect(node.platform.log.find('the disk is full', 'error')).toHaveLength(1);
    node.crash();
    expect(await open()).toEqual(bodies(1, published));
  });

  it('can be drained: settlements go on, space comes back, and so does the reserve', async () => {
    await fill();
    await node.advance(1000);
    const all = published;
    for (let first = 1; first <= all; first += 50) await settle(first, Math.min(all, first + 49));
    await node.advance(10_000);
    expect(said).toEqual([true, false]);
    expect(await names()).toContain('reserve');
    await publish(10);
    await node.advance(100);
    expect(committed).toBe(published);
    node.crash();
    expect(await open()).toEqual(bodies(all + 1, all + 10));
  });

  it.each(['in the same life', 'after a kill'])('never hides a message by moving it, %s', async (life) => {
    await fill();
    await node.advance(1000);
    if (life === 'after a kill') {
      node.kill();
      await open();
    }
    const { disk } = node.platform;
    // Room for settlements, and not for what lives in the oldest file.
    disk.capacityBytes -= (await disk.freeBytes('/data')) - MiB / 4;
    const log = node.store.logs.log(q);
    for (let first = 1; first <= published; first += 4) log.settle(first, Math.min(published, first + 2));
    await settle(published, published);
    await node.advance(10_000);
    expect(await readable(published)).toBe(Math.ceil(published / 4) - 1);
  });

  it('holds publishers also when it is what is not logged that found no room', async () => {
    const pages = node.store.logs.pages();
    let position = 0;
    for (let i = 0; i < 10_000 && said.length === 0; i++) {
      for (let n = 0; n < 100; n++) pages.page(++position, makeMessage({ body: body(position).padEnd(1024) }));
      node.store.logs.flush();
      await node.advance(5);
    }
    expect(said).toEqual([true]);
    // What keeps room for settlements is not given to them.
    expect(await names()).toContain('reserve');
    await publish(1);
    await node.advance(5_000);
    expect([said, committed]).toEqual([[true], 1]);
    expect(node.platform.log.find('', 'error')).toHaveLength(1);
    expect(node.platform.log.find('the disk is full', 'error')).toHaveLength(1);
    node.platform.disk.capacityBytes += 10 * MiB;
    await node.advance(5_000);
    expect(said).toEqual([true, false]);
    const found: number[] = [];
    while (found.length < position) {
      await new Promise<void>((done) => {
        pages.read((found.at(-1) ?? 0) + 1, position, MiB, ({ messages }) => {
          found.push(...messages.map((message) => message.position));
          done();
        });
        void node.idle();
      });
    }
    expect(found).toEqual(Array.from({ length: position }, (_, i) => i + 1));
  });

  it('keeps what was settled while it was full settled', async () => {
    await fill();
    await node.advance(1000);
    await settle(3, 1000);
    await node.settle(node.store.logs.sync());
    node.crash();
    expect(await open()).toEqual([...bodies(1, 2), ...bodies(1001, published)]);
  });

  it('goes on as soon as there is room, without a restart', async () => {
    await fill();
    await node.advance(1000);
    node.platform.disk.capacityBytes = 40 * MiB;
    await node.advance(2000);
    expect(said).toEqual([true, false]);
    await publish(1000);
    await node.advance(100);
    expect(committed).toBe(published);
    expect(failed).toBeNull();
  });

  it('waits when even the reserve is not enough, and writes the same group when there is room', async () => {
    await publish(1000);
    const before = committed;
    node.platform.disk.capacityBytes = 4 * MiB;
    await publish(5000);
    await node.advance(3000);
    expect(said).toEqual([true]);
    expect(committed).toBe(before);
    await publish(1);
    expect(committed).toBe(before);
    node.platform.disk.capacityBytes = 40 * MiB;
    await node.advance(3000);
    expect(committed).toBe(published);
    expect(said).toEqual([true, false]);
    expect(failed).toBeNull();
    node.crash();
    expect(await open()).toEqual(bodies(1, published));
  });

  it('leaves nothing corrupt when the power fails while it waits', async () => {
    await publish(1000);
    node.platform.disk.capacityBytes = 4 * MiB;
    await publish(5000);
    await node.advance(3000);
    node.crash();
    node.platform.disk.capacityBytes = 40 * MiB;
    expect((await open()).slice(0, 1000)).toEqual(bodies(1, 1000));
    expect(node.platform.log.find('damage', 'error')).toEqual([]);
  });

  it('does not keep a node from starting', async () => {
    await fill();
    // Full to the last byte, with the reserve made anew.
    node.platform.disk.capacityBytes = 40 * MiB;
    await node.advance(3000);
    expect(await names()).toContain('reserve');
    node.kill();
    node.platform.disk.capacityBytes -= await node.platform.disk.freeBytes('/data');
    expect(await open()).toHaveLength(published);
    expect(await names()).not.toContain('reserve');
  });

  it('does not forgive a sync that fails', async () => {
    node.platform.disk.failNext('sync', 'ENOSPC');
    await publish(1);
    expect(failed).toMatchObject({ code: 'ENOSPC' });
  });
});

describe('metadata on a full disk', () => {
  const put = (key: string, value: string) =>
    node.settle(node.store.metadata.change([{ key, revision: 'absent' }], [{ key, value }]));
  const keys = async () => (await node.settle(node.store.metadata.load(''))).entries.map(({ key }) => key);

  it('refuses the change, and takes the next one when there is room', async () => {
    await put('a', 'x');
    node.platform.disk.capacityBytes -= await node.platform.disk.freeBytes('/data');
    await expect(put('b', 'x'.repeat(200_000))).rejects.toThrow('there is no room on the disk');
    expect(await keys()).toEqual(['a']);
    node.platform.disk.capacityBytes += 4 * MiB;
    // The key is absent still, and so is what was guarded by it.
    await put('b', 'y');
    node.crash();
    await open();
    expect(await keys()).toEqual(['a', 'b']);
    await put('c', 'z');
  });

  it('does not forgive a sync that fails', async () => {
    node.platform.disk.failNext('sync', 'ENOSPC');
    await expect(put('a', 'x')).rejects.toMatchObject({ code: 'ENOSPC' });
    await expect(put('b', 'x')).rejects.toMatchObject({ code: 'ENOSPC' });
  });
});
