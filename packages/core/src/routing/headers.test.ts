import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Arguments } from '../arguments.js';
import type { JsonValue } from '../ports.js';
import type { Binding } from './binding.js';
import { HeadersRouter, headersType } from './headers.js';
import type { Subject } from './router.js';

const subject = (headers: Arguments): Subject => ({ headers, property: () => undefined });
const invalidBinding = (args: Arguments) => headersType.invalidBinding!('', args, {});
const binding = (args: Arguments): Binding => ({ arguments: args }) as Binding;

function fits(args: Arguments, headers: Arguments): boolean {
  const router = new HeadersRouter();
  router.add(binding(args));
  let count = 0;
  router.route('', subject(headers), () => count++);
  expect(count).toBeLessThanOrEqual(1);
  return count === 1;
}

/** As a door gives them: without a prototype. */
const table = (fields: object): Arguments => Object.assign(Object.create(null), fields);

describe('headers router', () => {
  for (const [args, headers, expected] of [
    // all is what holds without x-match
    [{ a: 1, b: 2 }, { a: 1, b: 2, c: 3 }, true],
    [{ a: 1, b: 2 }, { a: 1 }, false],
    [{ 'x-match': 'all', a: 1, b: 2 }, { a: 1, b: 3 }, false],
    [{ 'x-match': 'all' }, {}, true],
    [{}, { a: 1 }, true],
    [{ 'x-match': 'any', a: 1, b: 2 }, { b: 2 }, true],
    [{ 'x-match': 'any', a: 1, b: 2 }, { a: 2, b: 1 }, false],
    [{ 'x-match': 'any' }, { a: 1 }, false],
    // what begins with x- counts only with the forms that say so
    [{ 'x-match': 'all', 'x-a': 1, b: 2 }, { b: 2 }, true],
    [{ 'x-match': 'all-with-x', 'x-a': 1, b: 2 }, { b: 2 }, false],
    [{ 'x-match': 'all-with-x', 'x-a': 1, b: 2 }, { 'x-a': 1, b: 2 }, true],
    [{ 'x-match': 'any', 'x-a': 1, b: 2 }, { 'x-a': 1 }, false],
    [{ 'x-match': 'any-with-x', 'x-a': 1, b: 2 }, { 'x-a': 1 }, true],
    // x-match itself never counts
    [{ 'x-match': 'all-with-x' }, {}, true],
    [{ 'x-match': 'any-with-x' }, { 'x-match': 'any-with-x' }, false],
    // void asks for presence
    [{ a: null }, { a: 'whatever' }, true],
    [{ a: null }, { a: null }, true],
    [{ a: null }, {}, false],
    [{ a: 1 }, { a: null }, false],
    // values by value, not by width or order, and not across kinds
    [{ a: 1.0 }, { a: 1 }, true],
    [{ a: '1' }, { a: 1 }, false],
    [{ a: true }, { a: 1 }, false],
    [{ a: 0 }, { a: -0 }, true],
    [{ a: { $integer: '9007199254740993' } }, { a: { $integer: '9007199254740993' } }, true],
    [{ a: { $integer: '9007199254740993' } }, { a: { $integer: '9007199254740992' } }, false],
    [{ a: { x: 1, y: [1, 2] } }, { a: { y: [1, 2], x: 1 } }, true],
    [{ a: [1, 2] }, { a: [2, 1] }, false],
    // names that every object has
    [{ constructor: null }, {}, false],
    [{ toString: null }, { a: 1 }, false],
    [{ 'x-match': 'any', hasOwnProperty: null }, {}, false],
  ] as [Arguments, Arguments, boolean][]) {
    it(`${JSON.stringify(args)} ${expected ? 'takes' : 'leaves'} ${JSON.stringify(headers)}`, () => {
      expect(fits(table(args), table(headers))).toBe(expected);
    });
  }

  it('is the rule, for any fields', () => {
    const value = fc.constantFrom<JsonValue>(null, 1, 2, 'a', true, { x: 1 }, [1]);
    const fields = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'x-a', 'x-b'), value, { maxKeys: 4 });
    const form = fc.constantFrom('all', 'any', 'all-with-x', 'any-with-x', undefined);
    fc.assert(
      fc.property(fields, fields, form, (wanted, headers, match) => {
        const withX = match?.endsWith('with-x') ?? false;
        const counted = Object.entries(wanted).filter(([name]) => withX || !name.startsWith('x-'));
        const found = counted.map(
          ([name, want]) =>
            name in headers && (want === null || JSON.stringify(headers[name]) === JSON.stringify(want)),
        );
        const expected = match?.startsWith('any') ? found.includes(true) : !found.includes(false);
        const args = match === undefined ? wanted : { ...wanted, 'x-match': match };
        expect(fits(table(args), table(headers))).toBe(expected);
      }),
      { numRuns: 1_000, seed: 4 },
    );
  });

  it('forgets a binding', () => {
    const router = new HeadersRouter();
    const [one, two] = [binding({ a: 1 }), binding({ a: 1 })];
    router.add(one);
    router.add(two);
    router.remove(one);
    const found: Binding[] = [];
    router.route('', subject({ a: 1 }), (each) => found.push(each));
    expect(found).toEqual([two]);
  });

  it('knows which x-match there is', () => {
    for (const match of ['all', 'any', 'all-with-x', 'any-with-x'])
      expect(invalidBinding({ 'x-match': match })).toBeNull();
    expect(invalidBinding({})).toBeNull();
    for (const match of ['ALL', '', 1, null, ['all'], { all: 1 }] as JsonValue[]) {
      expect(invalidBinding({ 'x-match': match })).toEqual({
        argument: 'x-match',
        reason: `expected all, any, all-with-x or any-with-x, got ${JSON.stringify(match)}`,
      });
    }
  });
});
