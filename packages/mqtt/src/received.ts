import type { Provenance } from '@chapar/core';
import type { Arrivals } from './arrivals.js';
import type { WriteSink } from './write-sink.js';

/** What remembers the identifiers of messages of QoS 2 that came, over a restart of the broker. */
export interface ReceivedLog {
  /** It is another log than that of messages: what is said here is not before, nor with, what is said there. */
  readonly isApart: boolean;
  /**
   * `sink` is told when it would survive a crash. Where it is not apart, in the same group of the log as the message: written together, or
   * not at all. Where it is, before the message, which is published as `provenanceOf` says, and again so when it is not sure that it was.
   */
  received(packetId: number, sink: WriteSink, at: number): void;
  /** As what it was published, or was to be. */
  provenanceOf?(packetId: number): Provenance;
  /** `sink` is told when it is sure not to come back. */
  forgotten(packetId: number, sink: WriteSink | null): void;
}

/** Nothing more is read of a client of whom so much waits for the log. Bytes. */
const waitingBytesMax = 1024 * 1024;

const waiting = 0;
const answered = 1;
/** Another node knew whether its message was published. */
const unsure = 2;

/** The identifiers of messages of QoS 2 that came and were not released yet: one that comes again is not published again. §4.3.3, method A */
export class Received {
  /** Null: there never was one. */
  private states: Map<number, number> | null = null;
  private askers: Map<number, (isTaken: boolean) => void> | null = null;
  /** Of messages that wait for their identifiers to be in the log. Bytes. */
  waitingBytes = 0;
  /** Those of the connection that had some last. */
  latest: Arrivals | null = null;

  /** There is so much of that that nothing more should be read of the client. */
  get isFull(): boolean {
    return this.waitingBytes >= waitingBytesMax;
  }

  get size(): number {
    return this.states?.size ?? 0;
  }

  has(packetId: number): boolean {
    return this.states?.has(packetId) ?? false;
  }

  /** PUBREC was said, and may be said again. */
  isAnswered(packetId: number): boolean {
    return this.states?.get(packetId) === answered;
  }

  /** Its message was published perhaps. From now on it is under way. */
  takeUnsure(packetId: number): boolean {
    if (this.states?.get(packetId) !== unsure) return false;
    this.states.set(packetId, waiting);
    return true;
  }

  add(packetId: number): void {
    this.states ??= new Map();
    this.states.set(packetId, waiting);
  }

  answered(packetId: number): void {
    if (!this.states?.has(packetId)) return;
    this.states.set(packetId, answered);
    this.tell(packetId, true);
  }

  /** The client asks for its answer on another connection than the one on which that is owed. */
  whenAnswered(packetId: number, told: (isTaken: boolean) => void): void {
    this.askers ??= new Map();
    this.askers.set(packetId, told);
  }

  private tell(packetId: number, isTaken: boolean): void {
    const told = this.askers?.get(packetId);
    if (told === undefined) return;
    this.askers!.delete(packetId);
    told(isTaken);
  }

  delete(packetId: number): boolean {
    this.tell(packetId, false);
    return this.states?.delete(packetId) ?? false;
  }

  /** The connection is gone: what was not answered comes again. Where the message was taken meanwhile, its answer was not heard. */
  restore(packetIds: readonly number[], isSure: boolean): void {
    for (const id of packetIds) {
      this.states ??= new Map();
      this.states.set(id, isSure ? answered : unsure);
    }
  }

  /** Answers that were owed to a connection that is gone: the client will ask again. */
  connectionGone(): void {
    for (const [id, state] of this.states ?? []) if (state === waiting) this.states!.set(id, answered);
  }

  [Symbol.iterator](): IterableIterator<number> {
    return (this.states ?? new Map<number, number>()).keys();
  }
}
