import { expect, test } from 'vitest';
import { playKillRounds } from './kill-rounds.js';

const rounds = Number(process.env['CHAPAR_TEST_KILLS'] ?? 50);

test(`killed ${rounds} times under load, the broker has lost nothing that it confirmed`, async () => {
  const seed = Number(process.env['CHAPAR_TEST_SEED'] ?? Date.now() % 1_000_000);
  const outcome = await playKillRounds({ seed, rounds });
  const { faults, missing, counts, drained, killedInRecovery } = outcome;
  console.log(`kill -9, seed ${seed}: ${JSON.stringify({ ...counts, drained, killedInRecovery })}`);
  expect(faults).toEqual([]);
  expect(missing).toEqual([]);
  // That it was worth the while.
  expect(counts.confirmed).toBeGreaterThan(rounds * 100);
  expect(counts.gone).toBeGreaterThan(rounds * 10);
  expect(counts.redelivered).toBeGreaterThan(rounds * 10);
  expect(counts.confirmed).toBeLessThan(counts.sent);
}, 1_200_000);
