import type { LogRead, LogStore, Position, Range, ReplicaEntry, StoredReplica } from '@chapar/core';
import { beforeEach, describe, expect, it } from 'vitest';
import { makeMessage, messageFacts } from '../../../test/contract/messages.js';
import { SimStore } from '../../../test/contract/sim-store.js';
import { inspectDirectory } from './inspection.js';

const id = 'aaaaaaaa-0000-4000-8000-000000000001';
const other = 'bbbbbbbb-0000-4000-8000-000000000002';
const origin = '5cf5a1f8-3a3e-4a51-9d02-6f1f6a0a1b01';

let node: SimStore;
let logs: LogStore;
let replica: StoredReplica;
let synced: number[];

async function start(settings: ConstructorParameters<typeof SimStore>[1] = {}): Promise<void> {
  node = new SimStore(1, settings);
  await begin();
}

async function begin(): Promise<void> {
  ({ logs } = await node.start());
  replica = logs.replica(id);
  listen();
}

function listen(): void {
  synced = [];
  replica.onSynced = (operation) => synced.push(operation);
}

const restart = async () => {
  node.crash();
  await begin();
};

const publish = (body: string, sequence = 1): Position =>
  replica.publish(makeMessage({ body }), { origin, sequence, low: 0 });

interface Found {
  readonly entries: readonly ReplicaEntry[];
  readonly upTo: Position;
}

function entries(ranges: readonly Range[], bytesMax = 1_000_000, from = replica): Promise<Found> {
  return node.settle(
    new Promise((done) => from.entries(ranges, bytesMax, (found, upTo) => done({ entries: found, upTo }))),
  );
}

/** What is there at once. */
function entriesNow(ranges: readonly Range[], bytesMax = 1_000_000): Found | null {
  let found: Found | null = null;
  replica.entries(ranges, bytesMax, (all, upTo) => {
    found = { entries: all, upTo };
  });
  return found;
}

function messages(of: StoredReplica, last: Position): Promise<LogRead> {
  return node.settle(new Promise((done) => of.read(1, last, 10_000_000, done)));
}

const bodies = async (of: StoredReplica, last: Position) =>
  (await messages(of, last)).messages.map(({ message }) => message.body().toString('latin1'));

beforeEach(() => start());

describe('an operation on a replica', () => {
  it('is told of when it is on the disk, and never from within the call', async () => {
    publish('one');
    replica.begin(1, 2);
    expect(replica.operations).toBe(2);
    logs.flush();
    expect(synced).toEqual([]);
    const { syncs } = node.platform.disk.counts;
    await node.advance(5);
    expect(synced).toEqual([2]);
    expect(node.platform.disk.counts.syncs).toBe(syncs + 1);
  });

  it('that only settles, marks or commits waits a moment for company, and not for ever', async () => {
    publish('one');
    await node.settle(logs.sync());
    synced = [];
    replica.commit(1);
    replica.change({ kind: 'returned', position: 1, count: 1 });
    replica.change({ kind: 'settle', first: 1, last: 1 });
    logs.flush();
    await node.advance(2);
    expect(synced).toEqual([]);
    await node.advance(70);
    expect(synced).toEqual([4]);
  });

  it('that changes nothing is told of too', async () => {
    replica.change({ kind: 'settle', first: 1, last: 100 });
    replica.change({ kind: 'pend', position: 3, reason: 'expired', atMs: 1 });
    logs.flush();
    await node.advance(80);
    expect(synced).toEqual([2]);
    replica.change({ kind: 'settle', first: 1, last: 100 });
    await node.advance(80);
    expect(synced).toEqual([2, 3]);
  });

  it('is synced also where publishes count before they are', async () => {
    await start({ wal: { syncEveryMs: 10_000 } });
    const queue = logs.log('queue');
    queue.publish(makeMessage({ body: 'q' }));
    logs.flush();
    await node.advance(5);
    expect(queue.committed).toBe(1);
    publish('one');
    logs.flush();
    await node.advance(5);
    expect(synced).toEqual([1]);
    replica.change({ kind: 'settle', first: 1, last: 1 });
    logs.flush();
    await node.advance(80);
    expect(synced).toEqual([1, 2]);
  });

  it('is not told of when the disk fails; whoever asks later hears of the failure', async () => {
    const failures: Error[] = [];
    replica.onFailed = (error) => failures.push(error);
    node.platform.disk.failNext('sync', new Error('broken'));
    publish('one');
    logs.flush();
    await node.advance(100);
    expect(failures).toMatchObject([{ message: 'broken' }]);
    expect(synced).toEqual([]);
    publish('two');
    replica.change({ kind: 'settle', first: 1, last: 1 });
    const late = logs.replica(other);
    late.onFailed = (error) => failures.push(error);
    await node.advance(100);
    expect(failures).toHaveLength(2);
    expect(synced).toEqual([]);
  });
});

describe('messages of a replica', () => {
  it('travel from memory while they are fresh, from the disk afterwards, and are the same', async () => {
    const large = 'l'.repeat(20_000);
    publish('one', 1);
    publish(large, 2);
    replica.publish(
      makeMessage({ priority: 7, expirationMs: 5, exchange: 'ü' }, [Buffer.from('in '), Buffer.from('parts')]),
      null,
    );
    const all = [{ first: 1, last: 3 }];
    const fresh = entriesNow(all)!;
    expect(fresh.entries.map(({ position, provenance }) => [position, provenance?.sequence])).toEqual([
      [1, 1],
      [2, 2],
      [3, undefined],
    ]);
    expect(fresh.upTo).toBe(3);
    await node.settle(logs.sync());
    await restart();
    expect(entriesNow(all)).toBeNull();
    const read = await entries(all);
    const plain = ({ entries: found, upTo }: Found) => [
      found.map((entry) => ({ ...entry, bytes: Buffer.from(entry.bytes).toString('latin1') })),
      upTo,
    ];
    expect(plain(read)).toEqual(plain(fresh));
    // And on another node, under another number, at other places.
    const copy = logs.replica(other);
    for (const entry of read.entries) copy.append(entry);
    await node.settle(logs.sync());
    expect(plain(await entries(all, 1_000_000, copy))).toEqual(plain(fresh));
    const facts = async (of: StoredReplica) =>
      (await messages(of, 3)).messages.map(({ message }) => messageFacts(message));
    expect(await facts(copy)).toEqual(await facts(replica));
    expect((await facts(copy))[2]).toMatchObject({ body: 'in parts', priority: 7, expirationMs: 5, exchange: 'ü' });
    expect(copy.state().mayExpire).toBe(true);
  });

  it('come in portions, and say how far that went', async () => {
    for (let i = 1; i <= 10; i++) publish(`${i}`.padEnd(100), i);
    replica.commit(10);
    replica.change({ kind: 'settle', first: 4, last: 6 });
    const ranges = [
      { first: 2, last: 5 },
      { first: 7, last: 12 },
    ];
    expect(entriesNow(ranges, 1)).toMatchObject({ entries: [{ position: 2 }], upTo: 2 });
    expect(entriesNow(ranges, 1000)).toMatchObject({
      entries: [{ position: 2 }, { position: 3 }, { position: 7 }],
      upTo: 7,
    });
    expect(entriesNow(ranges)!.upTo).toBe(12);
    expect(entriesNow([{ first: 4, last: 6 }])).toEqual({ entries: [], upTo: 6 });
    expect(entriesNow([])).toEqual({ entries: [], upTo: 0 });
  });

  it('that are cut while they are read are not those that stand there afterwards', async () => {
    publish('cut', 1);
    await node.settle(logs.sync());
    await restart();
    const reading = new Promise<Found>((done) =>
      replica.entries([{ first: 1, last: 1 }], 1000, (found, upTo) => done({ entries: found, upTo })),
    );
    replica.cut(0);
    publish('new', 2);
    const { entries: found } = await node.settle(reading);
    expect(found.map(({ provenance }) => provenance!.sequence)).toEqual([2]);
    expect(Buffer.from(found[0]!.bytes).toString('latin1')).toContain('new');
  });

  it('are kept in memory up to a bound', async () => {
    for (let i = 1; i <= 300; i++) publish('x'.repeat(10_000), i);
    logs.flush();
    await node.advance(100);
    expect(entriesNow([{ first: 1, last: 1 }])).toBeNull();
    expect(entriesNow([{ first: 150, last: 150 }])).toBeNull();
    expect(entriesNow([{ first: 250, last: 300 }])!.entries).toHaveLength(51);
    expect((await entries([{ first: 1, last: 300 }], 10_000_000)).entries).toHaveLength(300);
  });

  it('in a form that is none are refused, and nothing is written', () => {
    publish('one');
    const { bytes } = entriesNow([{ first: 1, last: 1 }])!.entries[0]!;
    const unknown = Buffer.from(bytes);
    unknown[0] = 0x40;
    for (const wrong of [unknown, bytes.subarray(0, 20), bytes.subarray(0, 3), new Uint8Array(0)])
      expect(() => replica.append({ position: 2, provenance: null, bytes: wrong })).toThrow(RangeError);
    const provenance = { origin: 'o'.repeat(256), sequence: 1, low: 0 };
    expect(() => replica.append({ position: 2, provenance, bytes })).toThrow(RangeError);
    expect(replica).toMatchObject({ operations: 1, end: 1 });
  });

  it('that cannot be read end an answer before them', async () => {
    for (let i = 1; i <= 3; i++) publish(`message ${i}`, i);
    await node.settle(logs.sync());
    const path = '/data/wal/wal-00000001.log';
    const at = (await node.platform.disk.readFile(path)).indexOf('message 2');
    await restart();
    node.platform.disk.corrupt(path, at);
    const { entries: found, upTo } = await entries([{ first: 1, last: 3 }]);
    expect([found.length, upTo]).toEqual([1, 1]);
    expect(node.platform.log.find('messages cannot be read back', 'error')).toHaveLength(1);
  });
});

describe('a replica', () => {
  it('is found by its name after a start, and is none of the queues', async () => {
    expect(logs.replicas).toEqual([id]);
    publish('one');
    logs.log('queue').publish(makeMessage({ body: 'q' }));
    await node.settle(logs.sync());
    node.crash();
    const { recovered, logs: found } = await node.start();
    expect(recovered.map(({ incarnation }) => incarnation)).toEqual(['queue']);
    expect(found.replicas).toEqual([id]);
    expect(found.replica(id)).toMatchObject({ end: 1, committed: 0, operations: 0 });
  });

  it('that is removed is gone for good, and hears of nothing more', async () => {
    publish('one');
    await node.settle(logs.sync());
    synced = [];
    publish('two');
    logs.remove(id);
    await node.settle(logs.sync());
    expect(synced).toEqual([]);
    expect(logs.replicas).toEqual([]);
    node.crash();
    ({ logs } = await node.start());
    expect(logs.replicas).toEqual([]);
    expect(logs.replica(id)).toMatchObject({ end: 0, liveCount: 0 });
  });

  it('has what is restated as a whole or not at all, however much it is', async () => {
    const count = 40_000;
    for (let i = 1; i <= count; i++) publish('', i);
    replica.commit(count);
    await node.settle(logs.sync());
    const live = Array.from({ length: count / 2 }, (_, i) => ({ first: 2 * i + 1, last: 2 * i + 1 }));
    replica.restate(count, live, [{ kind: 'returned', position: 3, count: 2 }]);
    expect(replica.liveCount).toBe(count / 2);
    await node.settle(logs.sync());
    await restart();
    expect(replica.liveIn(1, count)).toEqual(live);
    expect(replica.marksIn(1, count)).toEqual([{ kind: 'returned', position: 3, count: 2 }]);
    replica.restate(count, [], []);
    logs.flush();
    // Written, and perhaps half of it on the disk.
    await node.advance(0);
    await restart();
    expect([0, count / 2]).toContain(replica.liveCount);
  });

  it('pages what is in no log beside what is', async () => {
    publish('logged');
    replica.page(2, makeMessage({ body: 'paged' }));
    replica.page(3, makeMessage({ body: 'forgotten' }));
    replica.forget(3, 3);
    logs.flush();
    expect(await bodies(replica, 10)).toEqual(['logged', 'paged']);
  });

  it('begins a queue with what is committed, all of it perhaps delivered', async () => {
    for (let i = 1; i <= 5; i++) publish(`${i}`, i);
    replica.commit(4);
    replica.change({ kind: 'pend', position: 2, reason: 'maxlen', atMs: 9 });
    replica.change({ kind: 'settle', first: 4, last: 4 });
    const seen: Position[] = [];
    const { visit, ...state } = replica.state();
    visit((position) => seen.push(position));
    expect(seen).toEqual([1, 2, 3]);
    expect(state).toEqual({
      incarnation: id,
      count: 3,
      bytes: 3,
      first: 1,
      last: 3,
      deliveredUpTo: 4,
      deliveredByLevel: [],
      mayExpire: false,
      pending: [{ position: 2, reason: 'maxlen', atMs: 9 }],
      returns: [],
    });
  });

  it('and a queue of the same incarnation go together', async () => {
    publish('one');
    logs.log(id).publish(makeMessage({ body: 'q' }));
    await node.settle(logs.sync());
    logs.remove(id);
    await node.settle(logs.sync());
    node.crash();
    const { recovered, logs: found } = await node.start();
    expect([recovered, found.replicas]).toEqual([[], []]);
  });

  it('makes a checkpoint one that brokers without replicas refuse; any other they can read', async () => {
    await start({ wal: { stopCheckpointBytes: 1 } });
    const version = async () => (await node.platform.disk.readFile('/data/wal/checkpoint'))[8];
    logs.log('queue').publish(makeMessage({ body: 'q' }));
    await node.stop();
    expect(await version()).toBe(1);
    await begin();
    publish('one');
    replica.commit(1);
    await node.stop();
    expect(await version()).toBe(2);
    const { recovered, logs: found } = await node.start();
    expect(recovered.map(({ count }) => count)).toEqual([1]);
    expect(found.replica(id)).toMatchObject({ end: 1, committed: 1, liveCount: 1 });
    expect(found.replica(id).originRows()).toEqual([{ origin, low: 0, held: [{ first: 1, last: 1 }] }]);
  });

  it('is shown by an inspection', async () => {
    publish('one');
    publish('two', 2);
    replica.commit(1);
    await node.settle(logs.sync());
    node.kill();
    const { queues, files, damages } = await node.settle(inspectDirectory(node.platform, '/data'));
    expect(queues).toMatchObject([{ incarnation: id, messages: 2, nextPosition: 3, committed: 1, pending: 0 }]);
    expect(files[0]!.entries).toEqual({ start: 1, copy: 1, publish: 2, commit: 1 });
    expect(damages).toEqual([]);
  });
});

describe('the time of its queue', () => {
  const hourMs = 3_600_000;
  /** What a leader says whose clock is ahead. */
  const queueMs = () => node.platform.clock.wallMs() + hourMs;

  it.each([
    ['crash', undefined],
    ['stop', undefined],
    ['stop', 1],
  ] as const)('is found again after a %s with checkpoints from %s bytes on', async (how, stopCheckpointBytes) => {
    await start({ wal: stopCheckpointBytes === undefined ? {} : { stopCheckpointBytes } });
    for (const aheadMs of [hourMs, -5000]) {
      replica.keepTime(aheadMs);
      publish('one');
      await node.settle(logs.sync());
      await node[how]();
      await begin();
      expect(replica.aheadMs).toBe(aheadMs);
      // And where it is not said anew.
      await node[how]();
      await begin();
      expect(replica.aheadMs).toBe(aheadMs);
    }
    expect(logs.replica(other).aheadMs).toBeNull();
  });

  it.each(['stop', 'crash'] as const)('is not the time of the node, after a %s either', async (how) => {
    replica.keepTime(hourMs);
    replica.publish(makeMessage({ receivedAtMs: queueMs() }), null);
    replica.commit(1);
    replica.change({ kind: 'pend', position: 1, reason: 'expired', atMs: queueMs() });
    replica.restate(1, [{ first: 1, last: 1 }], [{ kind: 'pend', position: 1, reason: 'expired', atMs: queueMs() }]);
    await node.settle(logs.sync());
    const nowMs = node.platform.clock.wallMs();
    await node[how]();
    await begin();
    expect(logs.lastStampMs).toBeLessThanOrEqual(nowMs + 1000);
    expect(logs.lastStampMs).toBeGreaterThan(nowMs - 1000);
    expect(replica.state().pending[0]?.atMs).toBeGreaterThan(nowMs + hourMs - 1000);
  });
});

describe('a replica that lacks something', () => {
  it.each([
    ['crash', undefined],
    ['stop', undefined],
    ['stop', 1],
  ] as const)(
    'is known for it after a %s with checkpoints from %s bytes on, and when it is whole again',
    async (how, bytes) => {
      await start({ wal: bytes === undefined ? {} : { stopCheckpointBytes: bytes } });
      const again = async () => {
        await node.settle(logs.sync());
        await node[how]();
        await begin();
      };
      replica.begin(1, 1);
      publish('one');
      publish('two', 2);
      replica.commit(2);
      replica.change({ kind: 'returned', position: 2, count: 3 });
      expect(replica.isWhole).toBe(true);
      replica.setWhole(false);
      await again();
      await again();
      expect([replica.isWhole, replica.end, replica.liveCount]).toEqual([false, 3, 2]);
      replica.setWhole(true);
      await again();
      expect(replica.isWhole).toBe(true);
      replica.change({ kind: 'settle', first: 2, last: 2 });
      replica.empty();
      await again();
      expect([replica.isWhole, replica.end, replica.committed, replica.starts]).toEqual([false, 0, 0, []]);
      expect([replica.liveCount, replica.allOriginRows(), replica.marksIn(1, 9)]).toEqual([0, [], []]);
      replica.begin(4, 1);
      publish('other');
      replica.setWhole(true);
      await again();
      await again();
      expect([replica.isWhole, replica.starts, await bodies(replica, 9)]).toEqual([
        true,
        [{ epoch: 4, first: 1 }],
        ['other'],
      ]);
      expect(logs.replica(other).isWhole).toBe(true);
    },
  );

  it('is found by damage in what was written before, and not by damage before it was emptied and whole again', async () => {
    for (const body of ['one', 'two', 'three']) {
      publish(body);
      await node.settle(logs.sync());
    }
    const path = `/data/wal/${(await node.platform.disk.list('/data/wal')).find((name) => name.endsWith('.log'))!}`;
    node.platform.disk.corrupt(path, (await node.platform.disk.readFile(path)).indexOf('two'));
    node.kill();
    await begin();
    expect([replica.isWhole, replica.liveCount]).toEqual([false, 2]);
    replica.empty();
    publish('one');
    replica.setWhole(true);
    logs.replica(other).publish(makeMessage({ body: 'keeps the file' }), null);
    await node.settle(logs.sync());
    node.kill();
    await begin();
    expect(replica.isWhole).toBe(true);
  });

  it('hears of what cannot be read, and passes over it where nobody has more', async () => {
    const large = 'x'.repeat(300_000);
    for (let i = 1; i <= 8; i++) publish(`${i}${large}`, i);
    await node.settle(logs.sync());
    const path = `/data/wal/${(await node.platform.disk.list('/data/wal')).find((name) => name.endsWith('.log'))!}`;
    node.platform.disk.corrupt(path, (await node.platform.disk.readFile(path)).indexOf(`2${large}`));
    let spoiled = 0;
    replica.onSpoiled = () => spoiled++;
    const of = async () => (await entries([{ first: 1, last: 3 }])).entries.map(({ position }) => position);
    expect([await of(), spoiled]).toEqual([[1], 1]);
    replica.passesOver = true;
    expect(await of()).toEqual([1, 3]);
  });
});
