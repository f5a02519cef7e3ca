import type { Revision } from '@chapar/core';
import { promiseMs } from './allegiance.js';
import { type FollowedReign, Follower, type FollowerIdentity } from './follower.js';
import { Leader, type LeaderSettings } from './leader.js';
import {
  type DataId,
  firstNonce,
  forcedEpoch,
  forcedPromotion,
  type MirrorRecord,
  promotion,
  resignation,
  successionDelayMs,
} from './record.js';
import { type Proposal, RecordView } from './record-view.js';
import type { ReplicaLog } from './replica-log.js';

/** The other members, as this node sees them now. */
export interface Surroundings {
  /** Who is registered, and in which session. */
  readonly sessions: ReadonlyMap<DataId, Revision>;
  /** Nothing depends on it but when somebody acts: whether a registered member may be taken for dead. */
  isLive(id: DataId): boolean;
  /** Nodes that are being drained: they lead what nobody else will. Absent: none. */
  readonly resting?: ReadonlySet<DataId>;
}

/** A node that is being drained waits so much longer for somebody else to lead. Milliseconds. */
const restingMs = 3000;

/**
 * The part that this node has in one mirrored queue: it leads, follows, or waits to hear whether it leads. What it decides it says by
 * return values; who calls it sends and writes.
 */
export class Replica {
  readonly view: RecordView;
  leader: Leader | null = null;
  follower: Follower | null = null;
  protected readonly log: ReplicaLog;
  protected readonly identity: FollowerIdentity;
  protected readonly settings: LeaderSettings;
  /** The promotion that was asked for. */
  protected candidacy: Proposal | null = null;
  /** When the leader may have heard last from this node that it follows. Monotonic milliseconds. */
  followedAtMs = Number.NEGATIVE_INFINITY;
  private leaderGoneAtMs: number | null = null;
  private links = 0;
  private nonces = 0;

  /** The record is at least as new as this node's registration. */
  constructor(
    identity: FollowerIdentity,
    record: MirrorRecord,
    revision: Revision,
    log: ReplicaLog,
    settings: LeaderSettings,
  ) {
    this.identity = identity;
    this.view = new RecordView(record, revision);
    this.log = log;
    this.settings = settings;
    if (this.isFirst) this.lead();
    else this.arrange();
  }

  /**
   * The record is as it was made, names this node, and was made since this node registered: then no process before this one can have led
   * by it, nor this one in an earlier session, and whoever made it has written the reign's epoch for us.
   */
  protected get isFirst(): boolean {
    const { record, revision } = this.view;
    const { self, session } = this.identity;
    const isNew = record.nonce === firstNonce && record.epoch === 1 && revision > session;
    return isNew && record.leader === self && this.log.end === 0;
  }

  /** From now on it says nothing: the session is over, or the copy. */
  stop(): void {
    this.unfollow();
    if (this.leader !== null) this.retire(this.view.record);
  }

  get self(): DataId {
    return this.identity.self;
  }

  /** Returns what should be written now; the same once more when its answer was lost. */
  tick(nowMs: number, surroundings: Surroundings): Proposal | null {
    const { view, leader } = this;
    if (view.isWaiting) return view.unanswered;
    if (leader !== null) return this.proposed(leader.proposal(nowMs, surroundings.sessions, this.nonce()));
    const delayMs = this.delayMs(nowMs, surroundings);
    if (delayMs === null || delayMs > 0) return null;
    // From here on nothing of the old epoch is acknowledged: what its leader confirms without us, we do not have.
    this.unfollow();
    this.candidacy = { next: this.promoted(view.record), joiner: null };
    return this.proposed(this.candidacy);
  }

  /** This node leads no more by its own wish: what should be written; null: not now. */
  resign(to: DataId): Proposal | null {
    const { view, leader } = this;
    const next = leader === null || view.isWaiting ? null : resignation(view.record, to, this.nonce());
    return next === null ? null : this.proposed({ next, joiner: null });
  }

  /**
   * This node leads by the word of an operator, with what its copy has, while nobody of the set is registered: what should be written;
   * null: it leads, or something is under way.
   */
  promote(): Proposal | null {
    const { view, log } = this;
    const { record } = view;
    if (this.leader !== null || view.isWaiting) return null;
    this.unfollow();
    const epoch = Math.max(record.epoch, log.history.latest) + 1;
    const next = forcedPromotion(record, this.self, epoch, this.nonce());
    this.candidacy = { next, joiner: null, absent: record.inSync };
    return this.proposed(this.candidacy);
  }

  protected promoted(record: MirrorRecord): MirrorRecord {
    return promotion(record, this.self, this.nonce());
  }

  protected nonce(): string {
    return `${this.self}/${this.identity.session}/${++this.nonces}`;
  }

  private proposed(proposal: Proposal | null): Proposal | null {
    if (proposal === null) return null;
    this.view.propose(proposal);
    this.leader?.recordChanged();
    return proposal;
  }

  /** How long until it is this node's turn to lead; null: it is not. */
  protected delayMs(nowMs: number, { sessions, isLive, resting }: Surroundings): number | null {
    const { record } = this.view;
    const { leader } = record;
    const isGone = leader === null || leader === this.self || !sessions.has(leader) || !isLive(leader);
    if (!isGone) this.leaderGoneAtMs = null;
    else this.leaderGoneAtMs ??= nowMs;
    if (this.leaderGoneAtMs === null) return null;
    const mayLead = (id: DataId) => sessions.has(id) && isLive(id) && resting?.has(id) !== true;
    const delayMs = successionDelayMs(record, this.self, mayLead);
    if (delayMs === null) return null;
    const restMs = leader !== this.self && resting?.has(this.self) === true ? restingMs : 0;
    const dueMs = this.leaderGoneAtMs + delayMs + restMs - nowMs;
    // Who is registered and dead serves nobody; who has lost his registration may count on this node for a moment.
    const mayServe = leader !== null && leader !== this.self && !sessions.has(leader);
    return mayServe ? Math.max(dueMs, this.followedAtMs + promiseMs - nowMs) : dueMs;
  }

  /** The record as of `revision`. */
  seen(record: MirrorRecord, revision: Revision): void {
    if (revision <= this.view.revision) return;
    if (record.leader !== this.view.record.leader) this.leaderGoneAtMs = null;
    const ours = this.view.seen(record, revision);
    const isPromoted = ours !== null && ours === this.candidacy;
    this.candidacy = null;
    if (this.leader !== null && (record.leader !== this.self || record.epoch !== this.leader.epoch))
      this.retire(record);
    if (isPromoted) this.lead();
    this.leader?.recordChanged();
    this.arrange();
  }

  private retire(record: MirrorRecord): void {
    const { wishes } = this.leader!;
    this.leader = null;
    wishes.close(record);
  }

  protected lead(): void {
    this.unfollow();
    this.leader = this.makeLeader();
  }

  protected makeLeader(): Leader {
    return new Leader(this.self, this.view, this.log, this.settings);
  }

  /** No answer, or one that says nothing certain. */
  lost(proposal: Proposal): void {
    this.view.lost(proposal);
  }

  /** A guard did not hold. */
  refused(proposal: Proposal): void {
    this.view.refused(proposal);
    if (!this.view.isWaiting && !this.view.isOpen) this.candidacy = null;
    this.leader?.recordChanged();
    this.arrange();
  }

  /** Follows whoever the record names, unless it leads or has asked to. */
  private arrange(): void {
    const { record } = this.view;
    const { leader, epoch, replicas } = record;
    if (this.leader !== null || this.candidacy !== null) return;
    const { follower } = this;
    const isMember = replicas.includes(this.self);
    if (isMember && follower !== null && follower.epoch === epoch && follower.leader === leader) return;
    this.unfollow();
    if (leader === null || leader === this.self || !isMember) return;
    this.follower = this.makeFollower({ leader, epoch, forced: forcedEpoch(record) }, this.nextLink());
  }

  protected makeFollower(reign: FollowedReign, link: number): Follower {
    return new Follower(this.identity, reign, link, this.log);
  }

  private unfollow(): void {
    this.links = Math.max(this.links, this.follower?.link ?? 0);
    this.follower?.stop();
    this.follower = null;
  }

  /** Followers begin conversations of their own, too: no number is given twice, or a late answer would pass for one of another conversation. */
  private nextLink(): number {
    this.links = Math.max(this.links, this.follower?.link ?? 0) + 1;
    return this.links;
  }

  /** The conversation with the leader broke. */
  broken(): void {
    this.follower?.broken(this.nextLink());
  }

  /** The log is on the disk up to this operation. */
  synced(operation: number): void {
    this.leader?.synced(operation);
    this.follower?.synced(operation);
  }
}
