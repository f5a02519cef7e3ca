import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonical, equalArguments, equalValues, noArguments, shownValue } from './arguments.js';
import { type JsonValue, metadataKey, metadataKeyParts } from './ports.js';

const json = fc.jsonValue({ maxDepth: 4 }) as fc.Arbitrary<JsonValue>;

/** The same value with its keys in another order, at every depth. */
function turned(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(turned);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([name, each]) => [name, turned(each)]),
  );
}

describe('canonical', () => {
  it('is JSON of the same value, whatever the order of keys', () => {
    fc.assert(
      fc.property(json, (value) => {
        expect(JSON.parse(canonical(value))).toEqual(JSON.parse(JSON.stringify(value)));
        expect(canonical(turned(value))).toBe(canonical(value));
        expect(equalValues(value, turned(value))).toBe(true);
      }),
      { numRuns: 500, seed: 11 },
    );
  });

  it('tells different values apart', () => {
    fc.assert(
      fc.property(json, json, (a, b) => {
        const isSame = JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));
        expect(canonical(a) === canonical(b)).toBe(isSame);
        expect(equalValues(a, b)).toBe(isSame);
      }),
      { numRuns: 500, seed: 12 },
    );
  });

  it('keeps names apart that look like others', () => {
    expect(canonical({ 'a":1,"b': 1 })).not.toBe(canonical({ a: 1, b: 1 }));
    expect(canonical(JSON.parse('{"__proto__": 1}'))).toBe('{"__proto__":1}');
    expect(canonical(['a', 'b'])).not.toBe(canonical(['a,b']));
    expect(canonical({ 1: 'x' })).not.toBe(canonical(['x']));
    expect(canonical([])).not.toBe(canonical({}));
    expect(canonical(Object.assign(Object.create(null), { b: 1, a: 2 }))).toBe('{"a":2,"b":1}');
  });
});

function sorted(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.entries(value)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, each]) => [name, sorted(each)] as JsonValue)
    .concat('table');
}

describe('equality', () => {
  it('is by value: numbers whatever their width, nothing across kinds', () => {
    expect(equalValues(5, 5.0)).toBe(true);
    expect(equalValues(0, -0)).toBe(true);
    for (const [a, b] of [
      [1, '1'],
      [1, true],
      [0, false],
      [null, undefined],
      [null, 0],
      ['', null],
      [{}, []],
      [{ a: 1 }, { a: 1, b: 2 }],
      [1, { $integer: '1' }],
    ] as [JsonValue | undefined, JsonValue | undefined][]) {
      expect([a, b, equalValues(a, b)]).toEqual([a, b, false]);
      expect(equalValues(b, a)).toBe(false);
    }
    expect(equalValues(undefined, undefined)).toBe(true);
    expect(equalArguments({ a: 1, b: [2] }, { b: [2], a: 1 })).toBe(true);
    expect(equalArguments(noArguments, {})).toBe(true);
    expect(equalArguments({ a: 1 }, {})).toBe(false);
  });
});

describe('shownValue', () => {
  it('is what error texts say', () => {
    const shown = [undefined, 5, 'a', '', true, null, { b: 1, a: [2] }].map(shownValue);
    expect(shown).toEqual(['none', "'5'", "'a'", "''", "'true'", "'null'", `'{"a":[2],"b":1}'`]);
  });
});

describe('metadata keys', () => {
  it('give their parts back, and parts of different keys never mix', () => {
    const parts = fc.array(fc.string({ unit: 'grapheme', maxLength: 8 }), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(parts, parts, (a, b) => {
        expect(metadataKeyParts(metadataKey(...a))).toEqual(a);
        expect(metadataKey(...a) === metadataKey(...b)).toBe(JSON.stringify(a) === JSON.stringify(b));
      }),
      { numRuns: 500, seed: 13 },
    );
    expect(metadataKey('queues', '/', 'a b')).toBe('queues/%2F/a%20b');
  });
});
