import type { Message } from '../message.js';
import type { Position } from '../ports.js';

/**
 * The messages of a queue that wait for a consumer, in order of their positions: fresh ones in a ring, and those that were given
 * back (all of them older than any fresh one) in a heap. Two plain arrays and no object per message.
 */
export class Ready {
  private messages: (Message | undefined)[] = [];
  private positions: number[] = [];
  private mask = -1;
  private head = 0;
  private tail = 0;
  private returned = new ReturnedHeap();
  bytes = 0;

  get length(): number {
    return this.tail - this.head + this.returned.length;
  }

  get isEmpty(): boolean {
    return this.tail === this.head && this.returned.length === 0;
  }

  /** A message that was never delivered by this life of the queue; its position is above all before it. */
  push(position: Position, message: Message): void {
    if (this.tail - this.head > this.mask) this.grow();
    const at = this.tail++ & this.mask;
    this.messages[at] = message;
    this.positions[at] = position;
    this.bytes += message.bodyBytes;
  }

  /** Puts a delivered message back in its place. */
  giveBack(position: Position, message: Message): void {
    this.returned.push(position, message);
    this.bytes += message.bodyBytes;
  }

  /** Position of the oldest; 0 when empty. */
  get headPosition(): Position {
    if (this.returned.length > 0) return this.returned.headPosition;
    return this.tail === this.head ? 0 : this.positions[this.head & this.mask]!;
  }

  /** Position of the oldest that was not given back; 0 when there is none. */
  get freshPosition(): Position {
    return this.tail === this.head ? 0 : this.positions[this.head & this.mask]!;
  }

  /** True when the oldest was delivered before. */
  get headReturned(): boolean {
    return this.returned.length > 0;
  }

  /** Takes the oldest out. Only when not empty. */
  shift(): Message {
    let message: Message;
    if (this.returned.length > 0) {
      message = this.returned.shift();
    } else {
      const at = this.head++ & this.mask;
      message = this.messages[at]!;
      this.messages[at] = undefined;
      if (this.head === this.tail) this.rest();
    }
    this.bytes -= message.bodyBytes;
    return message;
  }

  clear(): void {
    this.messages = [];
    this.positions = [];
    this.mask = -1;
    this.head = this.tail = 0;
    this.returned = new ReturnedHeap();
    this.bytes = 0;
  }

  private rest(): void {
    this.head = this.tail = 0;
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
    const waiting = this.tail - this.head;
    for (let i = 0; i < waiting; i++) {
      const from = (this.head + i) & this.mask;
      messages[i] = this.messages[from];
      positions[i] = this.positions[from]!;
    }
    for (let i = waiting; i < size; i++) {
      messages[i] = undefined;
      positions[i] = 0;
    }
    this.messages = messages;
    this.positions = positions;
    this.head = 0;
    this.tail = waiting;
    this.mask = size - 1;
  }
}

/** A binary min-heap by position: giving back 100,000 deliveries of a closed channel costs no more than sorting them. */
class ReturnedHeap {
  private readonly positions: number[] = [];
  private readonly messages: Message[] = [];

  get length(): number {
    return this.positions.length;
  }

  get headPosition(): Position {
    return this.positions[0]!;
  }

  push(position: Position, message: Message): void {
    let at = this.positions.length;
    this.positions.push(position);
    this.messages.push(message);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (this.positions[parent]! <= position) break;
      this.move(parent, at);
      at = parent;
    }
    this.positions[at] = position;
    this.messages[at] = message;
  }

  shift(): Message {
    const first = this.messages[0]!;
    const position = this.positions.pop()!;
    const message = this.messages.pop()!;
    const length = this.positions.length;
    if (length === 0) return first;
    let at = 0;
    for (;;) {
      let child = at * 2 + 1;
      if (child >= length) break;
      if (child + 1 < length && this.positions[child + 1]! < this.positions[child]!) child++;
      if (this.positions[child]! >= position) break;
      this.move(child, at);
      at = child;
    }
    this.positions[at] = position;
    this.messages[at] = message;
    return first;
  }

  private move(from: number, to: number): void {
    this.positions[to] = this.positions[from]!;
    this.messages[to] = this.messages[from]!;
  }
}
