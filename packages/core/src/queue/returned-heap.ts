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

  /** In no order. */
  visit(visitor: (position: Position, message: Message) => void): void {
    for (const [at, position] of this.positions.entries()) visitor(position, this.messages[at]!);
  }

  push(position: Position, message: Message): void {
    this.positions.push(position);
    this.messages.push(message);
    this.rise(this.positions.length - 1, position, message);
  }

  shift(): Message {
    const first = this.messages[0]!;
    this.takeOut(0);
    return first;
  }

  /** Takes the message at this position out; null: it is not here. Looks at each: for what is rare. */
  remove(position: Position): Message | null {
    const at = this.positions.indexOf(position);
    if (at === -1) return null;
    const message = this.messages[at]!;
    this.takeOut(at);
    return message;
  }

  /** The last one takes the place of this one, and then its own. */
  private takeOut(at: number): void {
    const position = this.positions.pop()!;
    const message = this.messages.pop()!;
    if (at === this.positions.length) return;
    if (at > 0 && this.positions[(at - 1) >> 1]! > position) this.rise(at, position, message);
    else this.sink(at, position, message);
  }

  private rise(from: number, position: Position, message: Message): void {
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (this.positions[parent]! <= position) break;
      this.move(parent, at);
      at = parent;
    }
    this.positions[at] = position;
    this.messages[at] = message;
  }

  private sink(from: number, position: Position, message: Message): void {
    const length = this.positions.length;
    let at = from;
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
  }

  private move(from: number, to: number): void {
    this.positions[to] = this.positions[from]!;
    this.messages[to] = this.messages[from]!;
  }
}
