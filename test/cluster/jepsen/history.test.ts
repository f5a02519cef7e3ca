import { expect, test } from 'vitest';
import type { Entry } from '../ledger/entry.js';
import { historyOf, withoutVerdict } from './history.js';

test('the first message that somebody waited for in vain, on the last of its connections', () => {
  const published = (id: number, s: number): Entry => ({ t: 1, e: 'published', p: 'p', s, id, q: 'q' });
  const confirmed = (id: number): Entry => ({ t: 2, e: 'confirmed', p: 'p', id });
  const first = (...entries: Entry[]) => withoutVerdict([{ name: 'p', entries }]);
  expect(first(published(1, 1), published(2, 1), published(3, 1), confirmed(1), confirmed(3))).toEqual([
    { p: 'p', id: 2 },
  ]);
  expect(first(published(1, 1), published(2, 1), published(3, 2), confirmed(3))).toEqual([]);
  expect(first(published(1, 1), published(2, 1), published(2, 2), confirmed(2))).toEqual([]);
});

test('all that was seen of a message, by whom and where, in the order of time', () => {
  const publisher = {
    name: 'publisher',
    entries: [
      { t: 1, e: 'connected', text: 'one:5672' },
      { t: 2, e: 'published', p: 'p', s: 1, id: 7, q: 'q' },
      { t: 3, e: 'published', p: 'p', s: 1, id: 8, q: 'q' },
      { t: 5, e: 'connected', text: 'two:5672' },
      { t: 6, e: 'published', p: 'p', s: 2, id: 7, q: 'q' },
      { t: 9, e: 'confirmed', p: 'p', id: 7 },
    ],
  } as const;
  const consumer = {
    name: 'consumer',
    entries: [
      { t: 4, e: 'delivered', c: 'consumer', s: 1, q: 'q', p: 'p', ps: 1, id: 7, r: false, ok: true },
      { t: 4, e: 'delivered', c: 'consumer', s: 1, q: 'q', p: 'other', ps: 1, id: 7, r: false, ok: true },
    ],
  } as const;
  expect(historyOf('p', 7, [publisher, consumer])).toEqual([
    '00:00:00.002  published {"s":1,"q":"q"}, by publisher at one:5672',
    '00:00:00.004  delivered {"c":"consumer","s":1,"q":"q","ps":1,"r":false,"ok":true}, by consumer at nowhere',
    '00:00:00.006  published {"s":2,"q":"q"}, by publisher at two:5672',
    '00:00:00.009  confirmed {}, by publisher at two:5672',
  ]);
});
