import { SimClock, SimScheduler } from '@chapar/platform';
import { beforeEach, describe, expect, it } from 'vitest';
import type { LedQueue } from '../replication/led-queue.js';
import type { Guest } from './guest.js';
import { Leads } from './leads.js';

const incarnation = 'q-1';
const epoch = 2;
const recordMsMax = 10_000;

/** Of a keyed log, which has no queue that is begun. */
const led = { incarnation, epoch, shard: {}, isOver: false, onForGood: null } as unknown as LedQueue;

let clock: SimClock;
let leads: Leads;
/** What each node has said that it knows. */
const applied = new Map<Guest, number>();

function guest(revision: number): Guest {
  const made = { sayLeads: () => undefined, sayLeft: () => undefined } as unknown as Guest;
  applied.set(made, revision);
  leads.linked(made);
  return made;
}

const hasBegun = () => leads.find(incarnation, epoch)!.awaited === null;

beforeEach(() => {
  applied.clear();
  clock = new SimClock(new SimScheduler());
  leads = new Leads(clock, {
    isAnyoneComing: () => false,
    revisionOf: () => 7,
    hasApplied: (who, revision) => applied.get(who)! >= revision,
    recordMsMax,
  });
});

describe('a queue that begins with a new leader', () => {
  it('begins as soon as all nodes have said what they have', () => {
    const [a, b] = [guest(7), guest(0)];
    leads.leads(led);
    leads.said(a, incarnation, epoch);
    expect(hasBegun()).toBe(false);
    leads.said(b, incarnation, epoch);
    expect(hasBegun()).toBe(true);
  });

  it('begins after half a second where all know its record and one says nothing', async () => {
    guest(7);
    leads.leads(led);
    await clock.advance(499);
    expect(hasBegun()).toBe(false);
    await clock.advance(1);
    expect(hasBegun()).toBe(true);
  });

  it('gives a node that hears of its record late the same time from then on', async () => {
    const late = guest(6);
    leads.leads(led);
    await clock.advance(1_990);
    applied.set(late, 7);
    await clock.advance(490);
    expect(hasBegun()).toBe(false);
    await clock.advance(520);
    expect(hasBegun()).toBe(true);
  });

  it('waits no longer for a node whose link is gone', async () => {
    const late = guest(6);
    leads.leads(led);
    await clock.advance(3_000);
    expect(hasBegun()).toBe(false);
    leads.unlinked(late);
    expect(hasBegun()).toBe(true);
  });

  it('never waits longer than a node without etcd is registered', async () => {
    guest(6);
    leads.leads(led);
    await clock.advance(recordMsMax - 1);
    expect(hasBegun()).toBe(false);
    await clock.advance(500);
    expect(hasBegun()).toBe(true);
  });
});
