import { expect, test } from 'vitest';
import type { Entry } from '../ledger/entry.js';
import { cameBack } from './settled.js';

const got = (t: number, c: string, more: { s?: number; ps?: number; id?: number } = {}): Entry => {
  return { t, e: 'delivered', c, s: 1, q: 'q', p: 'p', ps: 1, id: 1, r: true, ok: true, ...more };
};
const acked = (t: number, c: string, s = 1): Entry => ({ t, e: 'acked', c, s, p: 'p', id: 1 });
const trouble = (t: number): Entry => ({ t, e: 'trouble', text: 'broken' });
const quiet = [5000, 20_000];

/** How often something came back. */
const count = (...ledgers: Entry[][]) => cameBack(ledgers, quiet).length;

test('what was settled before all was well, and comes again, is found', () => {
  expect(cameBack([[got(1000, 'a'), acked(1100, 'a')], [got(9000, 'b')]], quiet)).toEqual([
    { p: 'p', id: 1, text: 'settled: p 1 was acked by a (00:00:01.100) and came out of q again (00:00:09.000)' },
  ]);
  expect(count([got(1000, 'a'), acked(1100, 'a'), got(9000, 'a')])).toBe(1);
  // Also when it had come twice before.
  expect(count([got(500, 'a', { s: 1 }), got(1000, 'a', { s: 2 }), acked(1100, 'a', 2)], [got(9000, 'b')])).toBe(1);
});

test('nothing was well in between, or not for long enough', () => {
  expect(count([got(1000, 'a'), acked(1100, 'a')], [got(4000, 'b')])).toBe(0);
  expect(count([got(1000, 'a'), acked(1100, 'a')], [got(5500, 'b')])).toBe(0);
  expect(count([got(1000, 'a'), acked(4900, 'a')], [got(9000, 'b')])).toBe(0);
  expect(count([got(6000, 'a'), acked(6100, 'a')], [got(9000, 'b')])).toBe(0);
  expect(count([got(21_000, 'a'), acked(21_100, 'a')], [got(90_000, 'b')])).toBe(0);
});

test('the connection was gone by then', () => {
  expect(count([got(1000, 'a'), acked(1100, 'a'), trouble(3000)], [got(9000, 'b')])).toBe(0);
  expect(count([got(1000, 'a'), acked(1100, 'a'), trouble(7000)], [got(9000, 'b')])).toBe(1);
});

test('somebody else had it after all, and whoever was slow was not heard', () => {
  expect(count([got(1000, 'a'), acked(2000, 'a')], [got(1500, 'b'), got(9000, 'b')])).toBe(0);
});

test('it was never settled, or is another copy', () => {
  expect(count([got(1000, 'a')], [got(9000, 'b')])).toBe(0);
  expect(count([got(1000, 'a'), acked(1100, 'a')], [got(9000, 'b', { ps: 2 })])).toBe(0);
});
