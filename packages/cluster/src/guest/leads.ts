import type { Incarnation, Revision } from '@chapar/core';
import type { Clock, Timer } from '@chapar/platform';
import type { LedQueue } from '../replication/led-queue.js';
import type { Epoch } from '../replication/record.js';
import type { Guest } from './guest.js';
import type { GuestLine } from './guest-line.js';

/** Those that nobody has told their places come last. */
const unknownOrder = Number.MAX_SAFE_INTEGER;
/** Nodes have so long to claim what their consumers hold, from when they know the queue's record. Milliseconds. */
const claimsMs = 500;

/** A consumer that comes back to a queue that serves one at a time, until all have. */
interface Returning {
  readonly order: number;
  attach(): void;
}

/** This node's time as the leader of one mirrored queue. */
export class Lead {
  readonly led: LedQueue;
  readonly lines = new Set<GuestLine>();
  isOver = false;
  /** Of the queue's record. Who has not applied that takes the queue for one that lives in one place, and claims nothing yet. 0: nobody does. */
  readonly revision: Revision;
  /** Who has not said what it has; null: nobody is waited for any more. */
  awaited: Set<Guest> | null = new Set();
  timer: Timer | null = null;
  private returning: Returning[] = [];
  private lastOrder = 0;

  constructor(led: LedQueue, revision: Revision) {
    this.led = led;
    this.revision = revision;
  }

  /** The place of a consumer that attaches, among all of the queue's over all its leaders; `known`: the one that it had. */
  order(known: number): number {
    if (known === 0) return ++this.lastOrder;
    this.lastOrder = Math.max(this.lastOrder, known);
    return known;
  }

  /** A queue that serves one consumer at a time goes on with the one that it served: they attach in the order in which they first did. */
  get isOrdered(): boolean {
    return this.led.shard === null && this.led.queue.isHeld && this.led.queue.roster.single !== null;
  }

  /** When all have said what they have, in this order. */
  returns(order: number, attach: () => void): void {
    this.returning.push({ order, attach });
  }

  begin(): void {
    this.awaited = null;
    this.timer?.cancel();
    const returning = this.returning.sort((a, b) => (a.order || unknownOrder) - (b.order || unknownOrder));
    this.returning = [];
    for (const { attach } of returning) attach();
    if (this.led.shard === null) this.led.queue.begin();
  }

  end(): void {
    this.isOver = true;
    this.awaited = null;
    this.timer?.cancel();
    this.returning = [];
    for (const line of this.lines) line.end();
    this.led.onForGood = null;
  }
}

/** What leads need to know of the node and of others. */
export interface LeadsNode {
  /** A node that is there is not linked yet, as when this one has just begun. */
  isAnyoneComing(): boolean;
  /** Of the queue's record, where somebody who does not know it may have something of the queue all the same; 0: he cannot. */
  revisionOf(led: LedQueue): Revision;
  /** That node has said that it knows all metadata up to there. */
  hasApplied(guest: Guest, revision: Revision): boolean;
  /** So long a node that is linked and does not know the queue's record is waited for: without etcd it is registered no longer than that. Milliseconds. */
  readonly recordMsMax: number;
}

/**
 * The mirrored queues that this node leads, for the nodes that it is linked to and itself: each of them is told, and a queue begins when all have
 * said what they have of it.
 */
export class Leads {
  private readonly clock: Clock;
  private readonly node: LeadsNode;
  private readonly linkedGuests = new Set<Guest>();
  private readonly byIncarnation = new Map<Incarnation, Lead>();

  constructor(clock: Clock, node: LeadsNode) {
    this.clock = clock;
    this.node = node;
  }

  /** Null: this node does not lead it in that epoch. */
  find(incarnation: Incarnation, epoch: Epoch): Lead | null {
    const lead = this.byIncarnation.get(incarnation);
    return lead !== undefined && lead.led.epoch === epoch && !lead.led.isOver ? lead : null;
  }

  // ---- queues ------------------------------------------------------------------------------------------------------

  /** This node leads it, and it is held. */
  leads(led: LedQueue): void {
    const before = this.byIncarnation.get(led.incarnation);
    if (before !== undefined) this.leadsNoMore(before.led, false);
    const lead = new Lead(led, this.node.revisionOf(led));
    this.byIncarnation.set(led.incarnation, lead);
    led.onForGood = () => {
      for (const line of lead.lines) line.progressed();
    };
    for (const guest of this.linkedGuests) {
      lead.awaited!.add(guest);
      guest.sayLeads(led);
    }
    this.limit(lead, this.clock.monotonicMs() + this.node.recordMsMax);
    this.beginWhenSaid(lead);
  }

  /** Lets it begin when all have known its record for so long that they could have said what they have, or at `untilMs` at the latest. */
  private limit(lead: Lead, untilMs: number): void {
    const isKnown = this.isKnownToAll(lead);
    lead.timer = this.clock.after(claimsMs, () => {
      const isDue = isKnown && this.isKnownToAll(lead);
      if (isDue || this.clock.monotonicMs() >= untilMs) lead.begin();
      else this.limit(lead, untilMs);
    });
  }

  private isKnownToAll({ awaited, revision }: Lead): boolean {
    for (const guest of awaited ?? []) if (!this.node.hasApplied(guest, revision)) return false;
    return true;
  }

  /** `isDeleted`: nobody leads it after this node, and who had it deleted is answered still. */
  leadsNoMore(led: LedQueue, isDeleted: boolean): void {
    const lead = this.byIncarnation.get(led.incarnation);
    if (lead?.led !== led) return;
    this.byIncarnation.delete(led.incarnation);
    lead.end();
    if (!isDeleted) for (const guest of this.linkedGuests) guest.sayLeft(led);
  }

  // ---- nodes -------------------------------------------------------------------------------------------------------

  linked(guest: Guest): void {
    this.linkedGuests.add(guest);
    for (const lead of this.byIncarnation.values()) {
      lead.awaited?.add(guest);
      guest.sayLeads(lead.led);
    }
  }

  unlinked(guest: Guest): void {
    if (!this.linkedGuests.delete(guest)) return;
    for (const lead of this.byIncarnation.values()) if (lead.awaited?.delete(guest)) this.beginWhenSaid(lead);
  }

  /** It has said what it has. */
  said(guest: Guest, incarnation: Incarnation, epoch: Epoch): void {
    const lead = this.find(incarnation, epoch);
    if (lead?.awaited?.delete(guest)) this.beginWhenSaid(lead);
  }

  private beginWhenSaid(lead: Lead): void {
    if (lead.awaited?.size === 0 && !this.node.isAnyoneComing()) lead.begin();
  }
}
