import type { ConfirmSlot } from './confirm-slot.js';
import type { Confirms, PublishTag, Refusal } from './confirms.js';

/** One message's wait for its queues to commit it: decided when all have, or when the first refuses. */
export class PublishSlot implements ConfirmSlot {
  private readonly confirms: Confirms;
  private readonly tag: PublishTag;
  private waiting: number;

  /** `queues`: how many have to commit. */
  constructor(confirms: Confirms, tag: PublishTag, queues: number) {
    this.confirms = confirms;
    this.tag = tag;
    this.waiting = queues;
  }

  /** One queue has committed it. */
  committed(): void {
    // Below zero after a refusal: decided already.
    if (--this.waiting === 0) this.confirms.confirm(this.tag);
  }

  /** One queue will never have it; what others do no longer matters. */
  refused(why: Refusal): void {
    if (this.waiting <= 0) return;
    this.waiting = 0;
    this.confirms.refuse(this.tag, why);
  }
}
