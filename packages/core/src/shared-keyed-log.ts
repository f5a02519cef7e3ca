import type { ConfirmSlot } from './door/confirm-slot.js';
import type { KeyedLog } from './keyed-log.js';
import type { Later } from './later.js';
import type { Position } from './ports.js';

/** What a keyed log comes to, held by who reads it: the last value of each key, and the position at which it stands. */
export interface KeyedReader {
  /** The key has this value from now on, which is the reader's own; null: it has none. Returns where the one before stood; 0: there was none. */
  changed(key: string, value: Buffer | null, position: Position): Position;
  /** 0: the key is not there. */
  positionOf(key: string): Position;
  /** Those at such positions, in any order; keys may cost more than positions. */
  entries(isWanted: (position: Position) => boolean): Iterable<{ readonly key: string; readonly position: Position }>;
}

/**
 * The last value of each key, for all nodes: whatever is put on one is told to the readers of all, in the order of the log. On a node that
 * is alone the reader is told within the call, and in a cluster when enough nodes have it.
 */
export interface SharedKeyedLog {
  /** The value is not empty. `slot`: told when it is durable. `onlyAbsent`: it has no effect where the key is there already. */
  put(key: string, value: Buffer, slot: ConfirmSlot | null, onlyAbsent?: boolean): void;
  /** `onlyAt`: it has no effect where the key stands elsewhere by then; null: wherever it does. `slot`: told when the key is sure not to come back. */
  remove(key: string, slot: ConfirmSlot | null, onlyAt: Position | null): void;
  /** Among all nodes this one sees to what has to be done once with this key. */
  isOurs(key: string): boolean;
  /** The reader has everything that was put on any node before the call; soon answered where one is out of reach. */
  settled(): Later<void>;
}

/** The keyed log of a node that is alone. */
export class OwnKeyedLog implements SharedKeyedLog {
  private readonly log: KeyedLog;
  private readonly reader: KeyedReader;

  constructor(log: KeyedLog, reader: KeyedReader) {
    this.log = log;
    this.reader = reader;
  }

  put(key: string, value: Buffer, slot: ConfirmSlot | null, onlyAbsent = false): void {
    if (onlyAbsent && this.reader.positionOf(key) > 0) {
      slot?.committed();
      return;
    }
    const position = this.log.append(key, value, slot);
    if (position > 0) this.log.release(this.reader.changed(key, value, position));
  }

  remove(key: string, slot: ConfirmSlot | null, onlyAt: Position | null): void {
    const position = this.reader.positionOf(key);
    if (position === 0 || (onlyAt !== null && onlyAt !== position)) {
      slot?.committed();
      return;
    }
    this.reader.changed(key, null, position);
    this.log.remove(key, position, slot);
  }

  isOurs(): boolean {
    return true;
  }

  settled(): void {}
}
