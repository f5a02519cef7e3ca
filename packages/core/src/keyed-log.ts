import type { ConfirmSlot } from './door/confirm-slot.js';
import { keyedMessage, keyOf } from './keyed-entry.js';
import type { Incarnation, LogRead, Position, QueueLog, RecoveredQueue } from './ports.js';
import { Pending } from './queue/pending.js';
import type { Persist } from './queue/persist.js';

const prefix = 'keyed:';
/** Entries are read in pieces of this size when the log is opened. Bytes. */
const readBytes = 1024 * 1024;
const nothing = Buffer.alloc(0);

/** What was kept under a key. */
export interface KeyedEntry {
  readonly key: string;
  readonly value: Buffer;
  /** Names this state of the key: whoever replaces or removes it says so. */
  readonly position: Position;
}

/** The log of a keyed log goes under a name instead of a queue's incarnation. */
export function keyedIncarnation(name: string): Incarnation {
  return prefix + name;
}

export function isKeyedIncarnation(incarnation: Incarnation): boolean {
  return incarnation.startsWith(prefix);
}

/**
 * The last value of each key, durable: a queue's log whose messages are the values and whose settlements make room for newer ones. So
 * it is folded, compacted and read like a queue, and replicated like one. What is put in the same turn as a message is published is in
 * the same group of the log: after a crash both are there, or neither. Who uses it keeps the values, and the position of each.
 */
export class KeyedLog {
  private readonly log: QueueLog;
  private readonly persist: Persist;
  private readonly pending = new Pending();
  private failed = false;

  constructor(log: QueueLog, persist: Persist) {
    this.log = log;
    this.persist = persist;
    log.onCommitted = (upTo) => this.pending.committed(upTo);
    log.onFailed = () => {
      this.failed = true;
      this.pending.refuseAll('store-failed');
    };
  }

  /** Reads what recovery found; `visit` gets each key's last value, once. */
  async recover(recovered: RecoveredQueue | undefined, visit: (entry: KeyedEntry) => void): Promise<void> {
    const last = new Map<string, KeyedEntry>();
    await this.eachRecovered(recovered, (entry) => {
      const older = last.get(entry.key);
      last.set(entry.key, entry);
      return older?.position ?? 0;
    });
    for (const entry of last.values()) {
      if (entry.value.length > 0) visit(entry);
      else this.log.settle(entry.position, entry.position);
    }
  }

  /**
   * As `recover`, for who keeps the values and so knows what each replaces: told in the order of the log, what was replaced as well, so that
   * a million keys are in memory once. `value` null: the key ended. Returns where the one before stood; 0: there was none.
   */
  async recoverInOrder(
    recovered: RecoveredQueue | undefined,
    changed: (key: string, value: Buffer | null, position: Position) => Position,
  ): Promise<void> {
    await this.eachRecovered(recovered, ({ key, value, position }) => {
      if (value.length > 0) return changed(key, value, position);
      // In this order: the end is needed until the settlement of what was there before is written.
      this.release(changed(key, null, position));
      return position;
    });
  }

  /** `entered` returns which position the entry replaces; 0: none. */
  private async eachRecovered(
    recovered: RecoveredQueue | undefined,
    entered: (entry: KeyedEntry) => Position,
  ): Promise<void> {
    if (recovered === undefined || recovered.count === 0) return;
    for (let from = recovered.first; from <= recovered.last; ) {
      const read = await this.read(from, recovered.last);
      // A newer value, or the end of the key, was written, and a crash took the settlement of what it replaced.
      for (const { position, message } of read.messages)
        this.release(entered({ key: keyOf(message), value: message.body(), position }));
      for (const position of read.unreadable) this.log.settle(position, position);
      from = read.upTo + 1;
    }
    this.persist.touch();
  }

  private read(from: Position, to: Position): Promise<LogRead> {
    return new Promise((resolve) => this.log.read(from, to, readBytes, resolve));
  }

  /** Keeps a value, which is not empty, in the place of the one at `replaces` (0: there is none). `slot` is told when it is durable. */
  put(key: string, value: Buffer, replaces: Position, slot: ConfirmSlot | null): Position {
    if (this.failed) {
      slot?.refused('store-failed');
      return replaces;
    }
    const position = this.append(key, value, slot);
    this.release(replaces);
    return position;
  }

  /** As `put`, for who only then looks what it replaces, and says so with `release`. 0: the log has failed, and the slot was refused. */
  append(key: string, value: Buffer, slot: ConfirmSlot | null): Position {
    if (this.failed) {
      slot?.refused('store-failed');
      return 0;
    }
    const position = this.log.publish(keyedMessage(key, value));
    this.persist.touch();
    if (slot !== null) this.pending.push(position, slot);
    return position;
  }

  /** What stands there was replaced; 0: nothing was. */
  release(replaced: Position): void {
    if (replaced > 0) this.log.settle(replaced, replaced);
  }

  /** The key ends. `slot` is told when it is sure not to come back. */
  remove(key: string, position: Position, slot: ConfirmSlot | null): void {
    if (this.failed) {
      slot?.refused('store-failed');
      return;
    }
    const end = this.log.publish(keyedMessage(key, nothing));
    this.log.settle(position, position);
    this.pending.push(end, new End(this.log, this.persist, end, slot));
    this.persist.touch();
  }
}

/** What says that a key ended is needed until it, and with it the settlement of what was there before, is on the disk. */
class End implements ConfirmSlot {
  private readonly log: QueueLog;
  private readonly persist: Persist;
  private readonly position: Position;
  private readonly slot: ConfirmSlot | null;

  constructor(log: QueueLog, persist: Persist, position: Position, slot: ConfirmSlot | null) {
    this.log = log;
    this.persist = persist;
    this.position = position;
    this.slot = slot;
  }

  committed(): void {
    this.log.settle(this.position, this.position);
    this.persist.touch();
    this.slot?.committed();
  }

  refused(): void {
    this.slot?.refused('store-failed');
  }
}
