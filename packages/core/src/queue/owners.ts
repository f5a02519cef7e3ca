import { brokerError } from '../errors.js';
import type { ConsumerSpec, QueueConsumer } from './consumer.js';
import type { QueueProperties } from './queue-properties.js';

/** Who consumes from the queue, and who holds messages beside. */
interface Present {
  readonly consumers: Iterable<QueueConsumer>;
  readonly outside: Iterable<QueueConsumer>;
}

/**
 * A queue may belong to one owner after the other, each of whom has a higher ordinal than those before (a fencing token). Whoever was
 * cut off does not know that there is a later one: from the moment one of that attaches, consumers of those before are none any more.
 */
export class Owners {
  /** The highest ordinal that came; 0: none did. */
  private latest = 0;

  /** Of an owner before the latest. */
  isFenced({ ownerOrdinal = 0 }: Pick<ConsumerSpec, 'ownerOrdinal'>): boolean {
    return ownerOrdinal !== 0 && ownerOrdinal < this.latest;
  }

  /** Throws 405 for one of an owner before the latest. */
  assertServed(spec: ConsumerSpec, { name, vhost }: QueueProperties): void {
    if (this.isFenced(spec)) throw brokerError('consumerFenced', { queue: name, vhost });
  }

  /**
   * This one came. Consumers of owners before its own get nothing any more, and what they hold is ready again, in its place and flagged, before anything is handed out: that
   * is done at the end of the turn.
   */
  heed({ spec: { ownerOrdinal = 0 } }: QueueConsumer, { consumers, outside }: Present): void {
    if (ownerOrdinal <= this.latest) return;
    this.latest = ownerOrdinal;
    const fenced = [...consumers, ...outside].filter(({ spec }) => this.isFenced(spec));
    for (const consumer of fenced) consumer.detach();
    // Last: whoever hears of it may do anything.
    for (const consumer of fenced) consumer.sink.detached(consumer, 'fenced');
  }
}
