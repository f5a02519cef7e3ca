import type { Troubles } from './troubles.js';

/** A queue from its declaration to its end, as clients know it. */
export interface QueueLife {
  readonly name: string;
  /** The node where it was declared; empty: it is mirrored, and lives where its copies are. */
  readonly home: string;
  /** How many disks at least have what was confirmed; null: it is not mirrored. */
  readonly diskMin: number | null;
  /** Its persistent messages are on the disk of its home. */
  readonly isDurable: boolean;
  /** First deliveries come in the order of their publishes. */
  readonly isOrdered: boolean;
  readonly isSingleActive: boolean;
  /** Where what is rejected goes: the name of a queue. */
  readonly deadLettersTo: string | null;
  /** Dead letters come to it. */
  readonly isFedByOutbox: boolean;
  /** They come at least once, across a crash perhaps more often: it is not mirrored, or one of the queues that they leave is not. */
  readonly mayDoubleLetters: boolean;
  /** Messages leave it also without a consumer: by age, because newer ones came, or given back too often. */
  readonly isLeaky: boolean;
  /** How long messages stay at most; null: as long as they like. Milliseconds. */
  readonly ttlMs: number | null;
  /** Somebody takes from it without acknowledging: what is on its way when he goes is lost. */
  isLossy: boolean;
  /** What was published before may have been purged. */
  purgedMs: number;
  readonly bornMs: number;
  endedMs: number | null;
  /** Of a single-active queue: who got something last. */
  active: ConsumerLife | null;
}

/** Whatever is not said of it. */
const usual: Omit<QueueLife, 'name' | 'home' | 'bornMs'> = {
  diskMin: null,
  isDurable: true,
  isOrdered: true,
  isSingleActive: false,
  deadLettersTo: null,
  isFedByOutbox: false,
  mayDoubleLetters: false,
  isLeaky: false,
  ttlMs: null,
  isLossy: false,
  purgedMs: Number.NEGATIVE_INFINITY,
  endedMs: null,
  active: null,
};

/** One that is declared now. */
export function queueLife(facts: Pick<QueueLife, 'name' | 'home'> & Partial<QueueLife>, nowMs: number): QueueLife {
  return { ...usual, bornMs: nowMs, ...facts };
}

/** One publish of a message; one that is tried again is published twice. */
export interface Published {
  readonly message: string;
  /** A connection: within it publishes are in order. */
  readonly stream: string;
  readonly ordinal: number;
  readonly atMs: number;
  readonly node: string;
  readonly persistent: boolean;
  /** Streams are in order within each. */
  readonly priority: number;
  /** Where it must come to when it is confirmed. */
  readonly targets: readonly QueueLife[];
  /** Names of the queues where it may come to; null: anywhere. */
  readonly routes: readonly string[] | null;
  /** Its own time to live; null: none. Milliseconds. */
  readonly expiresMs: number | null;
  verdict: 'waiting' | 'confirmed' | 'refused' | 'unknown';
  isReturned: boolean;
}

/** A consumer from consume-ok to its end, as its client knows it. */
export interface ConsumerLife {
  /** Unique in the run. */
  readonly name: string;
  /** Who only gets is nobody that a queue chooses. */
  readonly kind: 'consumer' | 'getter' | 'owner';
  /** The node it is connected to. */
  readonly node: string;
  /** Null: of a queue that the ledger does not know. */
  readonly life: QueueLife | null;
  readonly acknowledges: boolean;
  readonly exclusive: boolean;
  /** 0: no limit. */
  readonly prefetch: number;
  /** It has asked to be cancelled: another one may be served by now. */
  isLeaving: boolean;
  /** Cancelled: it gets nothing more, and may settle what it holds. */
  isStopped: boolean;
  endedMs: number | null;
  /** When it got something last, or was attached. */
  lastMs: number;
  /** When the last that it got was sent. */
  lastSentMs: number;
}

/** One that begins now. */
export function consumerLife(
  facts: Pick<ConsumerLife, 'name' | 'node' | 'life'> & Partial<ConsumerLife>,
  nowMs: number,
): ConsumerLife {
  return {
    kind: 'consumer',
    acknowledges: true,
    exclusive: false,
    prefetch: 0,
    isLeaving: false,
    isStopped: false,
    endedMs: null,
    lastMs: nowMs,
    lastSentMs: nowMs,
    ...facts,
  };
}

/** What a consumer did with a message. */
export interface Handling {
  readonly by: ConsumerLife;
  /** When the node sent it. */
  readonly sentMs: number;
  /** When it got it, and when it was done with it; of one in its hands: not yet. */
  readonly fromMs: number;
  readonly toMs: number | null;
  readonly outcome: 'accept' | 'reject' | null;
}

/** What a client says may be lost with its connection when that goes so soon after, and home's disk has it by then. Milliseconds. */
const inFlightMs = 1_000;

/** Whether the message may come again all the same: a verdict did not arrive in time, or what was held was given back. */
export function isExcused(troubles: Troubles, { by, fromMs, toMs }: Handling, nowMs: number): boolean {
  const untilMs = toMs === null ? nowMs : toMs + inFlightMs;
  // What the client was not told yet may have happened before.
  const sinceMs = fromMs - inFlightMs;
  if (by.endedMs !== null && by.endedMs <= untilMs) return true;
  const { diskMin } = by.life ?? { diskMin: null };
  if (diskMin !== null) {
    // Whoever leads, or dies of those that lead, is nothing to a consumer whose own node is well and well connected.
    if (troubles.hasDied(by.node, sinceMs, untilMs) || troubles.wipesSince(fromMs) >= diskMin) return true;
    // While too few copies are there, what is settled waits at the consumer's node to be for good, and ends with it.
    if (troubles.hasDied(by.node, sinceMs) && troubles.isAnybodyMissing(sinceMs, untilMs)) return true;
    // What is settled by being sent is known to the leader alone until others have it.
    if (!by.acknowledges && troubles.areLeadersMoving(fromMs)) return true;
    return troubles.around(by.node, sinceMs, untilMs);
  }
  const home = by.life?.home ?? by.node;
  if (troubles.hasDied(home, sinceMs, untilMs) || troubles.hasDied(by.node, sinceMs, untilMs)) return true;
  if (troubles.wasWiped(home, fromMs)) return true;
  return troubles.between(by.node, home, sinceMs, untilMs);
}
