import { keyedMessage, type Position, type QueueLog, Turn } from '@chapar/core';
import { createSimPlatform } from '@chapar/platform';
import { beforeEach, describe, expect, it } from 'vitest';
import { LedShard } from './led-shard.js';
import { ShardFold } from './shard-fold.js';

let settled: Position[];
let safe: (() => void)[];
let published: number;
let turn: Turn;

/** What a shard asks of the log of its reign; settlements are for good when the test says so. */
const log = {
  onCommitted: null as ((upTo: Position) => void) | null,
  publish: () => ++published,
  settle: (first: Position, last: Position) => settled.push(first, last),
  whenSafe: (done: () => void) => safe.push(done),
};

const copy = { end: 0, committed: 0, read: () => undefined, originRows: () => [] };

beforeEach(() => {
  settled = [];
  safe = [];
  published = 0;
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
});
