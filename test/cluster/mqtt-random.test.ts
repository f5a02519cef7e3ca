import { describe, expect, it } from 'vitest';
import { playMqtt } from './mqtt-model.js';

describe('sessions that go from node to node', () => {
  it.each([19, 21, 32, 148])(
    'lose nothing, and have QoS 2 and wills once, while nodes die and are cut off: seed %i',
    async (seed) => {
      const model = await playMqtt(seed, 5);
      expect([...model.wrongs(), ...model.late]).toEqual([]);
      expect(model.takeovers).toBeGreaterThan(10);
      expect(model.teller.told[1].length + model.teller.told[2].length).toBeGreaterThan(100);
    },
    120_000,
  );

  it.each([1, 4, 20])(
    'have them in order, those that come again too, while nodes die, are cut off and lose sight of each other: seed %i',
    async (seed) => {
      const model = await playMqtt(seed, 5, true);
      expect([...model.wrongs(), ...model.late]).toEqual([]);
      expect(model.takeovers).toBeGreaterThan(10);
      expect(model.teller.told[1].length + model.teller.told[2].length).toBeGreaterThan(100);
      expect(model.mourner.left.length).toBeGreaterThan(20);
    },
    120_000,
  );

  it.each([1, 2])(
    'have their messages in order while all nodes are well: seed %i',
    async (seed) => {
      const model = await playMqtt(seed, 0);
      expect([...model.wrongs(), ...model.late]).toEqual([]);
      expect(model.hearer.wills.filter((text) => model.mourner.takenBack.includes(text))).toEqual([]);
      expect([model.mourner.takenBack.length > 3, model.mourner.left.length > 10]).toEqual([true, true]);
      expect(model.takeovers).toBeGreaterThan(10);
    },
    120_000,
  );
});
