import type { Message } from '../message.js';
import type { Position } from '../ports.js';

/** A binary min-heap by position: giving back 100,000 deliveries of a closed channel costs no more than sorting them. */
export class ReturnedHeap {
  private readonly positions: number[] = [];
  private readonly messages: Message[] = [];

  get length(): number {
    return this.positions.length;
  }

  get headPosition(): Position {
    return this.positions[0]!;
  }

  /** Only when not empty. */
  get head(): Message {
    return this.messages[0]!;
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
