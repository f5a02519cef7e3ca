import { beforeEach, describe, expect, it } from 'vitest';
import { SimReplicaLog } from '../../../../test/replication/replica-log.js';
import type { Answer, Pull } from './exchange.js';
import { Follower } from './follower.js';
import { Leader } from './leader.js';
import type { MirrorRecord } from './record.js';
import { forcedGap, promotion } from './record.js';
import { RecordView } from './record-view.js';
import type { ReplicaEntry } from './replica-log.js';
import { followerPatience } from './standing.js';

const record: MirrorRecord = {
  incarnation: 'q',
  replicas: ['a', 'b'],
  leader: 'a',
  epoch: 1,
  inSync: ['a', 'b'],
  min: 1,
  nonce: '',
};
const settings = { patience: followerPatience, ledgerMax: 4, answerMax: 10 };
const entryAt = (position: number): ReplicaEntry => ({
  position,
  provenance: { origin: 'n', sequence: position, low: 0 },
  bytes: new Uint8Array(),
});

let leaderLog: SimReplicaLog;
let log: SimReplicaLog;
let leader: Leader;
let follower: Follower;

function publish(): number {
  const entry = entryAt(leaderLog.end + 1);
  leaderLog.append(entry);
  leader.appended([entry.provenance!]);
  return entry.position;
}

function answered(pull: Pull): { answer: Answer; entries: ReplicaEntry[] } {
  const answer = leader.pulled(pull, 0)!;
  const entries = answer.entries.flatMap(({ first, last }) =>
    Array.from({ length: last - first + 1 }, (_, i) => leaderLog.entry(first + i)!),
  );
  return { answer, entries };
}

function round(): void {
  const { answer, entries } = answered(follower.pull()!);
  follower.take(answer, entries);
}

function sync(): void {
  for (const each of [log, leaderLog]) each.sync(each.operations);
  leader.synced(leaderLog.operations);
  follower.synced(log.operations);
}

beforeEach(() => {
  [leaderLog, log] = [new SimReplicaLog(), new SimReplicaLog()];
  leader = new Leader('a', new RecordView(record, 1), leaderLog, settings);
  follower = new Follower({ self: 'b', session: 2, incarnation: 'q' }, { leader: 'a', epoch: 1, forced: 0 }, 1, log);
});

describe('leader and follower', () => {
  it('commit what both have synced, and not before', () => {
    round();
    const position = publish();
    round();
    round();
    expect(leader.committed).toBe(0);
    follower.synced(log.operations);
    round();
    expect(leader.committed).toBe(0);
    sync();
    expect(leader.committed).toBe(position);
    round();
    expect(log.committed).toBe(position);
  });

  it('agree on what is committed, also when the answer that says so crosses with the next pull', () => {
    round();
    const position = publish();
    round();
    sync();
    leader.pulled(follower.pull()!, 0);
    expect(leader.committed).toBe(position);
    const crossing = answered(follower.pull()!);
    follower.pull();
    expect(follower.take(crossing.answer, crossing.entries)).toBe(false);
    expect(log.committed).toBe(0);
    follower.overtaken(crossing.answer);
    expect(log.committed).toBe(position);
    expect(leader.committed).toBe(position);
  });

  it('have nothing of an answer from a conversation that is over, not even what is committed', () => {
    round();
    publish();
    round();
    sync();
    leader.pulled(follower.pull()!, 0);
    const late = answered(follower.pull()!);
    follower.broken(2);
    follower.pull();
    follower.overtaken(late.answer);
    expect(log.committed).toBe(0);
  });

  it('agree first: what is pulled in a conversation that is over is worth nothing', () => {
    round();
    publish();
    const late = answered(follower.pull()!);
    follower.broken(2);
    const opening = follower.pull()!;
    expect(opening.opening?.goesOn).toBe(true);
    expect(follower.take(late.answer, late.entries)).toBe(false);
    const { answer } = answered(opening);
    expect(answer.welcome?.image).toBeNull();
    expect(leader.pulled({ ...opening, link: 1, number: 9 }, 0)).toBeNull();
  });

  it('begin an epoch before its entries come: a crash in between would else make them those of the epoch before', () => {
    for (let i = 0; i < 3; i++) publish();
    leader = new Leader('a', new RecordView(promotion(record, 'a', 'n'), 2), leaderLog, settings);
    follower = new Follower({ self: 'b', session: 2, incarnation: 'q' }, { leader: 'a', epoch: 2, forced: 0 }, 1, log);
    const position = publish();
    round();
    round();
    for (let kept = log.operations; kept >= 0; kept--) {
      const survivor = survivorOf(kept);
      if (survivor.end >= position) expect(survivor.epochOf(position)).toBe(2);
    }
    expect(log.epochOf(position)).toBe(2);
  });

  it('say what lives when changes are kept no more: what was settled goes, what lacks comes back', () => {
    for (let i = 0; i < 6; i++) publish();
    for (let i = 0; i < 4; i++) {
      round();
      sync();
    }
    expect(log.committed).toBe(leaderLog.end);
    follower.broken(2);
    for (let position = 2; position < 8; position++) leader.change({ kind: 'settle', first: position, last: position });
    for (let i = 0; i < 4; i++) round();
    expect([...log.liveIn(1, 99)]).toEqual([...leaderLog.liveIn(1, 99)]);
    // Settled here by a leader that nobody heard of.
    const kept = publish();
    for (let i = 0; i < 2; i++) round();
    log.change({ kind: 'settle', first: kept, last: kept });
    follower = new Follower({ self: 'b', session: 3, incarnation: 'q' }, { leader: 'a', epoch: 1, forced: 0 }, 1, log);
    round();
    expect(follower.pull()!.synced).toBe(0);
    expect(follower.pull()!.lacks).toEqual([{ first: kept, last: kept }]);
    round();
    expect([...log.liveIn(1, 99)]).toEqual([{ first: kept, last: kept }]);
  });
});

/** The follower's log with only the first so many of its operations. */
function survivorOf(kept: number): SimReplicaLog {
  const survivor = log.copy();
  survivor.crash(kept);
  return survivor;
}

describe('when an operator made a copy lead that has less', () => {
  /** Its log ends at 5, all committed in epoch 1; the leader's at 3. */
  function begin(forced: number): void {
    for (const each of [log, leaderLog]) each.begin(1, 1);
    for (let position = 2; position <= 5; position++) log.append(entryAt(position));
    log.commit(5);
    for (let position = 2; position <= 3; position++) leaderLog.append(entryAt(position));
    leaderLog.commit(3);
    const next = { ...record, leader: 'a', epoch: 2, inSync: ['a'], ...(forced === 0 ? {} : { forced }) };
    leader = new Leader('a', new RecordView(next, 5), leaderLog, settings);
    for (const each of [log.state, leaderLog.state]) each.mayCutBelowCommitted = true;
    follower = new Follower({ self: 'b', session: 2, incarnation: 'q' }, { leader: 'a', epoch: 2, forced }, 1, log);
  }

  beforeEach(() => {
    leaderLog = new SimReplicaLog();
    log = new SimReplicaLog();
  });

  it('names what it lets go of before it does, cuts below what was committed, and follows', () => {
    begin(2);
    const first = answered(follower.pull()!);
    expect(follower.outcasts({ ...first.answer, number: 7 })).toEqual([]);
    expect(follower.outcasts(first.answer)).toEqual([{ first: 4, last: 5 }]);
    expect(follower.take(first.answer, first.entries)).toBe(true);
    expect([log.end, log.committed]).toEqual([3, 3]);
    // What is behind is told over the positions that were left free.
    const position = publish();
    expect(position).toBeGreaterThan(forcedGap);
    for (let i = 0; i < 60 && log.end < position; i++) round();
    expect([log.end, [...log.liveIn(1, position)]]).toEqual([
      position,
      [
        { first: 2, last: 3 },
        { first: position, last: position },
      ],
    ]);
    expect(leader.freeBehind(3)).toBe(forcedGap);
    expect(leader.freeBehind(position)).toBe(0);
    // From now on it is a log as any other.
    expect(follower.outcasts(answered(follower.pull()!).answer)).toEqual([]);
  });

  it('does not cut what was committed when nobody said so', () => {
    begin(0);
    expect(() => answered(follower.pull()!)).toThrow('would lose what is committed');
  });
});
