import type { Incarnation, Queue } from '@chapar/core';
import type { LedShard } from '../keyed/led-shard.js';
import type { Origin, Provenance } from './origins.js';
import type { Epoch } from './record.js';

/** A mirrored queue that this node leads, for those who bring it publishes and settlements. It is there while its reign counts. */
export interface LedQueue {
  /** The core's, open, and held until `begin`. Not there where a shard is. */
  readonly queue: Queue;
  /** In the place of a queue; null: there is one. */
  readonly shard: LedShard | null;
  readonly incarnation: Incarnation;
  readonly epoch: Epoch;
  /** What becomes of a publish; whoever hears `new` brings it at once, as the origin's next one. */
  verdict(origin: Origin, sequence: number): 'new' | 'held' | 'refused' | 'over';
  /** Whose the next message is that the queue takes. A refusal needs none. */
  from(provenance: Provenance): void;
  /** Stands for everything that was settled, pended or given back so far. */
  mark(): number;
  /** Everything up to this mark is on the disks of all that count. */
  readonly forGood: number;
  /** One listener. */
  onForGood: (() => void) | null;
  /** `done` is called when all that is in the log now is committed, perhaps at once; never when the reign ends before. */
  whenCommitted(done: () => void): void;
  /** Fewer members than have to have a copy answer: publishes are refused. */
  readonly isShort: boolean;
  /** The lead is passed on: publishes are neither taken nor answered, for whoever sent them will send them to the next leader. */
  readonly isFenced: boolean;
  /** The reign is over: nothing that is said here counts any more. */
  readonly isOver: boolean;
}
