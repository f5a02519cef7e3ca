import type { Incarnation, Position, Queue } from '@chapar/core';
import type { LedShard } from '../keyed/led-shard.js';
import { Allegiance } from './allegiance.js';
import type { Leader } from './leader.js';
import type { LedQueue } from './led-queue.js';
import type { MirroredLog } from './mirrored-log.js';
import type { Origin, Provenance } from './origins.js';
import type { Epoch } from './record.js';

/** What this node does as the leader of one queue, from the first entry of its reign on until it leads no more. */
export class Reign implements LedQueue {
  readonly leader: Leader;
  readonly log: MirroredLog;
  readonly allegiance = new Allegiance();
  /** Set when the reign's first entry is committed. */
  private opened: Queue | null = null;
  shard: LedShard | null = null;
  onForGood: (() => void) | null = null;
  isShort = false;
  isFenced = false;
  isOver = false;
  private toldForGood = 0;
  private waiting: { readonly position: Position; readonly done: () => void }[] = [];

  constructor(leader: Leader, log: MirroredLog) {
    this.leader = leader;
    this.log = log;
  }

  /** Somebody was heard, or time has passed: it may be certain again that nobody else leads. */
  reassure(): void {
    this.opened?.doubt.ask();
  }

  /** What was found is as it will stay, and may be served. */
  get mayOpen(): boolean {
    return !this.isOpen && !this.isOver && this.leader.committed >= this.leader.firstPosition;
  }

  get isOpen(): boolean {
    return this.opened !== null || this.shard !== null;
  }

  open(queue: Queue): void {
    this.opened = queue;
  }

  openShard(shard: LedShard): void {
    this.shard = shard;
  }

  get queue(): Queue {
    return this.opened!;
  }

  get incarnation(): Incarnation {
    return this.leader.incarnation;
  }

  get epoch(): Epoch {
    return this.leader.epoch;
  }

  verdict(origin: Origin, sequence: number): 'new' | 'held' | 'refused' | 'over' {
    return this.isFenced || this.isOver ? 'over' : this.leader.origins.verdict(origin, sequence);
  }

  from(provenance: Provenance): void {
    this.log.from(provenance);
  }

  mark(): number {
    return this.log.mark();
  }

  get forGood(): number {
    return this.log.forGood;
  }

  whenCommitted(done: () => void): void {
    if (this.isOver) return;
    const position = this.log.end;
    if (position <= this.leader.committed) done();
    else this.waiting.push({ position, done });
  }

  /** The leader counted anew. */
  counted(): void {
    if (this.isOver) return;
    this.log.counted();
    const { committed } = this.leader;
    while (!this.isOver && this.waiting.length > 0 && this.waiting[0]!.position <= committed)
      this.waiting.shift()!.done();
    if (this.toldForGood === this.forGood) return;
    this.toldForGood = this.forGood;
    this.onForGood?.();
  }

  /** Nothing that was said in it is answered any more. */
  end(): void {
    this.isOver = this.log.isOver = true;
    this.leader.onCounted = null;
    this.waiting = [];
    this.onForGood = null;
  }
}
