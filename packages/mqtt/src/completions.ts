import { Deadline, type Position, type SharedQueue, type Turn } from '@chapar/core';

/** What may come again is known for so long at least, and twice that at most: by then whoever had the session has said all that he could. */
const doubtMs = 120_000;

interface Settled {
  readonly packetId: number;
  readonly position: Position;
}

/**
 * Messages of QoS 2 that the client has received, of which the session's queue may not know for good: it may give them out again, and they
 * must not be sent again, since the client forgets their identifiers with PUBREL. In a log apart from the queue's.
 */
export class Completions {
  private readonly turn: Turn;
  private readonly isReleased: (packetId: number) => boolean;
  /** The log may forget the identifier. */
  private readonly completed: (packetId: number) => void;
  private readonly deadline: Deadline;
  /** Settled since the last question. */
  private gathered: Settled[] = [];
  /** By position: settled, and not yet for good; true: PUBCOMP has come. */
  private readonly awaited = new Map<Position, boolean>();
  /** Settled by an owner before, or while the queue got another leader, or not at all: nobody will say when they are for good. */
  private doubtful = new Map<Position, number>();
  private older = new Map<Position, number>();
  /** See `leave`; so it is until `return`. */
  private isAway = true;

  constructor(turn: Turn, isReleased: (packetId: number) => boolean, completed: (packetId: number) => void) {
    this.turn = turn;
    this.isReleased = isReleased;
    this.completed = completed;
    this.deadline = new Deadline(turn.deadlines, () => this.forget());
  }

  /** The client has that message. */
  has(position: Position): boolean {
    return this.awaited.has(position) || this.doubtful.has(position) || this.older.has(position);
  }

  doubt(packetId: number, position: Position): void {
    if (this.doubtful.size + this.older.size === 0) this.arm();
    this.doubtful.set(position, packetId);
  }

  private arm(): void {
    this.deadline.set(this.isAway ? Number.POSITIVE_INFINITY : this.turn.nowMs + doubtMs);
  }

  /** Its queue was told. */
  settled(packetId: number, position: Position): void {
    this.gathered.push({ packetId, position });
    this.awaited.set(position, false);
  }

  /** The queue gave it again, and is told again. `isCompleted`: PUBCOMP has come. */
  settledAgain(position: Position, isCompleted: boolean): void {
    const packetId = this.doubtful.get(position) ?? this.older.get(position);
    if (packetId === undefined) return;
    this.doubtful.delete(position);
    this.older.delete(position);
    this.settled(packetId, position);
    if (isCompleted) this.awaited.set(position, true);
  }

  /** PUBCOMP has come: the identifier is known for as long as the message might come again, which would be taken for another one. */
  complete(packetId: number, position: Position): void {
    if (this.awaited.has(position)) this.awaited.set(position, true);
    else if (!this.has(position)) this.completed(packetId);
  }

  /** At the end of a turn, when the session's queue was told: when that is for good. */
  ask(queue: SharedQueue): void {
    const { gathered } = this;
    if (gathered.length === 0) return;
    this.gathered = [];
    void queue.settledForGood!().then((isSure) => {
      for (const each of gathered) this.decided(each, isSure);
    });
  }

  private decided({ packetId, position }: Settled, isSure: boolean): void {
    const isCompleted = this.awaited.get(position) === true;
    this.awaited.delete(position);
    if (!isSure) this.doubt(packetId, position);
    else if (isCompleted && !this.has(position)) this.completed(packetId);
  }

  /** Nobody is there to whom the queue could give anything: nothing is forgotten until the client has been there for a while. */
  leave(): void {
    this.isAway = true;
    this.deadline.set(Number.POSITIVE_INFINITY);
  }

  return(): void {
    this.isAway = false;
    for (const [position, packetId] of this.older) this.doubtful.set(position, packetId);
    this.older.clear();
    if (this.doubtful.size > 0) this.arm();
  }

  private forget(): void {
    for (const packetId of this.older.values()) if (!this.isReleased(packetId)) this.completed(packetId);
    this.older = this.doubtful;
    this.doubtful = new Map();
    if (this.older.size > 0) this.arm();
  }
}
