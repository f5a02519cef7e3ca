import type { Arguments } from '../arguments.js';
import type { Message } from '../message.js';
import type { LoggedMessage, LogRead, Position, QueuePages, RecoveredQueue } from '../ports.js';
import { costBytes, type Memory, unboundedMemory } from './memory.js';
import { PriorityLevel } from './priority-level.js';
import { Ready } from './ready.js';
import type { PageOut, ReadyMessages } from './ready-messages.js';

/** What waits in a queue with these arguments. */
export function readyMessages(args: Arguments, memory: Memory, pageOut: PageOut): ReadyMessages {
  const priorityMax = args['x-max-priority'];
  if (typeof priorityMax !== 'number' || priorityMax === 0) return new Ready(memory, pageOut);
  return new PriorityReady(priorityMax, memory, pageOut);
}

/** Asked for in one read. */
const readMax = 4096;

/**
 * What waits in a queue with `x-max-priority`: higher priorities first, and each in the order of coming. A message without a priority
 * has 0, one above the highest has the highest. All levels share one window of memory; where it is full, the lowest levels leave
 * it first, because their turn comes last.
 */
export class PriorityReady implements ReadyMessages {
  private readonly memory: Memory;
  private readonly pageOut: PageOut;
  /** By priority; made when the first message of it comes. */
  private readonly levels: (PriorityLevel | undefined)[];
  /** By priority: what stands at or below was perhaps delivered by an earlier life of the node. */
  private redeliveredUpTo: readonly Position[] = [];
  /** Nothing waits above it. */
  private top = -1;
  /** Of the fronts of all levels, and of their backs. */
  private frontBytes = 0;
  private backBytes = 0;
  private inMemory = 0;
  pagedCount = 0;
  pagedBytes = 0;
  bytes = 0;
  /** The level that is being read: nothing is put before what is on its way. */
  private reading: PriorityLevel | null = null;
  /** Of what is on its way: what was taken out meanwhile. */
  private struck: Set<Position> | null = null;
  /** Of the paged: those that could not be read. They wait for a restart, or for a purge. */
  private stranded: Position[] = [];

  /** `priorityMax`: 0 to 255. */
  constructor(priorityMax: number, memory: Memory = unboundedMemory(), pageOut: PageOut = () => undefined) {
    this.memory = memory;
    this.pageOut = pageOut;
    this.levels = new Array<PriorityLevel | undefined>(priorityMax + 1).fill(undefined);
  }

  // ---- what there is ---------------------------------------------------------------------------------------------

  get length(): number {
    return this.inMemory + this.pagedCount;
  }

  get isEmpty(): boolean {
    return this.first() === null;
  }

  get hasHead(): boolean {
    return this.first()?.hasHead ?? false;
  }

  get isLow(): boolean {
    const level = this.first();
    return level?.isPaged === true && level.front.costBytes <= this.memory.lowBytes;
  }

  get headPosition(): Position {
    return this.first()?.headPosition ?? 0;
  }

  get headRedelivered(): boolean {
    return this.first()!.headRedelivered;
  }

  get head(): Message {
    return this.first()!.head;
  }

  /** The level of the head; null when nothing waits. */
  private first(): PriorityLevel | null {
    for (; this.top >= 0; this.top--) {
      const level = this.levels[this.top];
      if (level !== undefined && !level.isEmpty) return level;
    }
    return null;
  }

  private priorityOf({ priority }: Message): number {
    return Math.min(Math.max(priority, 0), this.levels.length - 1);
  }

  private level(priority: number): PriorityLevel {
    return (this.levels[priority] ??= new PriorityLevel(this.memory, this.redeliveredUpTo[priority] ?? 0));
  }

  /** The same, and the head may be there from now on. */
  private levelToFill(priority: number): PriorityLevel {
    if (priority > this.top) this.top = priority;
    return this.level(priority);
  }

  // ---- in --------------------------------------------------------------------------------------------------------

  push(position: Position, message: Message): void {
    const priority = this.priorityOf(message);
    const level = this.levelToFill(priority);
    this.bytes += message.bodyBytes;
    this.inMemory++;
    if (level.front.isEmpty && !level.isPaged) this.turnOver(level);
    if (level.back.isEmpty && !level.isPaged && this.hasRoom(priority)) {
      level.front.push(position, message);
      this.frontBytes += costBytes(message);
      return;
    }
    level.back.push(position, message);
    this.backBytes += costBytes(message);
    if (this.backBytes > this.memory.halfWindowBytes) this.pageBacksOut();
  }

  /** Whether the front of this level may grow; those of lower ones shrink for it. */
  private hasRoom(priority: number): boolean {
    const bytesMax = this.memory.halfWindowBytes;
    if (this.frontBytes > bytesMax) this.pageFrontsOut(priority, bytesMax);
    return this.frontBytes <= bytesMax;
  }

  /** The youngest of the levels below this one leave memory, the lowest level first, until all fronts together cost so little. */
  private pageFrontsOut(priority: number, bytesMax: number): void {
    for (let lower = 0; lower < priority && this.frontBytes > bytesMax; lower++) {
      const level = this.levels[lower];
      if (level === undefined || level === this.reading) continue;
      while (this.frontBytes > bytesMax && !level.front.isEmpty) {
        const position = level.front.tailPosition;
        const message = level.front.pop();
        this.frontBytes -= costBytes(message);
        level.paged.unshift(position);
        this.paged(position, message);
      }
    }
  }

  private pageBacksOut(): void {
    const bytesMax = this.memory.halfWindowBytes;
    for (let lowest = 0; this.backBytes > bytesMax; lowest++) {
      const level = this.levels[lowest];
      if (level === undefined) continue;
      while (this.backBytes > bytesMax && !level.back.isEmpty) {
        const position = level.back.headPosition;
        const message = level.back.shift();
        this.backBytes -= costBytes(message);
        level.paged.push(position);
        this.paged(position, message);
      }
    }
  }

  private paged(position: Position, message: Message): void {
    this.inMemory--;
    this.pagedCount++;
    this.pagedBytes += message.bodyBytes;
    this.pageOut(position, message);
  }

  giveBack(position: Position, message: Message): void {
    this.levelToFill(this.priorityOf(message)).returned.push(position, message);
    this.bytes += message.bodyBytes;
    this.inMemory++;
  }

  recover(found: RecoveredQueue): void {
    const pending = new Set(found.pending.map(({ position }) => position));
    const priorityMax = this.levels.length - 1;
    this.redeliveredUpTo = Array.from(this.levels, (_, priority) => {
      const upTo = found.deliveredByLevel[priority] ?? found.deliveredUpTo;
      // What is published from now on was not delivered before, whatever the crash left open.
      return Math.min(upTo, found.last);
    });
    found.visit((position, priority, bodyBytes) => {
      if (pending.has(position)) return;
      this.levelToFill(Math.min(priority, priorityMax)).paged.push(position);
      this.pagedCount++;
      this.pagedBytes += bodyBytes;
      this.bytes += bodyBytes;
    });
  }

  // ---- from disk -------------------------------------------------------------------------------------------------

  read(pages: QueuePages, done: (read: LogRead) => void, bytesMax?: number): void {
    const level = this.first()!;
    // Lower levels may fill the window, and this one is needed.
    this.pageFrontsOut(this.top, this.memory.lowBytes);
    this.reading = level;
    const roomBytes = Math.max(1, this.memory.halfWindowBytes - this.frontBytes);
    pages.readAt(level.paged.firsts(readMax), bytesMax ?? roomBytes, done);
  }

  take(read: LogRead): void {
    const level = this.reading!;
    const { struck } = this;
    this.reading = this.struck = null;
    while (level.isPaged && level.paged.first <= read.upTo) level.paged.shift();
    for (const { position, message } of read.messages) {
      if (struck?.has(position)) continue;
      level.front.push(position, message);
      this.frontBytes += costBytes(message);
      this.inMemory++;
      this.pagedCount--;
      this.pagedBytes -= message.bodyBytes;
    }
    for (const position of read.unreadable) this.stranded.push(position);
  }

  // ---- out -------------------------------------------------------------------------------------------------------

  shift(): Message {
    const level = this.first()!;
    const message = level.isReturnedNext ? level.returned.shift() : this.shiftFresh(level);
    this.bytes -= message.bodyBytes;
    this.inMemory--;
    return message;
  }

  private shiftFresh(level: PriorityLevel): Message {
    if (level.front.isEmpty) this.turnOver(level);
    const message = level.front.shift();
    this.frontBytes -= costBytes(message);
    return message;
  }

  private turnOver(level: PriorityLevel): void {
    if (level.back.isEmpty) return;
    level.turnOver();
    this.frontBytes += level.front.costBytes;
    this.backBytes -= level.front.costBytes;
  }

  takeAt(position: Position): Message | null {
    for (const level of this.levels) {
      const message = level === undefined ? null : this.takeOf(level, position);
      if (message === null) continue;
      this.inMemory--;
      this.bytes -= message.bodyBytes;
      return message;
    }
    return null;
  }

  private takeOf({ returned, front, back }: PriorityLevel, position: Position): Message | null {
    const costBefore = front.costBytes;
    const message = returned.remove(position) ?? front.remove(position);
    this.frontBytes -= costBefore - front.costBytes;
    if (message !== null) return message;
    const young = back.remove(position);
    if (young !== null) this.backBytes -= costBytes(young);
    return young;
  }

  takePaged(read: readonly LoggedMessage[]): readonly LoggedMessage[] {
    const taken: LoggedMessage[] = [];
    this.levels.forEach((level, priority) => {
      if (!level?.isPaged) return;
      const its = read.filter(({ message }) => this.priorityOf(message) === priority);
      const removed = new Set(level.paged.remove(its.map(({ position }) => position)));
      for (const logged of its) {
        if (!removed.has(logged.position)) continue;
        if (level === this.reading) (this.struck ??= new Set()).add(logged.position);
        this.pagedCount--;
        this.pagedBytes -= logged.message.bodyBytes;
        this.bytes -= logged.message.bodyBytes;
        taken.push(logged);
      }
    });
    return taken;
  }

  deliveredUpTo(last: Position): Position {
    return this.deliveredByLevel(last).reduce((most, upTo) => Math.max(most, upTo));
  }

  /** A level that no message of this life came to may have had some that went out at once. */
  deliveredByLevel(last: Position): readonly Position[] {
    return Array.from(this.levels, (level) => {
      const fresh = level?.freshPosition ?? 0;
      return fresh === 0 ? last : Math.max(level!.redeliveredUpTo, fresh - 1);
    });
  }

  forgetPaged(range: (first: Position, last: Position) => void): void {
    const lists = this.levels.flatMap((level) => (level?.isPaged ? [level.paged] : []));
    let [from, to] = [0, -1];
    while (lists.length > 0) {
      const list = lists.reduce((least, each) => (each.first < least.first ? each : least));
      const position = list.shift();
      if (list.length === 0) lists.splice(lists.indexOf(list), 1);
      if (position !== to + 1) {
        if (to > 0) range(from, to);
        from = position;
      }
      to = position;
    }
    if (to > 0) range(from, to);
    for (const position of this.stranded) range(position, position);
    this.stranded = [];
    this.reading = this.struck = null;
    this.bytes -= this.pagedBytes;
    this.pagedCount = this.pagedBytes = 0;
  }

  visit(visitor: (position: Position, message: Message) => void): void {
    for (const level of this.levels)
      if (level !== undefined) for (const part of [level.returned, level.front, level.back]) part.visit(visitor);
  }

  clear(): void {
    for (const level of this.levels) level?.clear();
    this.forgetPaged(() => undefined);
    this.top = -1;
    this.bytes = this.inMemory = this.frontBytes = this.backBytes = 0;
  }
}
