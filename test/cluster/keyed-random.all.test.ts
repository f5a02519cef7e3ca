import { describe, expect, it } from 'vitest';
import { playKeyed } from './keyed-model.js';

const first = Number(process.env.CHAPAR_SEED ?? 1);
const seeds = Number(process.env.CHAPAR_SEEDS ?? 30);

describe('a keyed log, while nodes die and are cut off again and again', () => {
  it.each(Array.from({ length: seeds }, (_, i) => first + i))('loses nothing, and all agree: seed %i', async (seed) => {
    const model = await playKeyed(seed, 12);
    expect(model.wrongs).toEqual([]);
    expect(model.confirmed).toBeGreaterThan(100);
  });
});
