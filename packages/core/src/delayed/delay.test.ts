import { describe, expect, it } from 'vitest';
import type { JsonValue } from '../ports.js';
import { delayMsOf } from './delay.js';

describe('x-delay', () => {
  it.each([
    [5, 5],
    [5.9, 5],
    ['5', 5],
    ['+5', 5],
    ['-5', 0],
    [-5, 0],
    [0, 0],
    [0.5, 0],
    [4_294_967_295, 4_294_967_295],
    ['4294967295', 4_294_967_295],
    [{ $integer: '-9007199254740993' }, 0],
    // What is no number at all means nothing, as in the field.
    [undefined, 0],
    [null, 0],
    [true, 0],
    [[5], 0],
    [{ ms: 5 }, 0],
    [{ $timestamp: 5 }, 0],
    [{ $number: 'NaN' }, 0],
  ] as [JsonValue | undefined, number][])('%j waits %d ms', (value, ms) => {
    expect(delayMsOf(value)).toBe(ms);
  });

  it.each([[4_294_967_296], ['4294967296'], [{ $integer: '9007199254740993' }], ['soon'], ['5 s'], ['5.5'], ['']] as [
    JsonValue,
  ][])('%j is refused', (value) => {
    expect(delayMsOf(value)).toBeNaN();
  });
});
