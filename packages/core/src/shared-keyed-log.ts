import type { ConfirmSlot } from './door/confirm-slot.js';
import type { KeyedCondition } from './keyed-entry.js';
import type { KeyedLog } from './keyed-log.js';
import type { Later } from './later.js';
import type { Position } from './ports.js';
import type { Origin, Provenance } from './replica-log.js';

/** What a keyed log comes to, held by who reads it: the last value of each key, and the position at which it stands. */
export interface KeyedReader {
  /** The key has this value from now on, which is the reader's own; null: it has none. Returns where the one before stood; 0: there was none. */
  changed(key: string, value: Buffer | null, position: Position): Position;
  /** 0: the key is not there. */
  positionOf(key: string): Position;
  /** Those at such positions, in any order; keys may cost more than positions. */
  entries(isWanted: (position: Position) => boolean): Iterable<{ readonly key: string; readonly position: Position }>;
  /** Which key conditions of this one may look at instead of itself. Both are in one shard, so that they are ordered. Not there: none has one. */
  guardOf?(key: string): string;
  /** How what the node kept while it was alone comes in. Not there: each entry by itself, where its key is nowhere. */
  readonly arrival?: KeyedArrival;
}

/** What belongs together comes in as one: others find all of it, or know that it is on its way. */
export interface KeyedArrival {
  /** Else an entry has no effect. */
  readonly onlyIf: KeyedCondition;
  /** These come when all others are there. */
  comesLast(key: string): boolean;
  /** Called before the first comes, which waits for it. */
  begin(to: SharedKeyedLog): Promise<void>;
  /** All have come. */
  end(to: SharedKeyedLog): void;
}

/** Which key a condition looks at. */
export function lookedAt(reader: KeyedReader, key: string, { of }: KeyedCondition): string {
  return of === 'guard' ? (reader.guardOf?.(key) ?? key) : key;
}

/** Somebody who has changed a key and waits for what comes of it. */
export interface ChangeSink {
  /** As what `change` resolves with; once, perhaps within `submit`. */
  changed(isAnswered: boolean): void;
}

/**
 * The last value of each key, for all nodes: whatever is put on one is told to the readers of all, in the order of the log. On a node that
 * is alone the reader is told within the call, and in a cluster when enough nodes have it.
 */
export interface SharedKeyedLog {
  /**
   * The value is not empty. `slot`: told when it is durable. `onlyIf`: else it has no effect. `from`: whoever says it again does so under that,
   * and it has effect once, the first time; a node that is alone has no need of it.
   */
  put(key: string, value: Buffer, slot: ConfirmSlot | null, onlyIf?: KeyedCondition | null, from?: Provenance): void;
  /** `onlyIf`: else it has no effect. `slot`: told when the key is sure not to come back. `from`: see `put`. */
  remove(key: string, slot: ConfirmSlot | null, onlyIf: KeyedCondition | null, from?: Provenance): void;
  /**
   * Puts, or with null removes. Resolves when it is durable and the reader of this node has been told of it and of all that was before it,
   * so that it shows whether it had effect; with false when it was refused, which has effect, or will, or not.
   */
  change(key: string, value: Buffer | null, onlyIf: KeyedCondition | null): Promise<boolean>;
  /** As `change`, without a promise, which may be one for each message. */
  submit(key: string, value: Buffer | null, onlyIf: KeyedCondition | null, sink: ChangeSink): void;
  /** As what is known that is published for an entry of this key; see `letterOrigin`. Null: on a node that is alone, which has no need of it. */
  originOf(key: string): Origin | null;
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

  put(key: string, value: Buffer, slot: ConfirmSlot | null, onlyIf: KeyedCondition | null = null): void {
    if (onlyIf !== null && !this.holds(key, onlyIf)) {
      slot?.committed();
      return;
    }
    const position = this.log.append(key, value, slot);
    if (position > 0) this.log.release(this.reader.changed(key, value, position));
  }

  remove(key: string, slot: ConfirmSlot | null, onlyIf: KeyedCondition | null): void {
    const position = this.reader.positionOf(key);
    if (position === 0 || (onlyIf !== null && !this.holds(key, onlyIf))) {
      slot?.committed();
      return;
    }
    this.reader.changed(key, null, position);
    this.log.remove(key, position, slot);
  }

  change(key: string, value: Buffer | null, onlyIf: KeyedCondition | null): Promise<boolean> {
    return new Promise((resolve) => this.submit(key, value, onlyIf, { changed: resolve }));
  }

  submit(key: string, value: Buffer | null, onlyIf: KeyedCondition | null, sink: ChangeSink): void {
    const slot = { committed: () => sink.changed(true), refused: () => sink.changed(false) };
    if (value === null) this.remove(key, slot, onlyIf);
    else this.put(key, value, slot, onlyIf);
  }

  private holds(key: string, onlyIf: KeyedCondition): boolean {
    return this.reader.positionOf(lookedAt(this.reader, key, onlyIf)) === onlyIf.at;
  }

  originOf(): null {
    return null;
  }

  isOurs(): boolean {
    return true;
  }

  settled(): void {}
}
