import {
  type ConfirmSlot,
  conditionOf,
  type Flushable,
  judged,
  type KeyedCondition,
  keyOf,
  type Message,
  Pending,
  PHASE_DECIDE,
  type Position,
  type QueueLog,
  type Turn,
} from '@chapar/core';
import type { DeadSink, Foreseen, ShardFold } from './shard-fold.js';

/**
 * A shard that this node leads: takes what is put, judges its conditions, and settles what need not be there any more. Its log is the shard's
 * as long as it leads, so that it knows what stands where before that is committed; and what it found is written with the entry, since who
 * reads that later does not find any more what was looked at.
 */
export class LedShard implements DeadSink, Flushable {
  private readonly log: QueueLog;
  private readonly fold: ShardFold;
  private readonly turn: Turn;
  private readonly pending = new Pending();
  private ends: Position[] = [];
  private ahead: Ahead | null = null;

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

  /** Whether it can be judged; else it must not be brought. */
  mayTake(message: Message): boolean {
    return this.fold.isReadable || conditionOf(message) === null;
  }

  enqueue(message: Message, slot: ConfirmSlot | null): void {
    const condition = conditionOf(message);
    const ahead = this.lookAhead();
    const hasEffect = condition === null || this.holds(condition, keyOf(message), ahead!);
    const entry = condition === null ? message : judged(message, hasEffect);
    const position = this.log.publish(entry);
    if (hasEffect) ahead?.add(keyOf(entry), position, entry.bodyBytes === 0 ? 0 : position);
    if (slot !== null) this.pending.push(position, slot);
  }

  private holds(condition: KeyedCondition, of: string, ahead: Ahead): boolean {
    const key = this.fold.lookedAt(of, condition);
    return (ahead.of(key) ?? this.fold.standsAt(key)) === condition.at;
  }

  /** Null: the fold does not say yet what stands where. */
  private lookAhead(): Ahead | null {
    const { fold } = this;
    if (!fold.isReadable) this.ahead = null;
    else if (this.ahead === null) {
      this.ahead = new Ahead();
      for (const { key, position, at } of fold.unfolded()) this.ahead.add(key, position, at);
    } else this.ahead.forget(fold.folded);
    return this.ahead;
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

/** Keys with entries in the log that are not folded yet: where the last one of each stands. */
class Ahead {
  private readonly keys = new Map<string, Foreseen>();
  private order: Foreseen[] = [];
  private first = 0;

  add(key: string, position: Position, at: Position): void {
    const foreseen: Foreseen = { key, position, at };
    this.keys.set(key, foreseen);
    this.order.push(foreseen);
  }

  /** Undefined: nothing of it is ahead. */
  of(key: string): Position | undefined {
    return this.keys.get(key)?.at;
  }

  forget(folded: Position): void {
    const { order } = this;
    for (; this.first < order.length && order[this.first]!.position <= folded; this.first++) {
      const foreseen = order[this.first]!;
      if (this.keys.get(foreseen.key) === foreseen) this.keys.delete(foreseen.key);
    }
    if (this.first * 2 < order.length) return;
    this.order = order.slice(this.first);
    this.first = 0;
  }
}
