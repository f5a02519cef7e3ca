import type { Revision } from '@chapar/core';
import type { DataId, MirrorRecord } from './record.js';

/** A write of the record that is under way. */
export interface Proposal {
  readonly next: MirrorRecord;
  /** Besides the revision of the record and the writer's own session: the session in which a newcomer caught up. Null: none. */
  readonly joiner: { readonly id: DataId; readonly session: Revision } | null;
  /** And that none of these is registered. Absent: it does not matter. */
  readonly absent?: readonly DataId[];
}

/**
 * What one node knows of a queue's record, and what it asked for and does not know the outcome of. All proposals under way are guarded
 * by the revision that is known, so that at most one of them becomes true, and any newer revision decides all of them. Until then a
 * request without an answer may still be applied, however late: to have read the same record again proves nothing.
 */
export class RecordView {
  record: MirrorRecord;
  revision: Revision;
  /** `moot`: its answer was lost, and it can be asked no more; the first try may still come true. */
  private underWay: { readonly proposal: Proposal; state: 'asked' | 'unknown' | 'moot' }[] = [];

  constructor(record: MirrorRecord, revision: Revision) {
    this.record = record;
    this.revision = revision;
  }

  /** Something was asked that is not decided, and nothing else should be. */
  get isWaiting(): boolean {
    return this.underWay.some(({ state }) => state !== 'moot');
  }

  /** Any other write of the record, be it the same again, decides what is left open. */
  get isOpen(): boolean {
    return this.underWay.length > 0 && !this.isWaiting;
  }

  /** The one to be sent again when its answer was lost. */
  get unanswered(): Proposal | null {
    return this.underWay.find(({ state }) => state === 'unknown')?.proposal ?? null;
  }

  /**
   * Who must have an entry before it counts: the record's set, and everybody whose addition was proposed and is not known to have failed.
   * A removal counts when it is known to be done, and not before.
   */
  get largestSet(): ReadonlySet<DataId> {
    const set = new Set(this.record.inSync);
    for (const { proposal } of this.underWay) for (const id of proposal.next.inSync) set.add(id);
    return set;
  }

  propose(proposal: Proposal): void {
    if (this.underWay.some((each) => each.proposal === proposal)) return;
    this.underWay.push({ proposal, state: 'asked' });
  }

  /** The answer to a proposal did not come, or said nothing certain. */
  lost(proposal: Proposal): void {
    for (const each of this.underWay) if (each.proposal === proposal) each.state = 'unknown';
  }

  /** A guard did not hold. That is certain only of a proposal that was sent once: else the first try may be what changed the record. */
  refused(proposal: Proposal): void {
    const refused = this.underWay.find((each) => each.proposal === proposal);
    if (refused === undefined) return;
    if (refused.state === 'asked') this.underWay = this.underWay.filter((each) => each !== refused);
    else refused.state = 'moot';
  }

  /** The record as of a later revision; older news are of no interest. Returns the proposal that it came from, if it was one of ours. */
  seen(record: MirrorRecord, revision: Revision): Proposal | null {
    if (revision <= this.revision) return null;
    const ours = this.underWay.find(({ proposal }) => proposal.next.nonce === record.nonce);
    this.record = record;
    this.revision = revision;
    this.underWay = [];
    return ours?.proposal ?? null;
  }
}
