import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import type { Binding } from './binding.js';
import type { Subject } from './router.js';
import { TopicRouter } from './topic.js';

const nothing: Subject = { headers: {}, property: () => undefined };
const binding = (routingKey: string): Binding => ({ routingKey }) as Binding;

/** The rule as it stands in the specification, word for word and in exponential time. */
function fits(pattern: readonly string[], words: readonly string[]): boolean {
  const [first, ...rest] = pattern;
  if (first === undefined) return words.length === 0;
  if (first === '#') return fits(rest, words) || (words.length > 0 && fits(pattern, words.slice(1)));
  if (words.length === 0) return false;
  return (first === '*' || first === words[0]) && fits(rest, words.slice(1));
}

function routed(router: TopicRouter, key: string): Binding[] {
  const found: Binding[] = [];
  router.route(key, nothing, (each) => found.push(each));
  return found;
}

const word = fc.constantFrom('a', 'b', 'c', '', '*', '#', 'ä', 'aa');
const keyOf = (words: fc.Arbitrary<string>, maxLength: number) =>
  fc.array(words, { minLength: 1, maxLength }).map((list) => list.join('.'));

describe('topic router', () => {
  for (const [pattern, yes, no] of [
    ['#', ['', 'a', 'a.b', '.', '..'], []],
    ['*', ['', 'a', '*', '#'], ['a.b', '.']],
    ['#.*', ['', 'a', 'a.b'], []],
    ['*.#', ['', 'a', 'a.b'], []],
    ['*.*', ['a.b', '.', 'a.', '.b'], ['a', '', 'a.b.c']],
    ['a.#', ['a', 'a.', 'a.b', 'a.b.c'], ['', 'b', 'b.a', 'aa']],
    ['a.#.b', ['a.b', 'a.x.b', 'a.x.y.b', 'a.b.b', 'a..b'], ['a', 'a.b.c', 'b']],
    ['#.a.#', ['a', 'x.a', 'a.x', 'x.a.y', 'a.a'], ['', 'x', 'aa']],
    ['*.*.important', ['a.b.important', '..important'], ['a.important', 'important', 'a.b.c.important']],
    ['#.notImportant', ['notImportant', 'a.b.notImportant'], ['notImportant.a']],
    ['', [''], ['.', 'a']],
    ['.', ['.'], ['', 'a', '..']],
    ['a..b', ['a..b'], ['a.b', 'a...b']],
    ['a*', ['a*'], ['ab', 'a']],
    ['#a', ['#a'], ['a', 'b.a']],
    ['a/+/#', ['a/+/#'], ['a/b/c']],
  ] as const) {
    it(`'${pattern}'`, () => {
      const router = new TopicRouter();
      router.add(binding(pattern));
      for (const key of yes) expect([key, routed(router, key).length]).toEqual([key, 1]);
      for (const key of no) expect([key, routed(router, key).length]).toEqual([key, 0]);
    });
  }

  it('is the naive matcher, through additions and removals, each binding at most once', () => {
    fc.assert(
      fc.property(
        fc.array(keyOf(word, 6), { maxLength: 15 }),
        fc.array(fc.nat(), { maxLength: 10 }),
        fc.array(keyOf(word, 7), { minLength: 1, maxLength: 10 }),
        (patterns, removals, keys) => {
          const router = new TopicRouter();
          let bindings = patterns.map(binding);
          for (const each of bindings) router.add(each);
          const assertAll = () => {
            for (const key of keys) {
              const words = key.split('.');
              const expected = bindings.filter(({ routingKey }) => fits(routingKey.split('.'), words));
              const found = routed(router, key);
              expect(new Set(found)).toEqual(new Set(expected));
              expect(found).toHaveLength(expected.length);
            }
          };
          assertAll();
          for (const n of removals) {
            const gone = bindings[n % Math.max(1, bindings.length)];
            if (gone === undefined) break;
            router.remove(gone);
            // A second time does nothing, nor does one that never was.
            router.remove(gone);
            router.remove(binding('never.was'));
            bindings = bindings.filter((each) => each !== gone);
          }
          assertAll();
        },
      ),
      { numRuns: 500, seed: 3 },
    );
  });

  it('leaves nothing behind when the last binding is gone', () => {
    const router = new TopicRouter();
    const bindings = ['a.b.c', 'a.b', 'a.*.c', '#', '#.#.x', 'a.#', '*', ''].map(binding);
    for (const each of bindings) router.add(each);
    for (const each of bindings) router.remove(each);
    expect((router as unknown as { root: { isEmpty: boolean } }).root.isEmpty).toBe(true);
  });

  it('takes steps in proportion to the words and the levels, whatever the keys', () => {
    // 255 bytes, the longest that the protocols carry.
    const long = Array.from({ length: 128 }, () => 'a').join('.');
    for (const pattern of [
      Array.from({ length: 128 }, () => '#').join('.'),
      Array.from({ length: 128 }, (_, i) => (i % 2 === 0 ? '#' : '*')).join('.'),
      `${Array.from({ length: 126 }, (_, i) => (i % 2 === 0 ? '#' : 'a')).join('.')}.b`,
      `${Array.from({ length: 126 }, () => '#').join('.')}.b`,
    ]) {
      const router = new TopicRouter();
      router.add(binding(pattern));
      const inside = router as unknown as {
        enter(level: unknown): void;
        take(word: string): void;
        entering: unknown[];
      };
      const enter = vi.spyOn(inside, 'enter');
      const take = inside.take;
      vi.spyOn(inside, 'take').mockImplementation((word) => {
        take.call(router, word);
        // No level twice.
        expect(inside.entering.length).toBeLessThanOrEqual(129);
        expect(new Set(inside.entering).size).toBe(inside.entering.length);
      });
      expect(routed(router, long)).toHaveLength(pattern.endsWith('b') ? 0 : 1);
      // Each of 129 levels is asked for at most three times a word: by its `#`, its word, its `*`.
      expect(enter.mock.calls.length).toBeLessThanOrEqual(3 * 129 * 128);
    }
  });
});
