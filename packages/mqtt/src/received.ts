/** What remembers the identifiers of messages of QoS 2 that came, over a restart of the broker. */
export interface ReceivedLog {
  /** It is another log than that of messages: what is said here is not before, nor with, what is said there. */
  readonly isApart: boolean;
  /** Where it is not apart, in the same group of the log as the message: written together, or not at all. `done` when it would survive a crash. */
  received(packetId: number, done: () => void): void;
  /** `done` when it is sure not to come back. */
  forgotten(packetId: number, done: () => void): void;
}

const waiting = 0;
const answered = 1;

/** The identifiers of messages of QoS 2 that came and were not released yet: one that comes again is not published again. §4.3.3, method A */
export class Received {
  /** Null: there never was one. */
  private states: Map<number, number> | null = null;

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

  add(packetId: number): void {
    this.states ??= new Map();
    this.states.set(packetId, waiting);
  }

  answered(packetId: number): void {
    if (this.states?.has(packetId)) this.states.set(packetId, answered);
  }

  delete(packetId: number): boolean {
    return this.states?.delete(packetId) ?? false;
  }

  /** The connection is gone: what was not answered comes again. Where the message was taken meanwhile, its answer was not heard. */
  restore(packetIds: Iterable<number>): void {
    for (const id of packetIds) {
      this.states ??= new Map();
      this.states.set(id, answered);
    }
  }

  /** Answers that were owed to a connection that is gone: the client will ask again. */
  connectionGone(): void {
    for (const id of this.states?.keys() ?? []) this.states!.set(id, answered);
  }

  [Symbol.iterator](): IterableIterator<number> {
    return (this.states ?? new Map<number, number>()).keys();
  }
}
