import { describe, expect, it } from 'vitest';
import { SimReplicaLog } from '../../../../test/replication/replica-log.js';
import { promiseMs } from './allegiance.js';
import { Follower } from './follower.js';
import { mirrorSettings } from './mirrors.js';
import { firstNonce, type MirrorRecord } from './record.js';
import { Replica } from './replica.js';

const record: MirrorRecord = {
  incarnation: 'q',
  replicas: ['a', 'b', 'c'],
  leader: 'a',
  epoch: 1,
  inSync: ['a', 'b', 'c'],
  min: 2,
  nonce: firstNonce,
};

/** The node `a` in a session that began at revision 10. */
function replica(of: MirrorRecord, revision: number, log = new SimReplicaLog(), self = 'a'): Replica {
  return new Replica({ self, session: 10, incarnation: 'q' }, of, revision, log, mirrorSettings);
}

describe('a queue is led by the write that declared it', () => {
  it('where that names this node, in the session in which it was made', () => {
    const { leader } = replica(record, 11);
    expect(leader?.epoch).toBe(1);
    expect(leader?.firstPosition).toBe(1);
  });

  it.each<[string, MirrorRecord, number]>([
    ['the session began later: a process before may have led', record, 9],
    ['it was written again since', { ...record, nonce: 'b/3/1' }, 11],
    ['it names another', { ...record, leader: 'b' }, 11],
  ])('but not when %s', (_why, of, revision) => {
    expect(replica(of, revision).leader).toBeNull();
  });

  it('and not over a log that has something', () => {
    const log = new SimReplicaLog();
    log.begin(1, 1);
    expect(replica(record, 11, log).leader).toBeNull();
  });
});

describe('conversations', () => {
  it('have numbers that are given once, also those that a follower begins by itself', () => {
    const follows = replica({ ...record, leader: 'b' }, 11);
    const links = new Set<number>();
    for (let round = 0; round < 3; round++) {
      const { follower } = follows;
      expect(follower).toBeInstanceOf(Follower);
      const pull = follower!.pull()!;
      links.add(pull.link);
      const head = { epoch: 1, link: pull.link, number: pull.number, committed: 0, welcome: null, filledUpTo: 0 };
      const rest = { upTo: 0, entries: [], marks: [], origins: null, changes: [], changesUpTo: 0, isLost: true };
      follower!.take({ ...head, ...rest }, []);
      links.add(follower!.pull()!.link);
      follows.broken();
    }
    expect(links.size).toBe(6);
  });
});

describe('who has just said to follow', () => {
  const sessions = new Map([
    ['a', 10],
    ['b', 12],
    ['c', 13],
  ]);

  it.each<[string, boolean, boolean, number]>([
    ['keeps its word to a leader that has lost its registration and may live', false, true, promiseMs],
    ['owes nothing to one whose machine says that it is dead', true, false, 0],
  ])('%s', (_what, isRegistered, isLive, afterMs) => {
    const follows = replica({ ...record, leader: 'b' }, 11);
    const around = new Map(sessions);
    if (!isRegistered) around.delete('b');
    const surroundings = { sessions: around, isLive: (id: string) => id !== 'b' || isLive };
    const nowMs = 50_000;
    follows.followedAtMs = nowMs;
    const asks = (ms: number) => follows.tick(ms, surroundings) !== null;
    if (afterMs > 0) expect(asks(nowMs + afterMs - 1)).toBe(false);
    expect(asks(nowMs + afterMs)).toBe(true);
  });
});
