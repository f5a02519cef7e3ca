import type { DeadLetterRouter, Nowhere, Source } from '../dead-letter/router.js';
import { Deadline } from '../deadlines.js';
import type { Message } from '../message.js';
import type { DropReason, PendingDrop, Position } from '../ports.js';
import type { Provenance } from '../replica-log.js';
import type { Flushable, Turn } from '../turn.js';
import { Handover, Letter } from './letter.js';

/** Letters sent in one go, so that others have their turns between. */
const sendMax = 1024;
/** Letters read from disk at once. */
const loadMax = 64;
/** What of the letters that nobody takes stays in memory. Bytes, of bodies. */
const memoryBytesMax = 1024 * 1024;
const retryFirstMs = 100;
const retryLastMs = 30_000;
/** What is lost is said so often, and counted between. */
const sayEveryMs = 60_000;

/** The queue whose outbox it is. */
export interface OutboxOwner extends Source {
  readonly deleted: boolean;
  /** What is said of a letter is not at once safe: a letter departs only when the log's next owner would know it for one, see `QueueLog.whenSafe`. */
  readonly hasSafety: boolean;
  whenSafe(done: () => void): void;
  /** What targets know the letter of this position by; undefined: they cannot. */
  provenanceOf(position: Position): Provenance | undefined;
  /** The letter is where it belongs, or lost: it leaves the log. */
  departed(position: Position, message: Message): void;
  /** Keeps a letter on disk alone. */
  pageOut(position: Position, message: Message): void;
  /** Reads such a letter, in a later turn; null: it cannot be read. */
  readLetter(position: Position, done: (message: Message | null) => void): void;
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
  /** Letters that are pending. */
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
  private loading = 0;
  /** Before the present try; 0: none was refused. */
  private delayMs = 0;
  private readonly nextTry: Deadline;
  private isScheduled = false;
  /** How many letters the log was told of, and how many of those it is safe to send. */
  private said = 0;
  private safe = 0;
  private isSafetyAsked = false;
  /** The queue goes on elsewhere, with its letters. */
  private isOver = false;
  private lostUnsaid = 0;
  private saidAtMs = Number.NEGATIVE_INFINITY;

  constructor(owner: OutboxOwner, router: DeadLetterRouter, turn: Turn) {
    this.owner = owner;
    this.router = router;
    this.turn = turn;
    this.nextTry = new Deadline(turn.deadlines, () => this.retry());
  }

  /** Letters that are pending because a target refused; 0 while they only travel. */
  get stuckCount(): number {
    return this.isStuck ? this.count : 0;
  }

  get stuckBytes(): number {
    return this.isStuck ? this.bytes : 0;
  }

  /** A target refused: nothing goes out before the next try has shown that it takes them again. */
  private get isStuck(): boolean {
    return this.delayMs > 0;
  }

  /** Position 0: the message never was in the queue, and goes out once. */
  add(position: Position, message: Message, reason: DropReason): void {
    message.keep();
    const letter = new Letter(position, message, reason, this.turn.nowMs, position === 0 ? 0 : ++this.said);
    if (this.isStuck) {
      if (position === 0) {
        this.lose('refused');
        return;
      }
      this.putAside(letter);
    }
    this.push(letter);
  }

  /** What recovery found, by position. */
  recover(found: readonly PendingDrop[]): void {
    for (const { position, reason, atMs } of found) this.push(new Letter(position, null, reason, atMs, ++this.said));
  }

  private push(letter: Letter): void {
    this.waiting.push(letter);
    this.count++;
    this.bytes += letter.bodyBytes;
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
    if (this.turn.isStopped) return;
    for (let left = sendMax; left > 0 && this.toSend > 0 && this.loading === 0; left--) {
      const letter = this.waiting[this.first]!;
      if (!this.isSafe(letter)) {
        this.awaitSafety();
        return;
      }
      if (letter.message === null) this.load();
      else this.send(this.next());
    }
    if (this.toSend > 0 && this.loading === 0) this.schedule();
  }

  private isSafe(letter: Letter): boolean {
    return letter.said <= this.safe || !this.owner.hasSafety;
  }

  private awaitSafety(): void {
    if (this.isSafetyAsked) return;
    this.isSafetyAsked = true;
    const { said } = this;
    this.owner.whenSafe(() => {
      this.isSafetyAsked = false;
      this.safe = said;
      if (this.toSend > 0) this.schedule();
    });
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

  // ---- disk ------------------------------------------------------------------------------------------------------

  /** What waits long waits on disk. */
  private putAside(letter: Letter): void {
    if (letter.message === null || this.bytes <= memoryBytesMax) return;
    this.owner.pageOut(letter.position, letter.message);
    letter.message = null;
  }

  /** Reads the next ones. */
  private load(): void {
    const letters = this.waiting.slice(this.first, this.first + Math.min(loadMax, this.toSend));
    for (const letter of letters) {
      if (letter.message !== null || letter.isUnreadable) continue;
      this.loading++;
      this.owner.readLetter(letter.position, (message) => this.loaded(letter, message));
    }
    if (this.loading === 0) this.leaveUnreadable();
  }

  private loaded(letter: Letter, message: Message | null): void {
    if (this.isOver) return;
    letter.message = message;
    letter.isUnreadable = message === null;
    if (message !== null && letter.bodyBytes === 0) {
      letter.bodyBytes = message.bodyBytes;
      this.bytes += message.bodyBytes;
    }
    if (--this.loading === 0 && !this.owner.deleted) this.schedule();
  }

  /** It stays in the log, and the next start tries again; whoever could not read it has said why. */
  private leaveUnreadable(): void {
    const letter = this.next();
    this.count--;
    this.bytes -= letter.bodyBytes;
  }

  // ---- sending ---------------------------------------------------------------------------------------------------

  private send(letter: Letter): void {
    const { position, reason, atMs, taken } = letter;
    const onward = this.router.route(this.owner, letter.message!, reason, atMs);
    const targets = taken === null ? onward.queues : onward.queues.filter(({ incarnation }) => !taken.has(incarnation));
    this.inFlight++;
    letter.open = targets.length;
    letter.isShared ||= targets.length > 1;
    if (targets.length > 0) {
      const from = position === 0 ? undefined : this.owner.provenanceOf(position);
      for (const target of targets) target.enqueue(onward.message, new Handover(this, letter, target), from);
      return;
    }
    if (onward.nowhere !== null && taken === null) this.lose(onward.nowhere);
    this.finish(letter);
  }

  /** Called when all targets of the letter have answered. */
  answered(letter: Letter): void {
    if (this.isOver) return;
    if (!letter.isRefused) {
      this.sent++;
      this.finish(letter);
    } else if (letter.position === 0 || this.owner.deleted) {
      this.lose(this.owner.deleted ? 'deleted' : 'refused');
      this.finish(letter);
    } else {
      this.keep(letter);
    }
  }

  private finish(letter: Letter): void {
    this.inFlight--;
    this.count--;
    this.bytes -= letter.bodyBytes;
    if (letter.position !== 0) this.owner.departed(letter.position, letter.message!);
    if (this.isStuck && this.inFlight === 0 && this.toSend === 0 && this.refused.length === 0) this.goOn();
  }

  // ---- trying again ----------------------------------------------------------------------------------------------

  private keep(letter: Letter): void {
    letter.isRefused = false;
    this.inFlight--;
    this.putAside(letter);
    this.refused.push(letter);
    if (this.nextTry.atMs !== Number.POSITIVE_INFINITY) return;
    this.delayMs = Math.min(retryLastMs, Math.max(retryFirstMs, this.delayMs * 2));
    this.nextTry.set(this.turn.nowMs + this.delayMs);
  }

  private retry(): void {
    const refused = this.refused.sort((a, b) => a.position - b.position);
    this.waiting = [...refused, ...this.waiting.slice(this.first)];
    this.refused = [];
    this.first = 0;
    this.toSend = this.waiting.length;
    this.schedule();
  }

  /** Everything that was tried again was taken. */
  private goOn(): void {
    this.delayMs = 0;
    this.toSend = this.waiting.length - this.first;
    if (this.toSend > 0) this.schedule();
  }

  // ---- the end ---------------------------------------------------------------------------------------------------

  /** The queue ends: what was never tried goes out now, what was refused goes with the queue. */
  close(): void {
    this.nextTry.set(Number.POSITIVE_INFINITY);
    if (!this.isStuck) while (this.toSend > 0 && this.waiting[this.first]!.message !== null) this.send(this.next());
    const left = [...this.refused, ...this.waiting.slice(this.first)];
    this.refused = this.waiting = [];
    this.first = this.toSend = 0;
    for (const letter of left) {
      this.count--;
      this.bytes -= letter.bodyBytes;
      this.lose('deleted');
    }
  }

  /** The queue goes on elsewhere: its letters set out from there. */
  abandon(): void {
    this.isOver = true;
    this.nextTry.set(Number.POSITIVE_INFINITY);
    this.refused = this.waiting = [];
    this.first = this.toSend = this.count = this.bytes = 0;
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
