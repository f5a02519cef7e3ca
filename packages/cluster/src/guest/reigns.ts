import type { Incarnation } from '@chapar/core';
import type { Clock, Timer } from '@chapar/platform';
import type { LedQueue } from '../replication/led-queue.js';
import type { Epoch } from '../replication/record.js';
import type { Guest } from './guest.js';
import type { GuestLine } from './guest-line.js';

/** Nodes have so long to claim what their consumers hold. Milliseconds. */
const claimsMs = 500;

/** A consumer that comes back to a queue that serves one at a time, until all have. */
interface Returning {
  readonly order: number;
  attach(): void;
}

/** This node's time as the leader of one mirrored queue. */
export class Reign {
  readonly led: LedQueue;
  readonly lines = new Set<GuestLine>();
  isOver = false;
  /** Who has not said what it has; null: nobody is waited for any more. */
  awaited: Set<Guest> | null = new Set();
  timer: Timer | null = null;
  private returning: Returning[] = [];
  private lastOrder = 0;

  constructor(led: LedQueue) {
    this.led = led;
  }

  /** The place of a consumer that attaches, among all of the queue's over all its leaders; `known`: the one that it had. */
  order(known: number): number {
    if (known === 0) return ++this.lastOrder;
    this.lastOrder = Math.max(this.lastOrder, known);
    return known;
  }

  /** A queue that serves one consumer at a time goes on with the one that it served: they attach in the order in which they first did. */
  returns(order: number, attach: () => void): void {
    const isOrdered = this.led.queue.isHeld && this.led.queue.roster.single !== null;
    if (isOrdered) this.returning.push({ order, attach });
    else attach();
  }

  begin(): void {
    this.awaited = null;
    this.timer?.cancel();
    const returning = this.returning.sort((a, b) => a.order - b.order);
    this.returning = [];
    for (const { attach } of returning) attach();
    this.led.queue.begin();
  }

  end(): void {
    this.isOver = true;
    this.awaited = null;
    this.timer?.cancel();
    this.returning = [];
    this.led.onForGood = null;
  }
}

/**
 * The mirrored queues that this node leads, for the nodes that it is linked to and itself: each of them is told, and a queue begins when all have
 * said what they have of it.
 */
export class Reigns {
  private readonly clock: Clock;
  private readonly linkedGuests = new Set<Guest>();
  private readonly byIncarnation = new Map<Incarnation, Reign>();

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** Null: this node does not lead it in that epoch. */
  find(incarnation: Incarnation, epoch: Epoch): Reign | null {
    const reign = this.byIncarnation.get(incarnation);
    return reign !== undefined && reign.led.epoch === epoch && !reign.led.isOver ? reign : null;
  }

  // ---- queues ------------------------------------------------------------------------------------------------------

  /** This node leads it, and it is held. */
  leads(led: LedQueue): void {
    this.leadsNoMore(this.byIncarnation.get(led.incarnation)?.led ?? null);
    const reign = new Reign(led);
    this.byIncarnation.set(led.incarnation, reign);
    led.onForGood = () => {
      for (const line of reign.lines) line.progressed();
    };
    for (const guest of this.linkedGuests) {
      reign.awaited!.add(guest);
      guest.sayLeads(led, false);
    }
    reign.timer = this.clock.after(claimsMs, () => reign.begin());
    this.beginWhenSaid(reign);
  }

  /** Publishes were left out while it was fenced, and it leads on: all faces say again what they have. */
  leadsOn(led: LedQueue): void {
    for (const guest of this.linkedGuests) guest.sayLeads(led, true);
  }

  leadsNoMore(led: LedQueue | null): void {
    const reign = led === null ? undefined : this.byIncarnation.get(led.incarnation);
    if (led === null || reign?.led !== led) return;
    this.byIncarnation.delete(led.incarnation);
    reign.end();
    for (const guest of this.linkedGuests) guest.sayLeft(led);
  }

  // ---- nodes -------------------------------------------------------------------------------------------------------

  linked(guest: Guest): void {
    this.linkedGuests.add(guest);
    for (const reign of this.byIncarnation.values()) {
      reign.awaited?.add(guest);
      guest.sayLeads(reign.led, false);
    }
  }

  unlinked(guest: Guest): void {
    if (!this.linkedGuests.delete(guest)) return;
    for (const reign of this.byIncarnation.values()) if (reign.awaited?.delete(guest)) this.beginWhenSaid(reign);
  }

  /** It has said what it has. */
  said(guest: Guest, incarnation: Incarnation, epoch: Epoch): void {
    const reign = this.find(incarnation, epoch);
    if (reign?.awaited?.delete(guest)) this.beginWhenSaid(reign);
  }

  private beginWhenSaid(reign: Reign): void {
    if (reign.awaited?.size === 0) reign.begin();
  }
}
