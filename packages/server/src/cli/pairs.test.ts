import { expect, test } from 'vitest';
import { pairValue } from './pairs.js';

test.each([
  ['5', 5],
  ['-1.5', -1.5],
  ['true', true],
  ['null', null],
  ['{"a": [1]}', { a: [1] }],
  ['"5"', '5'],
  ['lazy', 'lazy'],
  ['5s', '5s'],
  ['', ''],
  ['{a}', '{a}'],
  ['007', '007'],
  // Not exactly representable: it stays what was typed.
  ['9007199254740993', '9007199254740993'],
])('%j is %j', (text, value) => {
  expect(pairValue(text)).toEqual(value);
});
