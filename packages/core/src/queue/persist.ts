import type { LogStore, QueuePages } from '../ports.js';
import { type Flushable, PHASE_PERSIST, type Turn } from '../turn.js';

/** Hands the node's log what queues appended, once at the end of a turn. */
export class Persist implements Flushable {
  private readonly turn: Turn;
  private readonly logs: LogStore;
  private touched = false;

  constructor(turn: Turn, logs: LogStore) {
    this.turn = turn;
    this.logs = logs;
  }

  /** A queue appended to its log. */
  touch(): void {
    if (this.touched) return;
    this.touched = true;
    this.turn.add(PHASE_PERSIST, this);
  }

  /** Where a queue without a log pages to. What it pages is handed over at the end of the turn too. */
  pages(): QueuePages {
    return this.logs.pages();
  }

  endOfTurn(): void {
    this.touched = false;
    this.logs.flush();
  }
}
