import type { Incarnation } from '@chapar/core';
import type { Clock, Log } from '@chapar/platform';
import { balancingMoves, type Led, ledQueue, type Move } from './balance.js';
import { isShard, type QueueMirrorRecord } from './mirror-records.js';
import type { Operations, OperationsCluster } from './operations.js';
import type { DataId } from './record.js';

/** Between two queues that get another leader. Milliseconds. */
const pauseMs = 200;

export type QueueMove = Move<QueueMirrorRecord>;

/** Spreads the leads evenly over the nodes that are there, one queue after the other. */
export class Rebalancing {
  private readonly cluster: OperationsCluster;
  private readonly operations: Operations;
  private readonly clock: Clock;
  private readonly log: Log;
  private readonly nodes: () => readonly DataId[];
  private running: Promise<void> | null = null;
  private isClosed = false;

  constructor(
    cluster: OperationsCluster,
    operations: Operations,
    world: { readonly clock: Clock; readonly log: Log },
    nodes: () => readonly DataId[],
  ) {
    this.cluster = cluster;
    this.operations = operations;
    this.clock = world.clock;
    this.log = world.log;
    this.nodes = nodes;
  }

  close(): void {
    this.isClosed = true;
  }

  /** Which queues there are to move. `isMeant`: those that may be moved; null: all. */
  moves(isMeant: ((queue: QueueMirrorRecord) => boolean) | null = null): readonly QueueMove[] {
    return this.movesOf((record) => !isShard(record), isMeant);
  }

  private movesOf(
    counts: (record: QueueMirrorRecord) => boolean,
    isMeant: ((record: QueueMirrorRecord) => boolean) | null,
  ): QueueMove[] {
    const mayLead = (id: DataId) => this.operations.mayLead(id);
    const all: Led<QueueMirrorRecord>[] = [];
    for (const record of this.cluster.records()) {
      const led = counts(record) ? ledQueue(record, record, mayLead) : null;
      // What must stay counts all the same.
      if (led !== null) all.push(isMeant === null || isMeant(record) ? led : { ...led, candidates: [] });
    }
    return balancingMoves(all, this.nodes().filter(mayLead));
  }

  /** Returns which queues it is going to move; what the broker keeps for itself is spread as well. One that is under way goes on, and nothing is begun. */
  begin(isMeant: ((queue: QueueMirrorRecord) => boolean) | null = null): readonly QueueMove[] {
    const moves = this.moves(isMeant);
    this.running ??= this.run([...moves, ...this.movesOf(isShard, null)]).finally(() => {
      this.running = null;
    });
    return moves;
  }

  private async run(moves: readonly QueueMove[]): Promise<void> {
    for (const { queue, from, to } of moves) {
      if (this.isClosed) return;
      if (this.leaderOf(queue.incarnation) !== from) continue;
      const { vhost, name } = queue;
      try {
        await this.operations.handOver(queue.incarnation, to);
      } catch (error) {
        this.log.warn({ error, vhost, queue: name }, 'the lead of a queue was not moved');
      }
      await new Promise<void>((done) => this.clock.after(pauseMs, done));
    }
  }

  private leaderOf(incarnation: Incarnation): DataId | null {
    return this.cluster.record(incarnation)?.leader ?? null;
  }
}
