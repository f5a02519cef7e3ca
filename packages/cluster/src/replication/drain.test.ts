import { beforeEach, describe, expect, it } from 'vitest';
import { type OperatedNode, OperatedNodes } from '../../../../test/replication/operated.js';
import type { Maintenance } from '../membership/maintenance.js';
import { Drain } from './drain.js';
import { Rebalancing } from './rebalancing.js';
import { Replenishing } from './replenishing.js';
import { replaceAfterMs } from './replenishment.js';

let nodes: OperatedNodes;
beforeEach(() => {
  nodes = new OperatedNodes('abc');
});

function drainOf(node: OperatedNode, doors: string[] = []): Drain {
  const maintenance = {
    begin: async () => void nodes.resting.add(node.self),
    end: async () => void nodes.resting.delete(node.self),
  } as unknown as Maintenance;
  const drain = new Drain(node, node.operations, maintenance, node.platform);
  drain.doors = {
    shut: async () => void doors.push('shut'),
    dismiss: () => void doors.push('dismissed'),
    reopen: async () => void doors.push('open'),
  };
  return drain;
}

const leads = () => {
  const counts = new Map([...nodes.nodes.keys()].map((id) => [id, 0]));
  for (const { record } of nodes.records.values()) counts.set(record.leader!, counts.get(record.leader!)! + 1);
  return Object.fromEntries(counts);
};

async function declare(count: number, replicas: string): Promise<void> {
  for (let i = 0; i < count; i++) nodes.declare(`q${replicas}${i}`, replicas);
  await nodes.advance(800);
}

describe('a node that is drained', () => {
  it('hands every lead over, evenly, then tells its clients to go', async () => {
    await declare(20, 'abc');
    const doors: string[] = [];
    const drain = drainOf(nodes.node('a'), doors);
    expect(drain.view()).toEqual({ state: 'serving', moved: 0, left: [] });
    void drain.begin();
    await nodes.advance(2);
    expect([drain.view().state, doors]).toEqual(['draining', ['shut']]);
    await nodes.advance(3000);
    expect(leads()).toEqual({ a: 0, b: 10, c: 10 });
    expect([drain.view(), doors]).toEqual([{ state: 'drained', moved: 20, left: [] }, ['shut', 'dismissed']]);
    expect(await nodes.outcome(nodes.node('b').operations.handOver('qabc0', 'a'))).toBe('chapar@a is in maintenance');
    await nodes.outcome(drain.revive());
    expect([drain.view().state, doors]).toEqual(['serving', ['shut', 'dismissed', 'open']]);
  });

  it('says what could not be moved, and why', async () => {
    await declare(2, 'ab');
    await declare(1, 'a');
    const drain = drainOf(nodes.node('a'));
    nodes.gone.add('b');
    await nodes.outcome(drain.begin());
    await nodes.advance(25_000);
    const { state, moved, left } = drain.view();
    expect([state, moved, left.map(({ name }) => name)]).toEqual(['drained', 0, ['qab0', 'qab1', 'qa0']]);
    expect(new Set(left.map(({ why }) => why))).toEqual(
      new Set(['no other copy that is in sync is on a node that may lead']),
    );
  });

  it('moves on what could not be moved at first', async () => {
    await declare(1, 'ab');
    const drain = drainOf(nodes.node('a'));
    nodes.gone.add('b');
    await nodes.outcome(drain.begin());
    await nodes.advance(2000);
    expect(drain.view()).toMatchObject({ state: 'draining', left: [{ name: 'qab0' }] });
    nodes.gone.delete('b');
    await nodes.advance(3000);
    expect(drain.view()).toEqual({ state: 'drained', moved: 1, left: [] });
  });

  it('that is called back keeps what it still has, and lets clients in again', async () => {
    await declare(1, 'ab');
    const doors: string[] = [];
    const drain = drainOf(nodes.node('a'), doors);
    nodes.gone.add('b');
    await nodes.outcome(drain.begin());
    await nodes.advance(1000);
    await nodes.outcome(drain.revive());
    nodes.gone.delete('b');
    await nodes.advance(30_000);
    expect([drain.view().state, leads().a, doors]).toEqual(['serving', 1, ['shut', 'open']]);
  });
});

describe('rebalancing', () => {
  const rebalancingAt = (name: string) =>
    new Rebalancing(nodes.node(name), nodes.node(name).operations, nodes.node(name).platform, () => [
      ...nodes.nodes.keys(),
    ]);

  it('moves one queue after the other until the leads are even', async () => {
    await declare(12, 'abc');
    const rebalancing = rebalancingAt('c');
    const moves = rebalancing.begin();
    expect(moves).toHaveLength(8);
    expect(rebalancing.begin()).toHaveLength(8);
    await nodes.advance(700);
    // Not all at once.
    expect(leads().a).toBeGreaterThan(6);
    await nodes.advance(10_000);
    expect(leads()).toEqual({ a: 4, b: 4, c: 4 });
    expect(rebalancing.moves()).toEqual([]);
  });

  it('leaves alone what is not meant, what is not in sync, and nodes that are drained', async () => {
    await declare(6, 'abc');
    nodes.resting.add('b');
    const rebalancing = rebalancingAt('a');
    expect(rebalancing.moves().map(({ to }) => to)).toEqual(['c', 'c', 'c']);
    expect(rebalancing.moves(({ name }) => name === 'qabc5').map(({ queue }) => queue.name)).toEqual(['qabc5']);
    rebalancing.begin();
    rebalancing.close();
    await nodes.advance(5000);
    expect(leads().c).toBeLessThanOrEqual(1);
  });
});

describe('a queue', () => {
  const forgotten = new Set<string>();
  beforeEach(() => {
    nodes = new OperatedNodes('abcd');
    forgotten.clear();
    for (const node of nodes.nodes.values())
      new Replenishing(node, node.operations, node.platform, {
        nodes: () => new Map([...nodes.live()].map(({ self }) => [self, self])),
        isForgotten: (member) => forgotten.has(member),
      });
  });

  it('gets the copies that it lacks', async () => {
    nodes.declare('q', 'a', { wish: { copies: 3, min: null } });
    await nodes.advance(20_000);
    expect(nodes.of('q')).toMatchObject({ replicas: ['a', 'b', 'c'], inSync: ['a', 'b', 'c'], min: 2 });
  });

  it('has its copy elsewhere when a node stays away, and keeps it there when that returns', async () => {
    await declare(1, 'abc');
    nodes.gone.add('c');
    await nodes.advance(replaceAfterMs - 5000);
    expect(nodes.of('qabc0').replicas).toEqual(['a', 'b', 'c']);
    await nodes.advance(20_000);
    expect(nodes.of('qabc0')).toMatchObject({ replicas: ['a', 'b', 'd'], inSync: ['a', 'b', 'd'] });
  });

  it('is without the copy of a node that was forgotten, at once, also where the set needed it', async () => {
    nodes.declare('two', 'abc', { inSync: ['a', 'c'] });
    await nodes.advance(300);
    nodes.gone.add('b');
    nodes.gone.add('c');
    await nodes.advance(1000);
    forgotten.add('c');
    await nodes.advance(60_000);
    const { replicas, inSync } = nodes.of('two');
    expect(replicas).not.toContain('c');
    expect(inSync).toEqual(['a', 'd']);
  });
});
