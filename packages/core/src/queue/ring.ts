import type { Message } from '../message.js';
import type { Position } from '../ports.js';
import { costBytes, type Memory } from './memory.js';

/** Messages by ascending position, in and out at the ends: two plain arrays and no object per message. */
export class Ring {
  private messages: (Message | undefined)[] = [];
  private positions: number[] = [];
  private mask = -1;
  private first = 0;
  private tail = 0;
  private readonly memory: Memory;
  /** What they cost in memory. */
  costBytes = 0;

  constructor(memory: Memory) {
    this.memory = memory;
  }

  get length(): number {
    return this.tail - this.first;
  }

  get isEmpty(): boolean {
    return this.tail === this.first;
  }

  push(position: Position, message: Message): void {
    if (this.tail - this.first > this.mask) this.grow();
    const at = this.tail++ & this.mask;
    this.messages[at] = message;
    this.positions[at] = position;
    const cost = costBytes(message);
    this.costBytes += cost;
    this.memory.usedBytes += cost;
  }

  /** Position of the oldest; 0 when empty. */
  get headPosition(): Position {
    return this.tail === this.first ? 0 : this.positions[this.first & this.mask]!;
  }

  /** The oldest. Only when not empty. */
  get head(): Message {
    return this.messages[this.first & this.mask]!;
  }

  /** Takes the oldest out. Only when not empty. */
  shift(): Message {
    const at = this.first++ & this.mask;
    const message = this.messages[at]!;
    this.messages[at] = undefined;
    if (this.first === this.tail) this.rest();
    const cost = costBytes(message);
    this.costBytes -= cost;
    this.memory.usedBytes -= cost;
    return message;
  }

  /** Position of the youngest; 0 when empty. */
  get tailPosition(): Position {
    return this.tail === this.first ? 0 : this.positions[(this.tail - 1) & this.mask]!;
  }

  /** Takes the youngest out. Only when not empty. */
  pop(): Message {
    const at = --this.tail & this.mask;
    const message = this.messages[at]!;
    this.messages[at] = undefined;
    if (this.first === this.tail) this.rest();
    const cost = costBytes(message);
    this.costBytes -= cost;
    this.memory.usedBytes -= cost;
    return message;
  }

  /** Takes the message at this position out, wherever it stands; null: it is not here. */
  remove(position: Position): Message | null {
    const found = this.find(position);
    if (found === -1) return null;
    const message = this.messages[found & this.mask]!;
    let gap = found;
    // Those on the shorter side close up.
    if (found - this.first < this.tail - found) {
      for (; gap > this.first; gap--) this.move(gap - 1, gap);
      this.first++;
    } else {
      for (this.tail--; gap < this.tail; gap++) this.move(gap + 1, gap);
    }
    this.messages[gap & this.mask] = undefined;
    if (this.first === this.tail) this.rest();
    const cost = costBytes(message);
    this.costBytes -= cost;
    this.memory.usedBytes -= cost;
    return message;
  }

  /** Where it stands; -1: it is not here. */
  private find(position: Position): number {
    let low = this.first;
    let high = this.tail - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const at = this.positions[middle & this.mask]!;
      if (at === position) return middle;
      if (at < position) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }

  private move(from: number, to: number): void {
    this.messages[to & this.mask] = this.messages[from & this.mask];
    this.positions[to & this.mask] = this.positions[from & this.mask]!;
  }

  /** From the oldest on. */
  visit(visitor: (position: Position, message: Message) => void): void {
    for (let at = this.first; at < this.tail; at++)
      visitor(this.positions[at & this.mask]!, this.messages[at & this.mask]!);
  }

  clear(): void {
    this.messages = [];
    this.positions = [];
    this.mask = -1;
    this.first = this.tail = 0;
    this.memory.usedBytes -= this.costBytes;
    this.costBytes = 0;
  }

  private rest(): void {
    this.first = this.tail = 0;
    // A ring that a backlog blew up is given back, so that ten thousand quiet queues cost nothing.
    if (this.mask >= 1023) {
      this.messages = [];
      this.positions = [];
      this.mask = -1;
    }
  }

  private grow(): void {
    const size = this.mask === -1 ? 16 : (this.mask + 1) * 2;
    const messages: (Message | undefined)[] = new Array(size);
    const positions: number[] = new Array(size);
    const waiting = this.tail - this.first;
    for (let i = 0; i < waiting; i++) {
      const from = (this.first + i) & this.mask;
      messages[i] = this.messages[from];
      positions[i] = this.positions[from]!;
    }
    for (let i = waiting; i < size; i++) {
      messages[i] = undefined;
      positions[i] = 0;
    }
    this.messages = messages;
    this.positions = positions;
    this.first = 0;
    this.tail = waiting;
    this.mask = size - 1;
  }
}
