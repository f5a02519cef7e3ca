import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Ranges } from './ranges.js';

const step = fc.record({
  do: fc.constantFrom('add', 'remove'),
  first: fc.integer({ min: 1, max: 40 }),
  more: fc.nat(8),
});

const setOf = fc.array(fc.tuple(fc.integer({ min: 1, max: 60 }), fc.nat(4)), { maxLength: 20 });

describe('ranges', () => {
  it('without others are what is left of a set of numbers', () => {
    fc.assert(
      fc.property(setOf, setOf, (mine, theirs) => {
        const [left, right] = [mine, theirs].map((pairs) =>
          Ranges.of(pairs.map(([first, more]) => ({ first, last: first + more }))),
        ) as [Ranges, Ranges];
        const gone = new Set(numbers(right));
        const rest = left.minus(right);
        expect(numbers(rest)).toEqual(numbers(left).filter((number) => !gone.has(number)));
        expect([...rest]).toEqual([...left.minus([...right])]);
      }),
    );
  });

  it('are what a set of numbers would be, in as few ranges as there can be', () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 40 }),
        fc.integer({ min: 1, max: 40 }),
        fc.nat(20),
        (steps, from, more) => {
          const [ranges, model] = [new Ranges(), new Set<number>()];
          for (const { do: what, first, more: count } of steps) {
            if (what === 'add') ranges.add(first, first + count);
            else ranges.remove(first, first + count);
            for (let i = first; i <= first + count; i++)
              if (what === 'add') model.add(i);
              else model.delete(i);
          }
          expect(numbers(ranges)).toEqual([...model].sort((a, b) => a - b));
          expect(numbers(ranges.within(from, from + more))).toEqual(
            numbers(ranges).filter((number) => number >= from && number <= from + more),
          );
          for (let i = 0; i <= 50; i++) expect(ranges.has(i)).toBe(model.has(i));
          const edges = [...ranges];
          for (const [i, { first }] of edges.entries())
            if (i > 0) expect(first).toBeGreaterThan(edges[i - 1]!.last + 1);
          expect(ranges.last).toBe(Math.max(0, ...model));
        },
      ),
      { numRuns: 300 },
    );
  });

  it('leave out what others have, and stay as they were', () => {
    const all = Ranges.of([{ first: 1, last: 10 }]);
    expect([
      ...all.minus([
        { first: 3, last: 4 },
        { first: 9, last: 12 },
      ]),
    ]).toEqual([
      { first: 1, last: 2 },
      { first: 5, last: 8 },
    ]);
    expect([...all]).toEqual([{ first: 1, last: 10 }]);
  });
});

function numbers(ranges: Ranges): number[] {
  return [...ranges].flatMap(({ first, last }) => Array.from({ length: last - first + 1 }, (_, i) => first + i));
}
