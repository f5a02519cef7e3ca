import type { Message } from '../message.js';
import type { Position } from '../ports.js';
import type { Memory } from './memory.js';
import { Ring } from './ring.js';

/**
 * What a mirrored queue was given and what is not committed yet. A change of leader may take it back, so nobody gets to see it: it is
 * not ready, is not delivered, and is not settled.
 */
export class Arriving {
  /** Of the bodies. */
  bytes = 0;
  private readonly ring: Ring;

  constructor(memory: Memory) {
    this.ring = new Ring(memory);
  }

  get count(): number {
    return this.ring.length;
  }

  /** Above all that arrive. */
  push(position: Position, message: Message): void {
    message.keep();
    this.bytes += message.bodyBytes;
    this.ring.push(position, message);
  }

  /** Everything up to this position is committed, and goes to `admit` in its order. */
  committed(upTo: Position, admit: (position: Position, message: Message) => void): void {
    const { ring } = this;
    while (!ring.isEmpty && ring.headPosition <= upTo) {
      const position = ring.headPosition;
      const message = ring.shift();
      this.bytes -= message.bodyBytes;
      admit(position, message);
    }
  }

  clear(): void {
    this.ring.clear();
    this.bytes = 0;
  }
}
