import { describe, expect, it } from 'vitest';
import { Allegiance, promiseMs } from './allegiance.js';
import { QueueTime } from './queue-time.js';

describe('the time of a mirrored queue', () => {
  it('is what the leader says, as far as its answers are not late', () => {
    const time = new QueueTime(null);
    expect(time.aheadMs).toBe(0);
    time.heard(1_000_000, 400_000);
    time.heard(1_000_900, 401_000);
    expect(time.aheadMs).toBe(600_000 - 0.5);
    time.heard(1_001_990, 402_000);
    expect(time.aheadMs).toBeGreaterThan(599_990);
  });

  it('follows clocks that do not run alike', () => {
    const time = new QueueTime(5000);
    time.heard(100_000, 95_000);
    // The leader's is slower by one in ten thousand, and after a day by more than eight seconds.
    for (let ms = 0; ms < 86_400_000; ms += 60_000) time.heard(100_000 + ms * 0.9999, 95_000 + ms);
    expect(time.aheadMs).toBeCloseTo(5000 - 8634, -2);
  });

  it('goes on with what was written down until the first leader speaks, whatever that says', () => {
    const time = new QueueTime(-3_600_000);
    time.heard(10_000, 40_000);
    expect(time.aheadMs).toBe(-30_000);
    time.follows();
    time.heard(10_000, 70_000);
    expect(time.aheadMs).toBe(-60_000);
  });
});

describe('who follows a leader', () => {
  it('is all of the set or too few, and for less than each of them promises', () => {
    const allegiance = new Allegiance();
    expect([allegiance.holds([], 5000), allegiance.holds(['b'], 5000)]).toEqual([true, false]);
    allegiance.says('b', 5000);
    expect([allegiance.holds(['b'], 5500), allegiance.holds(['b', 'c'], 5500)]).toEqual([true, false]);
    allegiance.says('c', 5400);
    expect(allegiance.holds(['b', 'c'], 5500)).toBe(true);
    expect(allegiance.holds(['b', 'c'], 5000 + promiseMs - 200)).toBe(false);
  });
});
