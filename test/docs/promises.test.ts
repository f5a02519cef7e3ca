import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const page = readFileSync(path.join(root, 'docs/PROMISES.md'), 'utf8');
const [promises = '', list = ''] = page.split('## The tests');

/** Number, file and title of each test that the page names. */
const named = [...list.matchAll(/^\| (\d+) \| (\S+) \| (.+) \|$/gm)].map(([, number, file, title]) => {
  return { number: Number(number), file: file!, title: title! };
});

test.each(named)('docs/PROMISES.md: test $number is there: $title', ({ file, title }) => {
  expect(existsSync(path.join(root, file))).toBe(true);
  const source = readFileSync(path.join(root, file), 'utf8');
  // With the clause of a specification behind it, or a number of rounds before it.
  expect(source.includes(`'${title}`) || source.includes(`\`${title}`)).toBe(true);
});

test('docs/PROMISES.md: each promise names tests of the list, and each of the list is named', () => {
  const used = new Set([...promises.matchAll(/\[(\d+)\](?!\()/g)].map(([, number]) => Number(number)));
  expect([...used].sort((a, b) => a - b)).toEqual(named.map(({ number }) => number));
  expect(named.length).toBeGreaterThan(25);
});
