import { expect, test } from 'vitest';
import { runConnectionFuzz } from './amqp091-connection.js';

// Longer on demand: CHAPAR_FUZZ_SECONDS; the same again: CHAPAR_FUZZ_SEED.
const seconds = Number(process.env['CHAPAR_FUZZ_SECONDS'] ?? 3);
const seed = Number(process.env['CHAPAR_FUZZ_SEED'] ?? Date.now() % 0x1_0000_0000);

test(
  `AMQP 0-9-1 connections for ${seconds} s from seed ${seed}`,
  async () => {
    const result = await runConnectionFuzz(seconds, seed);
    console.log(`amqp091 connection fuzz: ${JSON.stringify(result)}`);
    // Conversations must come to something, and to errors of several kinds, or they were no good.
    expect(result.talked).toBeGreaterThan(10);
    expect(Object.keys(result.refused).length).toBeGreaterThan(3);
  },
  (seconds + 30) * 1000,
);
