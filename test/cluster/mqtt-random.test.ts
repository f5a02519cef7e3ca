import { describe, expect, it } from 'vitest';
import { playMqtt } from './mqtt-model.js';

describe('sessions that go from node to node, while nodes die and are cut off', () => {
  it.each([21, 36, 37])(
    'lose nothing, in order: seed %i',
    async (seed) => {
      const model = await playMqtt(seed, 5);
      expect(model.wrongs()).toEqual([]);
      expect(model.takeovers).toBeGreaterThan(10);
      expect(model.teller.told[1].length + model.teller.told[2].length).toBeGreaterThan(100);
    },
    120_000,
  );
});
