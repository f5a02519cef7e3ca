import { describe, expect, it } from 'vitest';
import {
  enlarged,
  forcedEpoch,
  forcedPromotion,
  growth,
  type MirrorRecord,
  promotion,
  reduced,
  replacement,
  shrinking,
  successionDelayMs,
  transfer,
  usualMin,
} from './record.js';
import { type Proposal, RecordView } from './record-view.js';

const record: MirrorRecord = {
  incarnation: 'q',
  replicas: ['a', 'b', 'c', 'd'],
  leader: 'a',
  epoch: 3,
  inSync: ['a', 'b', 'c'],
  min: 2,
  nonce: 'n0',
  later: { kept: true },
};
const everybody = () => true;
const but = (id: string) => (other: string) => other !== id;

describe('a record', () => {
  it('asks for half of the replicas, rounded up', () => {
    expect([1, 2, 3, 4, 5].map(usualMin)).toEqual([1, 1, 2, 2, 3]);
  });

  it('is led by the first live member of the set in its order, by the next one a second later', () => {
    expect(successionDelayMs(record, 'b', but('a'))).toBe(0);
    expect(successionDelayMs(record, 'c', but('a'))).toBe(1000);
    expect(successionDelayMs(record, 'c', (id) => id === 'c')).toBe(0);
    expect(successionDelayMs(record, 'd', but('a'))).toBeNull();
  });

  it('is led again by its leader at once when that is back', () => {
    expect(successionDelayMs(record, 'a', everybody)).toBe(0);
    expect(promotion(record, 'a', 'n1')).toEqual({ ...record, epoch: 4, nonce: 'n1' });
  });

  it('loses the leader that is gone from its set, and nobody else', () => {
    expect(promotion(record, 'b', 'n1')).toEqual({ ...record, leader: 'b', epoch: 4, inSync: ['b', 'c'], nonce: 'n1' });
    const two = { ...record, inSync: ['a', 'b'] };
    expect(promotion(two, 'b', 'n1').inSync).toEqual(['a', 'b']);
  });

  it('never has a set below its min, or without its leader', () => {
    const two = { ...record, inSync: ['a', 'b'] };
    expect(shrinking(record, 'c', 'n1')?.inSync).toEqual(['a', 'b']);
    expect(shrinking(two, 'b', 'n1')).toBeNull();
    expect(shrinking(record, 'a', 'n1')).toBeNull();
    expect(shrinking(record, 'd', 'n1')).toBeNull();
  });

  it('takes in replicas only, and replaces those only that are not in the set', () => {
    expect(growth(record, 'd', 'n1')?.inSync).toEqual(['a', 'b', 'c', 'd']);
    expect(growth(record, 'b', 'n1')).toBeNull();
    expect(growth(record, 'e', 'n1')).toBeNull();
    expect(replacement(record, 'd', 'e', 'n1')?.replicas).toEqual(['a', 'b', 'c', 'e']);
    expect(replacement(record, 'c', 'e', 'n1')).toBeNull();
    expect(replacement(record, 'd', 'b', 'n1')).toBeNull();
    expect(transfer(record, 'c', 'n1')).toEqual({ ...record, leader: 'c', epoch: 4, nonce: 'n1' });
    expect(transfer(record, 'd', 'n1')).toBeNull();
  });

  it('gets one copy more or less, and its min with them as far as the set allows', () => {
    const three = { ...record, replicas: ['a', 'b', 'c'] };
    expect(enlarged(three, 'd', 'n1')).toEqual({ ...record, nonce: 'n1' });
    expect(enlarged(three, 'c', 'n1')).toBeNull();
    expect(enlarged(record, 'e', 'n1')).toMatchObject({ replicas: ['a', 'b', 'c', 'd', 'e'], min: 3 });
    expect(enlarged({ ...record, inSync: ['a', 'b'] }, 'e', 'n1')?.min).toBe(2);
    expect(reduced(record, 'd', 'n1')).toEqual({ ...three, nonce: 'n1' });
    expect(reduced(record, 'c', 'n1')).toBeNull();
    expect(reduced(record, 'e', 'n1')).toBeNull();
    expect(reduced({ ...three, inSync: ['a', 'b'] }, 'c', 'n1')).toMatchObject({ replicas: ['a', 'b'], min: 1 });
  });

  it('keeps a min that somebody chose', () => {
    const two = () => 2;
    expect([enlarged(record, 'e', 'n1', two)?.min, reduced(record, 'd', 'n1', two)?.min]).toEqual([2, 2]);
    expect(enlarged({ ...record, inSync: ['a', 'b'] }, 'e', 'n1', () => 3)?.min).toBe(2);
  });
});

describe('what is known of a record', () => {
  const grown: Proposal = { next: growth(record, 'd', 'n1')!, joiner: { id: 'd', session: 7 } };
  const shrunk: Proposal = { next: shrinking(record, 'c', 'n2')!, joiner: null };

  it('counts whoever was proposed, and still whoever was to leave', () => {
    const view = new RecordView(record, 5);
    view.propose(shrunk);
    expect([...view.largestSet]).toEqual(['a', 'b', 'c']);
    const growing = new RecordView(record, 5);
    growing.propose(grown);
    expect([...growing.largestSet]).toEqual(['a', 'b', 'c', 'd']);
    growing.refused(grown);
    expect([...growing.largestSet]).toEqual(['a', 'b', 'c']);
  });

  it('counts on when the answer is lost, also when the record looks the same or a second try is refused', () => {
    const view = new RecordView(record, 5);
    view.propose(grown);
    view.lost(grown);
    expect(view.unanswered).toBe(grown);
    expect(view.seen(record, 5)).toBeNull();
    view.refused(grown);
    expect(view.isWaiting).toBe(false);
    expect(view.isOpen).toBe(true);
    expect(view.largestSet.has('d')).toBe(true);
  });

  it('is sure again at any newer revision, and tells its own write by the nonce', () => {
    const view = new RecordView(record, 5);
    view.propose(grown);
    view.lost(grown);
    expect(view.seen({ ...record, nonce: 'other' }, 6)).toBeNull();
    expect(view.largestSet.has('d')).toBe(false);
    const again = { ...grown, next: { ...grown.next, nonce: 'n3' } };
    view.propose(again);
    expect(view.seen(again.next, 8)).toBe(again);
    expect(view.isWaiting).toBe(false);
    expect(view.seen(record, 7)).toBeNull();
    expect(view.record).toBe(again.next);
  });
});

describe('an operator', () => {
  it('makes a copy outside the set lead, which is the set alone, in an epoch of its own', () => {
    expect(forcedEpoch(record)).toBe(0);
    const next = forcedPromotion(record, 'd', 9, 'n1');
    expect(next).toEqual({ ...record, leader: 'd', epoch: 9, inSync: ['d'], forced: 9, nonce: 'n1' });
    expect(forcedEpoch(promotion(next, 'd', 'n2'))).toBe(9);
  });
});
