import type { Incarnation, Position, Revision } from '@chapar/core';
import { agreedEnd, EpochHistory, predates } from './epoch-history.js';
import type { Answer, Pull, Welcome } from './exchange.js';
import { type Range, Ranges } from './ranges.js';
import type { DataId, Epoch } from './record.js';
import { type ReplicaEntry, type ReplicaLog, SyncMarks } from './replica-log.js';

/** Who follows, in which life of its process. */
export interface FollowerIdentity {
  readonly self: DataId;
  readonly session: Revision;
  readonly incarnation: Incarnation;
}

/** Whom it follows, by the record. */
export interface FollowedReign {
  readonly leader: DataId;
  readonly epoch: Epoch;
  /** The last reign that an operator made begin outside the set; 0: none. */
  readonly forced: Epoch;
}

/** Ranges in one pull. */
const lacksMax = 256;

/**
 * Follows one reign: agrees with its leader first, then pulls. What it says to have synced counts for confirms, so it says nothing
 * before it has let go of what the leader does not have and has got back what it lacks, and all of that is on the disk.
 */
export class Follower {
  readonly epoch: Epoch;
  readonly leader: DataId;
  protected readonly log: ReplicaLog;
  private readonly identity: FollowerIdentity;
  /** Of the conversation that is under way. */
  link: number;
  private number = 0;
  private isGreeted = false;
  /** It agrees with the leader, but for what it lacks. */
  private hasAgreed = false;
  private isStopped = false;
  /** Of the leader; this log's is the part of it that this log has come to. */
  private history = new EpochHistory();
  private lacks = new Ranges();
  /** Where the leader's log ended when it greeted. */
  private greetedEnd: Position = 0;
  private changes = 0;
  private readonly positionMarks = new SyncMarks();
  private readonly changeMarks = new SyncMarks();

  /** The last reign that an operator made begin outside the set; 0: none. */
  private readonly forced: Epoch;

  /** `link`: larger than in any conversation that this process had before. */
  constructor(identity: FollowerIdentity, { leader, epoch, forced }: FollowedReign, link: number, log: ReplicaLog) {
    this.identity = identity;
    this.leader = leader;
    this.epoch = epoch;
    this.forced = forced;
    this.link = link;
    this.log = log;
  }

  /** From now on nothing is taken and nothing acknowledged: this node wants to lead, or follows another. */
  stop(): void {
    this.isStopped = true;
  }

  /** The conversation broke; the next pull begins another. */
  broken(link: number): void {
    this.link = link;
    this.number = 0;
    this.isGreeted = false;
  }

  /** The log is on the disk up to this operation. */
  synced(operation: number): void {
    this.positionMarks.reached(operation);
    this.changeMarks.reached(operation);
  }

  /** Null: stopped. What was pulled before is not waited for any more. */
  pull(): Pull | null {
    if (this.isStopped) return null;
    const { log, link, epoch, identity } = this;
    const { self: member, session, incarnation } = identity;
    const { starts } = log.history;
    const opening = this.isGreeted ? null : { starts, committed: log.committed, goesOn: this.hasAgreed && log.isWhole };
    return {
      incarnation,
      epoch,
      member,
      session,
      link,
      number: ++this.number,
      opening,
      end: log.end,
      synced: this.acknowledged,
      changes: this.changes,
      changesSynced: log.isWhole ? this.changeMarks.synced : 0,
      lacks: [...this.lacks].slice(0, lacksMax),
    };
  }

  protected get acknowledged(): Position {
    return this.lacks.isEmpty && this.log.isWhole ? this.positionMarks.synced : 0;
  }

  /** Messages of which this answer makes it let go though they may have been confirmed: an operator made a copy lead that does not have them. */
  outcasts(answer: Answer): readonly Range[] {
    const { log } = this;
    const { welcome } = answer;
    if (!this.isAwaited(answer) || welcome === null || !predates(log.history.starts, this.forced)) return [];
    const upTo = this.cutPoint(welcome);
    const kept = welcome.image === null ? null : Ranges.of(welcome.image);
    const before = kept === null ? [] : log.liveIn(1, upTo).minus(kept);
    return [...before, ...log.liveIn(upTo + 1, log.end)];
  }

  /** It is the answer to the last pull. */
  isAwaited({ epoch, link, number }: Answer): boolean {
    return !this.isStopped && epoch === this.epoch && link === this.link && number === this.number;
  }

  /**
   * An answer to a pull of this conversation in whose place another one is under way: messages and changes will come again, but whoever leads takes
   * it for said what is committed, and does not say it again before there is more.
   */
  overtaken({ epoch, link, number, welcome, isLost, committed }: Answer): void {
    const isOurs = !this.isStopped && epoch === this.epoch && link === this.link && number < this.number;
    if (isOurs && this.isGreeted && welcome === null && !isLost) this.commit(committed);
  }

  /** Takes the answer to the last pull, with the messages that it names; false: it is the answer to another one. */
  take(answer: Answer, entries: readonly ReplicaEntry[]): boolean {
    if (!this.isAwaited(answer)) return false;
    const { welcome } = answer;
    if (answer.isLost) {
      this.lose();
      return true;
    }
    if (welcome !== null) this.agree(welcome, answer);
    if (answer.origins !== null) this.log.merge(answer.origins);
    for (const entry of entries) {
      this.begin(entry.position);
      this.log.append(entry);
    }
    this.lacks.remove(1, answer.filledUpTo);
    if (welcome === null) {
      this.advance(answer.upTo);
      for (const mark of answer.marks) this.log.change(mark);
    }
    // A change names only what is committed there, and so here, as far as it has come.
    this.commit(answer.committed);
    for (const change of answer.changes) {
      this.log.change(change);
      if (change.kind === 'settle') this.lacks.remove(change.first, change.last);
    }
    this.changes = answer.changesUpTo;
    if (!this.log.isWhole && this.lacks.isEmpty && this.log.end >= this.greetedEnd) this.log.mended();
    // What counts is on the disk together with that it counts.
    if (!this.log.isWhole) return true;
    this.changeMarks.note(this.log.operations, this.changes);
    if (this.lacks.isEmpty) this.positionMarks.note(this.log.operations, this.log.end);
    return true;
  }

  /** The leader has forgotten the changes that are needed: it will say again what lives. */
  private lose(): void {
    this.hasAgreed = false;
    this.broken(this.link + 1);
  }

  private agree(welcome: Welcome, { marks }: Answer): void {
    const { log } = this;
    const upTo = this.cutPoint(welcome);
    if (upTo < log.end) log.cut(upTo);
    this.history = new EpochHistory(welcome.starts);
    this.isGreeted = this.hasAgreed = true;
    this.greetedEnd = welcome.end;
    if (welcome.image === null) return;
    const live = Ranges.of(welcome.image);
    this.lacks = live.minus(log.liveIn(1, upTo));
    log.restate(upTo, live, marks);
  }

  protected cutPoint(welcome: Welcome): Position {
    const { log } = this;
    const { starts } = log.history;
    return agreedEnd(welcome, { starts, end: log.end }, predates(starts, this.forced) ? 0 : log.committed);
  }

  /** The log ends at `upTo` now; what did not come was settled before, or begins an epoch. */
  private advance(upTo: Position): void {
    this.begin(upTo);
    if (this.log.end < upTo) this.log.pass(upTo);
  }

  /** Epochs begin before their entries come: after a crash in between these would else pass for entries of the epoch before. */
  protected begin(upTo: Position): void {
    const { log } = this;
    for (const { epoch, first } of this.history.starts)
      if (first <= upTo && epoch > log.history.latest) log.begin(epoch, first);
  }

  /** The fold goes so far and no further: what stands behind may be cut. */
  protected commit(committed: Position): void {
    const known = Math.min(committed, this.log.end);
    if (known > this.log.committed) this.log.commit(known);
  }
}
