import type { Message } from '../message.js';
import type { LoggedMessage, LogRead, Position, QueuePages, RecoveredQueue } from '../ports.js';
import { type Memory, unboundedMemory } from './memory.js';
import type { PageOut, ReadyMessages } from './ready-messages.js';
import { ReturnedHeap } from './returned-heap.js';
import { Ring } from './ring.js';
import { Strays } from './strays.js';

/**
 * The messages of a queue that wait for a consumer, in order of their positions:
 *
 *     returned   those that were given back: in memory, and older than any fresh one unless they were claimed from between them
 *     front      the oldest fresh ones: in memory, and filled up from the disk
 *     paged      a range of positions, counted and nothing more: on disk
 *     back       the youngest: in memory, so that a queue that has nearly caught up reads little
 *
 * A short queue has a front alone.
 */
export class Ready implements ReadyMessages {
  private readonly memory: Memory;
  private readonly pageOut: PageOut;
  private front: Ring;
  private back: Ring;
  private returned = new ReturnedHeap();
  /** Paged messages lie in this range; empty when there are none. */
  private pagedFrom: Position = 1;
  private pagedTo: Position = 0;
  /** Not in memory; those that could not be read are among them. */
  pagedCount = 0;
  pagedBytes = 0;
  /** Of the paged: those that could not be read. They wait for a restart, or for a purge. */
  private stranded: Position[] = [];
  /** What stands at or below was perhaps delivered by an earlier life of the node. */
  private redeliveredUpTo: Position = 0;
  /** Null: there are none. */
  private strays: Strays | null = null;
  bytes = 0;
  /** Messages in memory, kept because every publish asks. */
  private inMemory = 0;

  constructor(memory: Memory = unboundedMemory(), pageOut: PageOut = () => undefined) {
    this.memory = memory;
    this.pageOut = pageOut;
    this.front = new Ring(memory);
    this.back = new Ring(memory);
  }

  get length(): number {
    return this.inMemory + this.pagedCount;
  }

  /** Nothing waits that could be delivered, now or when it was read. */
  get isEmpty(): boolean {
    return this.inMemory === 0 && this.pagedFrom > this.pagedTo;
  }

  /** Part of it has to be read before it can be delivered. */
  get isPaged(): boolean {
    return this.pagedFrom <= this.pagedTo;
  }

  /** The oldest is in memory. */
  get hasHead(): boolean {
    if (this.pagedFrom > this.pagedTo) return this.inMemory > 0;
    return !this.front.isEmpty || this.isReturnedNext;
  }

  /** What stands at the same position on disk is the same message, which was claimed. */
  private get isReturnedNext(): boolean {
    if (this.returned.length === 0) return false;
    const { freshPosition } = this;
    return freshPosition === 0 || this.returned.headPosition <= freshPosition;
  }

  /** Reading on is due. */
  get isLow(): boolean {
    return this.pagedFrom <= this.pagedTo && this.front.costBytes <= this.memory.lowBytes;
  }

  /** A message that was never delivered by this life of the queue; its position is above all before it. */
  push(position: Position, message: Message): void {
    this.bytes += message.bodyBytes;
    this.inMemory++;
    if (this.front.isEmpty && !this.isPaged) this.turnOver();
    if (this.back.isEmpty && !this.isPaged && this.front.costBytes <= this.memory.halfWindowBytes) {
      this.front.push(position, message);
      return;
    }
    this.back.push(position, message);
    const bytesMax = this.memory.halfWindowBytes;
    while (this.back.costBytes > bytesMax && this.back.length > 1) this.pageOldestOut();
  }

  private pageOldestOut(): void {
    const position = this.back.headPosition;
    const message = this.back.shift();
    this.inMemory--;
    if (!this.isPaged) this.pagedFrom = position;
    this.pagedTo = position;
    this.pagedCount++;
    this.pagedBytes += message.bodyBytes;
    this.pageOut(position, message);
  }

  recover({ first, last, count, bytes, deliveredUpTo, pending, visit }: RecoveredQueue): void {
    // What is published from now on was not delivered before, whatever the crash left open.
    this.redeliveredUpTo = Math.min(deliveredUpTo, last);
    if (count === pending.length) return;
    this.pagedFrom = first;
    this.pagedTo = last;
    this.pagedCount = count - pending.length;
    this.pagedBytes = bytes;
    if (pending.length > 0) {
      const strays = new Strays(pending.map(({ position }) => position));
      this.strays = strays;
      visit((position, _priority, bodyBytes) => {
        if (strays.has(position)) this.pagedBytes -= bodyBytes;
      });
    }
    this.bytes = this.pagedBytes;
  }

  read(pages: QueuePages, done: (read: LogRead) => void, bytesMax?: number): void {
    const roomBytes = Math.max(1, this.memory.halfWindowBytes - this.front.costBytes);
    pages.read(this.pagedFrom, this.pagedTo, bytesMax ?? roomBytes, done);
  }

  take(found: LogRead): void {
    const read = this.strays === null ? found : this.strays.without(found);
    for (const { position, message } of read.messages) {
      this.front.push(position, message);
      this.inMemory++;
      this.pagedCount--;
      this.pagedBytes -= message.bodyBytes;
    }
    this.pagedFrom = read.upTo + 1;
    if (!this.isPaged && this.back.isEmpty) this.strays = null;
    for (const position of read.unreadable) this.stranded.push(position);
  }

  takeAt(position: Position): Message | null {
    const message = this.returned.remove(position) ?? this.front.remove(position) ?? this.takeOfBack(position);
    if (message === null) return null;
    this.inMemory--;
    this.bytes -= message.bodyBytes;
    return message;
  }

  /** Those around it may be paged out yet, and it would be found between them. */
  private takeOfBack(position: Position): Message | null {
    const message = this.back.remove(position);
    if (message !== null) (this.strays ??= new Strays()).add(position);
    return message;
  }

  takePaged(read: readonly LoggedMessage[]): readonly LoggedMessage[] {
    const { pagedFrom, pagedTo } = this;
    const taken = read.filter(
      ({ position }) => position >= pagedFrom && position <= pagedTo && this.strays?.has(position) !== true,
    );
    for (const { position, message } of taken) {
      // A read that is under way may bring it, too.
      (this.strays ??= new Strays()).add(position);
      this.pagedCount--;
      this.pagedBytes -= message.bodyBytes;
      this.bytes -= message.bodyBytes;
    }
    return taken;
  }

  /** Puts a delivered message back in its place. */
  giveBack(position: Position, message: Message): void {
    this.returned.push(position, message);
    this.inMemory++;
    this.bytes += message.bodyBytes;
  }

  /** Position of the oldest; 0 when empty. */
  get headPosition(): Position {
    return this.isReturnedNext ? this.returned.headPosition : this.freshPosition;
  }

  /** Position of the oldest that was not given back; 0 when there is none. */
  get freshPosition(): Position {
    if (!this.front.isEmpty) return this.front.headPosition;
    return this.isPaged ? this.pagedFrom : this.back.headPosition;
  }

  get headRedelivered(): boolean {
    return this.isReturnedNext || this.freshPosition <= this.redeliveredUpTo;
  }

  /** The oldest. Only when it is in memory. */
  get head(): Message {
    if (this.isReturnedNext) return this.returned.head;
    return this.front.isEmpty ? this.back.head : this.front.head;
  }

  /** Takes the oldest out. Only when it is in memory. */
  shift(): Message {
    let message: Message;
    if (this.isReturnedNext) {
      message = this.returned.shift();
    } else {
      if (this.front.isEmpty) this.turnOver();
      message = this.front.shift();
    }
    this.inMemory--;
    this.bytes -= message.bodyBytes;
    return message;
  }

  /** Everything up to the youngest was taken: they are the next. */
  private turnOver(): void {
    if (this.back.isEmpty) return;
    this.strays = null;
    const { front } = this;
    this.front = this.back;
    this.back = front;
  }

  deliveredUpTo(last: Position): Position {
    const fresh = this.freshPosition;
    return fresh === 0 ? last : Math.max(this.redeliveredUpTo, fresh - 1);
  }

  deliveredByLevel(): readonly Position[] {
    return [];
  }

  /** Forgets what is not in memory, and calls `range` with the ranges of positions in which it lies and nothing else does. */
  forgetPaged(range: (first: Position, last: Position) => void): void {
    if (this.isPaged && this.strays === null) range(this.pagedFrom, this.pagedTo);
    else if (this.isPaged) this.strays!.between(this.pagedFrom, this.pagedTo, range);
    this.bytes -= this.pagedBytes;
    this.pagedFrom = 1;
    this.pagedTo = this.pagedCount = this.pagedBytes = 0;
    this.strays = null;
    for (const position of this.stranded) range(position, position);
    this.stranded = [];
  }

  visit(visitor: (position: Position, message: Message) => void): void {
    for (const part of [this.returned, this.front, this.back]) part.visit(visitor);
  }

  clear(): void {
    this.front.clear();
    this.back.clear();
    this.returned = new ReturnedHeap();
    this.inMemory = 0;
    this.forgetPaged(() => undefined);
    this.bytes = 0;
  }
}
