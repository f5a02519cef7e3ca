import { describe, expect, it } from 'vitest';
import { playKeyed } from './keyed-model.js';

describe('a keyed log, while nodes die and are cut off', () => {
  it.each([4, 103, 104])(
    'loses nothing, and all agree: seed %i',
    async (seed) => {
      const model = await playKeyed(seed, 6);
      expect(model.wrongs).toEqual([]);
      expect(model.confirmed).toBeGreaterThan(50);
    },
    120_000,
  );
});
