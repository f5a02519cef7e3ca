import { expect, test } from 'vitest';
import { runFuzz } from './amqp091-codec.js';

// Longer on demand: CHAPAR_FUZZ_SECONDS; the same again: CHAPAR_FUZZ_SEED.
const seconds = Number(process.env['CHAPAR_FUZZ_SECONDS'] ?? 3);
const seed = Number(process.env['CHAPAR_FUZZ_SEED'] ?? Date.now() % 0x1_0000_0000);

test(
  `AMQP 0-9-1 codec for ${seconds} s from seed ${seed}`,
  () => {
    const result = runFuzz(seconds, seed);
    console.log(`amqp091 codec fuzz: ${JSON.stringify(result)}`);
    // Both ways must have been taken, or the inputs were no good.
    expect(result.accepted).toBeGreaterThan(100);
    expect(result.refused).toBeGreaterThan(100);
  },
  (seconds + 30) * 1000,
);
