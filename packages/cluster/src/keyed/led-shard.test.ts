import {
  isVoid,
  type KeyedCondition,
  type KeyedReader,
  keyedMessage,
  type Message,
  type Position,
  type QueueLog,
  Turn,
} from '@chapar/core';
import { createSimPlatform } from '@chapar/platform';
import { beforeEach, describe, expect, it } from 'vitest';
import { LedShard } from './led-shard.js';
import { ShardFold } from './shard-fold.js';

let settled: Position[];
let safe: (() => void)[];
let published: number;
let written: Message[];
let turn: Turn;

/** What a shard asks of the log of its reign; settlements are for good when the test says so. */
const log = {
  onCommitted: null as ((upTo: Position) => void) | null,
  publish: (message: Message) => {
    written.push(message);
    return ++published;
  },
  settle: (first: Position, last: Position) => settled.push(first, last),
  whenSafe: (done: () => void) => safe.push(done),
};

const copy = { end: 0, committed: 0, read: () => undefined, originRows: () => [] };

beforeEach(() => {
  settled = [];
  safe = [];
  published = 0;
  written = [];
  turn = new Turn(createSimPlatform(1).clock);
});

describe('a shard that is led', () => {
  it('settles what was replaced before it began, and the ends of keys when that is for good', () => {
    const fold = new ShardFold(copy, () => true);
    fold.replaced.add(3, 5);
    fold.tombstones.add('k', 7);
    new LedShard(log as unknown as QueueLog, fold, turn, 9);
    expect(settled).toEqual([3, 5]);
    turn.flush();
    expect(settled).toEqual([3, 5]);
    for (const done of safe) done();
    expect(settled).toEqual([3, 5, 7, 7]);
  });

  it('settles what its fold sees replaced, until another leads', () => {
    const fold = new ShardFold(copy, () => true);
    const shard = new LedShard(log as unknown as QueueLog, fold, turn, 1);
    fold.sink!.replaced(2);
    fold.sink!.ended(4);
    turn.flush();
    expect([settled, safe.length]).toEqual([[2, 2], 1]);
    shard.end();
    expect(fold.sink).toBe(null);
  });

  it('tells who put something when it is committed', () => {
    const shard = new LedShard(log as unknown as QueueLog, new ShardFold(copy, () => true), turn, 1);
    const told: string[] = [];
    for (const name of ['one', 'two'])
      shard.enqueue(keyedMessage(name, Buffer.from('v')), {
        committed: () => told.push(name),
        refused: () => told.push('refused'),
      });
    log.onCommitted!(1);
    expect(told).toEqual(['one']);
    log.onCommitted!(2);
    expect(told).toEqual(['one', 'two']);
  });

  describe('judges conditions before they are written', () => {
    const at: Record<string, Position> = { k: 7, 'k/guard': 5 };
    const reader: KeyedReader = {
      changed: () => 0,
      positionOf: (key) => at[key] ?? 0,
      entries: () => [],
      guardOf: (key) => `${key.split('/')[0]}/guard`,
    };
    const put = (shard: LedShard, key: string, value: string, of: KeyedCondition['of'], position: Position) => {
      shard.enqueue(keyedMessage(key, Buffer.from(value), { of, at: position }), null);
      return !isVoid(written.at(-1)!);
    };

    async function led(): Promise<LedShard> {
      const fold = new ShardFold(copy, () => true);
      await fold.open(reader);
      published = 9;
      return new LedShard(log as unknown as QueueLog, fold, turn, 9);
    }

    it('by what is folded', async () => {
      const shard = await led();
      expect(put(shard, 'k', 'v', 'key', 6)).toBe(false);
      expect(put(shard, 'k', 'v', 'guard', 6)).toBe(false);
      expect(put(shard, 'k', 'v', 'guard', 5)).toBe(true);
      expect(put(shard, 'new', 'v', 'key', 0)).toBe(true);
      expect(written.map((entry) => entry.address.routingKey)).toEqual(['-', '-', '', '']);
    });

    it('by what it has written since', async () => {
      const shard = await led();
      expect(put(shard, 'k', 'v', 'key', 7)).toBe(true);
      expect(put(shard, 'k', 'w', 'key', 7)).toBe(false);
      expect(put(shard, 'k', '', 'key', 10)).toBe(true);
      expect(put(shard, 'k', 'x', 'key', 0)).toBe(true);
      shard.enqueue(keyedMessage('k/guard', Buffer.from('g')), null);
      expect([put(shard, 'k', 'y', 'guard', 5), put(shard, 'k', 'y', 'guard', 14)]).toEqual([false, true]);
    });

    it('only where its fold says what stands where', () => {
      const shard = new LedShard(log as unknown as QueueLog, new ShardFold(copy, () => true), turn, 1);
      const [plain, conditional] = [null, { of: 'key', at: 0 } as const].map((onlyIf) =>
        shard.mayTake(keyedMessage('k', Buffer.from('v'), onlyIf)),
      );
      expect([plain, conditional]).toEqual([true, false]);
    });
  });
});
