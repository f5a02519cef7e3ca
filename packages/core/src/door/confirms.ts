import type { Address } from '../address.js';
import type { Message } from '../message.js';
import { type Flushable, PHASE_CONFIRM, type Turn } from '../turn.js';

/** Numbers a publisher's messages from 1, in the order published; 0: no confirm is wanted. */
export type PublishTag = number;

/** Why a message was not taken. */
export type Refusal = 'queue-full' | 'store-failed' | 'node-down' | 'not-enough-copies';

/** Why a message came back. */
export type ReturnReason = 'no-route';

/** The door's side of a publisher. */
export interface ConfirmSink {
  /**
   * Every tag up to `upTo` has its verdict, and all of them that were not refused are confirmed. `newest` is the highest that is
   * confirmed by this call, 0 when none is: the peer is told up to there. No refused tag stands between what was confirmed before and
   * `newest`, so that a cumulative acknowledgement covers none. Called at the end of a turn, more than once where refusals divide it.
   */
  confirmed(upTo: PublishTag, newest: PublishTag): void;
  /** This one is confirmed, though older ones still wait. */
  confirmedAlone(tag: PublishTag): void;
  refused(tag: PublishTag, why: Refusal): void;
  /** Called within `publish`, before the message is confirmed. */
  returned(message: Message, address: Address, why: ReturnReason): void;
}

const WAITING = 0;
const CONFIRMED = 1;
const REFUSED = 2;
/** Confirmed alone, and told. */
const TOLD = 3;

/**
 * Which of a publisher's messages are promised: coalesces what was committed in a turn into one confirm up to a tag, and names alone
 * those that overtook an older one. Costs a number per message while nothing waits, a ring of numbers while something does.
 */
export class Confirms implements Flushable {
  private readonly turn: Turn;
  private readonly sink: ConfirmSink;
  /** The lowest tag without a verdict. */
  private lowest = 1;
  /** The next tag to come. */
  private next = 1;
  private toldUpTo = 0;
  /** The highest tag below `lowest` that is confirmed and not told, since the last refused one; 0: none. */
  private newest: PublishTag = 0;
  /** Those that stood before refused ones. */
  private beforeRefused: PublishTag[] = [];
  /** Verdicts of the tags from `lowest` on, from index `first`, while there is one that waits. */
  private verdicts: number[] = [];
  private first = 0;
  private overtakers: PublishTag[] = [];
  private added = false;

  constructor(turn: Turn, sink: ConfirmSink) {
    this.turn = turn;
    this.sink = sink;
  }

  /** Messages published and not yet confirmed or refused. */
  get waitingCount(): number {
    let count = 0;
    for (let i = this.first; i < this.verdicts.length; i++) if (this.verdicts[i] === WAITING) count++;
    return count;
  }

  /** The tag of the message that is published now. */
  begin(): PublishTag {
    const tag = this.next++;
    if (this.lowest !== tag) this.verdicts.push(WAITING);
    return tag;
  }

  /** The message of this tag has to wait for its commit: its verdict comes by `confirm` or `refuse`, in a later turn. */
  await(tag: PublishTag): void {
    if (this.lowest === tag) this.verdicts.push(WAITING);
  }

  /** Committed by all of its queues, or routed to none. */
  confirm(tag: PublishTag): void {
    this.decide(tag, CONFIRMED);
    if (tag >= this.lowest) this.overtakers.push(tag);
    this.schedule();
  }

  refuse(tag: PublishTag, why: Refusal): void {
    this.decide(tag, REFUSED);
    this.sink.refused(tag, why);
    this.schedule();
  }

  endOfTurn(): void {
    this.added = false;
    const upTo = this.lowest - 1;
    if (upTo > this.toldUpTo) this.tell(upTo);
    const alone = this.overtakers;
    if (alone.length === 0) return;
    this.overtakers = [];
    for (const tag of alone) {
      if (tag <= upTo) continue;
      this.verdicts[this.first + tag - this.lowest] = TOLD;
      this.sink.confirmedAlone(tag);
    }
  }

  private tell(upTo: PublishTag): void {
    const { newest, beforeRefused } = this;
    this.toldUpTo = upTo;
    this.newest = 0;
    if (beforeRefused.length > 0) {
      this.beforeRefused = [];
      for (const tag of beforeRefused) this.sink.confirmed(tag, tag);
    }
    this.sink.confirmed(upTo, newest);
  }

  private decide(tag: PublishTag, verdict: number): void {
    const verdicts = this.verdicts;
    if (verdicts.length === 0) {
      this.lowest = tag + 1;
      this.pass(tag, verdict);
      return;
    }
    verdicts[this.first + tag - this.lowest] = verdict;
    if (tag !== this.lowest) return;
    let at = this.first;
    let next = tag;
    for (; at < verdicts.length && verdicts[at] !== WAITING; at++) this.pass(next++, verdicts[at]!);
    this.lowest = next;
    this.first = at;
    if (at === verdicts.length) {
      verdicts.length = 0;
      this.first = 0;
    } else if (at > 1024 && at * 2 > verdicts.length) {
      this.verdicts = verdicts.slice(at);
      this.first = 0;
    }
  }

  /** The tag and all below it have their verdicts. */
  private pass(tag: PublishTag, verdict: number): void {
    if (verdict === CONFIRMED) this.newest = tag;
    else if (verdict === REFUSED && this.newest !== 0) {
      this.beforeRefused.push(this.newest);
      this.newest = 0;
    }
  }

  private schedule(): void {
    if (this.added) return;
    this.added = true;
    this.turn.add(PHASE_CONFIRM, this);
  }
}
