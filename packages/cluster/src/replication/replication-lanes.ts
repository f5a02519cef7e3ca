import type { Incarnation, Turn } from '@chapar/core';
import type { Clock, Log } from '@chapar/platform';
import type { Lane } from '../peer/lane.js';
import type { Peer } from '../peer/links.js';
import { AnswerLane, type AnswerLaneOwner, type HeldPull } from './answer-lane.js';
import type { Copy } from './copy.js';
import { PullLane, type PullLaneOwner } from './pull-lane.js';
import type { DataId } from './record.js';
import type { Parcel } from './replication-form.js';

/** So many copies that were dropped are remembered. */
const goneMax = 1024;

/** Where lanes find the copies that they speak for. */
export interface Copies {
  [Symbol.iterator](): Iterator<Copy>;
  of(incarnation: Incarnation): Copy | undefined;
  numbered(number: number): Copy | undefined;
}

/** The lanes of replication between this node and all others, and the pulls that wait here. */
export class ReplicationLanes implements PullLaneOwner, AnswerLaneOwner {
  private readonly parts: { readonly turn: Turn; readonly clock: Clock; readonly log: Log };
  private readonly copies: Copies;
  /** By data id. */
  private readonly pulling = new Map<DataId, PullLane>();
  private readonly answering = new Map<DataId, AnswerLane>();
  private readonly held = new Map<Incarnation, Set<HeldPull>>();
  /** The last copies that were dropped here: whoever has not heard of it yet pulls in vain. */
  private readonly gone = new Set<Incarnation>();

  constructor(parts: { readonly turn: Turn; readonly clock: Clock; readonly log: Log }, copies: Copies) {
    this.parts = parts;
    this.copies = copies;
  }

  /** We opened it: our copies pull over it. */
  opened(peer: Peer, lane: Lane): void {
    const { dataId } = peer;
    this.pulling.get(dataId)?.close('another lane took its place');
    this.pulling.set(dataId, new PullLane(this.parts, peer, lane, this));
    for (const copy of this.copies) copy.laneOpened(dataId);
  }

  /** The peer opened it: its copies pull over it. */
  accepted(peer: Peer, lane: Lane): void {
    this.answering.get(peer.dataId)?.close('another lane took its place');
    this.answering.set(peer.dataId, new AnswerLane(this.parts, peer, lane, this));
  }

  /** A session, of the peer or of this node, is over. */
  departed({ dataId, session }: Peer): void {
    for (const lane of [this.pulling.get(dataId), this.answering.get(dataId)])
      if (lane?.peer.session === session) lane.close('the session is over');
  }

  to(id: DataId): PullLane | null {
    return this.pulling.get(id) ?? null;
  }

  /** That member's copies wait here for news. */
  hasPullOf(id: DataId, incarnation: Incarnation): boolean {
    for (const { pull } of this.heldFor(incarnation)) if (pull.member === id) return true;
    return false;
  }

  /** There is a copy of it here. */
  added(incarnation: Incarnation): void {
    this.gone.delete(incarnation);
  }

  /** There is none any more: nobody who waits for news of it gets any. */
  removed(incarnation: Incarnation): void {
    this.gone.add(incarnation);
    for (const oldest of this.gone) {
      if (this.gone.size <= goneMax) break;
      this.gone.delete(oldest);
    }
    for (const held of [...this.heldFor(incarnation)]) held.lane.forget(held);
  }

  heldFor(incarnation: Incarnation): Iterable<HeldPull> {
    return this.held.get(incarnation) ?? [];
  }

  /** Called now and then, so that those who lead know that this node lives though it says nothing. */
  still(): void {
    for (const lane of this.pulling.values()) lane.still();
  }

  close(): void {
    for (const lane of [...this.pulling.values(), ...this.answering.values()]) lane.close('the node stops');
  }

  // -- from lanes --------------------------------------------------------------------------------------------------

  answered(_lane: PullLane, parcel: Parcel): void {
    this.copies.numbered(parcel.copy)?.answered(parcel);
  }

  pullLaneClosed(lane: PullLane): void {
    const { dataId } = lane.peer;
    if (this.pulling.get(dataId) !== lane) return;
    this.pulling.delete(dataId);
    for (const copy of this.copies) copy.laneClosed(dataId);
  }

  answerLaneClosed(lane: AnswerLane): void {
    const { dataId } = lane.peer;
    if (this.answering.get(dataId) === lane) this.answering.delete(dataId);
  }

  pulled(held: HeldPull): void {
    const { incarnation } = held.pull;
    if (this.gone.has(incarnation)) {
      held.lane.forget(held);
      return;
    }
    let waiting = this.held.get(incarnation);
    if (waiting === undefined) this.held.set(incarnation, (waiting = new Set()));
    waiting.add(held);
    this.copies.of(incarnation)?.pulled(held);
  }

  dropped(held: HeldPull): void {
    const { incarnation } = held.pull;
    const waiting = this.held.get(incarnation);
    waiting?.delete(held);
    if (waiting?.size === 0) this.held.delete(incarnation);
  }

  stillHeld(held: HeldPull): void {
    this.copies.of(held.pull.incarnation)?.still(held);
  }

  answer(held: HeldPull): void {
    this.copies.of(held.pull.incarnation)?.answer(held);
  }
}
