import { SimRandom } from '@chapar/platform';
import { describe, expect, it } from 'vitest';
import { balancingMoves, evacuation, type Led, ledQueue, type Move, newcomersFor } from './balance.js';
import type { MirrorRecord } from './record.js';

const led = (queue: string, leader: string, ...candidates: string[]): Led<string> => ({ queue, leader, candidates });

function loadsAfter(
  queues: readonly Led<string>[],
  moves: readonly Move<string>[],
  nodes: readonly string[],
): number[] {
  const to = new Map(moves.map((move) => [move.queue, move.to]));
  return nodes.map((node) => queues.filter(({ queue, leader }) => (to.get(queue) ?? leader) === node).length);
}

/** The fewest that the node with the most can have: every way of choosing leaders is tried. */
function leastMost(queues: readonly Led<string>[], nodes: readonly string[]): number {
  const counts = new Map(nodes.map((node) => [node, 0]));
  const from = (i: number): number => {
    if (i === queues.length) return Math.max(...counts.values());
    const { leader, candidates } = queues[i]!;
    return Math.min(
      ...[leader, ...candidates].map((node) => {
        counts.set(node, counts.get(node)! + 1);
        const most = from(i + 1);
        counts.set(node, counts.get(node)! - 1);
        return most;
      }),
    );
  };
  return from(0);
}

describe('leads', () => {
  it('are spread evenly, with as few moves as that takes', () => {
    const queues = Array.from({ length: 9 }, (_, i) => led(`q${i}`, 'a', 'b', 'c'));
    const moves = balancingMoves(queues, ['a', 'b', 'c']);
    expect(loadsAfter(queues, moves, ['a', 'b', 'c'])).toEqual([3, 3, 3]);
    expect(moves).toHaveLength(6);
  });

  it('stay where they are when a move would only turn things round', () => {
    expect(balancingMoves([led('q', 'a', 'b')], ['a', 'b'])).toEqual([]);
    expect(balancingMoves([led('p', 'a', 'b'), led('q', 'a', 'b'), led('r', 'b', 'a')], ['a', 'b'])).toEqual([]);
  });

  it('are passed on over a third node where there is no straight way', () => {
    const queues = [led('p', 'a', 'b'), led('q', 'a', 'b'), led('r', 'b', 'c')];
    const moves = balancingMoves(queues, ['a', 'b', 'c']);
    expect(loadsAfter(queues, moves, ['a', 'b', 'c'])).toEqual([1, 1, 1]);
  });

  it('go to those only that have a copy in sync and may lead', () => {
    expect(balancingMoves([led('p', 'a'), led('q', 'a'), led('r', 'a', 'x')], ['a', 'b'])).toEqual([]);
  });

  it('are as even as any choice could make them', () => {
    for (let seed = 1; seed <= 200; seed++) {
      const random = new SimRandom(seed);
      const nodes = ['a', 'b', 'c', 'd'].slice(0, 2 + random.integer(3));
      const queues = Array.from({ length: 1 + random.integer(7) }, (_, i) => {
        const members = nodes.filter(() => random.chance(0.6));
        const [leader = 'a', ...candidates] = members.sort(() => random.integer(3) - 1);
        return led(`q${i}`, leader, ...candidates);
      });
      const moves = balancingMoves(queues, nodes);
      for (const { queue, to } of moves) expect(queues.find((each) => each.queue === queue)!.candidates).toContain(to);
      expect(Math.max(...loadsAfter(queues, moves, nodes)), `seed ${seed}`).toBe(leastMost(queues, nodes));
    }
  });

  it('leave a node for those that have the fewest', () => {
    const queues = [led('p', 'a', 'b', 'c'), led('q', 'a', 'b', 'c'), led('r', 'a', 'b'), led('s', 'a')];
    expect(evacuation(queues, new Map([['b', 1]]))).toEqual([
      { queue: 'p', to: 'c' },
      { queue: 'q', to: 'b' },
      { queue: 'r', to: 'b' },
      { queue: 's', to: null },
    ]);
  });
});

describe('a queue', () => {
  const record: MirrorRecord = {
    incarnation: 'q',
    replicas: ['a', 'b', 'c', 'd'],
    leader: 'a',
    epoch: 1,
    inSync: ['a', 'b', 'c'],
    min: 2,
    nonce: '',
  };
  const but =
    (...gone: string[]) =>
    (id: string) =>
      !gone.includes(id);

  it('may be led by members of the set that may lead', () => {
    expect(ledQueue('q', record, but('b'))).toEqual({ queue: 'q', leader: 'a', candidates: ['c'] });
    expect(ledQueue('q', { ...record, leader: null }, but())).toBeNull();
  });

  it('gets its next copy where there are the fewest', () => {
    const copies = new Map([
      ['e', 3],
      ['f', 1],
    ]);
    expect(newcomersFor(record, ['a', 'e', 'f', 'g', 'h'], copies)).toEqual(['g', 'h', 'f', 'e']);
  });
});
