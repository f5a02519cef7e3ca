import type { Message, Position, Provenance } from '@chapar/core';
import { FRAME_LINE, FRAME_LINE_SETTLE } from '../peer/frames.js';
import { outcomes } from '../peer/refusals.js';
import type { Epoch } from '../replication/record.js';
import type { KeptSettlement } from './kept-settlements.js';
import type { MirroredQueue } from './mirrored-queue.js';
import type { RemoteConsumer } from './remote-consumer.js';
import type { RemoteHome } from './remote-home.js';

/**
 * What the face of a mirrored queue says to one leader in one epoch. A line is never taken up again by another leader or in another epoch: what
 * is under way on an old one is read by nobody.
 */
export class FaceLine {
  /** Names it between this node and the leader's. */
  readonly number: number;
  readonly face: MirroredQueue;
  readonly home: RemoteHome;
  readonly epoch: Epoch;
  /** Where the stream of publishes stands with it. */
  frame = 0;
  nextSequence = 0;
  private dirty: RemoteConsumer[] = [];
  private isTouched = false;
  private hasBegun = false;

  constructor(number: number, face: MirroredQueue, home: RemoteHome, epoch: Epoch) {
    this.number = number;
    this.face = face;
    this.home = home;
    this.epoch = epoch;
  }

  get isLinked(): boolean {
    return this.home.isLinked;
  }

  // ---- what is said again ------------------------------------------------------------------------------------------

  /** To a new leader: claims first, so that settlements find what they are about. */
  begin(): void {
    const { face } = this;
    this.hasBegun = true;
    this.introduce();
    const claims = face.settlements.claims();
    for (const consumer of face.consumers.values()) {
      if (!consumer.isAsking) this.attach(consumer, claims.get(consumer) ?? []);
      claims.delete(consumer);
    }
    // Those that are gone, but for what they have settled.
    for (const [consumer, positions] of claims) this.attach(consumer, positions);
    this.settle(face.settlements.take());
    this.publishAgain();
  }

  /** The link is there again: what was said may have been lost, and what the leader has of it, it has once. */
  resume(): void {
    const { face } = this;
    face.relinked();
    if (!this.hasBegun) {
      this.begin();
      return;
    }
    this.introduce();
    // The leader may still be looking for what these are about.
    const claims = face.settlements.claims();
    this.settle(face.settlements.again());
    this.settle(face.settlements.take());
    for (const consumer of face.consumers.values())
      if (!consumer.isAsking) this.attach(consumer, claims.get(consumer) ?? []);
    this.publishAgain();
  }

  private introduce(): void {
    const { out } = this.home;
    out.begin(FRAME_LINE);
    out.varint(this.number);
    out.varint(this.epoch);
    out.text(this.face.incarnation);
  }

  private attach(consumer: RemoteConsumer, further: readonly Position[]): void {
    if (consumer.stopped && consumer.holdsNothing && further.length === 0) return;
    this.home.writeAttach(this.home.out, consumer, 0, { line: this.number, further });
  }

  /** All that has no verdict, as soon as what went before it has one. */
  publishAgain(): void {
    const { publishes, mayPublish } = this.face;
    if (!mayPublish) return;
    for (const [sequence, message, isAwaited, from] of publishes.all())
      this.publish(sequence, message, isAwaited, from);
  }

  // ---- what is said ------------------------------------------------------------------------------------------------

  publish(sequence: number, message: Message, isAwaited: boolean, from: Provenance | undefined): void {
    this.home.lineStream.publish(this, sequence, this.face.publishes.known, message, isAwaited, from);
  }

  private settle(settlements: readonly KeptSettlement[]): void {
    const { out } = this.home;
    for (const { number, consumer, outcome, first, count } of settlements) {
      out.begin(FRAME_LINE_SETTLE);
      out.varint(this.number);
      out.varint(number);
      out.varint(consumer.id);
      out.byte(outcomes.indexOf(outcome));
      out.varint(first);
      out.varint(count);
    }
  }

  /** Something is to be said at the end of the turn. */
  touch(consumer: RemoteConsumer | null): void {
    if (consumer !== null && !consumer.isDirty) {
      consumer.isDirty = true;
      this.dirty.push(consumer);
    }
    if (this.isTouched) return;
    this.isTouched = true;
    this.home.touchLine(this);
  }

  flushSettlements(): void {
    if (this.face.settlements.hasGathered) this.settle(this.face.settlements.take());
  }

  /** Only while linked. */
  flush(): void {
    this.isTouched = false;
    this.flushSettlements();
    const { dirty } = this;
    if (dirty.length === 0) return;
    this.dirty = [];
    for (const consumer of dirty) {
      consumer.isDirty = false;
      this.home.tell(consumer);
    }
  }

  end(): void {
    for (const consumer of this.dirty) consumer.isDirty = false;
    this.dirty = [];
  }
}
