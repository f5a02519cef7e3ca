import type { Incarnation, JsonValue, KeyedReader, Position, SharedKeyedLog, StoredReplica, Turn } from '@chapar/core';
import type { Clock, Log } from '@chapar/platform';
import type { Membership } from '../membership/membership.js';
import type { Peer } from '../peer/links.js';
import type { Faces } from '../remote/faces.js';
import type { Neighbours } from '../replication/neighbours.js';
import type { Reign } from '../replication/reign.js';
import type { Standing } from './barrier.js';
import { ClusterKeyedLog } from './cluster-keyed-log.js';
import { FoldedReplica } from './folded-replica.js';
import { recordOfKeyed } from './keyed-record.js';
import { LedShard } from './led-shard.js';
import { ShardFold } from './shard-fold.js';
import { shardNameOf, shardOf } from './shard-name.js';

/** A node that is asked. */
export interface Asked {
  readonly peer: Peer;
  ask(kind: string, body: JsonValue): Promise<JsonValue>;
}

export interface ShardsParts {
  readonly membership: Membership;
  readonly neighbours: () => Neighbours;
  readonly faces: () => Faces;
  readonly turn: () => Turn;
  readonly clock: Clock;
  readonly log: Log;
  newId(): string;
  /** Has the leader give this node a copy. */
  join(incarnation: Incarnation): Promise<void>;
  /** The nodes that are linked. */
  linked(): Iterable<Asked>;
}

/** What a node has of the shards of keyed logs: its copies' folds, and those that it leads. */
export class Shards {
  readonly parts: ShardsParts;
  private readonly folds = new Map<Incarnation, ShardFold>();
  private readonly reigns = new Map<Incarnation, Reign>();
  private readonly readers = new Map<string, KeyedReader>();
  private readonly logs = new Map<string, { readonly log: ClusterKeyedLog; readonly reader: KeyedReader }>();

  constructor(parts: ShardsParts) {
    this.parts = parts;
  }

  // ---- copies ------------------------------------------------------------------------------------------------------

  /** The copy as it is used: a shard's tells its fold what happens to it. */
  copy(stored: StoredReplica): StoredReplica {
    const { incarnation } = stored;
    const name = shardNameOf(incarnation);
    if (name === null) return stored;
    const fold = new ShardFold(stored, (key) => shardOf(this.familyOf(name.log, key), name.count) === name.index);
    fold.onProgress = () => this.logs.get(name.log)?.log.progressed(name.index);
    this.folds.set(incarnation, fold);
    const open = this.logs.get(name.log);
    if (open !== undefined) void fold.open(open.reader);
    return new FoldedReplica(stored, fold);
  }

  /** This node has none of it any more. */
  dropped(incarnation: Incarnation): void {
    this.folds.get(incarnation)?.close();
    this.folds.delete(incarnation);
  }

  fold(incarnation: Incarnation): ShardFold | undefined {
    return this.folds.get(incarnation);
  }

  // ---- leading -----------------------------------------------------------------------------------------------------

  /** Null: it is a queue's. */
  lead(reign: Reign): LedShard | null {
    const fold = this.folds.get(reign.incarnation);
    if (fold === undefined) return null;
    this.reigns.set(reign.incarnation, reign);
    return new LedShard(reign.log, fold, this.parts.turn(), reign.leader.firstPosition);
  }

  leadsNoMore(reign: Reign): void {
    reign.shard?.end();
    if (this.reigns.get(reign.incarnation) === reign) this.reigns.delete(reign.incarnation);
  }

  /** Null: this node does not lead it. */
  reign(incarnation: Incarnation): Reign | null {
    return this.reigns.get(incarnation) ?? null;
  }

  // ---- logs --------------------------------------------------------------------------------------------------------

  /** Keys with one guard are in one shard. */
  familyOf(log: string, key: string): string {
    return this.readers.get(log)?.guardOf?.(key) ?? key;
  }

  /** Resolves when the reader has what this node's disk has, and soon after what all have. */
  async open(name: string, reader: KeyedReader): Promise<SharedKeyedLog> {
    this.readers.set(name, reader);
    const { shards } = await recordOfKeyed(name, this.parts);
    const log = new ClusterKeyedLog(name, shards, this);
    this.logs.set(name, { log, reader });
    await Promise.all(shards.map((incarnation) => this.folds.get(incarnation)?.open(reader)));
    for (const incarnation of shards) if (!this.folds.has(incarnation)) this.join(incarnation);
    await log.settled();
    return log;
  }

  /** It would get a copy in any case, but not at once. */
  private join(incarnation: Incarnation): void {
    this.parts.join(incarnation).catch((error: unknown) => {
      this.parts.log.debug({ error, incarnation }, 'this node has no copy of a shard yet');
    });
  }

  /** What a node wants to know before it reads; see `Barrier`. */
  standing(log: string): Standing {
    const committed: [shard: number, upTo: Position][] = [];
    for (const { incarnation, leader, log: led } of this.reigns.values()) {
      const name = shardNameOf(incarnation)!;
      if (name.log !== log) continue;
      // Who may have been succeeded does not know what was promised since, and who has just begun not what was before.
      const knows = leader.committed >= leader.firstPosition && led.mayHandOut();
      if (knows) committed.push([name.index, leader.committed]);
    }
    const own = this.logs.get(log)?.log;
    const put = own?.underWay() ?? [];
    return { origin: this.parts.membership.boot, put, letters: own?.lettersUnderWay() ?? [], committed };
  }
}
