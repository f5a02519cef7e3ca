import type { ConfirmSlot } from '../door/confirm-slot.js';
import type { Message } from '../message.js';
import type { DropReason, Incarnation, Position } from '../ports.js';
import type { QueueHandle } from './queue-handle.js';

/** A message that is pending: it left its queue and is not yet where it goes. */
export class Letter {
  /** 0: it never was in the queue, and is lost when it is refused. */
  readonly position: Position;
  readonly reason: DropReason;
  /** When it left. Milliseconds, node time. */
  readonly atMs: number;
  /** What the log was told before and of it counts up to here, see `Outbox.isSafe`. */
  readonly said: number;
  /** Null while it is on disk alone. */
  message: Message | null;
  /** Of its body; 0 as long as nobody has read it since the start. */
  bodyBytes: number;
  /** It cannot be read back. */
  isUnreadable = false;
  /** Targets that have not answered. */
  open = 0;
  isRefused = false;
  /** It goes to several. */
  isShared = false;
  /** Who has it, where another target refused. */
  taken: Set<Incarnation> | null = null;

  constructor(position: Position, message: Message | null, reason: DropReason, atMs: number, said: number) {
    this.position = position;
    this.said = said;
    this.message = message;
    this.bodyBytes = message === null ? 0 : message.bodyBytes;
    this.reason = reason;
    this.atMs = atMs;
  }
}

/** A letter's wait for one target. */
export class Handover implements ConfirmSlot {
  private readonly outbox: { answered(letter: Letter): void };
  private readonly letter: Letter;
  private readonly target: QueueHandle;

  constructor(outbox: { answered(letter: Letter): void }, letter: Letter, target: QueueHandle) {
    this.outbox = outbox;
    this.letter = letter;
    this.target = target;
  }

  committed(): void {
    const { letter } = this;
    if (letter.isShared) {
      letter.taken ??= new Set();
      letter.taken.add(this.target.incarnation);
    }
    if (--letter.open === 0) this.outbox.answered(letter);
  }

  refused(): void {
    const { letter } = this;
    letter.isRefused = true;
    if (--letter.open === 0) this.outbox.answered(letter);
  }
}
