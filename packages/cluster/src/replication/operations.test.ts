import { beforeEach, describe, expect, it } from 'vitest';
import { OperatedNodes } from '../../../../test/replication/operated.js';

let nodes: OperatedNodes;
beforeEach(async () => {
  nodes = new OperatedNodes('abcd');
  nodes.declare('q', 'abc');
  await nodes.advance(500);
  expect(nodes.of('q')).toMatchObject({ leader: 'a', epoch: 1 });
});

describe('whoever is asked', () => {
  it('has the leader add a copy, which catches up and joins', async () => {
    const position = nodes.node('a').publish('q');
    expect(await nodes.outcome(nodes.node('d').operations.add('q', 'd'))).toBe('done');
    await nodes.advance(500);
    expect(nodes.of('q')).toMatchObject({ replicas: ['a', 'b', 'c', 'd'], inSync: ['a', 'b', 'c', 'd'] });
    expect([...nodes.node('d').logs.get('q')!.liveIn(1, 99)]).toEqual([{ first: position, last: position }]);
  });

  it('has the leader remove a copy', async () => {
    expect(await nodes.outcome(nodes.node('c').operations.remove('q', 'c'))).toBe('done');
    await nodes.advance(500);
    expect(nodes.of('q')).toMatchObject({ replicas: ['a', 'b'], inSync: ['a', 'b'], leader: 'a', min: 1 });
  });

  it('has the lead handed over first when it is the leader whose copy goes', async () => {
    expect(await nodes.outcome(nodes.node('c').operations.remove('q', 'a'))).toBe('done');
    await nodes.advance(500);
    expect(nodes.of('q')).toMatchObject({ replicas: ['b', 'c'], inSync: ['b', 'c'], leader: 'b' });
  });

  it('is told in words what cannot be', async () => {
    const { operations } = nodes.node('b');
    nodes.declare('one', 'a');
    await nodes.advance(500);
    expect(await nodes.outcome(operations.remove('one', 'a'))).toBe('it has the only copy');
    expect(await nodes.outcome(operations.handOver('one', 'b'))).toBe('it has no copy of the queue');
    expect(await nodes.outcome(operations.handOver('one', null))).toContain('no other copy that is in sync');
    expect(await nodes.outcome(operations.add('one', 'x'))).toBe('chapar@x is not there');
    expect(await nodes.outcome(operations.add('none', 'b'))).toBe('the queue is not mirrored, or gone');
    nodes.gone.add('a');
    const late = await nodes.outcome(operations.add('one', 'b'));
    expect(late).toBe('it could not be done within 15 s: nobody leads the queue');
  });
});

describe('the lead', () => {
  it('is handed over with everything, and soon', async () => {
    const position = nodes.node('a').publish('q');
    const before = nodes.node('a').nowMs;
    expect(await nodes.outcome(nodes.node('c').operations.handOver('q', 'c'))).toBe('c');
    await nodes.advance(100);
    expect(nodes.node('c').replicas.get('q')!.leader!.committed).toBeGreaterThan(position);
    expect(nodes.node('a').nowMs - before).toBeLessThan(400);
    expect(nodes.of('q')).toMatchObject({ leader: 'c', inSync: ['a', 'b', 'c'] });
  });

  it('goes to whoever of the set leads the fewest', async () => {
    nodes.declare('r', 'ba');
    await nodes.advance(500);
    expect(nodes.of('r').leader).toBe('b');
    expect(await nodes.outcome(nodes.node('b').operations.handOver('q', null))).toBe('c');
  });

  it('passes once when nobody hears that it has', async () => {
    nodes.unanswered = 1;
    expect(await nodes.outcome(nodes.node('a').operations.handOver('q', 'b'))).toBe('b');
    await nodes.advance(500);
    expect(nodes.of('q')).toMatchObject({ leader: 'b', epoch: 3 });
  });

  it('stays while the one who shall have it does not catch up, or is mute', async () => {
    const [a, b] = [nodes.node('a'), nodes.node('b')];
    const { work } = b;
    Object.assign(b, { work: () => undefined });
    await nodes.advance(3000);
    const outcome = nodes.outcome(a.operations.handOver('q', 'b'));
    await nodes.advance(4000);
    expect(nodes.of('q').leader).toBe('a');
    Object.assign(b, { work });
    expect(await outcome).toBe('b');
  });
});

describe('the status', () => {
  it('has the lag of each copy in entries and in time', async () => {
    for (let i = 0; i < 2; i++) nodes.node('a').publish('q');
    await nodes.advance(500);
    Object.assign(nodes.node('c'), { work: () => undefined });
    for (let i = 0; i < 5; i++) nodes.node('a').publish('q');
    await nodes.advance(1000);
    const status = await nodes.node('b').operations.status('q');
    expect(status).toMatchObject({ leader: 'a', epoch: 1, end: 8, committed: 3, isShort: false });
    expect(status!.members).toMatchObject([
      { id: 'a', isInSync: true, synced: 8, lag: 0, lagMs: 0, silentMs: 0 },
      { id: 'b', isInSync: true, synced: 8, lag: 0, lagMs: 0 },
      { id: 'c', isInSync: true, synced: 3, lag: 5 },
    ]);
    const { lagMs, silentMs } = status!.members[2]!;
    for (const ms of [lagMs, silentMs!]) {
      expect(ms).toBeGreaterThan(900);
      expect(ms).toBeLessThan(1100);
    }
  });

  it('is not known when nobody leads or answers', async () => {
    nodes.gone.add('a');
    expect(await nodes.node('b').operations.status('q')).toBeNull();
  });
});
