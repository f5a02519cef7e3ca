import type { Position } from '@chapar/core';

/** Positions in one block. */
const blockPositions = 256;

/** Priorities of messages that recovery found, by position: a byte each, where any are above 0. */
export class Priorities {
  private readonly blocks = new Map<number, Uint8Array>();

  set(position: Position, priority: number): void {
    const index = Math.floor(position / blockPositions);
    let block = this.blocks.get(index);
    if (block === undefined) this.blocks.set(index, (block = new Uint8Array(blockPositions)));
    block[position % blockPositions] = priority;
  }

  get(position: Position): number {
    return this.blocks.get(Math.floor(position / blockPositions))?.[position % blockPositions] ?? 0;
  }
}
