import { type Flushable, PHASE_DECIDE, type Turn } from '../turn.js';
import type { Doubt } from './doubt.js';
import type { Handout } from './handout.js';
import type { Paging } from './paging.js';
import { Portion } from './portion.js';
import type { ReadyMessages } from './ready-messages.js';
import type { Timing } from './timing.js';
import type { TurnOrder } from './turn-order.js';

/** The queue whose backlog it is. */
export interface DispatchOwner {
  readonly deleted: boolean;
  /** The oldest, which is in memory, leaves. */
  expireHead(): void;
}

export interface DispatchParts {
  readonly turn: Turn;
  readonly ready: ReadyMessages;
  readonly order: TurnOrder;
  readonly paging: Paging;
  readonly timing: Timing;
  readonly handout: Handout;
  readonly doubt: Doubt;
}

/** Delivers what waits to who can take it; a long backlog in several turns, so that others have theirs between. */
export class Dispatch implements Flushable {
  /** It will be done at the end of a turn. */
  isAsked = false;
  private readonly owner: DispatchOwner;
  private readonly parts: DispatchParts;
  private readonly portion = new Portion();

  constructor(owner: DispatchOwner, parts: DispatchParts) {
    this.owner = owner;
    this.parts = parts;
  }

  /** A message came that has to wait. */
  waits(): void {
    this.portion.arrivals++;
  }

  /** What is given back within a turn goes out in its order at the turn's end, not one by one as it comes. */
  ask(): void {
    if (this.isAsked) return;
    this.isAsked = true;
    this.parts.turn.add(PHASE_DECIDE, this);
  }

  endOfTurn(): void {
    this.isAsked = false;
    if (!this.owner.deleted) this.run();
  }

  run(): void {
    this.handOutReady();
    this.parts.timing.expiry?.headChanged();
  }

  private handOutReady(): void {
    const { ready, order, paging, handout, timing, doubt } = this.parts;
    if (ready.hasHead && doubt.arises()) return;
    const { expiry } = timing;
    for (let left = this.portion.next(); ready.hasHead; left--) {
      if (left === 0) {
        this.isAsked = true;
        this.parts.turn.postpone(this);
        return;
      }
      if (expiry?.isHeadDue) {
        this.owner.expireHead();
        continue;
      }
      const consumer = order.take();
      if (consumer === null) return;
      const position = ready.headPosition;
      const redelivered = ready.headRedelivered;
      handout.deliver(consumer, position, ready.shift(), redelivered);
      paging.fill();
    }
    paging.fill();
  }
}
