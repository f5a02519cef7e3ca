import type { QueueConsumer } from './consumer.js';

/** Consumers of one priority that can take a message now: a ring, served round-robin. */
interface Rank {
  readonly priority: number;
  next: QueueConsumer | null;
}

const ranksMin = 16;

/** Whose turn it is: the highest rank with somebody active, round-robin within it. Joining, leaving and taking turns are O(1). */
export class TurnOrder {
  /** By falling priority; nearly always one. */
  private ranks: Rank[] = [];
  private tidyAt = ranksMin;

  join(consumer: QueueConsumer): void {
    const rank = this.rank(consumer.spec.priority);
    consumer.active = true;
    const first = rank.next;
    if (first === null) {
      rank.next = consumer;
      consumer.nextActive = consumer.previousActive = consumer;
      return;
    }
    // Behind everybody who is already waiting for a turn.
    consumer.nextActive = first;
    consumer.previousActive = first.previousActive;
    first.previousActive.nextActive = consumer;
    first.previousActive = consumer;
  }

  leave(consumer: QueueConsumer): void {
    if (!consumer.active) return;
    consumer.active = false;
    const rank = this.rank(consumer.spec.priority);
    if (consumer.nextActive === consumer) {
      rank.next = null;
    } else {
      consumer.previousActive.nextActive = consumer.nextActive;
      consumer.nextActive.previousActive = consumer.previousActive;
      if (rank.next === consumer) rank.next = consumer.nextActive;
    }
    consumer.nextActive = consumer.previousActive = consumer;
  }

  /** The consumer that takes the next message, null when nobody can. The turn passes on to the one behind it. */
  take(): QueueConsumer | null {
    const ranks = this.ranks;
    for (let i = 0; i < ranks.length; i++) {
      const rank = ranks[i]!;
      for (let consumer = rank.next; consumer !== null; consumer = rank.next) {
        // A consumer whose shared window is empty leaves the ring in mayTake.
        if (!consumer.mayTake()) continue;
        rank.next = consumer.nextActive;
        return consumer;
      }
    }
    return null;
  }

  private rank(priority: number): Rank {
    const ranks = this.ranks;
    let at = 0;
    while (at < ranks.length && ranks[at]!.priority > priority) at++;
    const found = ranks[at];
    if (found !== undefined && found.priority === priority) return found;
    if (ranks.length >= this.tidyAt) {
      this.tidy();
      return this.rank(priority);
    }
    const rank = { priority, next: null };
    ranks.splice(at, 0, rank);
    return rank;
  }

  /** Lets ranks go that nobody is in: consumers may come with ever new priorities. */
  private tidy(): void {
    this.ranks = this.ranks.filter((rank) => rank.next !== null);
    this.tidyAt = Math.max(ranksMin, this.ranks.length * 2);
  }
}
