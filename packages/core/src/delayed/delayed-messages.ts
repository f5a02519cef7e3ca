import { noArguments } from '../arguments.js';
import { Deadline } from '../deadlines.js';
import type { Dialects } from '../dialect.js';
import type { ConfirmSlot } from '../door/confirm-slot.js';
import type { Message } from '../message.js';
import type { Incarnation, Position, QueueLog, QueuePages, RecoveredQueue } from '../ports.js';
import { Pending } from '../queue/pending.js';
import type { Persist } from '../queue/persist.js';
import type { QueueHandle } from '../queue/queue-handle.js';
import type { Flushable, Turn } from '../turn.js';
import { delayHeader, delayMsOf, invalidDelay } from './delay.js';
import { Departure, type DepartureOwner } from './departure.js';
import { DueHeap } from './due-heap.js';
import { DueReads } from './due-reads.js';

/** Keeps the further routing keys (CC, BCC) of a message with it while it waits. No peer ever sees it. */
const keysHeader = 'x-chapar-delayed-keys';

/** Stamps are whole milliseconds, rounded down: one more, and no message goes early. */
const roundingMs = 1;
/** Read back together: so many messages, and so many bytes as far as one knows before. */
const batchMax = 1024;
const batchBytesMax = 4 * 1024 * 1024;
/** On their way and not committed; more wait until these are through. */
const departuresMax = 8192;
/** Of what recovery found, read in one go. Bytes. */
const sliceBytesMax = 1024 * 1024;
/** What was refused is tried again when it has waited as long again as it was late, within these bounds. */
const retryMsMin = 1000;
const retryMsMax = 60_000;

export interface DelayedParts {
  /** Of the exchange, and of its log. */
  readonly incarnation: Incarnation;
  readonly turn: Turn;
  readonly persist: Persist;
  readonly dialects: Dialects;
  /** Null: nothing survives a restart. */
  readonly log: QueueLog | null;
  /** Where a message goes that is due. */
  readonly route: (message: Message, routingKeys: readonly string[]) => readonly QueueHandle[];
}

/**
 * The messages that wait in an exchange until they are due. All of them lie on disk (the log, or pages); in memory stands when which
 * position is due. A message is settled in the log when the queues that it went to have committed it.
 */
export class DelayedMessages implements QueueHandle, Flushable, DepartureOwner {
  /** No queue's: a dead letter that comes here has not died here, whatever the exchange is called. */
  readonly name = '';
  readonly incarnation: Incarnation;
  readonly logs: boolean;
  readonly mayRefuse = false;
  /** Those that wait, and those on their way that are not safe elsewhere yet. */
  count = 0;
  /** Called once when the log can promise nothing any more. */
  onLogFailed: ((error: Error) => void) | null = null;
  private readonly parts: DelayedParts;
  private readonly heap = new DueHeap();
  private readonly deadline: Deadline;
  private readonly confirms = new Pending();
  private readonly departures = new Map<Position, Departure>();
  /** Of messages that some of their queues have: those that refused. */
  private readonly refusals = new Map<Position, ReadonlySet<Incarnation>>();
  private pages: QueuePages | null;
  private bodyBytes = 0;
  private last: Position = 0;
  /** Something is being read: what recovery found, or what is due. */
  private isReading = false;
  /** Counts what makes a read under way void. */
  private epoch = 0;
  private isAsked = false;
  private hasFailed = false;
  /** Nothing goes any more. */
  private isOver = false;
  private isDeleted = false;

  constructor(parts: DelayedParts) {
    this.parts = parts;
    this.incarnation = parts.incarnation;
    this.deadline = new Deadline(parts.turn.deadlines, () => this.release());
    const { log } = parts;
    this.pages = log;
    this.logs = log !== null;
    if (log === null) return;
    log.onCommitted = (upTo) => this.confirms.committed(upTo);
    log.onFailed = (error) => this.fail(error);
  }

  // ---- coming --------------------------------------------------------------------------------------------------

  /** Whether the message has to wait here. */
  takes(message: Message): boolean {
    return delayMsOf(this.delayIn(message)) > 0;
  }

  /** 406 for a message whose delay is none. */
  assertDelay(message: Message): void {
    const given = this.delayIn(message);
    if (Number.isNaN(delayMsOf(given))) throw invalidDelay(given);
  }

  enqueue(message: Message, slot: ConfirmSlot | null): void {
    const { dialects } = this.parts;
    const isForged = dialects.header(message, keysHeader) !== undefined;
    this.take(isForged ? dialects.withHeaders(message, noArguments, [keysHeader]) : message, slot);
  }

  /** For a message with several routing keys. */
  withKeys(routingKeys: readonly string[]): QueueHandle {
    const { name, incarnation, logs, mayRefuse, parts } = this;
    const enqueue = (message: Message, slot: ConfirmSlot | null): void =>
      this.take(parts.dialects.withHeaders(message, { [keysHeader]: routingKeys }, []), slot);
    return { name, incarnation, logs, mayRefuse, enqueue };
  }

  private take(message: Message, slot: ConfirmSlot | null): void {
    if (message.receivedAtMs === 0) message.receivedAtMs = this.parts.turn.nowMs;
    if (this.hasFailed && message.persistent) {
      slot?.refused('store-failed');
      return;
    }
    this.last = this.keep(message, slot);
    this.count++;
    this.bodyBytes += message.bodyBytes;
    this.heap.push(this.dueMsOf(message), this.last);
    this.arm();
  }

  private keep(message: Message, slot: ConfirmSlot | null): Position {
    const { log, persist } = this.parts;
    persist.touch();
    if (log !== null && message.persistent) {
      const position = log.publish(message);
      if (slot !== null) this.confirms.push(position, slot);
      return position;
    }
    const position = log === null ? this.last + 1 : log.skip();
    this.page(position, message);
    slot?.committed();
    return position;
  }

  private page(position: Position, message: Message): void {
    const { persist } = this.parts;
    this.pages ??= persist.pages();
    this.pages.page(position, message);
    persist.touch();
  }

  private isLogged({ persistent }: Message): boolean {
    return persistent && this.logs;
  }

  private delayIn(message: Message) {
    return this.parts.dialects.header(message, delayHeader);
  }

  private dueMsOf(message: Message): number {
    const delayMs = delayMsOf(this.delayIn(message));
    return message.receivedAtMs + (Number.isNaN(delayMs) ? 0 : delayMs) + roundingMs;
  }

  // ---- after a restart -----------------------------------------------------------------------------------------

  /** Takes what recovery found; when it is due is read from the messages. Until all were read none goes, so that they go in order. */
  recover({ count, bytes, first, last }: RecoveredQueue): void {
    if (count === 0) return;
    this.count = count;
    this.bodyBytes = bytes;
    this.last = last;
    this.isReading = true;
    this.index(first, last);
  }

  private index(from: Position, to: Position): void {
    const { epoch } = this;
    this.pages!.read(from, to, sliceBytesMax, ({ messages, upTo }) => {
      if (epoch !== this.epoch) return;
      for (const { position, message } of messages) this.heap.push(this.dueMsOf(message), position);
      if (upTo < to) {
        this.index(upTo + 1, to);
      } else {
        this.isReading = false;
        this.goOn();
      }
    });
  }

  // ---- going ---------------------------------------------------------------------------------------------------

  private arm(): void {
    if (!this.isReading && !this.isOver) this.deadline.set(this.heap.dueMs);
  }

  endOfTurn(): void {
    this.isAsked = false;
    this.release();
  }

  /** What is due goes, in batches with a turn between. */
  private goOn(): void {
    const { turn } = this.parts;
    if (this.heap.dueMs > turn.nowMs) {
      this.arm();
    } else if (!this.isAsked && !this.isOver) {
      this.isAsked = true;
      turn.postpone(this);
    }
  }

  private release(): void {
    if (this.isReading || this.isOver || this.departures.size >= departuresMax) return;
    const due = this.takeDue();
    if (due.length === 0) {
      this.arm();
      return;
    }
    this.isReading = true;
    const { epoch } = this;
    const reads = new DueReads(this.pages!, (found) => {
      if (epoch === this.epoch) this.depart(due, found);
    });
    reads.start(due.toSorted((a, b) => a - b));
  }

  private takeDue(): Position[] {
    const { heap, parts } = this;
    const { nowMs } = parts.turn;
    const averageBytes = this.bodyBytes / Math.max(1, this.count);
    const max = Math.max(1, Math.min(batchMax, batchBytesMax / Math.max(1, averageBytes)));
    const due: Position[] = [];
    for (; due.length < max && heap.dueMs <= nowMs; heap.shift()) due.push(heap.position);
    return due;
  }

  /** Those that could not be read wait for a restart, or to be purged; whoever read them said why. */
  private depart(due: readonly Position[], found: ReadonlyMap<Position, Message>): void {
    this.isReading = false;
    for (const position of due) {
      const message = found.get(position);
      if (message !== undefined) this.send(position, message);
    }
    this.goOn();
  }

  private send(position: Position, message: Message): void {
    const { dialects, route } = this.parts;
    const keys = dialects.header(message, keysHeader) as readonly string[] | undefined;
    const delayMs = delayMsOf(this.delayIn(message));
    // The field's sign that it has waited: it does not wait again in another exchange on its way.
    const onward = dialects.withHeaders(message, { [delayHeader]: -delayMs }, [keysHeader]);
    let queues = route(onward, keys ?? [message.address.routingKey]);
    const refusedBy = this.refusals.get(position);
    if (refusedBy !== undefined) {
      this.refusals.delete(position);
      queues = queues.filter(({ incarnation }) => refusedBy.has(incarnation));
    }
    if (queues.length === 0) {
      this.gone(position, message);
      return;
    }
    const departure = new Departure(this, position, message, refusedBy !== undefined);
    this.departures.set(position, departure);
    departure.start(onward, queues);
  }

  departed(departure: Departure): void {
    const { position, message } = departure;
    const wasFull = this.departures.size >= departuresMax;
    this.departures.delete(position);
    if (this.isDeleted) return;
    if (departure.refusedBy.size === 0) this.gone(position, message);
    else this.tryLater(departure);
    if (wasFull) this.goOn();
  }

  /** A message is never lost because a queue is full: it waits on, and its publisher has long been told that it is safe. */
  private tryLater({ position, message, refusedBy, isPartly }: Departure): void {
    const { nowMs } = this.parts.turn;
    const lateMs = nowMs - this.dueMsOf(message);
    if (isPartly) this.refusals.set(position, refusedBy);
    if (!this.isLogged(message)) this.page(position, message);
    this.heap.push(nowMs + Math.min(retryMsMax, Math.max(retryMsMin, lateMs)), position);
    this.arm();
  }

  private gone(position: Position, message: Message): void {
    this.count--;
    this.bodyBytes -= message.bodyBytes;
    if (this.isLogged(message)) this.settle(position, position);
  }

  private settle(first: Position, last: Position): void {
    const { log, persist } = this.parts;
    if (log === null || first > last) return;
    log.settle(first, last);
    persist.touch();
  }

  // ---- administration ------------------------------------------------------------------------------------------

  /** Drops what waits; what is on its way goes on. Returns how many. */
  purge(): number {
    const purged = this.count - this.departures.size;
    this.forget();
    this.isReading = false;
    this.count = this.departures.size;
    this.bodyBytes = 0;
    let from = 1;
    for (const [position, { message }] of [...this.departures].sort(([a], [b]) => a - b)) {
      this.settle(from, position - 1);
      from = position + 1;
      this.bodyBytes += message.bodyBytes;
    }
    this.settle(from, this.last);
    return purged;
  }

  /** The exchange ends: confirms that wait are given (there is nothing left to lose). */
  delete(): void {
    this.isOver = this.isDeleted = true;
    this.forget();
    this.confirms.committed(Number.POSITIVE_INFINITY);
    this.count = 0;
  }

  /** The node stops: what is due now goes after the next start, and what is on its way arrives. */
  stop(): void {
    this.isOver = true;
    this.epoch++;
    this.deadline.set(Number.POSITIVE_INFINITY);
  }

  private forget(): void {
    this.epoch++;
    this.deadline.set(Number.POSITIVE_INFINITY);
    this.heap.clear();
    this.refusals.clear();
    if (this.last > 0) this.pages?.forget(1, this.last);
  }

  private fail(error: Error): void {
    this.hasFailed = true;
    this.onLogFailed?.(error);
    this.confirms.refuseAll('store-failed');
  }
}
