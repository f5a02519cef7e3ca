import type { DeadLetterRouter } from '../dead-letter/router.js';
import type { ConfirmSlot } from '../door/confirm-slot.js';
import type { Message } from '../message.js';
import type { DropReason, PendingDrop, Position, QueueLog, RecoveredQueue } from '../ports.js';
import type { Provenance } from '../replica-log.js';
import type { Turn } from '../turn.js';
import { Outbox, type OutboxOwner } from './outbox.js';
import type { Paging } from './paging.js';
import type { Pending } from './pending.js';
import type { Persist } from './persist.js';
import type { ReadyMessages } from './ready-messages.js';
import { Returns } from './returns.js';
import type { QueueRules } from './rules.js';
import type { QueueStatistics } from './statistics.js';

/** The queue whose exit it is. */
export interface ExitOwner {
  readonly name: string;
  readonly rules: QueueRules;
  readonly deleted: boolean;
  readonly statistics: QueueStatistics;
}

/** Where an exit keeps what it does. */
export interface ExitParts {
  readonly turn: Turn;
  readonly persist: Persist;
  readonly log: QueueLog | null;
  readonly paging: Paging;
  readonly pending: Pending;
}

/** How messages leave a queue for good: accepted, or dropped and then perhaps dead-lettered. */
export class Exit implements OutboxOwner {
  /** The way to the dead-letter exchange. Without one, what is dropped is gone. */
  router: DeadLetterRouter | null = null;
  /** Dead letters on their way; null until there is one. */
  outbox: Outbox | null = null;
  private readonly owner: ExitOwner;
  private readonly parts: ExitParts;
  private readonly log: QueueLog | null;
  /** Null as long as nothing is counted. */
  private returns: Returns | null = null;
  /** Pending since before the start. */
  private recovered: readonly PendingDrop[] = [];

  constructor(owner: ExitOwner, parts: ExitParts) {
    this.owner = owner;
    this.parts = parts;
    this.log = parts.log;
  }

  get name(): string {
    return this.owner.name;
  }

  get rules(): QueueRules {
    return this.owner.rules;
  }

  get deleted(): boolean {
    return this.owner.deleted;
  }

  /** The owner's rules are others now. */
  obey({ deliveryLimit }: QueueRules): void {
    if (deliveryLimit === Number.POSITIVE_INFINITY) this.returns = null;
    else if (this.returns === null) this.returns = new Returns(deliveryLimit);
    else this.returns.limit = deliveryLimit;
  }

  recover({ pending, returns }: RecoveredQueue): void {
    this.recovered = pending;
    this.returns?.recover(returns);
  }

  /** All exchanges and bindings are there. */
  opened(): void {
    if (this.recovered.length > 0) this.openOutbox()?.recover(this.recovered);
    this.recovered = [];
  }

  /** The message is out of this queue for good. */
  gone(position: Position, message: Message, accepted: boolean): void {
    const { log } = this;
    if (this.returns !== null) this.returns.forget(position, position);
    if (log === null || !(message.persistent || log.logsAll)) return;
    const { persist, pending } = this.parts;
    log.settle(position, position);
    persist.touch();
    // Rejected or dropped messages were promised to nobody yet, so their confirm waits for the sync as if they stayed.
    if (accepted && position > log.committed && !pending.isEmpty) pending.accepted(position);
  }

  /** These were never in memory, and are forgotten. */
  private forgotten(first: Position, last: Position): void {
    this.returns?.forget(first, last);
  }

  /** Everything that waits is gone. */
  purge(ready: ReadyMessages): void {
    const { paging } = this.parts;
    paging.forget((first, last) => this.forgotten(first, last));
    while (!ready.isEmpty) {
      const position = ready.headPosition;
      this.gone(position, ready.shift(), false);
    }
    paging.emptied();
  }

  // ---- dropped ---------------------------------------------------------------------------------------------------

  /**
   * The one way out for what no consumer accepted and is ready no more: to the dead-letter exchange, where the queue has one. The
   * message stays in the log until it is safe there.
   */
  drop(position: Position, message: Message, reason: DropReason): void {
    this.owner.statistics.dropped[reason]++;
    const outbox = this.rules.deadLetterExchange === null ? null : this.openOutbox();
    if (outbox === null) {
      this.gone(position, message, false);
      return;
    }
    if (this.returns !== null) this.returns.forget(position, position);
    if (this.log !== null && (message.persistent || this.log.logsAll)) {
      this.log.pend(position, reason);
      this.parts.persist.touch();
    }
    outbox.add(position, message, reason);
  }

  /** There is no room for a message, and it never was in the queue. */
  refuse(message: Message, slot: ConfirmSlot | null): void {
    this.owner.statistics.refused++;
    const { overflow, deadLetterExchange } = this.rules;
    if (overflow === 'reject-publish-dlx' && deadLetterExchange !== null) this.openOutbox()?.add(0, message, 'maxlen');
    slot?.refused('queue-full');
  }

  private openOutbox(): Outbox | null {
    if (this.outbox === null && this.router !== null) this.outbox = new Outbox(this, this.router, this.parts.turn);
    return this.outbox;
  }

  get hasSafety(): boolean {
    return this.log?.whenSafe !== undefined;
  }

  whenSafe(done: () => void): void {
    this.log!.whenSafe!(done);
  }

  provenanceOf(position: Position): Provenance | undefined {
    return this.log?.provenanceOf?.(position);
  }

  departed(position: Position, message: Message): void {
    if (!this.deleted) this.gone(position, message, false);
  }

  pageOut(position: Position, message: Message): void {
    this.parts.paging.pageOut(position, message);
  }

  readLetter(position: Position, done: (message: Message | null) => void): void {
    this.parts.paging.readOne(position, done);
  }

  // ---- given back ------------------------------------------------------------------------------------------------

  /** A message was given back; true: once too often, and it is dropped. */
  isWornOut(position: Position, message: Message): boolean {
    const { returns, log } = this;
    if (returns === null) return false;
    const count = returns.count(position);
    if (count > returns.limit) {
      this.drop(position, message, 'delivery_limit');
      return true;
    }
    if (log === null || !(message.persistent || log.logsAll)) return false;
    log.returned(position, count);
    this.parts.persist.touch();
    return false;
  }

  /** As its reader gets it: with how often it was given back, where that is limited. */
  shown(position: Position, message: Message): Message {
    const count = this.returns === null ? 0 : this.returns.of(position);
    return count === 0 || this.router === null ? message : this.router.withDeliveryCount(message, count);
  }
}
