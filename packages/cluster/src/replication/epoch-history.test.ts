import { describe, expect, it } from 'vitest';
import { agreedEnd, EpochHistory, HistoryContradictionError, type Told } from './epoch-history.js';

const told = (end: number, ...starts: [number, number][]): Told => ({
  end,
  starts: starts.map(([epoch, first]) => ({ epoch, first })),
});

describe('two histories agree', () => {
  const cases: [string, Told, Told, number, number][] = [
    ['where the follower has less', told(20, [1, 1]), told(12, [1, 1]), 5, 12],
    ['where a restarted leader lost what it had shipped', told(15, [1, 1], [2, 11]), told(14, [1, 1]), 5, 10],
    [
      'where the follower ends in an epoch that the leader never had',
      told(20, [1, 1], [3, 11]),
      told(18, [1, 1], [2, 8]),
      5,
      7,
    ],
    [
      'at the end of the largest epoch that both have (KIP-279)',
      told(70, [1, 1], [2, 40], [4, 60]),
      told(55, [1, 1], [3, 50]),
      30,
      39,
    ],
    ['at what is committed when none is common', told(600, [7, 500]), told(100, [3, 1]), 90, 90],
    ['at nothing when the follower is empty', told(20, [1, 1]), told(0), 0, 0],
  ];
  for (const [name, leader, follower, committed, end] of cases)
    it(name, () => expect(agreedEnd(leader, follower, committed)).toBe(end));

  it('never below what is committed', () => {
    expect(() => agreedEnd(told(20, [1, 1], [3, 6]), told(18, [1, 1], [2, 8]), 7)).toThrow(HistoryContradictionError);
  });

  it('never when one epoch has two histories', () => {
    expect(() => agreedEnd(told(20, [1, 1], [2, 9]), told(18, [1, 1], [2, 8]), 7)).toThrow(HistoryContradictionError);
  });
});

describe('a history', () => {
  it('is cut with its log', () => {
    const history = new EpochHistory(told(0, [1, 1], [2, 10], [4, 20]).starts);
    expect([history.endOf(1, 30), history.endOf(4, 30), history.endOf(3, 30)]).toEqual([9, 30, null]);
    expect(history.upTo(19).latest).toBe(2);
    history.cut(19);
    expect(history.latest).toBe(2);
    expect(() => history.begin(2, 30)).toThrow(HistoryContradictionError);
    history.begin(5, 20);
    expect(history.starts).toEqual(told(0, [1, 1], [2, 10], [5, 20]).starts);
  });
});
