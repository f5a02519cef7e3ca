import type { Incarnation, StoredReplica } from '@chapar/core';
import type { Log } from '@chapar/platform';
import type { DataId } from './record.js';
import type { Proposal } from './record-view.js';
import type { Replica, Surroundings } from './replica.js';
import type { StoredLog } from './stored-log.js';

/** What waits for others is said so often. Milliseconds. */
const sayEveryMs = 60_000;

/** The copy, and what it can do. */
export interface Mended {
  readonly incarnation: Incarnation;
  readonly stored: StoredReplica;
  readonly replica: Replica | null;
  /** Asks etcd for it. */
  propose(proposal: Proposal): void;
  /** It was written to. */
  touch(): void;
}

/**
 * A copy that its disk has damaged, or that was emptied for it and has not everything again. It neither leads nor counts: whoever is in sync
 * and registered leads in its place, it leaves the set where that may be, and when it reaches a leader it lets go of all that it has and gets
 * it anew. Where nobody else is in the set, what is left of it is all that there is.
 */
export class Mending {
  private readonly copy: Mended;
  private readonly storedLog: StoredLog;
  private readonly log: Log;
  private isEmptied = false;
  private saidAtMs = Number.NEGATIVE_INFINITY;

  constructor(copy: Mended, storedLog: StoredLog, log: Log) {
    this.copy = copy;
    this.storedLog = storedLog;
    this.log = log;
    copy.stored.onSpoiled = () => this.spoiled();
  }

  /** Something cannot be read back; who leads reads, and who follows has to be asked by nobody. */
  private spoiled(): void {
    const { stored, incarnation } = this.copy;
    if (!stored.isWhole || stored.passesOver) return;
    this.log.error({ incarnation }, 'a copy of a mirrored queue is damaged: it is made anew from another node’s');
    this.isEmptied = false;
    stored.setWhole(false);
    this.copy.touch();
  }

  /** Before it asks a leader for what it lacks. */
  pulls(): void {
    const { stored, incarnation } = this.copy;
    if (stored.isWhole || this.isEmptied) return;
    this.isEmptied = true;
    if (stored.end === 0 && stored.starts.length === 0) return;
    this.log.warn({ incarnation }, 'a damaged copy of a mirrored queue is dropped; it is made anew from the leader’s');
    this.storedLog.empty();
    this.copy.touch();
  }

  /** Now and then, while the node has a session. */
  tick(nowMs: number, surroundings: Surroundings): void {
    const { stored, replica } = this.copy;
    if (stored.isWhole) {
      this.isEmptied = false;
      if (stored.passesOver && replica !== null && replica.view.record.inSync.length > 1) stored.passesOver = false;
      return;
    }
    if (replica === null || replica.view.isWaiting) return;
    const { record } = replica.view;
    const { self } = replica;
    if (!record.inSync.includes(self)) return;
    const isLeader = record.leader === self;
    const others = record.inSync.filter((id) => id !== self);
    if (isLeader && others.length === 0) this.isLast(replica);
    else if (isLeader) this.passOn(replica, others, nowMs, surroundings);
    else this.leave(replica, nowMs);
  }

  private isLast({ leader }: Replica): void {
    const { stored, incarnation } = this.copy;
    if (stored.passesOver) return;
    stored.passesOver = true;
    this.log.error(
      { incarnation },
      'a copy of a mirrored queue is damaged, and no other one is in sync: what is left of it is served, and messages may be missing',
    );
    // It may be asked to lead.
    if (leader !== null) return;
    stored.setWhole(true);
    this.copy.touch();
  }

  private passOn(replica: Replica, others: readonly DataId[], nowMs: number, surroundings: Surroundings): void {
    const { sessions, isLive, resting } = surroundings;
    const may = others.filter((id) => sessions.has(id) && isLive(id));
    const to = may.find((id) => resting?.has(id) !== true) ?? may[0];
    const proposal = to === undefined ? null : replica.leader === null ? replica.abdicate(to) : replica.resign(to);
    if (proposal !== null) this.copy.propose(proposal);
    else this.say(nowMs, 'nobody else who is in sync is there; start one of those nodes');
  }

  private leave(replica: Replica, nowMs: number): void {
    const proposal = replica.leave();
    if (proposal !== null) this.copy.propose(proposal);
    else
      this.say(
        nowMs,
        'it cannot leave the set, which has no more members than it must: nothing new is confirmed before it is mended',
      );
  }

  private say(nowMs: number, what: string): void {
    if (nowMs - this.saidAtMs < sayEveryMs) return;
    this.saidAtMs = nowMs;
    this.log.error(
      { incarnation: this.copy.incarnation },
      `a copy of a mirrored queue is damaged, and is needed: ${what}`,
    );
  }
}
