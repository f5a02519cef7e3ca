import type { QueueConsumer } from './consumer.js';

/**
 * The one consumer that is served where a queue has `x-single-active-consumer`. The first to attach becomes it; when it goes, the
 * next one does, by priority and within one by the order of attaching. One of a higher priority takes over also while it is there:
 * it gets nothing more from then on, and once it has settled what it holds, it steps back among those that wait.
 */
export class SingleActive {
  /** Those that wait, in the order in which they are served: by falling priority, the earliest first. */
  private readonly waiting: QueueConsumer[] = [];
  private holder: QueueConsumer | null = null;

  get current(): QueueConsumer | null {
    return this.holder;
  }

  /** True when this one may be given messages. */
  serves(consumer: QueueConsumer): boolean {
    return consumer === this.holder && !this.isOutranked;
  }

  /** Somebody of a higher priority waits for the current one to settle what it holds. */
  get isOutranked(): boolean {
    const [first] = this.waiting;
    return first !== undefined && this.holder !== null && first.spec.priority > this.holder.spec.priority;
  }

  join(consumer: QueueConsumer): void {
    if (this.holder === null) this.holder = consumer;
    else this.wait(consumer);
  }

  /** This one was served before, so it is served on, unless somebody else holds something or outranks it. */
  prefer(consumer: QueueConsumer): void {
    const { holder } = this;
    const at = this.waiting.indexOf(consumer);
    if (holder === null || at === -1 || holder.heldCount > 0 || holder.spec.priority > consumer.spec.priority) return;
    this.waiting.splice(at, 1);
    this.holder = consumer;
    this.wait(holder);
  }

  /** Lets one of a higher priority take over where that is due. True when it did. */
  passOn(): boolean {
    const { holder } = this;
    if (holder === null || !this.isOutranked || holder.heldCount > 0) return false;
    this.holder = this.waiting.shift()!;
    this.wait(holder);
    return true;
  }

  /** The consumer is gone; the next one may be served now. */
  leave(consumer: QueueConsumer): void {
    if (consumer === this.holder) {
      this.holder = this.waiting.shift() ?? null;
      return;
    }
    const at = this.waiting.indexOf(consumer);
    if (at !== -1) this.waiting.splice(at, 1);
  }

  clear(): void {
    this.waiting.length = 0;
    this.holder = null;
  }

  private wait(consumer: QueueConsumer): void {
    // One that steps back is in its own place again: so it is found by whoever knows the order alone, as the next leader does.
    const before = this.waiting.findIndex((each) => isBefore(consumer, each));
    this.waiting.splice(before === -1 ? this.waiting.length : before, 0, consumer);
  }
}

function isBefore(a: QueueConsumer, b: QueueConsumer): boolean {
  const { priority } = a.spec;
  return priority === b.spec.priority ? a.order < b.order : priority > b.spec.priority;
}
