import type { Outcome, Position } from '@chapar/core';
import { FRAME_SETTLE } from '../peer/frames.js';
import type { Outgoing } from '../peer/outgoing.js';
import { outcomes } from '../peer/refusals.js';

interface Settlement {
  /** In this pair of sessions; 0: not sent yet. */
  number: number;
  readonly consumer: number;
  readonly outcome: Outcome;
  readonly first: Position;
  count: number;
}

/** Verdicts of this node's consumers on their way to the home of their queues: ranges, kept until they were carried out there. */
export class Settlements {
  private readonly out: Outgoing;
  private gathered: Settlement[] = [];
  private sent: Settlement[] = [];
  private lastNumber = 0;

  constructor(out: Outgoing) {
    this.out = out;
  }

  add(consumer: number, outcome: Outcome, position: Position): void {
    const { gathered } = this;
    const last = gathered[gathered.length - 1];
    if (
      last !== undefined &&
      last.consumer === consumer &&
      last.outcome === outcome &&
      last.first + last.count === position
    ) {
      last.count++;
      return;
    }
    gathered.push({ number: 0, consumer, outcome, first: position, count: 1 });
  }

  /** Only while the link is there. */
  flush(): void {
    const { gathered } = this;
    if (gathered.length === 0) return;
    this.gathered = [];
    for (const settlement of gathered) {
      settlement.number = ++this.lastNumber;
      this.write(settlement);
    }
    if (this.sent.length === 0) this.sent = gathered;
    else for (const settlement of gathered) this.sent.push(settlement);
  }

  private write({ number, consumer, outcome, first, count }: Settlement): void {
    const { out } = this;
    out.begin(FRAME_SETTLE);
    out.varint(number);
    out.varint(consumer);
    out.byte(outcomes.indexOf(outcome));
    out.varint(first);
    out.varint(count);
  }

  /** Takes those of this consumer out, carried out or not. */
  takeOf(consumer: number, take: (outcome: Outcome, position: Position) => void): void {
    for (const settlement of [...this.sent, ...this.gathered]) {
      const { first, count, outcome } = settlement;
      if (settlement.consumer !== consumer) continue;
      for (let position = first; position < first + count; position++) take(outcome, position);
    }
    const others = (settlement: Settlement) => settlement.consumer !== consumer;
    this.sent = this.sent.filter(others);
    this.gathered = this.gathered.filter(others);
  }

  /** All up to this number were carried out. */
  done(upTo: number): void {
    let gone = 0;
    while (gone < this.sent.length && this.sent[gone]!.number <= upTo) gone++;
    this.sent.splice(0, gone);
  }

  /**
   * The link is there again: those that may have been lost are said once more. The home carries each number out once: what it gave back
   * may have come to the same consumer again meanwhile.
   */
  resend(): void {
    for (const settlement of this.sent) this.write(settlement);
  }

  clear(): void {
    this.gathered = [];
    this.sent = [];
    this.lastNumber = 0;
  }
}
