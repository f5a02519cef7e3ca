import type { Later } from '../later.js';
import type { EffectivePolicy } from '../policy/effective-policy.js';
import type { Consumer, ConsumerSpec } from './consumer.js';
import type { DeliverySink } from './delivery.js';
import type { Got } from './got.js';
import type { QueueHandle } from './queue-handle.js';
import type { QueueProperties } from './queue-properties.js';
import type { QueueRules } from './rules.js';

/** What a declaration is answered with. */
export interface QueueCounts {
  readonly ready: number;
  readonly consumers: number;
}

/**
 * A queue as doors and administrators see it, wherever it lives. Implementations: `Queue`, whose messages are here and which answers at
 * once, and the cluster's `RemoteQueue`, which asks the queue's home. What it is asked for in one turn takes effect in that order, also
 * beside `enqueue`.
 */
export interface SharedQueue extends QueueHandle {
  /** Replaced by `delete`, so that nothing keeps the owner of an exclusive queue. */
  readonly properties: QueueProperties;
  /** The name of the node where it lives; null: this one. */
  readonly home: string | null;
  readonly deleted: boolean;
  readonly policy: EffectivePolicy;
  readonly rules: QueueRules;
  /** A policy that came, changed or went. */
  applyPolicy(policy: EffectivePolicy): void;
  /** Throws 404 when its home is out of reach: for operations that would else act on what nobody sees. */
  assertReachable(): void;
  /** Somebody declared it again, or asked whether it is there. */
  used(): void;
  counts(): Later<QueueCounts>;
  /**
   * Attaches a consumer: nothing is delivered before its first `grant`, which will be of `credit`; a queue elsewhere counts on it, so that
   * the consumer has its turn from now on. 403 when exclusiveness forbids it, 405 when its owner is none any more, 406 for arguments that are wrong.
   */
  attach(spec: ConsumerSpec, sink: DeliverySink, credit?: number): Later<Consumer>;
  /** Somebody who takes messages with `get` and holds them; not among the consumers. */
  holder(spec: ConsumerSpec, sink: DeliverySink): Consumer;
  /** basic.get: the oldest message, or null. With a `holder` it is held until settled, else settled. `isGone`: whether nobody is there any more to take it. */
  get(holder: Consumer | null, isGone?: () => boolean): Later<Got | null>;
  /**
   * Of a mirrored queue: resolves when no leader forgets any more what consumers of this node have settled so far. False: another one began to lead
   * meanwhile, and may have heard of some of it too late.
   */
  settledForGood?(): Promise<boolean>;
  /** Drops what waits; what consumers hold stays theirs. Returns how many. */
  purge(): Later<number>;
  /** The queue ends. Called by the topology. */
  delete(): void;
}
