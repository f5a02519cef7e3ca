import type { ConfirmSlot, Refusal } from '@chapar/core';

/** Those that have their verdict are let go of when there are so many, and half of all. */
const tidyAt = 1024;

/**
 * Publishes to one queue elsewhere, numbered from 1, with what is kept of each until its verdict is known. Each slot is told once, whatever is
 * said twice.
 */
export abstract class Unanswered<Kept> {
  /** The last number given. */
  sequence = 0;
  /** What became of all up to here is known. */
  known = 0;
  /** From `known` + 1 on. Null: refused. */
  protected kept: (Kept | null)[] = [];
  protected slots: (ConfirmSlot | null)[] = [];
  protected first = 0;

  get count(): number {
    return this.kept.length - this.first;
  }

  /** It is not needed any more. */
  protected abstract letGo(kept: Kept, sequence: number): void;

  protected add(kept: Kept, slot: ConfirmSlot | null): void {
    this.sequence++;
    this.kept.push(kept);
    this.slots.push(slot);
  }

  /** The other side will never have this one. Told before a verdict that covers it. */
  refused(sequence: number, why: Refusal): void {
    if (sequence <= this.known || sequence > this.sequence) return;
    const at = this.first + sequence - this.known - 1;
    const slot = this.slots[at]!;
    this.drop(at, sequence);
    slot?.refused(why);
  }

  /** All up to this one have their verdicts. */
  settled(upTo: number): void {
    while (this.known < upTo && this.count > 0) {
      const at = this.first++;
      const slot = this.slots[at]!;
      this.drop(at, ++this.known);
      slot?.committed();
    }
    this.tidy();
  }

  /** None of them is sent again. `why` null: the queue is gone, and nothing was lost with it. */
  giveUp(why: Refusal | null): void {
    const slots = this.slots.slice(this.first);
    for (let at = this.first, sequence = this.known; at < this.kept.length; at++) this.drop(at, ++sequence);
    this.kept = [];
    this.slots = [];
    this.first = 0;
    this.known = this.sequence;
    for (const slot of slots) {
      if (why === null) slot?.committed();
      else slot?.refused(why);
    }
  }

  private drop(at: number, sequence: number): void {
    const kept = this.kept[at]!;
    this.kept[at] = this.slots[at] = null;
    if (kept !== null) this.letGo(kept, sequence);
  }

  private tidy(): void {
    const { first } = this;
    if (first < this.kept.length && (first < tidyAt || first * 2 < this.kept.length)) return;
    this.kept = this.kept.slice(first);
    this.slots = this.slots.slice(first);
    this.first = 0;
  }
}
