import type { Incarnation, Position, ReplicaEntry, Revision, StoredReplica } from '@chapar/core';
import type { Log } from '@chapar/platform';
import { FoldedReplica } from '../keyed/folded-replica.js';
import type { HeldPull } from './answer-lane.js';
import type { Answer } from './exchange.js';
import type { Follower } from './follower.js';
import type { Leader, LeaderSettings } from './leader.js';
import { type Mended, Mending } from './mending.js';
import { MirroredLog } from './mirrored-log.js';
import type { PullLane } from './pull-lane.js';
import { keptFromMs, QueueTime } from './queue-time.js';
import { type Range, Ranges } from './ranges.js';
import type { DataId, MirrorRecord } from './record.js';
import type { Proposal } from './record-view.js';
import { Reign } from './reign.js';
import { Replica, type Surroundings } from './replica.js';
import type { Parcel } from './replication-form.js';
import { StoredLog } from './stored-log.js';

/** Of messages in one answer; one is there at least. Bytes. */
const answerBytesMax = 1024 * 1024;
/** A leader that hears too few members passes the lead on after so long. Milliseconds. */
const shortMs = 5000;
/** The set is asked so often whether it follows still, while that is in doubt. Milliseconds. */
const askEveryMs = 50;

/** What a copy needs of the node. */
export interface CopyHost {
  readonly log: Log;
  readonly settings: LeaderSettings;
  monotonicMs(): number;
  /** The node's time at this moment, see `Turn.exactMs`. Milliseconds since 1970. */
  nowMs(): number;
  /** The node's session is known not to have ended at etcd: nobody leads what it leads. */
  isSure(): boolean;
  /** The copy was written to: the disk gets it at the end of the turn, and followers hear of it. */
  touch(copy: Copy): void;
  /** Asks etcd for it, guarded by this revision of the record; `refused` and `lost` follow. */
  write(copy: Copy, proposal: Proposal, revision: Revision): void;
  /** Null: the node cannot be pulled from now. */
  laneTo(id: DataId): PullLane | null;
  /** Who should lead instead of this node; null: it leads nothing, or nobody can. */
  successor(copy: Copy): DataId | null;
  /** Pulls that wait for the leader of this queue. */
  heldFor(incarnation: Incarnation): Iterable<HeldPull>;
  /** Opens the queue of a reign whose first entry is committed. It may be too early; it is asked again. */
  openQueue(copy: Copy, reign: Reign): void;
  /** Nothing of it counts any more. */
  endedReign(reign: Reign): void;
}

/** This node's copy of one mirrored queue, and what it does with it: it follows, leads, or waits for a session. */
export class Copy implements Mended {
  readonly incarnation: Incarnation;
  /** Of this copy on this node, for lanes. */
  readonly number: number;
  readonly stored: StoredReplica;
  /** Null: this node has no session. */
  replica: Replica | null = null;
  reign: Reign | null = null;
  private readonly host: CopyHost;
  private readonly log: StoredLog;
  private following: Follower | null = null;
  /** For people who look. */
  pullCount = 0;
  /** The next pull waits until the disk has this operation; null: for nothing. */
  private pullAfter: number | null = null;
  /** The leader is told when the disk has this operation, by a pull in place of the one that waits there; null: nothing is to be told. */
  private tellAfter: number | null = null;
  /** The disk has the log up to this operation. */
  private syncedUpTo: number;
  /** Since when the reign hears too few, if it does. Milliseconds. */
  private shortSinceMs = 0;
  /** What followers were told to be committed. */
  private readonly told = new Map<DataId, Position>();
  private readonly mending: Mending;
  /** Time as the queue counts it. */
  private readonly time: QueueTime;
  /** What time its leader had at the last answer; 0: none has come in this reign. */
  private heardMs = 0;
  /** The set is not asked again before. Monotonic milliseconds. */
  private askAgainMs = 0;
  /** When its leader was heard last; null: not since this process began. Milliseconds. */
  heardAtMs: number | null = null;
  /** It has kept aside what it lets go of to follow. */
  private hasKept: Follower | null = null;
  /** What it holds and what its leader says exclude each other, or its disk failed. */
  private isBroken = false;

  constructor(host: CopyHost, number: number, stored: StoredReplica) {
    this.host = host;
    this.number = number;
    this.stored = stored;
    this.incarnation = stored.incarnation;
    this.log = new StoredLog(stored);
    this.time = new QueueTime(stored.aheadMs);
    this.mending = new Mending(this, this.log, host.log);
    this.syncedUpTo = stored.operations;
    stored.onSynced = (operation) => this.synced(operation);
    stored.onFailed = (error) => this.fail(error);
  }

  // -- what this node learns ---------------------------------------------------------------------------------------

  /** A session of this node begins; `record`, as of `revision`, is no older. */
  begin(self: DataId, session: Revision, record: MirrorRecord, revision: Revision): void {
    this.end();
    if (this.isBroken) return;
    const identity = { self, session, incarnation: this.incarnation };
    this.replica = new Replica(identity, record, revision, this.log, this.host.settings);
    // An earlier process may have followed until now.
    this.replica.followedAtMs = this.host.monotonicMs();
    this.settle();
  }

  /** The session is over, or the copy. */
  end(): void {
    this.replica?.stop();
    this.replica = null;
    this.settle();
  }

  seen(record: MirrorRecord, revision: Revision): void {
    this.replica?.seen(record, revision);
    this.settle();
    // Some may have known of it before.
    for (const held of [...this.host.heldFor(this.incarnation)]) if (!held.isHeard) this.pulled(held);
  }

  refused(proposal: Proposal, by: Replica): void {
    if (this.replica !== by) return;
    by.refused(proposal);
    this.settle();
  }

  lost(proposal: Proposal, by: Replica): void {
    if (this.replica !== by) return;
    by.lost(proposal);
    this.settle();
  }

  /** Time has passed, or something has changed around it. */
  tick(surroundings: Surroundings): void {
    const { replica, host } = this;
    if (replica === null || this.isBroken) return;
    const nowMs = host.monotonicMs();
    const proposal = replica.tick(nowMs, surroundings);
    if (proposal !== null) this.propose(proposal);
    this.mending.tick(nowMs, surroundings);
    this.settle();
    const { reign } = this;
    if (reign === null) return;
    this.count(reign, nowMs, surroundings);
    this.tryToOpen(reign);
    this.sayCommitted(reign.leader);
    reign.reassure();
  }

  /** The record's word is written, whatever it was: this node leads or follows by it. */
  private settle(): void {
    const leader = this.replica?.leader ?? null;
    if (leader !== (this.reign?.leader ?? null)) this.reignChanged(leader);
    const follower = this.replica?.follower ?? null;
    if (follower === this.following) return;
    this.following = follower;
    this.pullAfter = this.tellAfter = null;
    this.heardMs = 0;
    if (follower !== null) this.time.follows();
    this.pull();
  }

  private synced(operation: number): void {
    this.syncedUpTo = operation;
    this.replica?.synced(operation);
    const { pullAfter, tellAfter } = this;
    const isAwaited = pullAfter !== null && operation >= pullAfter;
    const isTold = pullAfter === null && tellAfter !== null && operation >= tellAfter;
    if (isAwaited || isTold) this.pull();
  }

  private fail(error: Error): void {
    if (this.isBroken) return;
    this.isBroken = true;
    const { incarnation, host, reign } = this;
    host.log.error({ error, incarnation }, 'this copy of a mirrored queue takes part no more');
    const successor = host.successor(this);
    if (successor !== null) this.resign(successor);
    reign?.log.onFailed?.(error);
    this.end();
  }

  /** By the word of an operator this copy leads, or because it has more than the others. False: not now. */
  promote(why: 'operator' | 'compared'): boolean {
    const { replica, host } = this;
    const revision = replica?.view.revision ?? 0;
    const proposal = (why === 'operator' ? replica?.promote() : replica?.elect()) ?? null;
    if (proposal !== null) host.write(this, proposal, revision);
    this.settle();
    return proposal !== null;
  }

  /** The lead goes to another node, if that can be asked for now. */
  resign(to: DataId): boolean {
    const { replica } = this;
    const proposal = replica?.resign(to) ?? null;
    if (proposal !== null) this.propose(proposal);
    return proposal !== null;
  }

  propose(proposal: Proposal): void {
    this.host.write(this, proposal, this.replica!.view.revision);
  }

  touch(): void {
    this.host.touch(this);
  }

  // -- following ---------------------------------------------------------------------------------------------------

  /** The way to this node is free. */
  laneOpened(id: DataId): void {
    if (this.following?.leader === id) this.pull();
  }

  laneClosed(id: DataId): void {
    if (this.following?.leader !== id) return;
    this.pullAfter = this.tellAfter = null;
    this.replica?.broken();
  }

  private pull(): void {
    const { following: follower } = this;
    const lane = follower === null ? null : this.host.laneTo(follower.leader);
    if (lane !== null) this.mending.pulls();
    const pull = lane === null ? null : follower!.pull();
    if (pull === null) return;
    this.pullAfter = null;
    if (this.tellAfter !== null && this.tellAfter <= this.syncedUpTo) this.tellAfter = null;
    this.pullCount++;
    this.replica!.followedAtMs = this.host.monotonicMs();
    lane!.pull(this.number, pull, this.heardMs);
  }

  answered(parcel: Parcel): void {
    const { following: follower, stored } = this;
    const { answer, entries, sentMs } = parcel;
    const { end } = stored;
    const fold = stored instanceof FoldedReplica ? stored.fold : null;
    if (follower?.epoch === answer.epoch && sentMs > 0) this.hear(sentMs);
    try {
      if (follower === null || !follower.isAwaited(answer)) {
        follower?.overtaken(answer);
        return;
      }
      const outcasts = this.hasKept === follower ? [] : follower.outcasts(answer);
      if (outcasts.length > 0) {
        void this.keepAside(outcasts, follower, parcel);
        return;
      }
      fold?.heard(answer.committed, answer.welcome?.end ?? null);
      follower.take(answer, entries);
      this.heardAtMs = this.host.monotonicMs();
      fold?.caughtUp();
    } catch (error) {
      this.fail(error as Error);
      return;
    }
    // Nothing may have been written for it, and then the disk will not say anything.
    if (stored.operations <= this.syncedUpTo) this.replica!.synced(this.syncedUpTo);
    // What is committed need not be on the disk for the next pull, and is with whatever comes next.
    const { welcome, changes } = answer;
    const isMore = welcome !== null || entries.length > 0 || stored.end > end;
    if ((!isMore && changes.length === 0) || stored.operations <= this.syncedUpTo) {
      this.pull();
      return;
    }
    this.host.touch(this);
    // The disk takes its time with what was only settled, and publishes shall not wait for that.
    if (isMore) this.pullAfter = stored.operations;
    else {
      this.tellAfter = stored.operations;
      this.pull();
    }
  }

  /** The leader's word for what time it is. */
  private hear(sentMs: number): void {
    this.time.heard(sentMs, this.host.nowMs());
    this.heardMs = Math.max(this.heardMs, sentMs);
    this.keepTime();
  }

  private keepTime(): void {
    const aheadMs = Math.floor(this.time.aheadMs);
    if (Math.abs(aheadMs - (this.stored.aheadMs ?? 0)) < keptFromMs) return;
    this.stored.keepTime(aheadMs);
    this.host.touch(this);
  }

  private get queueMs(): number {
    return this.host.nowMs() + Math.floor(this.time.aheadMs);
  }

  /** What was confirmed perhaps and is to go is kept first. */
  private async keepAside(outcasts: readonly Range[], follower: Follower, parcel: Parcel): Promise<void> {
    const { host, incarnation, stored } = this;
    try {
      const { path, count } = await stored.keepAside(outcasts);
      const what = 'an operator made a copy lead that lacks messages which this one has: they are kept aside';
      host.log.warn({ incarnation, path, messages: count }, what);
      if (this.following !== follower) return;
      this.hasKept = follower;
      this.answered(parcel);
    } catch (error) {
      if (this.following === follower) this.fail(error as Error);
    }
  }

  // -- leading -----------------------------------------------------------------------------------------------------

  private reignChanged(leader: Leader | null): void {
    const before = this.reign;
    this.reign = null;
    this.told.clear();
    if (before !== null) {
      before.end();
      this.host.endedReign(before);
    }
    if (leader === null) return;
    const log: MirroredLog = new MirroredLog(leader, this.stored, {
      touch: () => this.host.touch(this),
      nowMs: () => this.queueMs,
      aheadMs: Math.floor(this.time.aheadMs),
      mayHandOut: () => this.mayHandOut(reign),
    });
    const reign: Reign = new Reign(leader, log);
    this.reign = reign;
    this.keepTime();
    leader.onCounted = () => {
      this.tryToOpen(reign);
      reign.counted();
      if (this.saysAtOnce(reign)) this.sayCommitted(leader);
    };
    // The entry that it begins with.
    this.host.touch(this);
    for (const held of [...this.host.heldFor(this.incarnation)]) this.pulled(held);
  }

  /** Whoever does not hear enough members, though they are well by all that is known, may be the one that is cut off. */
  private count(reign: Reign, nowMs: number, { sessions, isLive }: Surroundings): void {
    const { record } = this.replica!.view;
    const isShort = reign.leader.isShort(nowMs);
    if (isShort !== reign.isShort) this.shortSinceMs = nowMs;
    reign.isShort = isShort;
    if (!isShort || reign.isFenced || nowMs - this.shortSinceMs < shortMs) return;
    this.shortSinceMs = nowMs;
    const { incarnation, host } = this;
    const others = record.inSync.filter((id) => id !== record.leader && sessions.has(id) && isLive(id));
    const to = others.length < record.min ? null : host.successor(this);
    const isPassedOn = to !== null && this.resign(to);
    const what = isPassedOn ? `the lead is passed on to ${to}` : 'nothing new is taken';
    host.log.warn({ incarnation }, `too few of the nodes with copies of a mirrored queue are heard: ${what}`);
  }

  /** Nobody else leads, by the node's session or by the word of the set; else that is being asked. */
  private mayHandOut(reign: Reign): boolean {
    if (this.host.isSure() || reign.allegiance.holds(reign.leader.others(), this.queueMs)) return true;
    const nowMs = this.host.monotonicMs();
    if (nowMs < this.askAgainMs) return false;
    this.askAgainMs = nowMs + askEveryMs;
    for (const held of this.host.heldFor(this.incarnation)) {
      held.isAsked = true;
      if (held.isHeard) held.lane.schedule(held);
    }
    return false;
  }

  private tryToOpen(reign: Reign): void {
    if (!reign.mayOpen) return;
    // What was published while nobody led comes at once: at the last tick nobody may have answered yet.
    reign.isShort = reign.leader.isShort(this.host.monotonicMs());
    this.host.openQueue(this, reign);
  }

  /** A follower pulls. One that is ahead of what this node knows of the record waits until it knows. */
  pulled(held: HeldPull): void {
    const leader = this.reign?.leader;
    const { pull, lane } = held;
    if (leader === undefined || pull.epoch > leader.epoch || !leader.knows(pull.member)) return;
    if (!leader.heard(pull, this.host.monotonicMs())) {
      const answer = leader.turnedAway(pull);
      if (answer === null) lane.forget(held);
      else lane.send(held, answer, [], this.queueMs);
      return;
    }
    held.isHeard = true;
    this.reign?.allegiance.says(pull.member, held.heardMs);
    this.reign?.reassure();
    const isBehind = this.knows(held) < leader.committed && this.saysAtOnce(this.reign!);
    if (leader.hasNews(pull) || isBehind) lane.schedule(held);
  }

  still({ isHeard, pull }: HeldPull): void {
    const leader = this.reign?.leader;
    if (isHeard && leader?.epoch === pull.epoch) leader.still(pull.member, this.host.monotonicMs());
  }

  /** The log has something new: whoever waits for it gets it at the end of the turn. */
  stir(): void {
    const leader = this.reign?.leader;
    if (leader === undefined) return;
    for (const held of this.host.heldFor(this.incarnation))
      if (held.isHeard && leader.hasNews(held.pull)) held.lane.schedule(held);
  }

  /** Somebody over there may wait for what its fold of a shard comes to, and nothing is under way that would say it. */
  private saysAtOnce({ shard, leader }: Reign): boolean {
    return shard !== null && leader.committed === leader.end;
  }

  /** Of a queue not at once, for it comes with the next message anyway; but when none comes. */
  private sayCommitted({ committed }: Leader): void {
    for (const held of this.host.heldFor(this.incarnation))
      if (held.isHeard && this.knows(held) < committed) held.lane.schedule(held);
  }

  private knows({ pull }: HeldPull): Position {
    return this.told.get(pull.member) ?? 0;
  }

  answer(held: HeldPull): void {
    const leader = this.reign?.leader;
    const { pull, lane } = held;
    if (leader === undefined || !held.isHeard || pull.epoch !== leader.epoch) return;
    if (!held.isAsked && !leader.hasNews(pull) && this.knows(held) >= leader.committed) return;
    const { entries: ranges, upTo } = leader.reading(pull);
    if (ranges.length === 0) {
      this.send(held, leader, upTo, []);
      return;
    }
    lane.reads(held);
    this.stored.entries(ranges, answerBytesMax, (entries, readUpTo) => {
      if (!lane.hasRead(held) || this.reign?.leader !== leader) return;
      this.send(held, leader, readUpTo >= ranges.at(-1)!.last ? upTo : readUpTo, entries);
    });
  }

  private send(held: HeldPull, leader: Leader, upTo: Position, read: readonly ReplicaEntry[]): void {
    const { pull, lane } = held;
    let answer: Answer;
    try {
      answer = leader.answer(pull, upTo);
    } catch (error) {
      const { member } = pull;
      this.host.log.error(
        { error, member, incarnation: this.incarnation },
        'a copy of a mirrored queue is turned away',
      );
      lane.forget(held);
      return;
    }
    // What was settled since it was read does not go.
    const carried = Ranges.of(answer.entries);
    const entries = read.filter(({ position }) => carried.has(position));
    this.told.set(pull.member, answer.committed);
    lane.send(held, answer, entries, this.queueMs);
  }
}
