import type { DiskFile } from '@chapar/platform';
import { beforeEach, describe, expect, it } from 'vitest';
import { Generation, Generations } from './generation.js';
import { LiveEntries } from './live.js';

const file = { path: '' } as DiskFile;
let generations: Generations;
let first: Generation;
let second: Generation;
let live: LiveEntries;

beforeEach(() => {
  generations = new Generations();
  first = new Generation(1, 'first', file, 0);
  second = new Generation(2, 'second', file, 0);
  generations.add(first);
  generations.add(second);
  live = new LiveEntries(generations);
});

describe('live entries', () => {
  it('know the live bytes of every file', () => {
    for (let position = 1; position <= 1_000; position++) live.add(position, 10, position <= 400 ? first : second, 0);
    expect([first.liveBytes, first.liveCount, second.liveBytes, second.liveCount]).toEqual([4_000, 400, 6_000, 600]);
    expect(live.remove(301, 500)).toBe(200);
    expect([first.liveBytes, first.liveCount, second.liveBytes, second.liveCount]).toEqual([3_000, 300, 5_000, 500]);
    expect(live.remove(301, 500)).toBe(0);
    expect(live.count).toBe(800);
    live.clear();
    expect([first.liveBytes, first.liveCount, second.liveBytes, second.liveCount, live.count]).toEqual([0, 0, 0, 0, 0]);
  });

  it('move with a copy', () => {
    live.add(7, 10, first, 0);
    expect(live.generationOf(7)).toBe(1);
    live.add(7, 12, second, 0);
    expect(live.generationOf(7)).toBe(2);
    expect([first.liveBytes, first.liveCount, second.liveBytes, second.liveCount, live.count]).toEqual([
      0, 0, 12, 1, 1,
    ]);
  });

  it('take ranges far wider than what lives in them, and far positions', () => {
    const far = 2 ** 52;
    for (const position of [1, 127, 128, 129, 5_000_000, far]) live.add(position, 1, first, 0);
    expect(live.generationOf(far)).toBe(1);
    expect(live.generationOf(far - 1)).toBe(0);
    expect(live.remove(2, far - 1)).toBe(4);
    expect(live.remove(0, Number.POSITIVE_INFINITY)).toBe(2);
    expect(live.count).toBe(0);
  });

  it('start clean in blocks that were used before', () => {
    for (let round = 0; round < 3; round++) {
      for (let position = 1; position <= 300; position++) live.add(position, 5, first, 0);
      expect(live.remove(1, 300)).toBe(300);
      expect(live.generationOf(150)).toBe(0);
    }
    const another = new LiveEntries(generations);
    another.add(3, 1, second, 0);
    expect([another.generationOf(2), another.generationOf(3), another.generationOf(4)]).toEqual([0, 2, 0]);
  });

  it('forget a file that is lost', () => {
    for (let position = 1; position <= 300; position++) live.add(position, 5, position % 2 === 0 ? first : second, 0);
    expect(live.forget(1)).toBe(150);
    expect([first.liveCount, second.liveCount, live.count]).toEqual([0, 150, 150]);
  });
});
