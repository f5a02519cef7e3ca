import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { closingLine, countsOf } from './closing-reporter.mjs';

const at = (name) => fileURLToPath(new URL(name, import.meta.url));

// Inside the checkout, so that the tests of the tests find vitest.
let directory;
beforeAll(() => {
  mkdirSync(at('../.chapar-build'), { recursive: true });
  directory = mkdtempSync(at('../.chapar-build/reporter-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

const prelude = `
import { describe, expect, test } from 'vitest';
import { skipUnless } from ${JSON.stringify(at('../test/support/skip.ts'))};
`;
const skips = `${prelude}
test('fine', () => {});
describe.skipIf(skipUnless(false, 'python3 is not installed'))('with python', () => {
  test('one', () => {});
  test('two', () => {});
});
`;
const noted = `${prelude}
test('fine', () => {});
test('noted', ({ skip }) => skip('the moon is full'));
test.skip('bare', () => {});
`;

function run(files, { args = [], environment = {} } = {}) {
  rmSync(directory, { recursive: true });
  mkdirSync(directory);
  // Or vitest would take the one of the checkout.
  writeFileSync(path.join(directory, 'vitest.config.mjs'), 'export default {};\n');
  for (const [name, text] of Object.entries(files)) writeFileSync(path.join(directory, name), text);
  const vitest = at('../node_modules/vitest/vitest.mjs');
  const { CHAPAR_TEST_REQUIRE: _, CHAPAR_SKIP_LOG: __, ...inherited } = process.env;
  const { status, stdout } = spawnSync(
    process.execPath,
    [vitest, 'run', '--root', directory, '--reporter', at('closing-reporter.mjs'), ...args],
    { env: { ...inherited, ...environment }, encoding: 'utf8' },
  );
  return { status, lines: stdout.trimEnd().split('\n') };
}

test('skips are listed with their reasons and counted; the run stays green', () => {
  const { status, lines } = run({ 'a.test.ts': skips, 'b.test.ts': noted });
  expect(lines).toContain('  a.test.ts: python3 is not installed (2 tests)');
  expect(lines).toContain('  b.test.ts: the moon is full (1 test)');
  expect(lines).toContain('  b.test.ts: no reason given (1 test)');
  expect(lines.at(-1)).toBe('2 passed, 0 failed, 4 skipped');
  expect(status).toBe(0);
});

test('with CHAPAR_TEST_REQUIRE=all a skip is a failure', () => {
  const { status, lines } = run({ 'a.test.ts': skips }, { environment: { CHAPAR_TEST_REQUIRE: 'all' } });
  expect(lines).toContain('CHAPAR_TEST_REQUIRE=all: a skip is a failure.');
  expect(lines.at(-1)).toBe('1 passed, 0 failed, 2 skipped');
  expect(status).toBe(1);
});

test('a file that cannot be loaded, a hook that throws and an error outside of any test are failures', () => {
  const { status, lines } = run({
    'load.test.ts': 'throw new Error("no")',
    'hook.test.ts': `${prelude} import { beforeAll } from 'vitest';
      describe('suite', () => { beforeAll(() => { throw new Error('no'); }); test('never run', () => {}); });`,
    'late.test.ts': `${prelude} test('passes', async () => { setTimeout(() => { throw new Error('late'); }, 0); await new Promise((r) => setTimeout(r, 50)); });`,
  });
  expect(lines.at(-1)).toBe('1 passed, 3 failed, 0 skipped');
  expect(status).toBe(1);
});

test('tests left out by -t are no skips, not even with CHAPAR_TEST_REQUIRE=all', () => {
  const { status, lines } = run(
    { 'a.test.ts': `${prelude} test('wanted', () => {}); test('other', () => {});` },
    { args: ['-t', 'wanted'], environment: { CHAPAR_TEST_REQUIRE: 'all' } },
  );
  expect(lines.at(-1)).toBe('1 passed, 0 failed, 0 skipped');
  expect(status).toBe(0);
});

test('of several runs the closing line has the sum; one that left no counts has failed', () => {
  const file = at('../.chapar-build/counts');
  const { lines } = run({ 'a.test.ts': skips }, { environment: { CHAPAR_COUNTS_FILE: file } });
  expect(lines).not.toContain('1 passed, 0 failed, 2 skipped');
  expect(closingLine([countsOf(file), countsOf(file)])).toBe('2 passed, 0 failed, 4 skipped');
  expect(closingLine([countsOf(file), countsOf(`${file}-of-none`)])).toBe('1 passed, 1 failed, 2 skipped');
  rmSync(file);
});
