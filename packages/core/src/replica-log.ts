/** What the copies of a mirrored queue's log are made of, and what a node's disk does for one of them. */
import type { Message } from './message.js';
import type { DropReason, Incarnation, Position, QueuePages, RecoveredQueue } from './ports.js';

/** Counts the reigns over one queue. */
export type Epoch = number;

/** Whole numbers `first` to `last`, both included. */
export interface Range {
  readonly first: number;
  readonly last: number;
}

export interface EpochStart {
  readonly epoch: Epoch;
  /** Of the entry that the epoch begins with. */
  readonly first: Position;
}

/** Names whoever publishes, for as long as it numbers its publishes: a node's process, or the queue that dead letters leave. */
export type Origin = string;

/** Which publish an entry came from. */
export interface Provenance {
  readonly origin: Origin;
  /** Counts a process's publishes to this queue from 1; of a dead letter, its position in the queue that it left. */
  readonly sequence: number;
  /** The origin knows what became of everything up to here, and will never send it again. */
  readonly low: number;
}

/** Of one origin, as it is written and sent. */
export interface OriginRow {
  readonly origin: Origin;
  readonly low: number;
  readonly held: readonly Range[];
}

/** One message on its way from log to log. */
export interface ReplicaEntry {
  readonly position: Position;
  readonly provenance: Provenance | null;
  /** The message in the store's own form, which does not depend on where it lies. They do not change any more. */
  readonly bytes: Uint8Array;
}

/**
 * What happens to messages after they were committed, and to what is known of origins. None takes a position: each may be said again
 * without harm, none names what is not committed, and so none ever has to be undone by a cut.
 */
export type ReplicaChange =
  | { readonly kind: 'settle'; readonly first: Position; readonly last: Position }
  | ReplicaMark
  | { readonly kind: 'forget'; readonly origin: Origin };

/** Said of one message that stays. */
export type ReplicaMark =
  | { readonly kind: 'pend'; readonly position: Position; readonly reason: DropReason; readonly atMs: number }
  | { readonly kind: 'returned'; readonly position: Position; readonly count: number };

/** Messages that a copy let go of, in a file. */
export interface KeptAside {
  readonly path: string;
  readonly count: number;
}

/**
 * One copy of a mirrored queue's log, on this node's disk. Everything that writes is one more of `operations`, takes effect at once for
 * who asks, and reaches the disk in its order with the next group (`LogStore.flush`).
 */
export interface StoredReplica extends QueuePages {
  readonly incarnation: Incarnation;
  /** The last position, be it a message or a hole; 0: empty. */
  readonly end: Position;
  /** Ascending; all of them, or the last of very many. */
  readonly starts: readonly EpochStart[];
  /** What is known to be committed. Survives a crash, perhaps as a lower one. */
  readonly committed: Position;
  /**
   * How far the queue's time, in which all that is written here tells when it was, is ahead of the node's (`Turn.nowMs`), as `keepTime` had
   * it last; null: nobody has said. Survives a crash. Milliseconds; negative: it is behind.
   */
  readonly aheadMs: number | null;
  /**
   * False: something that it had cannot be read any more, or it was emptied and does not have again what it should. What it says to have it has,
   * all the same. Survives a crash.
   */
  readonly isWhole: boolean;
  /** Called whenever messages cannot be read back, which may be before it is known what is lost. */
  onSpoiled: (() => void) | null;
  /** Nobody has more than this copy: `entries` passes over what cannot be read, instead of ending before it. */
  passesOver: boolean;
  /** How many writing calls there were. */
  readonly operations: number;
  /** Called with the number of operations that are on the disk, never within a call to this log. */
  onSynced: ((operation: number) => void) | null;
  /** Called once when the disk can promise nothing any more. */
  onFailed: ((error: Error) => void) | null;

  /** What lives in `first..last`, as ascending ranges. */
  liveIn(first: Position, last: Position): readonly Range[];
  /** How many messages live, and the bytes of their entries. */
  readonly liveCount: number;
  readonly liveBytes: number;
  /** Of live messages. */
  marksIn(first: Position, last: Position): readonly ReplicaMark[];
  /** Of entries that are committed. */
  originRows(): readonly OriginRow[];
  /** Of all entries. */
  allOriginRows(): readonly OriginRow[];

  /** An epoch begins at `first`, a position of its own behind the end: a hole, and the new end. */
  begin(epoch: Epoch, first: Position): void;
  /** Appends a message behind the end; its bytes are copied before the call returns. */
  publish(message: Message, provenance: Provenance | null): Position;
  /** Behind the end, or at or below it in place of one that was let go of too early. */
  append(entry: ReplicaEntry): void;
  /** The log ends at `upTo` now; what did not come was settled before it could. */
  pass(upTo: Position): void;
  /**
   * Forgets everything behind `after`: messages, marks, epochs that begin there, and origins' publishes. Below `committed` only by an
   * operator's word: then all that is known of origins goes, too, until the leader says it (`merge`).
   */
  cut(after: Position): void;
  /** Of messages that are not there nothing is noted. Settlements of one turn may be gathered into ranges, but stand before any later append or cut. */
  change(change: ReplicaChange): void;
  /** What lives up to `upTo` is at most `live`, marked so and not otherwise. */
  restate(upTo: Position, live: readonly Range[], marks: readonly ReplicaMark[]): void;
  merge(origins: readonly OriginRow[]): void;
  keepTime(aheadMs: number): void;
  setWhole(isWhole: boolean): void;
  /** Forgets everything, in one piece; it is not whole from then on. */
  empty(): void;
  commit(position: Position): void;

  /**
   * Reads the live messages of these ranges as they travel, in their order, about `bytesMax` bytes and one at least. `done` is called
   * once, perhaps within this call when they are still in memory; `upTo`: everything of the ranges up to here is among them or settled.
   */
  entries(
    ranges: readonly Range[],
    bytesMax: number,
    done: (entries: readonly ReplicaEntry[], upTo: Position) => void,
  ): void;
  /** Writes the live messages of these ranges to a file that nobody deletes. Resolves when they are on the disk; rejects with the disk's errors. */
  keepAside(ranges: readonly Range[]): Promise<KeptAside>;
  /** The message of an entry, over copies of its bytes. Throws RangeError for what is none. */
  messageOf(entry: ReplicaEntry): Message;
  /** What a queue over this log begins with: what lives up to `committed`, everything perhaps delivered before. */
  state(): RecoveredQueue;
}
