import { afterEach, describe, expect, it, vi } from 'vitest';
import { compilePattern, PatternError } from './pattern.js';

afterEach(() => vi.restoreAllMocks());

/** How often an engine looks at the text, which is the time it takes without a clock. */
function looks(source: string, text: string): number {
  const pattern = compilePattern(source);
  pattern.test('warm up');
  const spies = [vi.spyOn(String.prototype, 'charCodeAt'), vi.spyOn(String.prototype, 'codePointAt')];
  pattern.test(text);
  const count = spies.reduce((sum, spy) => sum + spy.mock.calls.length, 0);
  vi.restoreAllMocks();
  return count;
}

describe('patterns', () => {
  it('finds anywhere unless anchored', () => {
    expect(compilePattern('b+').test('abbc')).toBe(true);
    expect(compilePattern('^b+').test('abbc')).toBe(false);
    expect(compilePattern('^(amq\\.gen|logs)-.*$').test('logs-2026')).toBe(true);
    expect(compilePattern('^(amq\\.gen|logs)-.*$').test('my-logs-2026')).toBe(false);
    expect(compilePattern('').test('anything')).toBe(true);
    expect(compilePattern('.*').test('')).toBe(true);
    expect(compilePattern('^$').test('x')).toBe(false);
    expect(compilePattern('^[\\p{L}]+$').test('füße')).toBe(true);
    expect(compilePattern('(?i)^ABC$').test('abc')).toBe(true);
  });

  it('answers the same however often it is asked', () => {
    const pattern = compilePattern('^a');
    expect([1, 2, 3].map(() => pattern.test('ab'))).toEqual([true, true, true]);
  });

  it.each(['^(a+)+$', '^(a|aa)+$', '^(.*a){12}$', '(x+x+)+[yz]$'])(
    'looks at a hostile text a linear number of times: %s',
    (source) => {
      const unit = 'a'.repeat(400) + 'x'.repeat(400);
      const [short, long] = [looks(source, `${unit}!`), looks(source, `${unit.repeat(4)}!`)];
      // A backtracking engine looks more than 2^400 times, so this would not end.
      expect(short).toBeGreaterThan(0);
      expect(long).toBeLessThan(short * 4 * 2);
    },
  );

  it.each([
    '^',
    '^$',
    '^orders',
    '^orders\\.',
    '^orders\\..*',
    '^orders\\..*$',
    '^orders$',
    '^a\\+b\\-c',
    '^.*$',
    '^(?!amq\\.).*',
    '^(?!amq\\.)(?!orders).*$',
    '^(?!amq|orders\\.)[a-o]',
    '^(?!).*',
  ])('that needs no engine, or says what not, means what it means elsewhere: %s', (source) => {
    const texts = [
      '',
      'orders',
      'orders.',
      'orders.eu',
      'ordersx',
      'my orders.',
      'amq.gen',
      'a+b-c',
      'aab-c',
      'orders.\n',
      'z',
    ];
    const elsewhere = new RegExp(source);
    const pattern = compilePattern(source);
    expect(texts.filter((text) => pattern.test(text))).toEqual(texts.filter((text) => elsewhere.test(text)));
  });

  it.each([
    ['^(?!(a))b', 'negative look-ahead with a group'],
    ['^(?!a)b|c', 'negative look-ahead before alternatives'],
    ['^(?!a*+)b', 'negative look-ahead of what is no pattern'],
    [`^${'(?!a)'.repeat(20_000)}`, 'many negative look-aheads'],
    ['(?=a)b', 'look-ahead'],
    ['(?!a)b', 'negative look-ahead'],
    ['(?<=a)b', 'look-behind'],
    ['(a)\\1', 'back-reference'],
    ['(', 'unclosed group'],
    ['[z-a]', 'backward range'],
    ['a**', 'double star'],
    ['(a{1000}){1000}', 'repetition that would fill the memory'],
    ['('.repeat(100_000), 'nesting'],
  ])('refuses %s', (source) => {
    expect(() => compilePattern(source)).toThrow(PatternError);
  });

  it('says which pattern and what is wrong with it', () => {
    expect(() => compilePattern('a(?=b)')).toThrow(/^'a\(\?=b\)' is not a pattern of RE2: .*\(\?=/);
  });

  it('keeps what was compiled, but not without bound', () => {
    const first = compilePattern('^kept$');
    expect(compilePattern('^kept$')).toBe(first);
    for (let i = 0; i < 10_000; i++) compilePattern(`^user-${i}$`);
    expect(compilePattern('^kept$')).not.toBe(first);
  });
});
