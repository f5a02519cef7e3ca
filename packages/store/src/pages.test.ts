import type { LoggedMessage, LogRead, LogStore, QueuePages } from '@chapar/core';
import { SimRandom } from '@chapar/platform';
import { beforeEach, describe, expect, it } from 'vitest';
import { makeMessage } from '../../../test/contract/messages.js';
import { SimStore } from '../../../test/contract/sim-store.js';
import type { WalSettings } from './wal.js';

const q = 'aaaaaaaa-0000-4000-8000-000000000001';

let node: SimStore;
let logs: LogStore;

async function start(wal: Partial<WalSettings> = {}): Promise<void> {
  node = new SimStore(1, { wal });
  ({ logs } = await node.start());
}

const transient = (body: string) => makeMessage({ body, persistent: false });
const errors = () => node.platform.log.find('', 'error');
const read = (from: QueuePages, first: number, last: number, bytesMax: number) =>
  node.settle(new Promise<LogRead>((done) => from.read(first, last, bytesMax, done)));
const shown = (messages: readonly LoggedMessage[]) =>
  messages.map(({ position, message }) => `${position} ${message.body()}`);

/** Everything in the range, in as many reads as it takes. */
async function readAll(from: QueuePages, first: number, last: number, bytesMax: number) {
  const messages: LoggedMessage[] = [];
  const unreadable: number[] = [];
  let reads = 0;
  for (let at = first; at <= last; reads++) {
    const found = await read(from, at, last, bytesMax);
    expect(found.upTo).toBeGreaterThanOrEqual(at);
    messages.push(...found.messages);
    unreadable.push(...found.unreadable);
    at = found.upTo + 1;
  }
  return { messages, unreadable, reads };
}

/** Bytes of the files in a directory. */
async function sizeOf(directory: string): Promise<number> {
  const { disk } = node.platform;
  let bytes = 0;
  for (const name of await disk.list(directory)) bytes += (await node.written(`${directory}/${name}`)).length;
  return bytes;
}

describe('reading back', () => {
  beforeEach(() => start({ fileBytesMax: 4_000, bytesMin: 8_000 }));

  it('finds logged and paged messages of a queue by their positions, and leaves those between where they are', async () => {
    const log = logs.log(q);
    const bodies = new Map<number, string>();
    for (let n = 1; n <= 300; n++) {
      const isPersistent = n % 5 !== 0;
      const body = 'x'.repeat(n % 70);
      const position = isPersistent ? log.publish(makeMessage({ body })) : log.skip();
      if (!isPersistent) log.page(position, transient(body));
      bodies.set(position, body);
      if (n % 30 === 0) logs.flush();
    }
    log.settle(6, 12);
    for (let position = 6; position <= 12; position++) if (position !== 10) bodies.delete(position);
    // Three levels, one after the other, in which all the others lie.
    for (const level of [2, 0, 1]) {
      let positions = Array.from({ length: 100 }, (_, i) => 3 * i + level + 1);
      const expected = positions.filter((position) => bodies.has(position));
      const found: LoggedMessage[] = [];
      for (let reads = 0; positions.length > 0; reads++) {
        expect(reads).toBeLessThan(50);
        const { messages, upTo, unreadable } = await node.settle(
          new Promise<LogRead>((done) => log.readAt(positions, 2_000, done)),
        );
        expect(unreadable).toEqual([]);
        found.push(...messages);
        positions = positions.filter((position) => position > upTo);
      }
      expect(shown(found)).toEqual(expected.map((position) => `${position} ${bodies.get(position)}`));
    }
  });

  it('finds logged and paged messages of a queue in their order, a few at a time, and answers never within the call', async () => {
    const log = logs.log(q);
    const expected: string[] = [];
    for (let n = 1; n <= 300; n++) {
      const isPersistent = n % 5 !== 0;
      const body = 'x'.repeat(n % 70);
      const position = isPersistent ? log.publish(makeMessage({ body })) : log.skip();
      if (!isPersistent) log.page(position, transient(body));
      expected.push(`${position} ${body}`);
      if (n % 30 === 0) logs.flush();
    }
    logs.flush();
    let isWithin = true;
    log.read(1, 300, 1, () => expect(isWithin).toBe(false));
    isWithin = false;
    const { messages, reads } = await readAll(log, 1, 300, 2_000);
    expect(shown(messages)).toEqual(expected);
    expect(reads).toBeGreaterThan(30);
    // Logged ones stay until they are settled; paged ones are gone.
    expect((await readAll(log, 1, 300, 1e6)).messages).toHaveLength(240);
    expect(errors()).toEqual([]);
  });

  it('waits for what has not been written', async () => {
    node.platform.disk.delayMs.write = 5;
    const log = logs.log(q);
    log.publish(makeMessage({ body: 'a' }));
    let found: LogRead | null = null;
    log.read(1, 1, 100, (answer) => {
      found = answer;
    });
    await node.idle();
    expect(found).toBeNull();
    logs.flush();
    await node.idle();
    expect(shown(found!.messages)).toEqual(['1 a']);
  });

  it('follows messages to the files that they are moved to', async () => {
    const log = logs.log(q);
    const other = logs.log('other');
    for (let n = 1; n <= 40; n++) {
      log.publish(makeMessage({ body: `${n}` }));
      for (let i = 0; i < 5; i++) {
        const position = other.publish(makeMessage({ body: 'y'.repeat(200) }));
        other.settle(position, position);
      }
      logs.flush();
      if (n % 4 === 0) await node.advance(3);
      // A read that is under way while files are emptied.
      log.read(1, n, 100_000, (found) => {
        expect(found.unreadable).toEqual([]);
        expect(shown(found.messages)).toEqual(Array.from({ length: found.upTo }, (_, i) => `${i + 1} ${i + 1}`));
      });
    }
    await node.idle();
    expect((await node.platform.disk.list('/data/wal'))[0]).not.toBe('wal-00000001.log');
    expect((await readAll(log, 1, 40, 500)).messages).toHaveLength(40);
    expect(errors()).toEqual([]);
  });

  it('names what cannot be read, serves the rest, and has it again when it can be read after a restart', async () => {
    const log = logs.log(q);
    for (let n = 1; n <= 30; n++) log.publish(makeMessage({ body: `${n}`.padStart(3, '0') }));
    await node.settle(logs.sync());
    const path = '/data/wal/wal-00000001.log';
    const at = (await node.written(path)).indexOf('017');
    node.platform.disk.corrupt(path, at);
    const { messages, unreadable } = await readAll(log, 1, 30, 1e6);
    expect(unreadable).toEqual([17]);
    expect(messages.map(({ position }) => position)).toEqual([...Array(31).keys()].filter((n) => n !== 0 && n !== 17));
    expect(errors()).toHaveLength(1);
    expect(errors()[0]).toMatchObject({ fields: { queue: q, position: 17, messages: 1, file: path } });
    // The same bit once more: the disk has it right again.
    node.platform.disk.corrupt(path, at);
    node.kill();
    ({ logs } = await node.start());
    expect((await readAll(logs.log(q), 1, 30, 1e6)).messages).toHaveLength(30);
  });

  it('lives with a read that fails once', async () => {
    const log = logs.log(q);
    for (let n = 1; n <= 3; n++) log.publish(makeMessage({ body: `${n}` }));
    await node.settle(logs.sync());
    node.platform.disk.failNext('read');
    expect(shown((await read(log, 1, 3, 1e6)).messages)).toEqual(['1 1', '2 2', '3 3']);
  });

  it('reads what was written before the log failed', async () => {
    const log = logs.log(q);
    log.publish(makeMessage({ body: 'kept' }));
    await node.settle(logs.sync());
    node.platform.disk.failNext('write');
    log.publish(makeMessage({ body: 'never written' }));
    logs.flush();
    await node.idle();
    const found = await read(log, 1, 2, 1e6);
    expect([shown(found.messages), found.unreadable]).toEqual([['1 kept'], [2]]);
  });
});

describe('pages', () => {
  it('give space back as queues are read, in any order', async () => {
    await start({ fileBytesMax: 4_000, bytesMin: 8_000 });
    const random = new SimRandom(3);
    const queues = Array.from({ length: 5 }, () => ({ pages: logs.pages(), first: 1, last: 0 }));
    for (let turn = 0; turn < 400; turn++) {
      const queue = queues[random.integer(5)]!;
      for (let i = 0; i < 5; i++) queue.pages.page(++queue.last, transient(`${queue.last}`.padEnd(100)));
      logs.flush();
      if (random.chance(0.3)) await node.advance(1);
      // The first queue is never read, and pins no more than its own.
      const reader = queues[1 + random.integer(4)]!;
      if (reader.first > reader.last || !random.chance(0.9)) continue;
      const found = await read(reader.pages, reader.first, reader.last, 3_000);
      expect(shown(found.messages).map((each) => each.trimEnd())).toEqual(
        Array.from({ length: found.upTo - reader.first + 1 }, (_, i) => `${reader.first + i} ${reader.first + i}`),
      );
      reader.first = found.upTo + 1;
    }
    await node.idle();
    const live = queues.reduce((sum, { first, last }) => sum + last - first + 1, 0);
    // An entry has some 150 bytes.
    expect(await sizeOf('/data/pages')).toBeLessThan(Math.max(8_000, 2 * live * 165) + 3 * 4_000);
    for (const { pages, first, last } of queues) {
      if (first <= last) expect((await readAll(pages, first, last, 1e6)).messages).toHaveLength(last - first + 1);
    }
    await node.idle();
    expect((await node.platform.disk.list('/data/pages')).length).toBeLessThanOrEqual(2);
    expect(errors()).toEqual([]);
  });

  it('forget what is asked, and everything at the next start', async () => {
    await start();
    const pages = logs.pages();
    for (let n = 1; n <= 10; n++) pages.page(n, transient(`${n}`));
    pages.forget(3, 8);
    logs.flush();
    expect(shown((await read(pages, 1, 10, 1e6)).messages)).toEqual(['1 1', '2 2', '9 9', '10 10']);
    pages.page(11, transient('secret'));
    logs.flush();
    await node.stop();
    await node.start();
    for (const name of await node.platform.disk.list('/data/pages')) {
      expect((await node.platform.disk.readFile(`/data/pages/${name}`)).includes('secret')).toBe(false);
    }
  });

  it('are never synced', async () => {
    await start();
    const { syncs } = node.platform.disk.counts;
    const pages = logs.pages();
    for (let n = 1; n <= 100; n++) {
      pages.page(n, transient('x'.repeat(1_000)));
      logs.flush();
    }
    await node.idle();
    expect(node.platform.disk.counts.syncs).toBe(syncs);
  });

  it('keep what could not be written and try again, while publishers wait', async () => {
    await start({ behindBytes: 1_000 });
    const told: boolean[] = [];
    logs.onBehind = (isBehind) => told.push(isBehind);
    const pages = logs.pages();
    node.platform.disk.failNext('write', 'ENOSPC');
    for (let n = 1; n <= 20; n++) {
      pages.page(n, transient('x'.repeat(100)));
      logs.flush();
      await node.idle();
    }
    expect(told).toEqual([true]);
    expect(errors()).toHaveLength(1);
    const found = read(pages, 1, 20, 1e6);
    await node.advance(2_000);
    expect((await found).messages.length).toBeGreaterThan(0);
    expect(told).toEqual([true, false]);
  });
});
