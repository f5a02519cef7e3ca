import type { ConfirmSlot } from '../door/confirm-slot.js';
import type { Refusal } from '../door/confirms.js';
import type { Position } from '../ports.js';

/** The confirms of one queue that wait for its log to commit, by ascending position. */
export class Pending {
  private positions: Position[] = [];
  private slots: (ConfirmSlot | null)[] = [];
  private first = 0;

  get isEmpty(): boolean {
    return this.first === this.positions.length;
  }

  push(position: Position, slot: ConfirmSlot): void {
    this.positions.push(position);
    this.slots.push(slot);
  }

  /** Everything up to this position is committed. */
  committed(upTo: Position): void {
    let at = this.first;
    for (; at < this.positions.length && this.positions[at]! <= upTo; at++) this.slots[at]?.committed();
    this.first = at;
    this.tidy();
  }

  /** The message at this position was accepted by its consumer before its sync: it needs none (both may vanish together). */
  accepted(position: Position): void {
    const at = this.find(position);
    if (at === -1) return;
    const slot = this.slots[at]!;
    this.slots[at] = null;
    slot?.committed();
  }

  refuseAll(why: Refusal): void {
    const slots = this.slots.slice(this.first);
    this.clear();
    for (const slot of slots) slot?.refused(why);
  }

  /** Forgets those that wait: somebody else will tell them. */
  clear(): void {
    this.positions = [];
    this.slots = [];
    this.first = 0;
  }

  private find(position: Position): number {
    let low = this.first;
    let high = this.positions.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const at = this.positions[middle]!;
      if (at === position) return middle;
      if (at < position) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }

  private tidy(): void {
    if (this.first === this.positions.length) {
      this.positions.length = this.slots.length = 0;
      this.first = 0;
    } else if (this.first > 1024 && this.first * 2 > this.positions.length) {
      this.positions = this.positions.slice(this.first);
      this.slots = this.slots.slice(this.first);
      this.first = 0;
    }
  }
}
