import type { DropReason } from '../ports.js';

/** What happened in a queue since it was declared or the broker started: plain numbers, sampled by whoever wants rates. */
export class QueueStatistics {
  published = 0;
  /** Publishes that a length limit refused. */
  refused = 0;
  /** Pushed to consumers that acknowledge. */
  delivered = 0;
  /** Pushed to consumers that do not. */
  deliveredSettled = 0;
  got = 0;
  gotSettled = 0;
  getEmpty = 0;
  redelivered = 0;
  /** Accepted or rejected for good. */
  settled = 0;
  requeued = 0;
  purged = 0;
  /** Left without being accepted, by reason; dead-lettered where the queue has a dead-letter exchange. */
  readonly dropped: { [reason in DropReason]: number } = { rejected: 0, expired: 0, maxlen: 0, delivery_limit: 0 };
}
