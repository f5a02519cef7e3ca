import type { Origin, Position } from '@chapar/core';
import type { SessionTable } from './session-table.js';

interface Shard {
  /** In the order in which they came, which is that of the log. */
  readonly positions: Set<Position>;
  last: Position;
  /** They did not come in that order: a log was cut, which hardly ever is. */
  isMixed: boolean;
}

/**
 * Where identifiers of QoS 2 stand in the shards of their log that came and were not released yet, and wills that are due. Messages of those
 * before all of them are with their queues for good, so that nobody need know them one by one any more.
 */
export class Outstanding {
  private readonly shards = new Map<Origin, Shard>();
  private originOf!: (key: string) => Origin;

  /** With what the table has by now. */
  begin(table: SessionTable, originOf: (key: string) => Origin): void {
    this.originOf = originOf;
    const found = [...table.entries(() => true)].filter(({ key }) => key[0] === 'i' || key[0] === 'd');
    found.sort((one, other) => one.position - other.position);
    for (const { key, position } of found) this.changed(key, 0, position);
  }

  /** 0: it was, or is, nowhere. */
  changed(key: string, before: Position, position: Position): void {
    const shard = this.shard(this.originOf(key));
    shard.positions.delete(before);
    if (position === 0) return;
    if (position < shard.last) shard.isMixed = true;
    shard.positions.add(position);
    shard.last = Math.max(shard.last, position);
  }

  /** Everything up to there is over; 0: nobody can tell. */
  lowOf(origin: Origin): number {
    const { positions, isMixed } = this.shard(origin);
    const [first] = positions;
    return isMixed || first === undefined ? 0 : first - 1;
  }

  private shard(origin: Origin): Shard {
    let shard = this.shards.get(origin);
    if (shard === undefined) this.shards.set(origin, (shard = { positions: new Set(), last: 0, isMixed: false }));
    return shard;
  }
}
