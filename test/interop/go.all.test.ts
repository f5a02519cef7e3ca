import { mkdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { skipUnless } from '../support/skip.js';
import { cannotApply, comesLater, runModuleTests } from './amqp091-go-suite.js';
import type { Broker } from './broker.js';
import { startBroker, whyNot } from './broker.js';
import { runWell, versionOf } from './command.js';
import { needs, scenarios, survival } from './scenarios.js';

const module = fileURLToPath(new URL('go', import.meta.url));
const cache = fileURLToPath(new URL('../../node_modules/.cache/chapar-go/', import.meta.url));
const program = `${cache}interop`;
const noGo = skipUnless(versionOf('go', 'version'), 'go is not installed');

let broker: Broker;
beforeAll(async () => {
  if (noGo) return;
  mkdirSync(cache, { recursive: true });
  await runWell(['go', 'build', '-o', program, '.'], { cwd: module, seconds: 300 });
  broker = await startBroker();
});
afterAll(() => broker?.stop());

function play(scenario: string): Promise<string> {
  return runWell([program, scenario], { environment: { AMQP_URL: broker.url }, seconds: 70 });
}

describe.skipIf(noGo)('amqp091-go', () => {
  for (const name of scenarios) {
    test(name, async ({ skip }) => {
      const reason = whyNot(broker, needs[name] ?? {});
      if (reason !== null) skip(reason);
      if (needs[name]?.needsUsers) for (const user of ['alice', 'bob']) await broker.addUser(user, 'secret');
      await play(name);
    });
  }
});

describe.skipIf(noGo)('what amqp091-go left survives', () => {
  const endings: [string, () => Promise<void>][] = [
    ['a clean restart', () => broker.restart()],
    ['a kill -9', () => broker.kill9().then(() => broker.restart())],
  ];
  for (const [name, end] of endings) {
    test(name, async ({ skip }) => {
      const reason = whyNot(broker, { needsRestart: true });
      if (reason !== null) skip(reason);
      await play(survival.leave);
      await end();
      await play(survival.check);
    });
  }
});

describe.skipIf(noGo)('the integration tests of amqp091-go', () => {
  test('all that apply pass', async ({ skip }) => {
    const reason = whyNot(broker, { needsUsers: true });
    if (reason !== null) skip(reason);
    const tests = await runModuleTests(module, broker.url, broker.managementUrl);
    const named = (...results: string[]) => tests.filter(({ result }) => results.includes(result));
    console.log(`amqp091-go: ${named('pass').length} passed, ${named('skip').length} cannot apply`);

    expect(
      named('skip').map(({ name }) => name),
      'skipped',
    ).toEqual(Object.keys(cannotApply));
    const failures = named('fail').filter(({ name }) => comesLater[name] === undefined);
    expect(failures.map(({ name, output }) => `${name}\n${output.slice(-2000)}`).join('\n'), 'failed').toBe('');
    if (process.env['CHAPAR_TEST_URL'] === undefined) {
      const early = named('pass').filter(({ name }) => comesLater[name] !== undefined);
      expect(
        early.map(({ name }) => name),
        'pass by now, so they leave the list of what comes later',
      ).toEqual([]);
    }
    // A floor, lest an empty run pass: the version in go.mod has 247 tests on its top level.
    expect(named('pass').length).toBeGreaterThan(200);
  });
});

test('README.md lists what cannot apply and what comes later', () => {
  const text = readFileSync(fileURLToPath(new URL('README.md', import.meta.url)), 'utf8');
  for (const [name, reason] of Object.entries({ ...cannotApply, ...comesLater })) {
    expect(text).toContain(`| ${name} | ${reason} |`);
  }
});
