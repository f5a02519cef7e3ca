import type { Message } from '../message.js';
import type { Position } from '../ports.js';
import type { Memory } from './memory.js';
import { PositionList } from './position-list.js';
import { ReturnedHeap } from './returned-heap.js';
import { Ring } from './ring.js';

/** What waits of one priority, in the parts that `Ready` has; what is paged is known by its positions, between which those of other levels lie. */
export class PriorityLevel {
  front: Ring;
  back: Ring;
  returned = new ReturnedHeap();
  readonly paged = new PositionList();
  /** What stands at or below was perhaps delivered by an earlier life of the node. */
  readonly redeliveredUpTo: Position;

  constructor(memory: Memory, redeliveredUpTo: Position) {
    this.redeliveredUpTo = redeliveredUpTo;
    this.front = new Ring(memory);
    this.back = new Ring(memory);
  }

  get isEmpty(): boolean {
    return this.front.isEmpty && this.returned.length === 0 && this.paged.length === 0 && this.back.isEmpty;
  }

  get isPaged(): boolean {
    return this.paged.length > 0;
  }

  /** The oldest was given back. Younger ones may have been, too: those that were claimed. */
  get isReturnedNext(): boolean {
    if (this.returned.length === 0) return false;
    const { freshPosition } = this;
    return freshPosition === 0 || this.returned.headPosition <= freshPosition;
  }

  /** The oldest is in memory. */
  get hasHead(): boolean {
    return !this.front.isEmpty || this.isReturnedNext || (!this.isPaged && !this.back.isEmpty);
  }

  /** Position of the oldest that was not given back; 0 when there is none. */
  get freshPosition(): Position {
    if (!this.front.isEmpty) return this.front.headPosition;
    return this.isPaged ? this.paged.first : this.back.headPosition;
  }

  get headPosition(): Position {
    return this.isReturnedNext ? this.returned.headPosition : this.freshPosition;
  }

  get headRedelivered(): boolean {
    return this.isReturnedNext || this.freshPosition <= this.redeliveredUpTo;
  }

  get head(): Message {
    if (this.isReturnedNext) return this.returned.head;
    return this.front.isEmpty ? this.back.head : this.front.head;
  }

  /** Everything up to the youngest was taken: they are the next. */
  turnOver(): void {
    const { front } = this;
    this.front = this.back;
    this.back = front;
  }

  clear(): void {
    this.front.clear();
    this.back.clear();
    this.returned = new ReturnedHeap();
    this.paged.clear();
  }
}
