import type { Arguments } from '../arguments.js';
import type { Later } from '../later.js';
import type { Message } from '../message.js';
import type { Position } from '../ports.js';
import type { Delivery, DeliverySink, Outcome, QueueDelivery } from './delivery.js';
import type { Queue } from './queue.js';
import type { SharedQueue } from './shared-queue.js';
import type { HeirConsumer } from './succession.js';
import type { Window, WindowMember } from './window.js';

/** What a door says of a consumer that it attaches. */
export interface ConsumerSpec {
  /** The protocol's name for it, for people who look. */
  readonly tag: string;
  /** False: settled by being sent. */
  readonly acknowledges: boolean;
  readonly exclusive: boolean;
  /** Higher ones are served first while they have credit. */
  readonly priority: number;
  readonly arguments: Arguments;
  /** Credit shared with other consumers, null for none. */
  readonly window: Window | null;
  /**
   * It consumes for one of the owners that the queue has one after the other: higher than for those before, see `Owners`. Absent or 0: for
   * nobody, and beside all of them.
   */
  readonly ownerOrdinal?: number;
}

/** `single_active` and `waiting`: of a queue that serves one at a time. */
export type ConsumerActivity = 'up' | 'single_active' | 'waiting';

/** A consumer as its door sees it, wherever its queue lives. */
export interface Consumer {
  readonly queue: SharedQueue;
  readonly spec: ConsumerSpec;
  /** Whether it is among those that messages go to. For people who look; the field's words. */
  readonly activity: ConsumerActivity;
  /** More deliveries may be sent (fewer, when negative). Infinity lifts the limit. */
  grant(credit: number): void;
  /** A verdict on what it holds; a second one on the same does nothing. */
  settle(delivery: Delivery, outcome: Outcome): void;
  /** No more deliveries (basic.cancel); what it holds it keeps until settled or detached. Answered when the queue counts it no more. */
  stop(): Later<void>;
  /** The peer is gone: no more deliveries, and what it holds is ready again, in its place and flagged. */
  detach(): void;
  /** The pipe that was full has room. */
  resume(): void;
}

/**
 * A consumer of a queue of this node: its credit and what it holds. It stands in its queue's turn order exactly while it can take a message
 * (`active`); everything that changes that goes through `wake` and `sleep`.
 */
export class QueueConsumer implements Consumer, WindowMember {
  readonly queue: Queue;
  readonly sink: DeliverySink;
  readonly spec: ConsumerSpec;
  /** Credit shared with others. Only for those that acknowledge: without, nothing is ever held. */
  readonly window: Window | null;
  /** Its own limit on how long it may hold a message, which counts instead of the queue's; Infinity: none; null: the queue's. Milliseconds. */
  readonly timeoutMs: number | null;
  /** Its place among all that ever attached to the queue, from 1; 0: it has not. */
  order = 0;
  /** What its door says goes there since its queue is mirrored. */
  heir: HeirConsumer | null = null;
  credit = 0;
  paused = false;
  stopped = false;
  private gone = false;
  /** Owned by the turn order. */
  active = false;
  nextActive: QueueConsumer = this;
  previousActive: QueueConsumer = this;
  private firstHeld: QueueDelivery | null = null;
  private lastHeld: QueueDelivery | null = null;
  heldCount = 0;

  constructor(queue: Queue, spec: ConsumerSpec, sink: DeliverySink) {
    this.queue = queue;
    this.spec = spec;
    this.window = spec.acknowledges ? spec.window : null;
    this.sink = sink;
    this.timeoutMs = timeoutMsOf(spec.arguments);
  }

  /** More deliveries may be sent (fewer, when negative). Infinity lifts the limit. */
  grant(credit: number): void {
    if (this.heir !== null) this.heir.grant(credit);
    else this.setCredit(this.credit + credit);
  }

  /** Sets the credit that is left, whatever it was. */
  setCredit(credit: number): void {
    this.credit = credit;
    if (credit > 0) this.wake();
    else this.sleep();
  }

  settle(delivery: QueueDelivery, outcome: Outcome): void {
    // What has no heir came through this one's.
    if (this.heir !== null) this.heir.settle(delivery.heir ?? delivery, outcome);
    else this.queue.settle(delivery, outcome);
  }

  /** No more deliveries (basic.cancel); what it holds it keeps until settled or detached. */
  stop(): Later<void> {
    if (this.heir !== null) return this.heir.stop();
    if (this.stopped) return;
    this.end();
    if (this.heldCount > 0) this.queue.roster.outside.add(this);
    this.queue.removeConsumer(this);
  }

  /** The peer is gone: no more deliveries, and what it holds is ready again, in its place and flagged. */
  detach(): void {
    this.gone = true;
    if (this.heir !== null) {
      this.heir.detach();
      return;
    }
    void this.stop();
    for (let held = this.firstHeld; held !== null; held = this.firstHeld) this.queue.settle(held, 'release');
  }

  /** The pipe that was full has room. */
  resume(): void {
    this.heir?.resume();
    if (!this.paused) return;
    this.paused = false;
    this.wake();
  }

  /** True once it was detached: it must not be given anything. */
  get isDetached(): boolean {
    return this.gone;
  }

  /** Whether it is among those that messages go to. For people who look; the field's words. */
  get activity(): ConsumerActivity {
    if (this.heir !== null) return this.heir.activity;
    const { single } = this.queue.roster;
    if (this.stopped) return 'waiting';
    return single === null ? 'up' : single.current === this ? 'single_active' : 'waiting';
  }

  /** Joins the turn order where nothing stands against it, and takes what waits. */
  wake(): void {
    if (this.active || this.stopped || this.paused || this.credit <= 0) return;
    this.queue.activate(this);
  }

  private sleep(): void {
    if (this.active) this.queue.deactivate(this);
  }

  /** When it was given the oldest that it holds, see `Turn.tenths`; -1: it holds nothing. */
  get oldestHeldSince(): number {
    return this.firstHeld === null ? -1 : this.firstHeld.since;
  }

  // ---- called by the queue -------------------------------------------------------------------------------------

  /** True when it can take one now; otherwise it left the turn order and waits for its window. */
  mayTake(): boolean {
    const { window } = this;
    if (window === null || window.isOpen) return true;
    this.sleep();
    window.waitFor(this);
    return false;
  }

  /** It was given a message to hold. */
  hold(delivery: QueueDelivery): void {
    delivery.previous = this.lastHeld;
    if (this.lastHeld === null) this.firstHeld = delivery;
    else this.lastHeld.next = delivery;
    this.lastHeld = delivery;
    this.heldCount++;
    if (this.stopped && this.heldCount === 1) this.queue.roster.outside.add(this);
    this.window?.take();
    if (--this.credit <= 0) this.sleep();
  }

  /** What it held was settled. The queue gives the place in its window back afterwards. */
  letGo(delivery: QueueDelivery): void {
    delivery.settled = true;
    if (delivery.previous === null) this.firstHeld = delivery.next;
    else delivery.previous.next = delivery.next;
    if (delivery.next === null) this.lastHeld = delivery.previous;
    else delivery.next.previous = delivery.previous;
    delivery.previous = delivery.next = null;
    this.heldCount--;
    if (this.stopped && this.heldCount === 0) this.queue.roster.outside.delete(this);
  }

  /** The pipe is full. */
  pause(): void {
    this.paused = true;
    this.sleep();
  }

  /** No more deliveries. */
  end(): void {
    this.stopped = true;
    this.sleep();
    this.window?.forget(this);
  }

  /** It held messages too long: no more deliveries, and those that `isOverdue` names by their time are ready again, flagged. */
  timeOut(isOverdue: (since: number) => boolean): void {
    void this.stop();
    for (let held = this.firstHeld; held !== null && isOverdue(held.since); held = this.firstHeld) {
      this.queue.settle(held, 'release');
    }
    this.sink.detached(this, 'consumer-timeout');
  }

  /** The queue is mirrored: `heir` goes on with what is held, and with what the door says. */
  passOn(heir: HeirConsumer): void {
    this.heir = heir;
    for (let held = this.firstHeld; held !== null; held = held.next)
      held.heir = heir.holds(held.position, held.redelivered);
    this.firstHeld = this.lastHeld = null;
    this.heldCount = 0;
  }

  /** Calls `visitor` with what it holds. */
  visitHeld(visitor: (position: Position, message: Message) => void): void {
    for (let held = this.firstHeld; held !== null; held = held.next) visitor(held.position, held.message);
  }

  /** The queue is gone: what is held is void, and settling it later does nothing. */
  abandon(): void {
    const first = this.firstHeld;
    this.firstHeld = this.lastHeld = null;
    this.heldCount = 0;
    for (let held = first; held !== null; held = held.next) held.settled = true;
    for (let held = first; held !== null; held = held.next) this.window?.give();
  }

  /** Position of the oldest it holds; 0: none. */
  get oldestHeld(): Position {
    return this.firstHeld?.position ?? 0;
  }
}

/** Checked when it attached. 0: no limit, whatever the queue's is. */
function timeoutMsOf({ 'x-consumer-timeout': timeout }: Arguments): number | null {
  if (typeof timeout !== 'number') return null;
  return timeout === 0 ? Number.POSITIVE_INFINITY : timeout;
}
