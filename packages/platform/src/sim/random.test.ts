import { describe, expect, it } from 'vitest';
import { SimRandom } from './random.js';

describe('simulated randomness', () => {
  it('is xoshiro128**', () => {
    const random = new SimRandom(0);
    (Reflect.get(random, 'state') as Uint32Array).set([1, 2, 3, 4]);
    // The first values of the authors' C code from this state.
    expect([1, 2, 3, 4].map(() => random.uint32())).toEqual([11_520, 0, 5_927_040, 70_819_200]);
  });

  it('repeats itself with the same seed, and differs with a neighbouring one', () => {
    const draw = (seed: number) => new SimRandom(seed).bytes(32).toString('hex');
    expect(draw(42)).toBe(draw(42));
    expect(new Set([0, 1, 2, 3, 2 ** 32, 2 ** 32 + 1].map(draw)).size).toBe(6);
  });

  it('forks streams that do not depend on what others draw', () => {
    const [a, b] = [new SimRandom(5).fork('disk'), new SimRandom(5).fork('disk')];
    expect(a.uuid()).toBe(b.uuid());
    expect(new SimRandom(5).fork('network').uuid()).not.toBe(new SimRandom(5).fork('disk').uuid());
  });

  it('draws evenly, within bounds, up to the largest integers', () => {
    const random = new SimRandom(7);
    const counts = new Array<number>(10).fill(0);
    for (let i = 0; i < 100_000; i++) counts[random.integer(10)]!++;
    // Five standard deviations (95 each) around 10,000.
    for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(475);
    expect(random.integer(1)).toBe(0);
    const large = Array.from({ length: 100 }, () => random.integer(Number.MAX_SAFE_INTEGER));
    expect(large.every((value) => Number.isSafeInteger(value) && value >= 0)).toBe(true);
    expect(large.some((value) => value > 2 ** 52)).toBe(true);
    expect(() => random.integer(0)).toThrow(RangeError);
    expect(() => random.integer(1.5)).toThrow(RangeError);
  });

  it('makes version 4 UUIDs', () => {
    expect(new SimRandom(1).uuid()).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });
});
