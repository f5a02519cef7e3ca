import { beforeEach, describe, expect, it } from 'vitest';
import { SimReplicaLog } from '../../../../test/replication/replica-log.js';
import type { DataId, MirrorRecord } from './record.js';
import type { Proposal } from './record-view.js';
import { Replica } from './replica.js';
import { followerPatience } from './standing.js';
import { addition, handover, removal, type WishedFor } from './wishes.js';

const first: MirrorRecord = {
  incarnation: 'q',
  replicas: ['a', 'b', 'c'],
  leader: null,
  epoch: 0,
  inSync: ['a', 'b', 'c'],
  min: 2,
  nonce: '',
};
const settings = { patience: { ...followerPatience, backOffMs: 0 }, ledgerMax: 10, answerMax: 10 };
const names = ['a', 'b', 'c', 'd'];

/** Four nodes on a quiet day: every write is applied and told at once. */
class Nodes {
  record = first;
  revision = 1;
  nowMs = 0;
  readonly resting = new Set<DataId>();
  readonly gone = new Set<DataId>();
  readonly logs = new Map(names.map((id) => [id, new SimReplicaLog()]));
  readonly replicas = new Map(
    names.map((id, i) => [
      id,
      new Replica({ self: id, session: i + 1, incarnation: 'q' }, first, 1, this.logs.get(id)!, settings),
    ]),
  );

  at(id: DataId): Replica {
    return this.replicas.get(id)!;
  }

  step(): void {
    this.nowMs += 10;
    const here = names.filter((id) => !this.gone.has(id));
    const sessions = new Map(here.map((id) => [id, names.indexOf(id) + 1]));
    for (const id of here) {
      const proposal = this.at(id).tick(this.nowMs, { sessions, isLive: () => true, resting: this.resting });
      if (proposal !== null) this.write(proposal);
      this.follow(id);
      const log = this.logs.get(id)!;
      log.sync(log.operations);
      this.at(id).synced(log.operations);
    }
  }

  private write({ next }: Proposal): void {
    this.record = next;
    this.revision++;
    for (const [id, replica] of this.replicas) if (!this.gone.has(id)) replica.seen(next, this.revision);
  }

  private follow(id: DataId): void {
    const { follower } = this.at(id);
    const pull = follower?.pull() ?? null;
    if (pull === null || this.gone.has(follower!.leader)) return;
    const answer = this.at(follower!.leader).leader?.pulled(pull, this.nowMs) ?? null;
    if (answer === null) return;
    const log = this.logs.get(follower!.leader)!;
    const entries = answer.entries.flatMap(({ first, last }) =>
      Array.from({ length: last - first + 1 }, (_, i) => log.entry(first + i)!),
    );
    follower!.take(answer, entries);
  }

  run(steps = 30): this {
    for (let i = 0; i < steps; i++) this.step();
    return this;
  }

  publish(id: DataId): number {
    const log = this.logs.get(id)!;
    const provenance = { origin: 'n', sequence: log.end + 1, low: 0 };
    log.append({ position: log.end + 1, provenance, bytes: new Uint8Array() });
    this.at(id).leader!.appended([provenance]);
    return log.end;
  }

  /** Resolves with what whoever wished heard. */
  wish(id: DataId, next: WishedFor): (Error | null)[] {
    const ends: (Error | null)[] = [];
    this.at(id).leader!.wishes.add({ next, ended: (error) => void ends.push(error) });
    return ends;
  }
}

let nodes: Nodes;
beforeEach(() => {
  nodes = new Nodes().run();
});

describe('the lead', () => {
  it('is handed over with all that is committed, and nobody leaves the set', () => {
    expect(nodes.record).toMatchObject({ leader: 'a', epoch: 1 });
    const position = nodes.publish('a');
    nodes.run();
    const ends = nodes.wish(
      'a',
      handover('c', () => true),
    );
    nodes.run(2);
    expect(ends).toEqual([null]);
    expect(nodes.at('a').leader).toBeNull();
    nodes.run();
    // One epoch is that of the hand-over, and nobody led in it.
    expect(nodes.record).toMatchObject({ leader: 'c', epoch: 3, inSync: ['a', 'b', 'c'] });
    expect(nodes.at('c').leader!.committed).toBeGreaterThan(position);
    expect([...nodes.logs.get('c')!.liveIn(1, 99)]).toEqual([{ first: position, last: position }]);
  });

  it('stays while the one who shall have it is behind', () => {
    let isCaughtUp = false;
    const ends = nodes.wish(
      'a',
      handover('b', () => isCaughtUp),
    );
    nodes.run();
    expect([nodes.record.leader, ends]).toEqual(['a', []]);
    isCaughtUp = true;
    nodes.run();
    expect([nodes.record.leader, ends]).toEqual(['b', [null]]);
  });

  it('goes to nobody who is being drained, as long as there is somebody else', () => {
    nodes.resting.add('b');
    nodes.gone.add('a');
    nodes.run();
    expect(nodes.record.leader).toBe('c');
    nodes.gone.delete('a');
    nodes.gone.add('c');
    nodes.at('a').seen(nodes.record, nodes.revision);
    nodes.run(10);
    expect(nodes.record.leader).toBe('c');
    nodes.run(400);
    expect(nodes.record.leader).toBe('b');
  });
});

describe('a member', () => {
  it('is added, catches up and joins', () => {
    const position = nodes.publish('a');
    const ends = nodes.wish('a', addition('d'));
    nodes.run();
    expect(ends).toEqual([null]);
    expect(nodes.record).toMatchObject({ replicas: names, inSync: names, min: 2 });
    expect([...nodes.logs.get('d')!.liveIn(1, 99)]).toEqual([{ first: position, last: position }]);
  });

  it('is removed and does not join again', () => {
    const ends = nodes.wish('a', removal('b'));
    nodes.run();
    expect(ends).toEqual([null]);
    expect(nodes.record).toMatchObject({ replicas: ['a', 'c'], inSync: ['a', 'c'], min: 1 });
    expect(nodes.at('b').follower).toBeNull();
    nodes.publish('a');
    nodes.run();
    expect(nodes.at('a').leader!.committed).toBe(nodes.logs.get('a')!.end);
  });
});
