import type { Turn } from '@chapar/core';
import type { Clock, Log } from '@chapar/platform';
import { readFrames } from '../peer/batch.js';
import { FrameCursor } from '../peer/frame-cursor.js';
import { FRAME_PULL, FRAME_PULLED, FRAME_STILL } from '../peer/frames.js';
import type { Lane } from '../peer/lane.js';
import type { Peer } from '../peer/links.js';
import { Outgoing } from '../peer/outgoing.js';
import type { Pull } from './exchange.js';
import { type Parcel, readAnswer, writePull } from './replication-form.js';

export interface PullLaneParts {
  readonly turn: Turn;
  readonly clock: Clock;
  readonly log: Log;
}

export interface PullLaneOwner {
  answered(lane: PullLane, parcel: Parcel): void;
  pullLaneClosed(lane: PullLane): void;
}

/** A lane that we opened to a peer: our copies pull from those that it leads. */
export class PullLane {
  readonly peer: Peer;
  private readonly lane: Lane;
  private readonly out: Outgoing;
  private readonly cursor = new FrameCursor();
  private readonly log: Log;
  private readonly owner: PullLaneOwner;
  private isClosed = false;

  constructor({ turn, clock, log }: PullLaneParts, peer: Peer, lane: Lane, owner: PullLaneOwner) {
    this.peer = peer;
    this.lane = lane;
    this.log = log;
    this.owner = owner;
    this.out = new Outgoing(turn, clock);
    this.out.open(lane);
    lane.open({
      received: (batch) => this.received(batch),
      drained: () => this.out.drained(),
      closed: () => this.close(''),
    });
  }

  /** `copy`: our number of it, which its answers carry. `heardMs`: what time the last answer had, 0: none. */
  pull(copy: number, pull: Pull, heardMs: number): void {
    this.out.begin(FRAME_PULL);
    writePull(this.out, copy, pull, heardMs);
  }

  /** Whatever waits at the peer waits on. */
  still(): void {
    this.out.begin(FRAME_STILL);
  }

  close(reason: string): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.out.close();
    this.lane.close(reason);
    this.owner.pullLaneClosed(this);
  }

  private received(batch: Buffer): void {
    try {
      readFrames(batch, this.cursor, (type) => {
        if (type === FRAME_PULLED && !this.isClosed) this.owner.answered(this, readAnswer(this.cursor));
      });
    } catch (error) {
      this.log.error({ error, peer: this.peer.node }, 'a node sent what cannot be read; the lane is closed');
      this.close('a batch could not be read');
    }
  }
}
