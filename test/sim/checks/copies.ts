import type { Handling, QueueLife } from './facts.js';

/** A message in one queue. */
export interface Copy {
  readonly message: string;
  readonly life: QueueLife | null;
  /** Deliveries that were not flagged as redelivered. */
  unflagged: number;
  /** The last verdict that took it out of the queue. */
  settled: Handling | null;
  /** In whose hands it is. */
  holder: Handling | null;
}

/** What is known of each message in each queue that it was delivered from. */
export class Copies {
  private readonly byQueue = new Map<QueueLife | null, Map<string, Copy>>();

  of(life: QueueLife | null, message: string): Copy {
    let byMessage = this.byQueue.get(life);
    if (byMessage === undefined) {
      byMessage = new Map();
      this.byQueue.set(life, byMessage);
    }
    let copy = byMessage.get(message);
    if (copy === undefined) {
      copy = { message, life, unflagged: 0, settled: null, holder: null };
      byMessage.set(message, copy);
    }
    return copy;
  }

  find(life: QueueLife, message: string): Copy | null {
    return this.byQueue.get(life)?.get(message) ?? null;
  }
}
