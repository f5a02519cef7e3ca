import type { Incarnation, Position, Revision } from '@chapar/core';
import type { Change, Mark } from './changes.js';
import type { EpochStart } from './epoch-history.js';
import type { OriginRow } from './origins.js';
import type { Range } from './ranges.js';
import type { DataId, Epoch } from './record.js';

// What a follower and its leader say to each other. One pull is under way at a time; its answer names its number.

export interface Pull {
  readonly incarnation: Incarnation;
  readonly epoch: Epoch;
  readonly member: DataId;
  /** The follower's registration. */
  readonly session: Revision;
  /** Counts the conversations within that session: of those before nothing counts any more. */
  readonly link: number;
  /** Counts the pulls of one conversation from 1. */
  readonly number: number;
  /** In the first of a conversation: what the follower's log is like. */
  readonly opening: Opening | null;
  readonly end: Position;
  /** Synced up to here, in agreement with this leader; 0: it does not count yet. */
  readonly synced: Position;
  /** The change that was taken last. */
  readonly changes: number;
  readonly changesSynced: number;
  /** Messages that live at the leader and not here, though they stand before the end. */
  readonly lacks: readonly Range[];
}

export interface Opening {
  readonly starts: readonly EpochStart[];
  readonly committed: Position;
  /** It has followed this very reign, and has taken its changes up to `Pull.changes`. */
  readonly goesOn: boolean;
}

export interface Answer {
  readonly epoch: Epoch;
  readonly link: number;
  readonly number: number;
  readonly committed: Position;
  readonly welcome: Welcome | null;
  /** What was lacking up to here is among the entries, or is settled. */
  readonly filledUpTo: Position;
  /** Behind the follower's end, up to here: what is not among the entries is a hole. */
  readonly upTo: Position;
  /** The messages that go with it, by position. */
  readonly entries: readonly Range[];
  /** Of these messages, or of all that live in the image. */
  readonly marks: readonly Mark[];
  /** When something came with holes: whom they were from. */
  readonly origins: readonly OriginRow[] | null;
  readonly changes: readonly Change[];
  /** Number of the last of them. */
  readonly changesUpTo: number;
  /** The changes that the follower needs are kept no more: it has to greet again. */
  readonly isLost: boolean;
}

export interface Welcome {
  readonly starts: readonly EpochStart[];
  readonly end: Position;
  /** What lives up to where both agree; null: the follower goes on in this reign. */
  readonly image: readonly Range[] | null;
}
