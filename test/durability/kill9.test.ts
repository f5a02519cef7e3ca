import { expect, test } from 'vitest';
import { playKillRounds } from './kill-rounds.js';

// The long loop is in kill9.all.test.ts.
test('killed five times under load, the broker has lost nothing that it confirmed', async () => {
  const seed = Number(process.env['CHAPAR_TEST_SEED'] ?? Date.now() % 1_000_000);
  const outcome = await playKillRounds({ seed, rounds: 5 });
  console.log(`kill -9, seed ${seed}: ${JSON.stringify(outcome.counts)}, drained ${outcome.drained}`);
  expect(outcome.faults).toEqual([]);
  expect(outcome.missing).toEqual([]);
}, 120_000);
