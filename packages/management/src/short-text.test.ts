import { expect, it } from 'vitest';
import { shortText } from './short-text.js';

it('takes names of up to 255 bytes of UTF-8', () => {
  expect(shortText('a name', 'ä'.repeat(127))).toHaveLength(127);
  expect(() => shortText('a name', 'ä'.repeat(128))).toThrow('a name has at most 255 bytes, got 256');
});

it('refuses half a character, and takes a whole one beyond the basic plane', () => {
  expect(shortText('a name', '\u{1f40e}')).toBe('\u{1f40e}');
  expect(() => shortText('a name', 'a\ud800b')).toThrow('a name holds half a character');
});
