import { describe, expect, it } from 'vitest';
import type { QueueMirrorRecord } from './mirror-records.js';
import { type Landscape, replaceAfterMs, replenishment } from './replenishment.js';

const record: QueueMirrorRecord = {
  incarnation: 'q',
  vhost: '/',
  name: 'q',
  wish: { copies: 3, min: null },
  replicas: ['a', 'b', 'c'],
  leader: 'a',
  epoch: 1,
  inSync: ['a', 'b', 'c'],
  min: 2,
  nonce: '',
};

const land = (
  nodes: string,
  { forgotten = '', away = {} }: { forgotten?: string; away?: Record<string, number> } = {},
): Landscape => ({
  nodes: new Map([...nodes].map((id) => [id, `node-${id}`])),
  copies: new Map([['d', 5]]),
  nameOf: (id) => `node-${id}`,
  isForgotten: (id) => forgotten.includes(id),
  awayMs: (id) => away[id] ?? 0,
});

describe('a queue', () => {
  it('that has the copies it shall have is left alone', () => {
    expect(replenishment(record, land('abcde'))).toBeNull();
    expect(replenishment(record, land('ab', { away: { c: replaceAfterMs - 1 } }))).toBeNull();
  });

  it('gets the copies that it lacks, where there are the fewest', () => {
    const two = { ...record, replicas: ['a', 'b'], inSync: ['a', 'b'], min: 1 };
    expect(replenishment(two, land('abde'))).toEqual({ what: 'add', member: 'e', isByHand: false });
    expect(replenishment(two, land('ab'))).toBeNull();
  });

  it('gets one on every node, or on those that were named', () => {
    const all = { ...record, wish: { copies: 'all' as const, min: null } };
    expect(replenishment(all, land('abcde'))).toMatchObject({ what: 'add', member: 'e' });
    expect(replenishment(all, land('abc'))).toBeNull();
    const named = { ...record, replicas: ['a'], inSync: ['a'], wish: { copies: ['node-a', 'node-d'], min: null } };
    expect(replenishment(named, land('abcde'))).toMatchObject({ what: 'add', member: 'd' });
    expect(replenishment(named, land('abce'))).toBeNull();
  });

  it('has the copy elsewhere that stays away, when there is another node', () => {
    const away = { c: replaceAfterMs };
    expect(replenishment(record, land('abd', { away }))).toEqual({ what: 'exchange', member: 'c', by: 'd' });
    expect(replenishment(record, land('ab', { away }))).toBeNull();
  });

  it('is without a copy that never comes back, in any case', () => {
    const forgotten = 'c';
    expect(replenishment(record, land('abd', { forgotten }))).toEqual({ what: 'exchange', member: 'c', by: 'd' });
    expect(replenishment(record, land('ab', { forgotten }))).toEqual({ what: 'remove', member: 'c', isByHand: false });
    const four = { ...record, replicas: ['a', 'b', 'c', 'd'] };
    expect(replenishment(four, land('abde', { forgotten }))).toEqual({ what: 'remove', member: 'c', isByHand: false });
  });

  it('first gets another copy when the set cannot be without the one that is lost', () => {
    const two = { ...record, inSync: ['a', 'c'] };
    const land4 = land('ad', { forgotten: 'c', away: { b: 1 } });
    expect(replenishment(two, land4)).toEqual({ what: 'add', member: 'd', isByHand: false });
    // Unless one is on its way.
    expect(replenishment(two, land('abd', { forgotten: 'c' }))).toBeNull();
    expect(replenishment(two, land('a', { forgotten: 'c', away: { b: 1 } }))).toBeNull();
    const grown = { ...record, replicas: ['a', 'b', 'c', 'd'], inSync: ['a', 'c', 'd'] };
    expect(replenishment(grown, land4)).toEqual({ what: 'remove', member: 'c', isByHand: false });
  });
});
