import { expect, test } from 'vitest';
import { runMqttFuzz } from './mqtt-codec.js';

// Longer on demand: CHAPAR_FUZZ_SECONDS; the same again: CHAPAR_FUZZ_SEED.
const seconds = Number(process.env['CHAPAR_FUZZ_SECONDS'] ?? 3);
const seed = Number(process.env['CHAPAR_FUZZ_SEED'] ?? Date.now() % 0x1_0000_0000);

test(
  `MQTT codec for ${seconds} s from seed ${seed}`,
  () => {
    const result = runMqttFuzz(seconds, seed);
    console.log(`mqtt codec fuzz: ${JSON.stringify(result)}`);
    expect(result.accepted).toBeGreaterThan(100);
    expect(result.refused).toBeGreaterThan(100);
  },
  (seconds + 30) * 1000,
);
