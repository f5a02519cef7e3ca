import { describe, expect, it } from 'vitest';
import type { Opening, Pull } from './exchange.js';
import { type FollowerPatience, Standing } from './standing.js';

const patience: FollowerPatience = { lateMs: 1000, awayMs: 5000, backOffMs: 100, backOffMaxMs: 350, steadyMs: 10_000 };
const opening: Opening = { starts: [], committed: 0, goesOn: false };

const pull = (fields: Partial<Pull>): Pull => ({
  incarnation: 'q',
  epoch: 1,
  member: 'b',
  session: 5,
  link: 1,
  number: 1,
  opening: null,
  end: 0,
  synced: 0,
  changes: 0,
  changesSynced: 0,
  lacks: [],
  ...fields,
});

describe('a follower as its leader sees it', () => {
  it('is caught up with what the leader had one round before, in one conversation', () => {
    const standing = new Standing('b');
    standing.heard(pull({ opening }), 10, 0);
    standing.heard(pull({ number: 2, synced: 9 }), 12, 0);
    expect(standing.isCaughtUp()).toBe(false);
    standing.heard(pull({ number: 3, synced: 12 }), 15, 0);
    expect(standing.isCaughtUp()).toBe(true);
    standing.heard(pull({ link: 2, opening, synced: 15 }), 15, 0);
    expect(standing.isCaughtUp()).toBe(false);
  });

  it('is not heard from conversations and processes that are over', () => {
    const standing = new Standing('b');
    expect(standing.heard(pull({ synced: 9 }), 10, 0)).toBe(false);
    expect(standing.heard(pull({ opening, link: 2 }), 10, 0)).toBe(true);
    // Its answer was lost.
    expect(standing.heard(pull({ opening, link: 2, number: 2 }), 10, 0)).toBe(true);
    expect(standing.heard(pull({ link: 2, number: 2, synced: 9 }), 10, 0)).toBe(false);
    expect(standing.heard(pull({ link: 1, number: 9, synced: 9 }), 10, 0)).toBe(false);
    expect(standing.heard(pull({ link: 2, number: 3, synced: 4 }), 10, 0)).toBe(true);
    expect(standing.heard(pull({ session: 6, opening }), 10, 0)).toBe(true);
    expect(standing.synced).toBe(0);
    expect(standing.heard(pull({ link: 2, number: 4, synced: 9 }), 10, 0)).toBe(false);
  });

  it('owes since what waits for it began to wait, not since the last that came', () => {
    const standing = new Standing('b');
    expect(standing.owesSinceMs(5, 0, 100)).toBe(0);
    expect(standing.owesSinceMs(9, 0, 600)).toBe(500);
    standing.heard(pull({ opening, synced: 5 }), 9, 700);
    expect(standing.owesSinceMs(9, 2, 800)).toBe(0);
    standing.heard(pull({ number: 2, synced: 9, changesSynced: 1 }), 9, 900);
    expect(standing.owesSinceMs(9, 2, 1000)).toBe(200);
    standing.heard(pull({ number: 3, synced: 9, changesSynced: 2 }), 9, 1100);
    expect(standing.owesSinceMs(9, 2, 1200)).toBe(0);
    expect(standing.owes).toBe(false);
  });

  it('waits longer each time before it joins again, and is well after a long time in the set', () => {
    const standing = new Standing('b');
    const waits = (nowMs: number): number => {
      standing.joined(nowMs);
      standing.left(nowMs + 10, patience);
      standing.heard(pull({ link: standing.link + 1, opening, synced: 9 }), 9, nowMs + 10);
      standing.heard(pull({ link: standing.link, number: 2, synced: 9 }), 9, nowMs + 10);
      standing.heard(pull({ link: standing.link, number: 3, synced: 9 }), 9, nowMs + 10);
      for (let ms = 10; ; ms += 10) if (standing.mayJoin(nowMs + ms, patience)) return ms - 10;
    };
    expect([0, 1000, 2000, 3000].map(waits)).toEqual([100, 200, 350, 350]);
    standing.joined(5000);
    standing.left(5000 + patience.steadyMs, patience);
    expect(waits(20_000)).toBe(200);
  });

  it('is away for as long as it is not registered', () => {
    const standing = new Standing('b');
    expect([standing.awaySinceMs(false, 100), standing.awaySinceMs(false, 400)]).toEqual([0, 300]);
    standing.awaySinceMs(true, 500);
    expect(standing.awaySinceMs(false, 900)).toBe(0);
  });
});
