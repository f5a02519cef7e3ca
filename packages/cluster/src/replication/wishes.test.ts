import { describe, expect, it } from 'vitest';
import type { MirrorRecord } from './record.js';
import {
  addition,
  CannotError,
  exchange,
  handover,
  LeadsNoMoreError,
  removal,
  type WishedFor,
  Wishes,
} from './wishes.js';

const record: MirrorRecord = {
  incarnation: 'q',
  replicas: ['a', 'b', 'c'],
  leader: 'a',
  epoch: 3,
  inSync: ['a', 'b', 'c'],
  min: 2,
  nonce: 'n0',
};

const wish = (next: WishedFor) => {
  const ends: (Error | null)[] = [];
  return { next, ends, ended: (error: Error | null) => void ends.push(error) };
};

/** All that is written until nothing more is wished for. */
function written(wished: WishedFor, from: MirrorRecord): { writes: MirrorRecord[]; ends: (Error | null)[] } {
  const wishes = new Wishes();
  const each = wish(wished);
  wishes.add(each);
  const writes: MirrorRecord[] = [];
  for (let next = wishes.next(from, '1'); next !== null; next = wishes.next(writes.at(-1)!, `${writes.length + 1}`))
    writes.push(next);
  return { writes, ends: each.ends };
}

describe('a wish', () => {
  it('to remove a member takes it out of the set first, and its copy then', () => {
    const { writes, ends } = written(removal('c'), record);
    expect(writes.map(({ inSync, replicas, min }) => ({ inSync, replicas, min }))).toEqual([
      { inSync: ['a', 'b'], replicas: ['a', 'b', 'c'], min: 2 },
      { inSync: ['a', 'b'], replicas: ['a', 'b'], min: 1 },
    ]);
    expect(ends).toEqual([null]);
    expect(written(removal('x'), record)).toEqual({ writes: [], ends: [null] });
  });

  it('to remove who leads, who is needed, or the last copy is refused in words', () => {
    const why = (member: string, from: MirrorRecord) => String(written(removal(member), from).ends[0]);
    expect(why('a', record)).toContain('it leads the queue');
    expect(why('b', { ...record, inSync: ['a', 'b'] })).toContain('only 2 copies are in sync and the queue needs 2');
    expect(why('a', { ...record, replicas: ['a'], inSync: ['a'], min: 1 })).toContain('it has the only copy');
  });

  it('to add or to hand over is one write', () => {
    expect(written(addition('d'), record).writes).toMatchObject([{ replicas: ['a', 'b', 'c', 'd'], nonce: '1' }]);
    expect(
      written(
        handover('b', () => true),
        record,
      ).writes,
    ).toMatchObject([{ leader: 'b', epoch: 4, inSync: record.inSync }]);
    expect(
      written(
        handover('b', () => false),
        record,
      ),
    ).toEqual({ writes: [], ends: [] });
    const refused = (to: string) =>
      written(
        handover(to, () => true),
        { ...record, inSync: ['a', 'b'] },
      ).ends[0];
    expect(refused('c')).toEqual(new CannotError('its copy is not in sync'));
    expect(refused('d')).toEqual(new CannotError('it has no copy of the queue'));
  });

  it('to exchange a member waits until the set can be without it', () => {
    const two = { ...record, inSync: ['a', 'b'] };
    expect(written(exchange('b', 'd'), two)).toEqual({ writes: [], ends: [] });
    const { writes, ends } = written(exchange('b', 'd'), record);
    expect(writes.at(-1)).toMatchObject({ replicas: ['a', 'd', 'c'], inSync: ['a', 'c'], min: 2 });
    expect(ends).toEqual([null]);
    expect(written(exchange('b', 'c'), record).writes.at(-1)).toMatchObject({ replicas: ['a', 'c'], min: 1 });
  });
});

describe('wishes', () => {
  it('that wait for something do not hold up those behind them', () => {
    const wishes = new Wishes();
    const later = wish(() => 'later');
    wishes.add(later);
    wishes.add(wish(addition('d')));
    expect(wishes.next(record, 'n')?.replicas).toHaveLength(4);
    wishes.drop(later);
    expect(wishes.isEmpty).toBe(false);
  });

  it('end with the reign: those that its last record fulfils are fulfilled', () => {
    const wishes = new Wishes();
    const [moved, added, lost] = [wish(handover('b', () => false)), wish(addition('c')), wish(removal('b'))];
    for (const each of [moved, added, lost]) wishes.add(each);
    wishes.close({ ...record, leader: 'b' });
    expect([moved, added, lost].map(({ ends }) => ends)).toEqual([[null], [null], [new LeadsNoMoreError()]]);
    expect(wishes.isEmpty).toBe(true);
  });

  it('do not swallow what is wrong with ourselves', () => {
    const wishes = new Wishes();
    wishes.add(
      wish(() => {
        throw new TypeError('a bug');
      }),
    );
    expect(() => wishes.next(record, 'n')).toThrow(TypeError);
  });
});
