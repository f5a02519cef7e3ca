import type { DeadLetterRouter, Nowhere, Source } from '../dead-letter/router.js';
import type { Message } from '../message.js';
import type { DropReason, Position } from '../ports.js';
import type { Flushable, Turn } from '../turn.js';
import { Handover, Letter } from './letter.js';

/** Letters sent in one go, so that others have their turns between. */
const sendMax = 1024;
const retryFirstMs = 100;
const retryLastMs = 30_000;
/** What is lost is said so often, and counted between. */
const sayEveryMs = 60_000;

/** The queue whose outbox it is. */
export interface OutboxOwner extends Source {
  readonly deleted: boolean;
  /** The letter is where it belongs, or lost: it leaves the log. */
  departed(position: Position, message: Message): void;
}

/**
 * Dead letters between two queues: out of the one, and not yet safe in the others. They are published at the end of the turn and
 * leave when all of their targets have committed. What a target refuses is tried again, later and later, and what comes meanwhile
 * waits behind it.
 */
export class Outbox implements Flushable {
  /** Handed to every target. */
  sent = 0;
  /** Dropped, because there was nowhere to go. */
  lost = 0;
  count = 0;
  bytes = 0;
  private readonly owner: OutboxOwner;
  private readonly router: DeadLetterRouter;
  private readonly turn: Turn;
  private waiting: Letter[] = [];
  private first = 0;
  /** Of those that wait, how many go now. */
  private toSend = 0;
  private refused: Letter[] = [];
  private inFlight = 0;
  /** Before the present try; 0: none was refused. */
  private delayMs = 0;
  private isRetryDue = false;
  private isScheduled = false;
  private lostUnsaid = 0;
  private saidAtMs = Number.NEGATIVE_INFINITY;

  constructor(owner: OutboxOwner, router: DeadLetterRouter, turn: Turn) {
    this.owner = owner;
    this.router = router;
    this.turn = turn;
  }

  /** A target refused: nothing goes out before the next try has shown that it takes them again. */
  get isStuck(): boolean {
    return this.delayMs > 0;
  }

  add(position: Position, message: Message, reason: DropReason): void {
    message.keep();
    this.waiting.push(new Letter(position, message, reason, this.turn.nowMs));
    this.count++;
    this.bytes += message.bodyBytes;
    if (this.isStuck) return;
    this.toSend++;
    this.schedule();
  }

  private schedule(): void {
    if (this.isScheduled) return;
    this.isScheduled = true;
    this.turn.postpone(this);
  }

  endOfTurn(): void {
    this.isScheduled = false;
    for (let left = sendMax; left > 0 && this.toSend > 0; left--) this.send(this.next());
    if (this.toSend > 0) this.schedule();
  }

  private next(): Letter {
    this.toSend--;
    const letter = this.waiting[this.first++]!;
    if (this.first === this.waiting.length) {
      this.waiting = [];
      this.first = 0;
    } else if (this.first >= sendMax && this.first * 2 > this.waiting.length) {
      this.waiting = this.waiting.slice(this.first);
      this.first = 0;
    }
    return letter;
  }

  private send(letter: Letter): void {
    const { message, reason, atMs, taken } = letter;
    const onward = this.router.route(this.owner, message, reason, atMs);
    const targets = taken === null ? onward.queues : onward.queues.filter(({ incarnation }) => !taken.has(incarnation));
    this.inFlight++;
    letter.open = targets.length;
    letter.isShared ||= targets.length > 1;
    if (targets.length > 0) {
      for (const target of targets) target.enqueue(onward.message, new Handover(this, letter, target));
      return;
    }
    if (onward.nowhere !== null && taken === null) this.lose(onward.nowhere);
    this.finish(letter);
  }

  /** Called when all targets of the letter have answered. */
  answered(letter: Letter): void {
    if (!letter.isRefused) {
      this.sent++;
      this.finish(letter);
      return;
    }
    letter.isRefused = false;
    this.inFlight--;
    if (this.owner.deleted) {
      this.lose('deleted');
      return;
    }
    this.refused.push(letter);
    if (this.isRetryDue) return;
    this.isRetryDue = true;
    this.delayMs = Math.min(retryLastMs, Math.max(retryFirstMs, this.delayMs * 2));
    this.router.retries.after(this.delayMs, this);
  }

  private finish(letter: Letter): void {
    this.inFlight--;
    this.count--;
    this.bytes -= letter.message.bodyBytes;
    this.owner.departed(letter.position, letter.message);
    if (this.isStuck && this.inFlight === 0 && this.toSend === 0 && this.refused.length === 0) this.goOn();
  }

  /** Everything that was tried again was taken. */
  private goOn(): void {
    this.delayMs = 0;
    this.toSend = this.waiting.length - this.first;
    if (this.toSend > 0) this.schedule();
  }

  retry(): void {
    this.isRetryDue = false;
    const refused = this.refused.sort((a, b) => a.position - b.position);
    this.waiting = [...refused, ...this.waiting.slice(this.first)];
    this.refused = [];
    this.first = 0;
    this.toSend = this.waiting.length;
    this.schedule();
  }

  /** The queue ends: what was never tried goes out now, what was refused goes with the queue. */
  close(): void {
    this.router.retries.forget(this);
    const stuck = this.refused.length + (this.isStuck ? this.waiting.length - this.first : 0);
    for (let i = 0; i < stuck; i++) this.lose('deleted');
    if (!this.isStuck) while (this.toSend > 0) this.send(this.next());
    this.refused = this.waiting = [];
    this.first = this.toSend = 0;
  }

  private lose(nowhere: Nowhere): void {
    this.lost++;
    this.lostUnsaid++;
    const { nowMs } = this.turn;
    if (nowMs - this.saidAtMs < sayEveryMs) return;
    this.saidAtMs = nowMs;
    this.router.sayLost(this.owner, nowhere, this.lostUnsaid);
    this.lostUnsaid = 0;
  }
}
