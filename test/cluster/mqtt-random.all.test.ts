import { describe, expect, it } from 'vitest';
import { playMqtt } from './mqtt-model.js';

const first = Number(process.env.CHAPAR_SEED ?? 100);
const count = Number(process.env.CHAPAR_SEEDS ?? 30);
const seeds = Array.from({ length: count }, (_, i) => first + i);

describe('sessions that go from node to node, again and again', () => {
  it.each(seeds)('lose nothing, and have QoS 2 and wills once, in order: seed %i', async (seed) => {
    const model = await playMqtt(seed, 5);
    expect([...model.wrongs(), ...model.late]).toEqual([]);
    expect(model.takeovers).toBeGreaterThan(10);
  });

  it.each(seeds)(
    'as well when the client takes its time and its node may not reach its queue: seed %i',
    async (seed) => {
      const model = await playMqtt(seed, 5, true);
      expect([...model.wrongs(), ...model.late]).toEqual([]);
      expect(model.takeovers).toBeGreaterThan(10);
    },
  );
});
