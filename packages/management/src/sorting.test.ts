import { SimClock, SimScheduler } from '@chapar/platform';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { pick, readColumns } from './columns.js';
import { Pace } from './pace.js';
import { compareValues, dottedValue, sortInSlices } from './sorting.js';

const pace = () => new Pace(new SimClock(new SimScheduler()));

test('sorts as the engine does, stably, however many there are', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 50 }), { maxLength: 200 }), async (keys) => {
      // Runs are 2048 long: enough items for several, and an odd one.
      const items = Array.from({ length: keys.length * 40 }, (_, i) => ({ key: keys[i % keys.length]!, i }));
      const sorted = await sortInSlices(items, (a, b) => a.key - b.key, pace());
      expect(sorted).toEqual([...items].sort((a, b) => a.key - b.key));
    }),
    { numRuns: 30 },
  );
});

describe('values', () => {
  test('numbers before booleans before texts before all else', () => {
    const sorted = ['b', true, { x: 1 }, 2, 'a', null, 1, false].sort(compareValues);
    expect(sorted).toEqual([1, 2, false, true, 'a', 'b', null, { x: 1 }]);
  });

  test('what is not there counts as 0', () => {
    const row = { a: { b: { c: 5 } }, n: null, list: [1] };
    expect(dottedValue(row, ['a', 'b', 'c'])).toBe(5);
    for (const path of [['a', 'x'], ['n', 'x'], ['list', '0'], ['constructor'], ['a', '__proto__', 'x']]) {
      expect(dottedValue(row, path)).toBe(0);
    }
  });
});

describe('columns', () => {
  const columns = (text: string) => readColumns(new Map([['columns', text]]));

  test('pick fields and fields of fields, in lists too', () => {
    const row = { name: 'q', vhost: '/', stats: { publish: 1, publish_details: { rate: 0 } }, list: [{ a: 1, b: 2 }] };
    expect(pick(row, columns('name,stats.publish_details.rate,list.a'))).toEqual({
      name: 'q',
      stats: { publish_details: { rate: 0 } },
      list: [{ a: 1 }],
    });
    expect(pick([row], columns('stats,stats.publish'))).toEqual([{ stats: row.stats }]);
    expect(pick(row, columns('nothing'))).toEqual({});
    expect(pick(row, readColumns(new Map()))).toBe(row);
  });
});
