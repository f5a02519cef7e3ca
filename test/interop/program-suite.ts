import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { skipUnless } from '../support/skip.js';
import type { Broker } from './broker.js';
import { startBroker, whyNot } from './broker.js';
import { runWell } from './command.js';
import { comesLater, needs, queueScenarios, scenarios, survival } from './scenarios.js';

/** Either how to start a program that plays the scenario named last, or why there is none. */
export type Program = { command: readonly string[]; missing: null } | { command: null; missing: string };

/** The tests of a client library whose scenarios are a program: all scenarios, those of the queues, and the survival of both ends. */
export function playsEverything(library: string, program: Program): void {
  const missing = skipUnless(program.missing === null, program.missing ?? '');
  const command = program.command ?? [];
  let broker: Broker;
  beforeAll(async () => {
    if (!missing) broker = await startBroker();
  });
  afterAll(() => broker?.stop());
  const play = (scenario: string) =>
    runWell([...command, scenario], { environment: { AMQP_URL: broker.url }, seconds: 70 });

  describe.skipIf(missing)(library, () => {
    for (const name of scenarios) {
      test(name, async ({ skip }) => {
        const reason = whyNot(broker, needs[name] ?? {});
        if (reason !== null) skip(reason);
        if (needs[name]?.needsUsers) for (const user of ['alice', 'bob']) await broker.addUser(user, 'secret');
        await play(name);
      });
    }
    for (const name of queueScenarios) {
      test(name, async () => {
        if (comesLater[name] === undefined || process.env['CHAPAR_TEST_URL'] !== undefined) await play(name);
        else await expect(play(name), `${name} passes by now: it leaves comesLater in scenarios.ts`).rejects.toThrow();
      });
    }
  });

  describe.skipIf(missing)(`what ${library} left survives`, () => {
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
}
