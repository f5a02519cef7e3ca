import { describe, expect, it } from 'vitest';
import { Ends } from './ends.js';

describe('the ends of a log', () => {
  it('tell since when a member has been behind', () => {
    const ends = new Ends();
    expect(ends.behindMs(0, 50)).toBe(0);
    ends.note(10, 100);
    ends.note(10, 150);
    ends.note(12, 200);
    expect([9, 10, 11, 12].map((position) => ends.behindMs(position, 250))).toEqual([150, 50, 50, 0]);
  });

  it('are few, and what is long ago is known about', () => {
    const ends = new Ends();
    for (let i = 1; i <= 100_000; i++) ends.note(i, i);
    for (const position of [10, 4000, 50_000, 99_000, 99_990]) {
      const [told, real] = [ends.behindMs(position, 100_000), 100_000 - position - 1];
      expect(told).toBeLessThanOrEqual(real);
      expect(told).toBeGreaterThanOrEqual(Math.floor(real * 0.8));
    }
    expect(JSON.stringify(ends).length).toBeLessThan(20_000);
  });
});
