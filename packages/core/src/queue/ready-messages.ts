import type { Message } from '../message.js';
import type { LoggedMessage, LogRead, Position, QueuePages, RecoveredQueue } from '../ports.js';

/** Called with a message that leaves memory, to be read back when its turn comes. */
export type PageOut = (position: Position, message: Message) => void;

/**
 * The messages of a queue that wait for a consumer, in the order in which they go out: `Ready` for the order of coming, `PriorityReady`
 * for priorities. The head is the one that goes out next; who expires or drops messages of a queue takes them there too, as the field
 * does: where a queue with priorities is too long, the oldest of the highest priority goes first.
 */
export interface ReadyMessages {
  /** Those on disk included. */
  readonly length: number;
  /** Of their bodies. */
  readonly bytes: number;
  /** Not in memory; those that could not be read are among them. */
  readonly pagedCount: number;
  readonly pagedBytes: number;
  /** Nothing waits that could be delivered, now or when it was read. */
  readonly isEmpty: boolean;
  /** The head is in memory. */
  readonly hasHead: boolean;
  /** Reading on is due. */
  readonly isLow: boolean;
  /** Position of the head; 0 when empty. */
  readonly headPosition: Position;
  /** The head itself. Only when it is in memory. */
  readonly head: Message;
  /** True when the head was delivered before, perhaps by an earlier life of the node. Only when not empty. */
  readonly headRedelivered: boolean;
  /** A message that was never delivered by this life of the queue; its position is above all before it. */
  push(position: Position, message: Message): void;
  /** What recovery found lies on disk as a whole. */
  recover(found: RecoveredQueue): void;
  /** Reads of what comes next and is paged about `bytesMax` bytes, or what there is room for, and one message at least. Only when something is. */
  read(pages: QueuePages, done: (read: LogRead) => void, bytesMax?: number): void;
  /** Takes what `read` read. */
  take(read: LogRead): void;
  /** Takes the message at this position out, wherever it stands in memory; null: it does not. */
  takeAt(position: Position): Message | null;
  /** Takes those of these messages out that wait on disk; they were read there, and stand by ascending position. Returns them. */
  takePaged(read: readonly LoggedMessage[]): readonly LoggedMessage[];
  /** Puts a delivered message back in its place. */
  giveBack(position: Position, message: Message): void;
  /** Takes the head out. Only when it is in memory. */
  shift(): Message;
  /** Messages at or below were perhaps delivered; `last`: the last position given. */
  deliveredUpTo(last: Position): Position;
  /** The same for each priority from 0 on; empty where there are none. */
  deliveredByLevel(last: Position): readonly Position[];
  /** Forgets what is not in memory, and calls `range` with the ranges of positions in which it lies and nothing else does. */
  forgetPaged(range: (first: Position, last: Position) => void): void;
  /** Calls `visitor` with each message in memory, in no order. */
  visit(visitor: (position: Position, message: Message) => void): void;
  clear(): void;
}
