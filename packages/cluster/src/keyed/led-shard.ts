import {
  type ConfirmSlot,
  type Flushable,
  type Message,
  Pending,
  PHASE_DECIDE,
  type Position,
  type QueueLog,
  type Turn,
} from '@chapar/core';
import type { DeadSink, ShardFold } from './shard-fold.js';

/** A shard that this node leads: takes what is put, and settles what need not be there any more. */
export class LedShard implements DeadSink, Flushable {
  private readonly log: QueueLog;
  private readonly fold: ShardFold;
  private readonly turn: Turn;
  private readonly pending = new Pending();
  private ends: Position[] = [];

  /** `first`: where the reign began. */
  constructor(log: QueueLog, fold: ShardFold, turn: Turn, first: Position) {
    this.log = log;
    this.fold = fold;
    this.turn = turn;
    log.onCommitted = (upTo) => this.pending.committed(upTo);
    log.onFailed = () => this.pending.refuseAll('store-failed');
    // What was committed when nobody led, or a leader before did not get to.
    for (const range of [...fold.replaced]) log.settle(range.first, range.last);
    for (const position of fold.tombstones.all()) this.ended(position);
    fold.leads(first, this);
  }

  enqueue(message: Message, slot: ConfirmSlot | null): void {
    const position = this.log.publish(message);
    if (slot !== null) this.pending.push(position, slot);
  }

  replaced(position: Position): void {
    this.log.settle(position, position);
  }

  /** Not before what it ended is settled for good, or that could rise again when another node leads. */
  ended(position: Position): void {
    this.ends.push(position);
    if (this.ends.length === 1) this.turn.add(PHASE_DECIDE, this);
  }

  endOfTurn(): void {
    const { ends, log } = this;
    this.ends = [];
    log.whenSafe!(() => {
      for (const position of ends) log.settle(position, position);
    });
  }

  /** Another node leads, or nobody. */
  end(): void {
    if (this.fold.sink === this) this.fold.sink = null;
    this.pending.clear();
  }
}
