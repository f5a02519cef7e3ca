import type { Turn } from '@chapar/core';
import type { Clock, Timer } from '@chapar/platform';
import type { Link } from './link.js';
import { LoopbackLane } from './loopback-lane.js';

/** After a batch that could not be read. Milliseconds. */
const retryMs = 100;

/**
 * This node's way to itself, for mirrored queues that it leads: a link as to any other node. It depends on no session: a process that has lost
 * its lease is there for itself as before.
 */
export class Loopback {
  readonly link: Link;
  private readonly turn: Turn;
  private readonly clock: Clock;
  private timer: Timer | null = null;
  private isClosed = false;

  constructor(parts: { readonly turn: Turn; readonly clock: Clock }, link: Link) {
    this.turn = parts.turn;
    this.clock = parts.clock;
    this.link = link;
  }

  open(): void {
    const [incoming, outgoing] = LoopbackLane.pair(this.turn, () => this.again());
    this.link.opened(incoming);
    this.link.accepted(outgoing);
  }

  private again(): void {
    if (this.isClosed) return;
    this.timer = this.clock.after(retryMs, () => this.open());
  }

  close(): void {
    this.isClosed = true;
    this.timer?.cancel();
  }
}
