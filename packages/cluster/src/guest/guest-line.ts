import type { Queue, Turn } from '@chapar/core';
import type { LedQueue } from '../replication/led-queue.js';
import type { Origin } from '../replication/origins.js';

import type { Lead } from './leads.js';
import { LineIntake } from './line-intake.js';
import type { VerdictSink } from './verdicts.js';

/** Told that more of what was settled on a line is for good. */
export interface LineSink extends VerdictSink {
  /** It has not been told to the peer. */
  forGood(line: GuestLine): void;
}

/** What the face of a mirrored queue on another node says to this one, which leads: its publishes, and its settlements in their order. */
export class GuestLine {
  /** The peer's name for it. */
  readonly number: number;
  readonly lead: Lead;
  readonly intake: LineIntake;
  private readonly sink: LineSink;
  private readonly onEnded: (line: GuestLine) => void;
  /** Settlements that came, by number. */
  private heardUpTo = 0;
  /** Those that were carried out and are not for good: up to which, and the mark that stands for them. */
  private marks: { upTo: number; readonly mark: number }[] = [];
  goodUpTo = 0;
  /** The messages of so many consumers are looked for: verdicts on them wait. */
  private claiming = 0;
  /** So many consumers attach when all nodes have said what they have: verdicts on what these claim wait as well. */
  private returning = 0;
  private deferred: (() => void)[] = [];
  private untilClaimed: (() => void)[] = [];

  /** `onEnded`: nothing that is said on it counts any more. */
  constructor(
    turn: Turn,
    number: number,
    lead: Lead,
    origin: Origin,
    sink: LineSink,
    onEnded: (line: GuestLine) => void,
  ) {
    this.onEnded = onEnded;
    this.number = number;
    this.lead = lead;
    this.sink = sink;
    this.intake = new LineIntake(turn, number, lead.led, origin, sink);
    lead.lines.add(this);
  }

  get led(): LedQueue {
    return this.lead.led;
  }

  get queue(): Queue {
    return this.lead.led.queue;
  }

  /** Nothing that is said here counts any more. */
  get isOver(): boolean {
    return this.lead.isOver || this.led.isOver || (this.led.shard === null && this.queue.deleted);
  }

  // ---- settlements -------------------------------------------------------------------------------------------------

  /** Carries out a settlement, once. */
  settle(number: number, carryOut: () => void): void {
    // It came already, over the link that broke.
    if (number <= this.heardUpTo) return;
    this.heardUpTo = number;
    this.inOrder(() => {
      carryOut();
      const mark = this.led.mark();
      const last = this.marks.at(-1);
      if (last?.mark === mark) last.upTo = number;
      else this.marks.push({ upTo: number, mark });
      this.progressed();
    });
  }

  /** More is for good. */
  progressed(): void {
    const { forGood } = this.led;
    let gone = 0;
    while (gone < this.marks.length && this.marks[gone]!.mark <= forGood) gone++;
    if (gone === 0) return;
    this.goodUpTo = this.marks[gone - 1]!.upTo;
    this.marks.splice(0, gone);
    this.sink.forGood(this);
  }

  // ---- claims ------------------------------------------------------------------------------------------------------

  /** Now, or behind what waits for claims. */
  inOrder(work: () => void): void {
    if (this.claiming + this.returning === 0) work();
    else this.deferred.push(work);
  }

  /** Now, or when everything that was claimed so far is found. */
  whenClaimed(work: () => void): void {
    if (this.claiming === 0) work();
    else this.untilClaimed.push(work);
  }

  claims(): void {
    this.claiming++;
  }

  claimed(): void {
    this.claiming--;
    // Which may claim more.
    this.goOn();
    if (this.claiming > 0) return;
    const { untilClaimed } = this;
    this.untilClaimed = [];
    for (const work of untilClaimed) work();
  }

  returns(): void {
    this.returning++;
  }

  returned(): void {
    this.returning--;
    this.goOn();
  }

  private goOn(): void {
    while (this.claiming + this.returning === 0 && this.deferred.length > 0) {
      const work = this.deferred.shift()!;
      if (!this.isOver) work();
    }
  }

  end(): void {
    this.lead.lines.delete(this);
    this.deferred = this.untilClaimed = [];
    this.onEnded(this);
  }
}
