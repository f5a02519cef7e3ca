import type { Incarnation, ReplicaEntry, Turn } from '@chapar/core';
import type { Clock, Log } from '@chapar/platform';
import { readFrames } from '../peer/batch.js';
import { FrameCursor } from '../peer/frame-cursor.js';
import { FRAME_PULL, FRAME_PULLED, FRAME_STILL } from '../peer/frames.js';
import type { Lane } from '../peer/lane.js';
import type { Peer } from '../peer/links.js';
import { Outgoing } from '../peer/outgoing.js';
import type { Answer, Pull } from './exchange.js';
import { type PullContext, readPull, writeAnswer } from './replication-form.js';

/** So many answers may be read from the disk at a time for one peer. */
const readingMax = 16;

/** A pull that was not answered yet: until there is something to say. */
export class HeldPull {
  readonly lane: AnswerLane;
  /** The follower's number of its copy. */
  readonly copy: number;
  readonly pull: Pull;
  /** What time the leader had at the last answer that its follower has had. Milliseconds; 0: none. */
  readonly heardMs: number;
  /** It is to be answered, though there is no news: the next pull says that its member follows still. */
  isAsked = false;
  /** Its leader has taken what it says. */
  isHeard = false;
  /** Its messages are being read. */
  isReading = false;
  /** It is to be answered as soon as the lane takes more. */
  isDue = false;

  constructor(lane: AnswerLane, copy: number, pull: Pull, heardMs: number) {
    this.lane = lane;
    this.copy = copy;
    this.pull = pull;
    this.heardMs = heardMs;
  }
}

export interface AnswerLaneOwner {
  /** A follower asks, in place of what it asked before. */
  pulled(held: HeldPull): void;
  /** The pull will not be answered. */
  dropped(held: HeldPull): void;
  /** Whoever waits there lives. */
  stillHeld(held: HeldPull): void;
  /** Answers it now, if there is anything to say; what has to be read first is read. */
  answer(held: HeldPull): void;
  answerLaneClosed(lane: AnswerLane): void;
}

/** A lane that a peer opened to us: its copies pull from those that we lead, and wait here until there is something to say. */
export class AnswerLane {
  readonly peer: Peer;
  private readonly lane: Lane;
  private readonly out: Outgoing;
  private readonly cursor = new FrameCursor();
  private readonly log: Log;
  private readonly owner: AnswerLaneOwner;
  private readonly context: PullContext;
  private readonly held = new Map<number, HeldPull>();
  private due: HeldPull[] = [];
  private readingCount = 0;
  isClosed = false;

  constructor(
    { turn, clock, log }: { readonly turn: Turn; readonly clock: Clock; readonly log: Log },
    peer: Peer,
    lane: Lane,
    owner: AnswerLaneOwner,
  ) {
    this.peer = peer;
    this.lane = lane;
    this.log = log;
    this.owner = owner;
    this.context = { member: peer.dataId, session: peer.session, incarnations: new Map<number, Incarnation>() };
    this.out = new Outgoing(turn, clock);
    this.out.open(lane);
    this.out.onFlush = () => this.answerDue();
    this.out.onDrained = () => this.out.schedule();
    lane.open({
      received: (batch) => this.received(batch),
      drained: () => this.out.drained(),
      closed: () => this.close(''),
    });
  }

  /** At the end of the turn, or when the lane takes more. */
  schedule(held: HeldPull): void {
    if (held.isDue || held.isReading || this.held.get(held.copy) !== held) return;
    held.isDue = true;
    this.due.push(held);
    this.out.schedule();
  }

  /** The messages of an answer are on their way from the disk. */
  reads(held: HeldPull): void {
    held.isReading = true;
    this.readingCount++;
  }

  /** They are there. False: nobody waits for them any more. */
  hasRead(held: HeldPull): boolean {
    held.isReading = false;
    this.readingCount--;
    if (this.due.length > 0) this.out.schedule();
    return this.held.get(held.copy) === held;
  }

  /** `sentMs`: now, as the queue counts it. */
  send(held: HeldPull, answer: Answer, entries: readonly ReplicaEntry[], sentMs: number): void {
    this.forget(held);
    this.out.begin(FRAME_PULLED);
    writeAnswer(this.out, { copy: held.copy, answer, entries, sentMs });
  }

  /** Its follower will ask anew when it has learned what this node knows. */
  forget(held: HeldPull): void {
    if (this.held.get(held.copy) !== held) return;
    this.held.delete(held.copy);
    this.owner.dropped(held);
  }

  close(reason: string): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.out.close();
    for (const held of [...this.held.values()]) this.forget(held);
    this.due = [];
    this.lane.close(reason);
    this.owner.answerLaneClosed(this);
  }

  private answerDue(): void {
    const { due, out } = this;
    this.due = [];
    for (const [i, held] of due.entries()) {
      if (out.isClogged || this.readingCount >= readingMax) {
        this.due = [...due.slice(i), ...this.due];
        return;
      }
      held.isDue = false;
      if (this.held.get(held.copy) === held) this.owner.answer(held);
      if (this.isClosed) return;
    }
  }

  private received(batch: Buffer): void {
    try {
      readFrames(batch, this.cursor, (type) => {
        if (this.isClosed) return;
        if (type === FRAME_PULL) this.pulled();
        else if (type === FRAME_STILL) for (const held of this.held.values()) this.owner.stillHeld(held);
      });
    } catch (error) {
      this.log.error({ error, peer: this.peer.node }, 'a node sent what cannot be read; the lane is closed');
      this.close('a batch could not be read');
    }
  }

  private pulled(): void {
    const read = readPull(this.cursor, this.context);
    if (read === null) return;
    const { copy, pull, heardMs } = read;
    const before = this.held.get(copy);
    if (before !== undefined) this.forget(before);
    const held = new HeldPull(this, copy, pull, heardMs);
    this.held.set(copy, held);
    this.owner.pulled(held);
  }
}
