import type { Topology, Turn } from '@chapar/core';
import type { Clock, Log } from '@chapar/platform';
import { Guest } from '../guest/guest.js';
import type { Leads } from '../guest/leads.js';
import type { Mirror } from '../mirror.js';
import { HomeFrames } from '../remote/home-frames.js';
import type { RemoteHome, SessionEnd } from '../remote/remote-home.js';
import { FrameCursor } from './frame-cursor.js';
import { frameHeadBytes } from './frames.js';
import type { Carried, Lane } from './lane.js';
import type { Peer } from './links.js';
import { batchHeadBytes, type Outgoing, readNeeds } from './outgoing.js';

export interface LinkParts {
  readonly turn: Turn;
  readonly topology: Topology;
  readonly mirror: Mirror;
  readonly clock: Clock;
  readonly log: Log;
  /** Of the mirrored queues that this node leads. */
  readonly leads: Leads;
}

interface Waiting {
  readonly batch: Buffer;
  readonly carried: Carried | null;
}

/**
 * The data between this node and another, each in one session: what it sends comes on the lane that we opened, what we send goes on the
 * lane that it opened. When either breaks both are closed, and when both are there again each side says what the other may have missed.
 * It ends with the first of the two sessions.
 */
export class Link {
  readonly peer: Peer;
  readonly guest: Guest;
  private readonly home: RemoteHome;
  private readonly homeFrames: HomeFrames;
  private readonly parts: LinkParts;
  private readonly out: Outgoing;
  private readonly cursor = new FrameCursor();
  private incoming: Lane | null = null;
  private outgoing: Lane | null = null;
  /** Batches that wait for the other lane, or for metadata that they need. */
  private waiting: Waiting[] = [];
  private isBehind = false;
  private isOver = false;
  isUp = false;

  constructor(parts: LinkParts, peer: Peer, home: RemoteHome) {
    this.parts = parts;
    this.peer = peer;
    this.home = home;
    this.homeFrames = new HomeFrames(home);
    this.out = home.out;
    const { turn, topology, clock, leads } = parts;
    this.guest = new Guest({ turn, topology, clock, out: home.out, leads, origin: peer.boot });
    home.isRegistered = true;
    home.node = peer.node;
  }

  /** The lane that we opened. */
  opened(lane: Lane): void {
    if (this.incoming !== null) this.down('another lane took its place');
    this.incoming = lane;
    lane.open({
      received: (batch, carried = null) => this.received(lane, batch, carried),
      drained: () => undefined,
      closed: (reason) => this.closed(lane, reason),
    });
    this.upIfBoth();
  }

  /** The lane that the peer opened. */
  accepted(lane: Lane): void {
    if (this.outgoing !== null) this.dropOutgoing('another lane took its place');
    this.outgoing = lane;
    lane.open({
      received: () => undefined,
      drained: () => this.out.drained(),
      closed: (reason) => this.closed(lane, reason),
    });
    this.upIfBoth();
  }

  private upIfBoth(): void {
    const { incoming, outgoing } = this;
    if (incoming === null || outgoing === null || this.isUp || this.isOver) return;
    this.isUp = true;
    this.out.open(outgoing);
    this.out.onDrained = () => this.guest.drained();
    this.out.onFlush = () => this.home.flush();
    this.guest.linked();
    this.home.linked();
    this.out.schedule();
    this.process();
  }

  private closed(lane: Lane, reason: string): void {
    if (lane === this.incoming || lane === this.outgoing) this.down(reason);
  }

  /** Both lanes go: what one of them lost, the other must not outrun. */
  private down(reason: string): void {
    const { incoming } = this;
    this.incoming = null;
    this.waiting = [];
    this.dropOutgoing(reason);
    incoming?.close(reason);
  }

  private dropOutgoing(reason: string): void {
    const { outgoing, isUp } = this;
    this.outgoing = null;
    this.isUp = false;
    if (isUp) {
      this.out.close();
      this.home.unlinked();
      this.guest.unlinked();
      // Its other half goes, too, when this one was in use.
      const { incoming } = this;
      this.incoming = null;
      this.waiting = [];
      incoming?.close(reason);
    }
    outgoing?.close(reason);
  }

  /** The pair of sessions is over. */
  end(how: SessionEnd): void {
    if (this.isOver) return;
    this.isOver = true;
    this.down('the session is over');
    this.guest.end();
    this.home.sessionEnded(how);
  }

  // ---- what the peer sends ---------------------------------------------------------------------------------------

  private received(lane: Lane, batch: Buffer, carried: Carried | null): void {
    if (lane !== this.incoming) return;
    if (!this.isUp || this.isBehind || this.waiting.length > 0 || this.awaits(batch)) {
      this.waiting.push({ batch, carried });
      return;
    }
    this.read(batch, carried);
  }

  private process(): void {
    while (this.isUp && !this.isBehind && this.waiting.length > 0) {
      const { batch, carried } = this.waiting[0]!;
      if (this.awaits(batch)) return;
      this.waiting.shift();
      this.read(batch, carried);
    }
  }

  /** Whether the batch has to wait for our copy of etcd: its sender knows more than we do. */
  private awaits(batch: Buffer): boolean {
    const { mirror } = this.parts;
    const needs = readNeeds(batch);
    if (needs <= mirror.revision) return false;
    this.isBehind = true;
    void mirror.at(needs).then(() => {
      this.isBehind = false;
      // By now this may be another lane, whose batches have gathered behind it.
      this.process();
    });
    return true;
  }

  private read(batch: Buffer, carried: Carried | null): void {
    const { cursor } = this;
    cursor.carried = carried?.messages ?? null;
    try {
      for (let at = batchHeadBytes; at < batch.length; ) {
        const type = batch[at]!;
        const end = at + frameHeadBytes + batch.readUInt32BE(at + 1);
        cursor.set(batch, at + frameHeadBytes, end);
        at = end;
        if (!this.guest.receive(type, cursor) && !this.homeFrames.receive(type, cursor)) {
          throw new Error(`a frame of unknown type ${type}`);
        }
        if (!this.isUp) return;
      }
    } catch (error) {
      // What this batch said after it is lost; the link begins anew and both sides say what is theirs.
      this.parts.log.error({ error, peer: this.peer.node }, 'a node sent what cannot be read; the link is closed');
      this.down('a batch could not be read');
    }
  }
}
