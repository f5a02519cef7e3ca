import { describe, expect, it } from 'vitest';
import { Claims } from './claims.js';
import type { Session } from './session.js';

const sessions = (count: number) => Array.from({ length: count }, () => ({ isEnded: false }) as Session);
const soon = () => new Promise((done) => setImmediate(done));

describe('claims of many clients that come at once', () => {
  it('are made in their order, some at a time, and not of those who have gone meanwhile', async () => {
    const begun: Session[] = [];
    const ends: (() => void)[] = [];
    const claims = new Claims((session) => {
      begun.push(session);
      return new Promise<void>((resolve) => ends.push(resolve));
    });
    const all = sessions(1000);
    for (const session of all) claims.add(session);
    expect([begun.length, claims.waitingCount]).toEqual([128, 872]);
    for (const session of all.slice(200, 900)) session.isEnded = true;
    for (let rounds = 0; rounds < 20; rounds++) {
      for (const end of ends.splice(0)) end();
      await soon();
      expect(ends.length).toBeLessThanOrEqual(128);
    }
    expect(begun).toEqual([...all.slice(0, 200), ...all.slice(900)]);
    expect(claims.waitingCount).toBe(0);
  });
});
