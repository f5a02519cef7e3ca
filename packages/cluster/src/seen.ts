import type { Later, Revision } from '@chapar/core';
import type { Clock, Timer } from '@chapar/platform';
import type { Control } from './peer/control.js';

/** So long somebody waits for a peer to have seen a change; then it is answered, and the peer waited for no more until it has caught up. Milliseconds. */
const patienceMs = 1000;

interface Waiter {
  readonly revision: Revision;
  readonly sequence: number;
  readonly deadlineMs: number;
  readonly resolve: () => void;
}

/** Seen by one, seen by all: answers wait here until every node that is linked has applied what they promise. */
export class Seen {
  private readonly clock: Clock;
  private readonly peers: () => Iterable<Control>;
  private waiters: Waiter[] = [];
  private first = 0;
  private timer: Timer | null = null;
  /** Answers that did not wait for somebody. */
  overdueCount = 0;

  constructor(clock: Clock, peers: () => Iterable<Control>) {
    this.clock = clock;
    this.peers = peers;
  }

  /** `revision` and `sequence` never go back from one call to the next. */
  by(revision: Revision, sequence: number): Later<void> {
    if (this.isSeen(revision, sequence)) return;
    return new Promise((resolve) => {
      const deadlineMs = this.clock.monotonicMs() + patienceMs;
      this.waiters.push({ revision, sequence, deadlineMs, resolve });
      if (this.timer === null) this.watch(patienceMs);
    });
  }

  private isSeen(revision: Revision, sequence: number): boolean {
    for (const { isOpen, isLagging, appliedRevision, announcedSequence } of this.peers()) {
      if (!isOpen || isLagging) continue;
      if (appliedRevision < revision || announcedSequence < sequence) return false;
    }
    return true;
  }

  /** A peer said what it has seen, or its link came or went. */
  progressed(): void {
    const { waiters } = this;
    while (this.first < waiters.length) {
      const { revision, sequence, resolve } = waiters[this.first]!;
      if (!this.isSeen(revision, sequence)) break;
      this.first++;
      resolve();
    }
    if (this.first === waiters.length) {
      this.waiters = [];
      this.first = 0;
    } else if (this.first > 1024 && this.first * 2 > waiters.length) {
      this.waiters = waiters.slice(this.first);
      this.first = 0;
    }
  }

  private watch(ms: number): void {
    this.timer = this.clock.after(ms, () => {
      this.timer = null;
      this.expire();
    });
  }

  private expire(): void {
    const oldest = this.waiters[this.first];
    if (oldest === undefined) return;
    const leftMs = oldest.deadlineMs - this.clock.monotonicMs();
    if (leftMs > 0) {
      this.watch(leftMs);
      return;
    }
    for (const peer of this.peers()) {
      if (!peer.isOpen || peer.isLagging) continue;
      const isBehind = peer.appliedRevision < oldest.revision || peer.announcedSequence < oldest.sequence;
      if (isBehind) peer.isLagging = true;
    }
    this.overdueCount++;
    this.progressed();
    if (this.waiters.length > 0) this.watch(patienceMs);
  }

  close(): void {
    this.timer?.cancel();
    const { waiters, first } = this;
    this.waiters = [];
    this.first = 0;
    for (const { resolve } of waiters.slice(first)) resolve();
  }
}
