import { describe, expect, it } from 'vitest';
import { SimReplicaLog } from '../../../../test/replication/replica-log.js';
import type { Opening } from './exchange.js';
import { Leader } from './leader.js';
import { mirrorSettings } from './mirrors.js';
import type { MirrorRecord } from './record.js';
import { RecordView } from './record-view.js';

const record: MirrorRecord = {
  incarnation: 'q',
  replicas: ['a', 'b'],
  leader: 'a',
  epoch: 1,
  inSync: ['a'],
  min: 1,
  nonce: 'new',
};
const opening: Opening = { starts: [], committed: 0, goesOn: false };
const sessions = new Map([
  ['a', 1],
  ['b', 2],
]);

/** A leader that is a set of its own, and gets a message with each round of its follower. */
class Busy {
  readonly log = new SimReplicaLog();
  readonly view = new RecordView(record, 1);
  readonly leader = new Leader('a', this.view, this.log, mirrorSettings);
  private number = 0;

  publish(): void {
    this.log.pass(this.log.end + 1);
    this.leader.appended([]);
    this.log.sync(this.log.operations);
    this.leader.synced(this.log.operations);
  }

  /** The follower has this, and says so. */
  pull(synced: number, nowMs: number): void {
    const number = ++this.number;
    const rest = { end: synced, changes: 0, changesSynced: 0, lacks: [] };
    const of = { incarnation: 'q', epoch: 1, member: 'b', session: 2, link: 1, number };
    this.leader.heard({ ...of, ...rest, synced, opening: number === 1 ? opening : null }, nowMs);
  }

  propose(nowMs: number, there: ReadonlyMap<string, number> = sessions) {
    return this.leader.proposal(nowMs, there, `a/${nowMs}`);
  }
}

/** The follower is a round behind, as close as it comes. */
function closeBehind(): Busy {
  const busy = new Busy();
  for (let round = 0; round < 4; round++) {
    busy.pull(Math.max(0, busy.log.end - 1), round);
    busy.publish();
  }
  return busy;
}

describe('somebody who is nearly caught up with a set of one', () => {
  it('is waited for, and joins when it has what is committed', () => {
    const busy = closeBehind();
    const { leader } = busy;
    const { committed, end } = leader;
    expect([busy.propose(10), leader.member('b').synced < committed]).toEqual([null, true]);
    busy.publish();
    busy.publish();
    expect([leader.committed, leader.end]).toEqual([committed, end + 2]);
    busy.pull(end, 20);
    expect(busy.propose(30)?.joiner).toEqual({ id: 'b', session: 2 });
  });

  it('is not waited for longer than a second, and then not for a while', () => {
    const busy = closeBehind();
    busy.propose(10);
    const { committed } = busy.leader;
    busy.publish();
    busy.propose(1009);
    expect(busy.leader.committed).toBe(committed);
    busy.propose(1010);
    expect(busy.leader.committed).toBe(busy.leader.end);
    for (const nowMs of [1200, 6000]) {
      busy.pull(busy.leader.end - 1, nowMs);
      busy.pull(busy.leader.end - 1, nowMs);
      busy.publish();
      busy.propose(nowMs + 1);
      busy.publish();
      expect(busy.leader.committed).toBe(busy.leader.end);
    }
  });

  it('is not waited for when it is gone, or something is asked of the record', () => {
    const busy = closeBehind();
    busy.propose(10);
    busy.publish();
    busy.propose(20, new Map([['a', 1]]));
    expect(busy.leader.committed).toBe(busy.leader.end);

    const other = closeBehind();
    other.propose(10);
    other.publish();
    other.view.propose({ next: { ...record, nonce: 'another' }, joiner: null });
    other.leader.recordChanged();
    expect(other.leader.committed).toBe(other.leader.end);
  });
});
