import type { DataId, MirrorRecord } from './record.js';

/** The lead of one queue shall go elsewhere. */
export interface Move<Q> {
  readonly queue: Q;
  readonly from: DataId;
  readonly to: DataId;
}

/** A queue whose lead could be moved. */
export interface Led<Q> {
  readonly queue: Q;
  readonly leader: DataId;
  /** Who else might lead it. */
  readonly candidates: readonly DataId[];
}

/** Null: nobody leads it. `mayLead`: whether a node is there and may be given more. */
export function ledQueue<Q>(queue: Q, record: MirrorRecord, mayLead: (id: DataId) => boolean): Led<Q> | null {
  const { leader, inSync } = record;
  if (leader === null) return null;
  return { queue, leader, candidates: inSync.filter((id) => id !== leader && mayLead(id)) };
}

/**
 * Moves after which the leads are spread over `nodes` as evenly as the copies allow. A node that has too many passes one on to whoever may
 * have it, who may have to pass on another one for that: what is looked for is the shortest such way to a node with at least two fewer.
 */
export function balancingMoves<Q>(queues: readonly Led<Q>[], nodes: readonly DataId[]): Move<Q>[] {
  const board = new Board(queues, nodes);
  while (board.improve());
  return board.moves();
}

class Board<Q> {
  private readonly queues: readonly Led<Q>[];
  private readonly nodes: readonly DataId[];
  private readonly leads = new Map<DataId, Set<Led<Q>>>();
  private readonly leaderOf = new Map<Led<Q>, DataId>();

  constructor(queues: readonly Led<Q>[], nodes: readonly DataId[]) {
    this.queues = queues;
    this.nodes = nodes;
    for (const node of nodes) this.leads.set(node, new Set());
    for (const queue of queues) this.give(queue, queue.leader);
  }

  private give(queue: Led<Q>, to: DataId): void {
    const from = this.leaderOf.get(queue);
    if (from !== undefined) this.leads.get(from)?.delete(queue);
    this.leaderOf.set(queue, to);
    this.leads.get(to)?.add(queue);
  }

  private load(node: DataId): number {
    return this.leads.get(node)!.size;
  }

  /** False: it is as even as it can be. */
  improve(): boolean {
    const byLoad = [...this.nodes].sort((a, b) => this.load(b) - this.load(a) || (a < b ? -1 : 1));
    return byLoad.some((node) => this.relieve(node));
  }

  private relieve(start: DataId): boolean {
    const enough = this.load(start) - 2;
    /** How a node was reached: by being given this queue. */
    const reached = new Map<DataId, Led<Q> | null>([[start, null]]);
    const waiting = [start];
    for (let node = waiting.shift(); node !== undefined; node = waiting.shift()) {
      if (this.load(node) <= enough && node !== start) {
        this.passOn(node, reached);
        return true;
      }
      for (const [to, queue] of this.ways(node, reached)) {
        reached.set(to, queue);
        waiting.push(to);
      }
    }
    return false;
  }

  /** Whom this node could give one of its queues, the emptiest first. */
  private ways(node: DataId, reached: ReadonlyMap<DataId, unknown>): [DataId, Led<Q>][] {
    const ways = new Map<DataId, Led<Q>>();
    for (const queue of this.leads.get(node)!) {
      for (const to of [queue.leader, ...queue.candidates])
        if (!reached.has(to) && this.leads.has(to) && !ways.has(to)) ways.set(to, queue);
      if (reached.size + ways.size === this.nodes.length) break;
    }
    return [...ways].sort(([a], [b]) => this.load(a) - this.load(b) || (a < b ? -1 : 1));
  }

  private passOn(end: DataId, reached: ReadonlyMap<DataId, Led<Q> | null>): void {
    let to = end;
    for (let queue = reached.get(to); queue != null; queue = reached.get(to)) {
      const from = this.leaderOf.get(queue)!;
      this.give(queue, to);
      to = from;
    }
  }

  moves(): Move<Q>[] {
    return this.queues
      .map((led) => ({ queue: led.queue, from: led.leader, to: this.leaderOf.get(led)! }))
      .filter(({ from, to }) => from !== to);
  }
}

/** To whom each of these queues goes so that nobody gets more than need be; null: there is nobody for it. */
export function evacuation<Q>(
  queues: readonly Led<Q>[],
  loads: ReadonlyMap<DataId, number>,
): { readonly queue: Q; readonly to: DataId | null }[] {
  const given = new Map(loads);
  const load = (id: DataId) => given.get(id) ?? 0;
  return queues.map(({ queue, candidates }) => {
    const [to = null] = [...candidates].sort((a, b) => load(a) - load(b) || (a < b ? -1 : 1));
    if (to !== null) given.set(to, load(to) + 1);
    return { queue, to };
  });
}

/** Nodes that may get a copy, the one with the fewest copies first. */
export function newcomersFor(
  { replicas }: MirrorRecord,
  nodes: readonly DataId[],
  copies: ReadonlyMap<DataId, number>,
): DataId[] {
  const load = (id: DataId) => copies.get(id) ?? 0;
  return nodes.filter((id) => !replicas.includes(id)).sort((a, b) => load(a) - load(b) || (a < b ? -1 : 1));
}
