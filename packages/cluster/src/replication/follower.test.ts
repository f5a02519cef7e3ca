import { beforeEach, describe, expect, it } from 'vitest';
import { SimReplicaLog } from '../../../../test/replication/replica-log.js';
import type { Answer, Pull } from './exchange.js';
import { Follower } from './follower.js';
import { Leader } from './leader.js';
import type { MirrorRecord } from './record.js';
import { promotion } from './record.js';
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
  follower = new Follower({ self: 'b', session: 2, incarnation: 'q' }, 'a', 1, 1, log);
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
    follower = new Follower({ self: 'b', session: 2, incarnation: 'q' }, 'a', 2, 1, log);
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
    follower = new Follower({ self: 'b', session: 3, incarnation: 'q' }, 'a', 1, 1, log);
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
