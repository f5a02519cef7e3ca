import {
  type KeyedReader,
  keyedMessage,
  type LogRead,
  type Message,
  type OriginRow,
  olderKeyedMessage,
  type Position,
} from '@chapar/core';
import { beforeEach, describe, expect, it } from 'vitest';
import { ShardFold } from './shard-fold.js';

/** A copy whose disk is read when the test says so. */
class Log {
  end: Position = 0;
  committed: Position = 0;
  rows: OriginRow[] = [];
  readonly live = new Map<Position, Message>();
  private readonly reads: (() => void)[] = [];

  originRows(): readonly OriginRow[] {
    return this.rows;
  }

  read(from: Position, to: Position, _bytesMax: number, done: (read: LogRead) => void): void {
    // Two at a time, as they are when they are read and not when that is told.
    const found = [...this.live]
      .filter(([position]) => position >= from && position <= to)
      .sort(([a], [b]) => a - b)
      .slice(0, 2)
      .map(([position, message]) => ({ position, message }));
    const upTo = found.length === 2 ? found[1]!.position : to;
    this.reads.push(() => done({ messages: found, upTo, unreadable: [] }));
  }

  /** One piece; false: nobody reads. */
  readOn(): boolean {
    const [next] = this.reads.splice(0, 1);
    next?.();
    return next !== undefined;
  }
}

class Reader implements KeyedReader {
  readonly told: string[] = [];
  readonly values = new Map<string, { text: string; position: Position }>();

  changed(key: string, value: Buffer | null, position: Position): Position {
    const before = this.positionOf(key);
    this.told.push(`${key}=${value === null ? '-' : value.toString()}@${position}`);
    if (value === null) this.values.delete(key);
    else this.values.set(key, { text: value.toString(), position });
    return before;
  }

  positionOf(key: string): Position {
    return this.values.get(key)?.position ?? 0;
  }

  *entries(isWanted: (position: Position) => boolean) {
    for (const [key, { position }] of this.values) if (isWanted(position)) yield { key, position };
  }

  get texts(): string[] {
    return [...this.values].map(([key, { text }]) => `${key}=${text}`).sort();
  }
}

let log: Log;
let fold: ShardFold;
let reader: Reader;

beforeEach(() => {
  log = new Log();
  reader = new Reader();
  fold = new ShardFold(log, () => true);
});

function append(text: string, position = log.end + 1, onlyAt: Position | null = null): Position {
  const [key, value] = text.split('=') as [string, string];
  const bytes = Buffer.from(value);
  const message = onlyAt === null ? keyedMessage(key, bytes) : olderKeyedMessage(key, bytes, onlyAt);
  log.live.set(position, message);
  log.end = Math.max(log.end, position);
  fold.appended(position, message);
  return position;
}

function commit(position = log.end): void {
  log.committed = position;
  fold.committed();
}

/** As a leader says so; `committed`: there. */
function settle(...positions: Position[]): void {
  for (const position of positions) if (log.live.delete(position)) fold.settled([{ first: position, last: position }]);
}

function open(): void {
  void fold.open(reader);
  while (log.readOn());
}

describe('the fold of a shard', () => {
  it('tells what is committed, in order, and what need not stand any more', () => {
    open();
    append('a=1');
    append('b=1');
    append('a=2');
    expect(reader.told).toEqual([]);
    commit(2);
    expect(reader.told).toEqual(['a=1@1', 'b=1@2']);
    append('b=');
    commit();
    expect(reader.told.slice(2)).toEqual(['a=2@3', 'b=-@4']);
    expect([[...fold.replaced], fold.tombstones.all()]).toEqual([[{ first: 1, last: 2 }], [4]]);
    settle(1, 2, 4);
    expect([fold.replaced.isEmpty, fold.tombstones.all(), fold.isExact, fold.folded]).toEqual([true, [], true, 4]);
  });

  it('forgets what is cut before it is committed', () => {
    open();
    append('a=1');
    append('a=2');
    fold.cut(1);
    log.end = 1;
    append('a=3');
    commit();
    expect(reader.told).toEqual(['a=1@1', 'a=3@2']);
  });

  it('reads what the disk has, and goes on with what came meanwhile', () => {
    for (const text of ['a=1', 'b=1', 'c=1', 'a=2', 'd=1']) append(text);
    commit(4);
    void fold.open(reader);
    append('e=1');
    log.readOn();
    expect(reader.told).toEqual(['a=1@1', 'b=1@2']);
    commit();
    append('b=2');
    commit();
    expect(reader.told).toHaveLength(2);
    while (log.readOn());
    expect(reader.told.slice(2)).toEqual(['c=1@3', 'a=2@4', 'd=1@5', 'e=1@6', 'b=2@7']);
    expect(fold.folded).toBe(7);
  });

  it('does not take what was settled or cut while it was being read', () => {
    for (const text of ['a=1', 'b=1', 'c=1', 'd=1']) append(text);
    commit(3);
    void fold.open(reader);
    // In what is on its way from the disk.
    settle(2);
    log.readOn();
    fold.cut(3);
    log.live.delete(4);
    log.end = 3;
    append('d=2');
    while (log.readOn());
    commit();
    expect(reader.texts).toEqual(['a=1', 'c=1', 'd=2']);
  });

  it('lets go of a key whose end it never saw when it has come to where its leader was', () => {
    open();
    append('a=1');
    append('b=1');
    commit();
    // The leader has removed `a` with an entry that is gone by now, and replaced `b`.
    fold.heard(6, null);
    settle(1, 2);
    fold.caughtUp();
    expect([reader.texts, fold.isExact]).toEqual([['a=1', 'b=1'], false]);
    append('b=2', 5);
    append('c=1', 6);
    commit();
    fold.caughtUp();
    expect([reader.texts, fold.isExact]).toEqual([['b=2', 'c=1'], true]);
    expect(fold.replaced.isEmpty).toBe(true);
  });

  it('knows an entry again that comes back to a new leader: it is replaced still', () => {
    open();
    append('a=1');
    append('a=2');
    append('b=1');
    append('b=');
    commit();
    settle(1, 3);
    // Of the same log, to which nobody said that these were settled.
    append('a=1', 1);
    append('b=1', 3);
    expect(reader.texts).toEqual(['a=2']);
    expect([...fold.replaced]).toEqual([
      { first: 1, last: 1 },
      { first: 3, last: 3 },
    ]);
  });

  it('takes an entry that it had passed over', () => {
    open();
    append('b=1', 2);
    commit();
    append('a=1', 1);
    expect(reader.texts).toEqual(['a=1', 'b=1']);
  });

  it('keeps conditions that an older version wrote, where a value that lives no more is none', () => {
    open();
    append('a=1');
    append('a=2', 2, 0);
    append('a=', 3, 2);
    append('b=1', 4, 0);
    commit();
    expect(reader.texts).toEqual(['a=1', 'b=1']);
    expect([...fold.replaced]).toEqual([{ first: 2, last: 3 }]);
    fold.heard(9, null);
    settle(1);
    append('a=3', 9, 0);
    commit();
    expect(reader.texts).toEqual(['a=3', 'b=1']);
  });

  it('is what the log is when that was cut below what it knew to be committed', () => {
    open();
    append('a=1');
    append('b=1');
    append('c=1');
    commit();
    log.live.delete(3);
    log.end = log.committed = 2;
    fold.cut(2);
    append('d=1');
    while (log.readOn());
    commit();
    expect([reader.texts, fold.folded, fold.isExact]).toEqual([['a=1', 'b=1', 'd=1'], 3, true]);
  });

  it('says which publishes it has', () => {
    open();
    append('a=1');
    log.rows = [{ origin: 'o', low: 2, held: [{ first: 4, last: 5 }] }];
    commit();
    expect([fold.has('o', 2), fold.has('o', 5), fold.has('o', 6), fold.has('other', 1)]).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });
});
