import { describe, expect, it } from 'vitest';
import { Origins } from './origins.js';

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
