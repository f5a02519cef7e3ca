import type { Delivery } from '@chapar/core';

/**
 * What a channel holds, by ascending delivery tag. Deliveries that need no acknowledgement take a tag but no place here, so tags have
 * gaps; nearly always they have none, and then a look-up is one subtraction.
 */
export class Unsettled {
  private tags: number[] = [];
  private deliveries: (Delivery | null)[] = [];
  private first = 0;
  private live = 0;

  get count(): number {
    return this.live;
  }

  add(tag: number, delivery: Delivery): void {
    this.tags.push(tag);
    this.deliveries.push(delivery);
    this.live++;
  }

  /** Takes one out; null when the channel does not hold it. */
  take(tag: number): Delivery | null {
    const at = this.find(tag);
    const delivery = at === -1 ? null : this.deliveries[at]!;
    if (delivery === null) return null;
    this.deliveries[at] = null;
    this.live--;
    this.tidy();
    return delivery;
  }

  /** Takes all up to and including `tag` out, oldest first. */
  takeUpTo(tag: number): Delivery[] {
    const taken: Delivery[] = [];
    let at = this.first;
    for (; at < this.tags.length && this.tags[at]! <= tag; at++) {
      const delivery = this.deliveries[at]!;
      if (delivery === null) continue;
      taken.push(delivery);
      this.deliveries[at] = null;
    }
    this.live -= taken.length;
    this.first = at;
    this.tidy();
    return taken;
  }

  takeAll(): Delivery[] {
    return this.takeUpTo(Number.POSITIVE_INFINITY);
  }

  /** True when the channel holds this one. */
  has(tag: number): boolean {
    const at = this.find(tag);
    return at !== -1 && this.deliveries[at] !== null;
  }

  /** Tags held up to and including `tag`, oldest first. */
  heldUpTo(tag: number): number[] {
    const held: number[] = [];
    for (let at = this.first; at < this.tags.length && this.tags[at]! <= tag; at++) {
      if (this.deliveries[at] !== null) held.push(this.tags[at]!);
    }
    return held;
  }

  private find(tag: number): number {
    const { tags, first } = this;
    if (first === tags.length) return -1;
    const guess = first + tag - tags[first]!;
    if (guess >= first && guess < tags.length && tags[guess] === tag) return guess;
    let low = first;
    let high = tags.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const at = tags[middle]!;
      if (at === tag) return middle;
      if (at < tag) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }

  private tidy(): void {
    const { deliveries } = this;
    while (this.first < deliveries.length && deliveries[this.first] === null) this.first++;
    if (this.first === deliveries.length) {
      this.tags.length = deliveries.length = 0;
      this.first = 0;
      return;
    }
    const size = deliveries.length;
    // Half of it is holes, before or behind the oldest that is held: moved together.
    if (size < 256 || this.live * 2 > size) return;
    const keep: number[] = [];
    for (let at = this.first; at < size; at++) if (deliveries[at] !== null) keep.push(at);
    this.tags = keep.map((at) => this.tags[at]!);
    this.deliveries = keep.map((at) => deliveries[at]!);
    this.first = 0;
  }
}
