import type { Incarnation, Position, Revision } from '@chapar/core';
import { AwaitedNewcomer } from './awaited-newcomer.js';
import { type Change, Ledger, type Mark } from './changes.js';
import { Ends } from './ends.js';
import { agreedEnd, predates } from './epoch-history.js';
import type { Answer, Pull, Welcome } from './exchange.js';
import { Origins, type Provenance } from './origins.js';
import { type Range, Ranges } from './ranges.js';
import {
  type DataId,
  type Epoch,
  forcedEpoch,
  forcedGap,
  growth,
  type MirrorRecord,
  shrinking,
  touch,
} from './record.js';
import type { Proposal, RecordView } from './record-view.js';
import { type ReplicaLog, SyncMarks } from './replica-log.js';
import { type FollowerPatience, Standing } from './standing.js';
import { Wishes } from './wishes.js';

export interface LeaderSettings {
  readonly patience: FollowerPatience;
  /** Changes kept for followers that lag. */
  readonly ledgerMax: number;
  /** Positions in one answer, and changes. */
  readonly answerMax: number;
}

/** Messages that stand in the log, and up to where nothing else does. */
export interface Portion {
  readonly entries: readonly Range[];
  readonly upTo: Position;
}

/**
 * One reign over a queue: says what followers get, what counts as committed, and who should be in the set. It begins with an entry of its
 * own, and what it found above the committed that it inherited counts when that entry does, and not before.
 */
export class Leader {
  readonly self: DataId;
  readonly incarnation: Incarnation;
  readonly epoch: Epoch;
  /** Where the reign begins. */
  readonly firstPosition: Position;
  committed: Position;
  /** Changes up to this number are on the disks of all that count. */
  changesCommitted = 0;
  readonly ledger: Ledger;
  readonly members = new Map<DataId, Standing>();
  /** What administrators want of the record. */
  readonly wishes = new Wishes();
  readonly ends = new Ends();
  /** Who had a copy in this reign and was to have none any more. */
  readonly removed = new Set<DataId>();
  /** Whose publishes the log holds, committed or not. */
  readonly origins = new Origins();
  /** Called when `committed` or `changesCommitted` moved. */
  onCounted: (() => void) | null = null;
  protected readonly log: ReplicaLog;
  protected readonly view: RecordView;
  private readonly settings: LeaderSettings;
  private readonly awaited = new AwaitedNewcomer();
  private replicas: readonly DataId[];
  private readonly positionMarks = new SyncMarks();
  private readonly changeMarks = new SyncMarks();
  /** There may be holes up to here. */
  private holesUpTo: Position;

  /** The record names `self` as the leader, by the write that this reign asked for. */
  constructor(self: DataId, view: RecordView, log: ReplicaLog, settings: LeaderSettings) {
    this.self = self;
    this.view = view;
    this.log = log;
    this.settings = settings;
    this.replicas = view.record.replicas;
    this.incarnation = view.record.incarnation;
    this.epoch = view.record.epoch;
    this.ledger = new Ledger(settings.ledgerMax);
    this.committed = log.committed;
    this.firstPosition = log.end + 1;
    this.origins.merge(log.allOriginRows());
    log.begin(this.epoch, this.firstPosition);
    const free = this.freeBehind(log.end);
    if (free > 0) log.pass(log.end + free);
    this.holesUpTo = log.end;
    this.appended([]);
  }

  // -- the leader's own log ----------------------------------------------------------------------------------------

  /** Entries were appended to the log; `from`: whose they are. */
  appended(from: readonly Provenance[]): void {
    for (const provenance of from) this.origins.add(provenance);
    this.positionMarks.note(this.log.operations, this.log.end);
  }

  /** Also of messages that are pended or given back. Only what is committed may be named. Returns the number of the change. */
  change(change: Change): number {
    if (change.kind === 'settle') {
      if (change.last > this.committed) throw new RangeError(`${change.last} is not committed`);
      this.holesUpTo = Math.max(this.holesUpTo, change.last);
    }
    if (change.kind === 'forget') this.origins.forget(change.origin);
    const number = this.ledger.add(change);
    this.log.change(change);
    this.changeMarks.note(this.log.operations, number);
    return number;
  }

  /** The log is on the disk up to this operation. */
  synced(operation: number): void {
    this.positionMarks.reached(operation);
    this.changeMarks.reached(operation);
    this.count();
  }

  get end(): Position {
    return this.log.end;
  }

  /** Positions behind this one that are left free for good: of the first reign since an operator made one begin outside the set. */
  freeBehind(position: Position): number {
    const forced = forcedEpoch(this.view.record);
    const first = forced === 0 ? undefined : this.log.history.starts.find(({ epoch }) => epoch >= forced)?.first;
    return first === undefined ? 0 : Math.max(0, Math.min(forcedGap, first + forcedGap - position));
  }

  /** How far its own log is on the disk. */
  get syncedUpTo(): Position {
    return this.positionMarks.synced;
  }

  // -- what counts -------------------------------------------------------------------------------------------------

  /** The record changed, or what is under way. */
  recordChanged(): void {
    // Whoever comes back to have a copy again has a new one: nothing that the one before had on its disk is there.
    const { replicas } = this.view.record;
    for (const id of this.replicas) if (!replicas.includes(id)) this.removed.add(id);
    for (const id of this.members.keys()) if (!replicas.includes(id)) this.members.delete(id);
    this.replicas = replicas;
    // Whatever is asked may stay without an answer, and nothing shall wait for that but what must.
    this.awaited.end();
    this.count();
  }

  protected countedSet(): ReadonlySet<DataId> {
    return this.view.largestSet;
  }

  /** Who else counts. */
  *others(): Iterable<DataId> {
    for (const id of this.countedSet()) if (id !== this.self) yield id;
  }

  protected count(): void {
    let position = this.positionMarks.synced;
    let change = this.changeMarks.synced;
    for (const id of this.others()) {
      const member = this.member(id);
      position = Math.min(position, member.synced);
      change = Math.min(change, member.changesSynced);
    }
    if (this.awaited.id !== null) {
      const member = this.member(this.awaited.id);
      position = Math.min(position, member.synced);
      change = Math.min(change, member.changesSynced);
    }
    const hasMoved = change > this.changesCommitted;
    if (hasMoved) this.changesCommitted = change;
    if (this.countsFrom(position) && position > this.committed) {
      this.committed = position;
      this.log.commit(position);
    } else if (!hasMoved) return;
    this.onCounted?.();
  }

  /** An entry of an earlier reign that all have may still be cut by a leader that does not have this reign's first entry. */
  protected countsFrom(position: Position): boolean {
    return position >= this.firstPosition;
  }

  // -- followers ---------------------------------------------------------------------------------------------------

  /** Null: the pull is of another reign or of a conversation that is over. The messages of the answer are to be read now. */
  pulled(pull: Pull, nowMs: number): Answer | null {
    return this.heard(pull, nowMs) ? this.answer(pull) : null;
  }

  /** It is to have a copy, by what is known of the record. */
  knows(member: DataId): boolean {
    return this.view.record.replicas.includes(member);
  }

  /** Takes what the pull says; false: it is of another reign or of a conversation that is over. It may be answered later. */
  heard(pull: Pull, nowMs: number): boolean {
    if (pull.epoch !== this.epoch || pull.incarnation !== this.incarnation) return false;
    if (!this.knows(pull.member)) return false;
    if (!this.member(pull.member).heard(pull, this.log.end, nowMs)) return false;
    this.count();
    return true;
  }

  /** To a pull that was not heard: whoever sent it has to greet again; null: it is of an earlier session, or of another reign. */
  turnedAway(pull: Pull): Answer | null {
    const isOurs = pull.epoch === this.epoch && pull.session === this.member(pull.member).session;
    return isOurs ? { ...this.empty(pull), isLost: true } : null;
  }

  /** The follower's pull waits here, and its process is heard. */
  still(member: DataId, nowMs: number): void {
    this.member(member).heardAtMs = nowMs;
  }

  /** There is more to say than that nothing happened, or only how far things are committed. */
  hasNews({ opening, lacks, end, changes }: Pull): boolean {
    return opening !== null || lacks.length > 0 || this.log.end > end || this.ledger.number > changes;
  }

  /** The messages that an answer would carry now, and how far it would go. */
  reading(pull: Pull): Portion {
    if (pull.opening !== null || this.ledger.after(pull.changes, 0) === null) return { entries: [], upTo: pull.end };
    return pull.lacks.length > 0 ? this.filling(pull.lacks) : this.following(pull.end);
  }

  /**
   * The answer to a pull that was heard. `readUpTo`: what `reading` said was read so far and no further; the changes that are told with it
   * are those of now, so what was settled since is not among its messages.
   */
  answer(pull: Pull, readUpTo = Number.POSITIVE_INFINITY): Answer {
    return pull.opening === null ? this.told(pull, readUpTo) : this.welcome(pull);
  }

  private welcome(pull: Pull): Answer {
    const { starts, committed, goesOn } = pull.opening!;
    const { end } = this.log;
    const ours = { starts: this.log.history.starts, end };
    const isFromBefore = predates(starts, forcedEpoch(this.view.record));
    const upTo = agreedEnd(ours, { starts, end: pull.end }, isFromBefore ? 0 : committed);
    const canGoOn = goesOn && this.ledger.after(pull.changes) !== null;
    const welcome: Welcome = { ...ours, image: canGoOn ? null : [...this.image(upTo)] };
    const marks = canGoOn ? [] : this.log.marksIn(1, upTo);
    const changesUpTo = canGoOn ? pull.changes : this.ledger.number;
    // Who is cut below what it took for committed forgets whose all of it was, and not only of what goes.
    const rows = isFromBefore ? this.log.allOriginRows() : this.log.originRows();
    const origins = canGoOn ? null : rows;
    return { ...this.empty(pull), welcome, upTo, marks, origins, changesUpTo };
  }

  /** What lives here up to where a follower agrees: it lets go of all else, or what was settled and compacted here would rise there. */
  protected image(upTo: Position): Ranges {
    return this.log.liveIn(1, upTo);
  }

  private told(pull: Pull, readUpTo: Position): Answer {
    const changes = this.ledger.after(pull.changes, this.settings.answerMax);
    if (changes === null) return { ...this.empty(pull), isLost: true };
    const told = { changes, changesUpTo: pull.changes + changes.length };
    const portion = pull.lacks.length > 0 ? this.filling(pull.lacks) : this.following(pull.end);
    const { entries, upTo } = withinRead(portion, readUpTo);
    const marks = marksOf(this.log, entries);
    if (pull.lacks.length > 0) return { ...this.empty(pull), ...told, entries, marks, filledUpTo: upTo };
    const origins = pull.end < this.holesUpTo ? this.log.originRows() : null;
    return { ...this.empty(pull), ...told, entries, marks, upTo, origins };
  }

  private filling(lacks: readonly Range[]): Portion {
    const entries: Range[] = [];
    let room = this.settings.answerMax;
    for (const { first, last } of lacks) {
      if (room <= 0) break;
      const upTo = Math.min(last, first + room - 1);
      entries.push(...this.log.liveIn(first, upTo));
      room -= upTo - first + 1;
      if (room <= 0) return { entries, upTo };
    }
    return { entries, upTo: lacks.at(-1)!.last };
  }

  private following(end: Position): Portion {
    const { log } = this;
    let upTo = end;
    // Where nothing lives any more it goes on in longer and longer steps.
    for (let step = this.settings.answerMax; upTo < log.end; step *= 2) {
      const next = Math.min(log.end, upTo + step);
      const entries = [...log.liveIn(upTo + 1, next)];
      if (entries.length > 0) return upTo > end ? { entries: [], upTo } : { entries, upTo: next };
      upTo = next;
    }
    return { entries: [], upTo };
  }

  private empty({ link, number, end, changes }: Pull): Answer {
    const { epoch, committed } = this;
    return {
      epoch,
      link,
      number,
      committed,
      welcome: null,
      filledUpTo: 0,
      upTo: end,
      entries: [],
      marks: [],
      origins: null,
      changes: [],
      changesUpTo: changes,
      isLost: false,
    };
  }

  member(id: DataId): Standing {
    let member = this.members.get(id);
    if (member === undefined) {
      member = new Standing(id);
      this.members.set(id, member);
    }
    return member;
  }

  // -- the set -----------------------------------------------------------------------------------------------------

  /** So few members answer that nothing new will be committed: publishes had better be refused. */
  isShort(nowMs: number): boolean {
    const { inSync, min } = this.view.record;
    const { lateMs } = this.settings.patience;
    const heard = inSync.filter((id) => id === this.self || nowMs - this.member(id).heardAtMs < lateMs);
    return heard.length < min;
  }

  /** What should be asked of the record now; null: nothing. `sessions`: who is registered. `nonce`: for the write. */
  proposal(nowMs: number, sessions: ReadonlyMap<DataId, Revision>, nonce: string): Proposal | null {
    const { view, settings } = this;
    const { record } = view;
    this.ends.note(this.log.end, nowMs);
    if (this.awaited.isLost(nowMs, sessions)) this.count();
    if (view.isWaiting || record.leader !== this.self || record.epoch !== this.epoch) return null;
    // Before all else: who was taken out of the set to be removed would else join it again.
    const wished = this.wishes.next(record, nonce);
    if (wished !== null) return { next: wished, joiner: null };
    for (const id of record.inSync) {
      const member = this.member(id);
      if (id === this.self) continue;
      member.joined(nowMs);
      if (!this.isLate(member, sessions.has(id), nowMs)) continue;
      const next = this.without(record, id, nonce);
      if (next === null) continue;
      member.left(nowMs, settings.patience);
      return { next, joiner: null };
    }
    return this.newcomer(nowMs, sessions, nonce) ?? (view.isOpen ? { next: touch(record, nonce), joiner: null } : null);
  }

  /** Something waits for a member that is not there or does not keep up, or it has been away for long. */
  private isLate(member: Standing, isRegistered: boolean, nowMs: number): boolean {
    const { lateMs, awayMs } = this.settings.patience;
    const owesMs = member.owesSinceMs(this.log.end, this.ledger.number, nowMs);
    const isAway = member.awaySinceMs(isRegistered, nowMs) >= awayMs;
    return isAway || (member.owes && (!isRegistered || owesMs >= lateMs));
  }

  protected without(record: MirrorRecord, id: DataId, nonce: string): MirrorRecord | null {
    return shrinking(record, id, nonce);
  }

  private newcomer(nowMs: number, sessions: ReadonlyMap<DataId, Revision>, nonce: string): Proposal | null {
    const { record } = this.view;
    for (const id of record.replicas) {
      const member = this.member(id);
      if (record.inSync.includes(id) || sessions.get(id) !== member.session || !this.isWelcome(member, nowMs)) continue;
      const next = growth(record, id, nonce);
      if (next !== null) return { next, joiner: { id, session: member.session } };
    }
    this.awaitNewcomer(nowMs, sessions);
    return null;
  }

  /** Nobody is welcome, perhaps only because what is committed runs ahead of all who follow. */
  private awaitNewcomer(nowMs: number, sessions: ReadonlyMap<DataId, Revision>): void {
    const { inSync, replicas } = this.view.record;
    for (const id of replicas) {
      const member = this.member(id);
      if (inSync.includes(id) || sessions.get(id) !== member.session) continue;
      if (member.mayJoin(nowMs, this.settings.patience)) this.awaited.begin(id, member.session, nowMs);
    }
  }

  /** Whoever joins has all that is committed and all that is settled for good, and knows where this reign begins. */
  protected isWelcome(member: Standing, nowMs: number): boolean {
    const has = Math.max(this.committed, this.firstPosition);
    if (member.changesSynced < this.changesCommitted) return false;
    return member.synced >= has && member.mayJoin(nowMs, this.settings.patience);
  }
}

function withinRead(portion: Portion, readUpTo: Position): Portion {
  if (portion.upTo <= readUpTo) return portion;
  return { entries: [...Ranges.of(portion.entries).within(1, readUpTo)], upTo: readUpTo };
}

function marksOf(log: ReplicaLog, ranges: readonly Range[]): Mark[] {
  return ranges.flatMap(({ first, last }) => [...log.marksIn(first, last)]);
}
