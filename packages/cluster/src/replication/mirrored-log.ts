import {
  type DropReason,
  type LogRead,
  letterOrigin,
  type Message,
  type Origin,
  type Position,
  type Provenance,
  type QueueLog,
  type RecoveredQueue,
  type ReplicaChange,
  type StoredReplica,
} from '@chapar/core';
import type { Leader } from './leader.js';
import { Ranges } from './ranges.js';
import { SettledEdge } from './settled-edge.js';

/** What a led queue's log needs of the node. */
export interface MirroredLogParts {
  /** Something was written: it goes to the disk, and to followers, at the end of the turn; `flush` is called before. */
  touch(): void;
  /** The queue's time, and how far it is ahead of the node's. Milliseconds. */
  nowMs(): number;
  readonly aheadMs: number;
  /** Nobody else can lead by now; false: it is being asked. */
  mayHandOut(): boolean;
}

/** Gathered changes, as one number for those who wait. */
interface Batch {
  readonly mark: number;
  /** Of the last change that is in it. */
  readonly change: number;
}

/**
 * The log of a mirrored queue at its leader. What is published is in this node's copy at once and committed when all that count have
 * synced it; what is settled is gathered, so that a turn's settlements are a few ranges and not a change for each. What it says to others
 * and writes down tells the time as the queue counts it over all its leaders, what it says to its queue as this node does.
 */
export class MirroredLog implements QueueLog {
  readonly isMirrored = true;
  readonly logsAll = true;
  onCommitted: ((committed: Position) => void) | null = null;
  onFailed: ((error: Error) => void) | null = null;
  /** Nothing is written any more: another leader may have begun. */
  isOver = false;
  private readonly leader: Leader;
  private readonly stored: StoredReplica;
  private readonly parts: MirroredLogParts;
  private provenance: Provenance | null = null;
  private settled = new Ranges();
  private toldCommitted: Position;
  /** Changes that were said, and others that are gathered under the next mark. */
  private markSaid = 0;
  private hasGathered = false;
  private batches: Batch[] = [];
  /** Everything up to this mark is on the disks of all that count. */
  forGood = 0;
  private waiting: { readonly mark: number; readonly done: () => void }[] = [];
  /** As the origin of dead letters. */
  private readonly origin: Origin;
  private readonly edge: SettledEdge;

  constructor(leader: Leader, stored: StoredReplica, parts: MirroredLogParts) {
    this.leader = leader;
    this.stored = stored;
    this.parts = parts;
    this.toldCommitted = leader.committed;
    this.origin = letterOrigin(leader.incarnation);
    this.edge = new SettledEdge(stored);
  }

  // -- publishing --------------------------------------------------------------------------------------------------

  /** Whose the next message is. */
  from(provenance: Provenance): void {
    this.provenance = provenance;
  }

  publish(message: Message): Position {
    const { stored, leader, provenance } = this;
    this.provenance = null;
    // The queue is being let go of; what nobody will commit has a position, and nothing else.
    if (this.isOver) return stored.end + 1;
    const { receivedAtMs } = message;
    // Others have the message with the node's time, too; the store copies it within the call.
    message.receivedAtMs = this.queueMs(receivedAtMs);
    const position = stored.publish(message, provenance);
    message.receivedAtMs = receivedAtMs;
    leader.appended(provenance === null ? [] : [provenance]);
    this.parts.touch();
    return position;
  }

  private queueMs(nodeMs: number): number {
    return nodeMs === 0 ? 0 : nodeMs + this.parts.aheadMs;
  }

  mayHandOut(): boolean {
    return this.parts.mayHandOut();
  }

  publishAt(): void {
    throw new Error('everything in a mirrored queue is logged');
  }

  skip(): Position {
    throw new Error('everything in a mirrored queue is logged');
  }

  get end(): Position {
    return this.stored.end;
  }

  get committed(): Position {
    return this.leader.committed;
  }

  /** The leader counted anew. */
  counted(): void {
    const { committed, changesCommitted } = this.leader;
    let isMoved = false;
    while (this.batches.length > 0 && this.batches[0]!.change <= changesCommitted) {
      this.forGood = this.batches.shift()!.mark;
      isMoved = true;
    }
    if (committed > this.toldCommitted) {
      this.toldCommitted = committed;
      this.onCommitted?.(committed);
    }
    if (isMoved) this.tellSafe();
  }

  // -- what becomes of messages ------------------------------------------------------------------------------------

  settle(first: Position, last: Position): void {
    if (this.isOver) return;
    this.settled.add(first, last);
    this.gather();
  }

  pend(position: Position, reason: DropReason): void {
    this.change({ kind: 'pend', position, reason, atMs: this.parts.nowMs() });
  }

  returned(position: Position, count: number): void {
    this.change({ kind: 'returned', position, count });
  }

  /** An origin has ended, and all of its publishes that the log holds are committed. */
  endOrigin(origin: Origin): void {
    this.change({ kind: 'forget', origin });
  }

  private change(change: ReplicaChange): void {
    if (this.isOver) return;
    this.leader.change(change);
    this.gather();
  }

  private gather(): void {
    if (this.hasGathered) return;
    this.hasGathered = true;
    this.parts.touch();
  }

  /** Says what was gathered: at the end of a turn, and before anybody reads. */
  flush(): void {
    if (!this.hasGathered || this.isOver) return;
    this.hasGathered = false;
    const { settled, leader } = this;
    if (!settled.isEmpty) {
      this.settled = new Ranges();
      for (const { first, last } of settled) leader.change({ kind: 'settle', first, last });
    }
    this.batches.push({ mark: ++this.markSaid, change: leader.ledger.number });
  }

  /** Stands for everything that was changed so far. */
  mark(): number {
    return this.hasGathered ? this.markSaid + 1 : this.markSaid;
  }

  whenSafe(done: () => void): void {
    const mark = this.mark();
    if (mark > this.forGood) this.waiting.push({ mark, done });
    else
      queueMicrotask(() => {
        if (!this.isOver) done();
      });
  }

  /** A position that is committed is never another message's, whoever leads. */
  provenanceOf(position: Position): Provenance {
    const { committed } = this;
    return { origin: this.origin, sequence: position, low: this.edge.look(this.mark(), this.forGood, committed) };
  }

  private tellSafe(): void {
    while (!this.isOver && this.waiting.length > 0 && this.waiting[0]!.mark <= this.forGood)
      this.waiting.shift()!.done();
  }

  // -- reading -----------------------------------------------------------------------------------------------------

  page(position: Position, message: Message): void {
    this.stored.page(position, message);
  }

  read(from: Position, to: Position, bytesMax: number, done: (read: LogRead) => void): void {
    this.flush();
    this.stored.read(from, to, bytesMax, (read) => done(this.byNodeTime(read)));
  }

  readAt(positions: readonly Position[], bytesMax: number, done: (read: LogRead) => void): void {
    this.flush();
    this.stored.readAt(positions, bytesMax, (read) => done(this.byNodeTime(read)));
  }

  /** They were made for this read alone. */
  private byNodeTime(read: LogRead): LogRead {
    const { aheadMs } = this.parts;
    for (const { message } of read.messages) if (message.receivedAtMs !== 0) message.receivedAtMs -= aheadMs;
    return read;
  }

  /** What a queue over this log begins with. */
  found(): RecoveredQueue {
    const state = this.stored.state();
    const { aheadMs } = this.parts;
    return { ...state, pending: state.pending.map((drop) => ({ ...drop, atMs: drop.atMs - aheadMs })) };
  }

  forget(first: Position, last: Position): void {
    this.stored.forget(first, last);
  }
}
