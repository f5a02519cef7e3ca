import { describe, expect, it } from 'vitest';
import { letterOrigin, Origins, sourceOfLetters } from './origins.js';

const taken = (...sequences: number[]): Origins => {
  const origins = new Origins();
  for (const sequence of sequences) origins.add({ origin: 'n', sequence, low: 0 });
  return origins;
};

describe('the publishes of an origin', () => {
  it('are known one by one: a refused one before one that is held stays refused', () => {
    const origins = taken(1, 2, 3, 4, 6);
    expect([4, 5, 6, 7].map((sequence) => origins.verdict('n', sequence))).toEqual(['held', 'refused', 'held', 'new']);
    expect([...origins.refused('n')]).toEqual([{ first: 5, last: 5 }]);
    expect(origins.verdict('other', 1)).toBe('new');
  });

  it('are forgotten up to where the origin knows what became of them, and never taken again', () => {
    const origins = taken(1, 2, 4);
    origins.add({ origin: 'n', sequence: 5, low: 3 });
    expect([...origins.held('n')]).toEqual([{ first: 4, last: 5 }]);
    expect([1, 3, 4].map((sequence) => origins.verdict('n', sequence))).toEqual(['over', 'over', 'held']);
    // Of an earlier conversation, and late.
    origins.add({ origin: 'n', sequence: 2, low: 0 });
    expect([...origins.held('n')]).toEqual([{ first: 4, last: 5 }]);
  });

  it('are what two logs know together', () => {
    const origins = taken(1, 2);
    origins.merge([{ origin: 'n', low: 1, held: [{ first: 4, last: 5 }] }]);
    expect(origins.table()).toEqual([
      {
        origin: 'n',
        low: 1,
        held: [
          { first: 2, last: 2 },
          { first: 4, last: 5 },
        ],
      },
    ]);
    origins.forget('n');
    expect(origins.table()).toEqual([]);
  });
});

describe('the dead letters of a queue', () => {
  const letters = letterOrigin('q');

  it('come in any order, and what is missing before one that is held may come', () => {
    const origins = new Origins();
    for (const sequence of [7, 3]) origins.add({ origin: letters, sequence, low: 1 });
    const verdicts = [1, 2, 3, 5, 7, 9].map((sequence) => origins.verdict(letters, sequence));
    expect(verdicts).toEqual(['over', 'new', 'held', 'new', 'held', 'new']);
    expect(origins.refused(letters).isEmpty).toBe(true);
    const merged = new Origins();
    merged.merge(origins.table());
    expect(merged.verdict(letters, 5)).toBe('new');
  });

  it('are as many as may be between messages that stay; of more the lowest are forgotten, and never taken for known', () => {
    const origins = new Origins();
    for (let i = 1; i <= 1100; i++) origins.add({ origin: letters, sequence: 2 * i, low: 0 });
    expect(origins.held(letters).size).toBe(1024);
    expect([2, 152, 154, 2200].map((sequence) => origins.verdict(letters, sequence))).toEqual([
      'new',
      'new',
      'held',
      'held',
    ]);
    const merged = new Origins();
    merged.merge(origins.table());
    merged.merge([{ origin: letters, low: 0, held: [{ first: 1, last: 3 }] }]);
    expect(merged.table()).toEqual(origins.table());
    origins.add({ origin: letters, sequence: 2201, low: 2100 });
    expect([2, 2100, 2201].map((sequence) => origins.verdict(letters, sequence))).toEqual(['over', 'over', 'held']);
  });

  it('have a name that tells whose they are', () => {
    expect([sourceOfLetters(letters), sourceOfLetters('a process')]).toEqual(['q', null]);
  });
});
