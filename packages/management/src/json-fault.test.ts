import { expect, test } from 'vitest';
import { jsonFault } from './json-fault.js';

test.each([
  ['', 1, 1],
  ['{', 1, 2],
  ['{"a": true', 1, 11],
  ['{"a" true}', 1, 6],
  ['{"a": tru}', 1, 7],
  ['{"a": 1,}', 1, 9],
  ['[1, 2 3]', 1, 7],
  ['{\n  "a": 1,\n  b: 2\n}', 3, 3],
  ['["\\x"]', 1, 3],
  ['["\\u12g4"]', 1, 3],
  ['["a\nb"]', 1, 4],
  ['{} x', 1, 4],
  ['[01]', 1, 3],
  ['"never ends', 1, 12],
  ['{"a": [{"b": {}}, ]}', 1, 19],
])('%j fails at line %i, column %i', (text, line, column) => {
  expect(() => JSON.parse(text)).toThrow();
  expect(jsonFault(text)).toEqual({ line, column });
});

test('what is JSON has no fault before its end', () => {
  for (const text of ['{"a":[1,-2.5e3,{"b":null}],"c":"\\u00e9\\n"}', ' [] ', '0', '{"a":{},"b":[]}']) {
    JSON.parse(text);
    expect(jsonFault(text).column).toBe(text.length + 1);
  }
});

test('a hostile text costs time in its length only', () => {
  expect(jsonFault('['.repeat(1_000_000))).toEqual({ line: 1, column: 1_000_001 });
});
