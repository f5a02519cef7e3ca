import { letterOrigin, Origins } from '@chapar/core';
import { describe, expect, it } from 'vitest';
import { OriginEnds } from './origin-ends.js';
import type { Reign } from './reign.js';

const boot = (digit: string) => `${digit.repeat(8)}-0000-4000-8000-000000000000`;

describe('origins that have ended', () => {
  it('are forgotten after a while: processes that are gone, and queues that dead letters left', () => {
    const origins = new Origins();
    const names = [boot('1'), boot('2'), letterOrigin(boot('3')), letterOrigin(boot('4')), 'somebody'];
    for (const origin of names) origins.add({ origin, sequence: 1, low: 0 });
    const ended: string[] = [];
    const reign = {
      isOpen: true,
      isFenced: false,
      leader: { committed: 5, end: 5, origins },
      log: {
        endOrigin: (origin: string) => {
          ended.push(origin);
          origins.forget(origin);
        },
      },
    } as unknown as Reign;
    const there = new Set([names[1], names[3]]);
    const ends = new OriginEnds();
    const look = (nowMs: number) => ends.look([reign], (origin) => there.has(origin), nowMs);
    look(0);
    look(100_000);
    expect(ended).toEqual([]);
    look(120_000);
    expect(ended).toEqual([names[0], names[2]]);
    // One that comes back within that time is not.
    there.delete(names[3]);
    look(130_000);
    there.add(names[3]);
    look(200_000);
    there.delete(names[3]);
    look(260_000);
    expect(ended).toHaveLength(2);
  });
});
