import { expect, test } from 'vitest';
import type { Entry } from '../ledger/entry.js';
import { longestPauses } from './pauses.js';

/** One message each, published and confirmed then. */
function confirmedAt(queue: string, times: readonly number[], p = 'p'): Entry[] {
  return times.flatMap((t, i): Entry[] => {
    const id = i + 1;
    return [
      { t: t - 1, e: 'published', p, s: 1, id, q: queue },
      { t, e: 'confirmed', p, id },
    ];
  });
}

test('the longest one of each kind of wrong, and of none', () => {
  const ledger = confirmedAt('q', [1000, 1100, 5000, 5100, 5200, 9000, 9050, 20_000, 20_300, 20_400]);
  const spans = [
    { kind: 'kill', fromMs: 1050, toMs: 3000 },
    { kind: 'pause', fromMs: 5300, toMs: 5400 },
    { kind: 'kill', fromMs: 12_000, toMs: 12_000 },
  ];
  expect(Object.fromEntries(longestPauses([ledger], spans))).toEqual({
    kill: { queue: 'q', fromMs: 9050, lastsMs: 10_950 },
    pause: { queue: 'q', fromMs: 5200, lastsMs: 3800 },
    nothing: { queue: 'q', fromMs: 20_000, lastsMs: 300 },
  });
});

test('each queue is watched by itself, over all publishers', () => {
  const busy = confirmedAt(
    'busy',
    Array.from({ length: 100 }, (_, i) => 100 * i),
  );
  const ledgers = [busy, confirmedAt('still', [100, 300], 'p'), confirmedAt('still', [900, 1000], 'other')];
  const { nothing } = Object.fromEntries(longestPauses(ledgers, []));
  expect(nothing).toEqual({ queue: 'still', fromMs: 300, lastsMs: 600 });
});

test('what is wrong shows for a moment after it was undone', () => {
  const ledger = confirmedAt('q', [1000, 2500]);
  const kindsOf = (toMs: number) => [...longestPauses([ledger], [{ kind: 'kill', fromMs: 0, toMs }]).keys()];
  expect(kindsOf(500)).toEqual(['kill']);
  expect(kindsOf(-500)).toEqual(['nothing']);
  // And does not when something else is to blame.
  const spans = [
    { kind: 'kill', fromMs: 0, toMs: 500 },
    { kind: 'pause', fromMs: 1200, toMs: 2000 },
  ];
  expect([...longestPauses([ledger], spans).keys()]).toEqual(['pause']);
});

test('a refusal is no confirm, and one that was sent again counts once', () => {
  const ledger: Entry[] = [
    { t: 0, e: 'published', p: 'p', s: 1, id: 1, q: 'q' },
    { t: 10, e: 'confirmed', p: 'p', id: 1 },
    { t: 20, e: 'published', p: 'p', s: 1, id: 2, q: 'q' },
    { t: 30, e: 'nacked', p: 'p', id: 2 },
    { t: 40, e: 'published', p: 'p', s: 1, id: 3, q: 'q' },
    { t: 50, e: 'published', p: 'p', s: 2, id: 3, q: 'q' },
    { t: 70, e: 'confirmed', p: 'p', id: 3 },
  ];
  expect(longestPauses([ledger], []).get('nothing')).toEqual({ queue: 'q', fromMs: 10, lastsMs: 60 });
});
