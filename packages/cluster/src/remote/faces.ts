import type { Incarnation, QueueProperties, SharedQueue } from '@chapar/core';
import type { Clock } from '@chapar/platform';
import type { Epoch } from '../replication/record.js';
import { type FaceParts, MirroredQueue } from './mirrored-queue.js';
import type { RemoteHome } from './remote-home.js';

/** Of publishes to mirrored queues that wait for their verdict; with more, publishers wait. Bytes. */
const keptBytesHigh = 32 * 1024 * 1024;
const keptBytesLow = 16 * 1024 * 1024;
/** With so much, they are refused. Bytes. */
const keptBytesMax = 2 * keptBytesHigh;

export interface FacesParts {
  readonly clock: Clock;
  nextNumber(): number;
  revisionOf(queue: SharedQueue): number;
  /** Publishers had better wait, or need no longer. */
  onBehind(isBehind: boolean): void;
}

interface Leading {
  readonly home: RemoteHome;
  readonly epoch: Epoch;
}

/** The faces of all mirrored queues on this node, and who leads them as far as it has heard. */
export class Faces implements FaceParts {
  private readonly parts: FacesParts;
  private readonly byIncarnation = new Map<Incarnation, MirroredQueue>();
  /** Also of queues whose record has not come yet. */
  private readonly leads = new Map<Incarnation, Leading>();
  private keptBytes = 0;
  private isBehind = false;

  constructor(parts: FacesParts) {
    this.parts = parts;
  }

  /** `before`: the queue that it was until now, which is mirrored in place. */
  face(properties: QueueProperties, before: SharedQueue | null = null): MirroredQueue {
    const face = new MirroredQueue(this, properties);
    if (before !== null) face.succeed(before);
    this.byIncarnation.set(face.incarnation, face);
    const lead = this.leads.get(face.incarnation);
    if (lead !== undefined) face.move(lead.home, lead.epoch);
    return face;
  }

  get(incarnation: Incarnation): MirroredQueue | undefined {
    return this.byIncarnation.get(incarnation);
  }

  [Symbol.iterator](): Iterator<MirroredQueue> {
    return this.byIncarnation.values();
  }

  /** Called now and then. `holdMs`: how long publishes wait for a leader. */
  tick(holdMs: number): void {
    const nowMs = this.nowMs();
    for (const face of [...this.byIncarnation.values()]) face.tick(nowMs, holdMs);
  }

  // ---- leaders -----------------------------------------------------------------------------------------------------

  heard(home: RemoteHome, incarnation: Incarnation, epoch: Epoch): void {
    if (epoch < (this.leads.get(incarnation)?.epoch ?? 0)) return;
    this.leads.set(incarnation, { home, epoch });
    const face = this.byIncarnation.get(incarnation);
    if (face === undefined || face.deleted || epoch < face.epoch) return;
    // It went on when the link was there again.
    if (face.line?.home === home && face.line.epoch === epoch) return;
    face.move(home, epoch);
  }

  left(home: RemoteHome, incarnation: Incarnation, epoch: Epoch): void {
    const lead = this.leads.get(incarnation);
    if (lead?.home === home && lead.epoch === epoch) this.leads.delete(incarnation);
    const line = this.byIncarnation.get(incarnation)?.line;
    if (line != null && line.home === home && line.epoch === epoch) line.face.lost(line);
  }

  /** Whatever it led, it says so again when it is back. */
  lost(home: RemoteHome): void {
    for (const [incarnation, lead] of this.leads) if (lead.home === home) this.leads.delete(incarnation);
  }

  // ---- asked by faces ----------------------------------------------------------------------------------------------

  nowMs(): number {
    return this.parts.clock.monotonicMs();
  }

  nextNumber(): number {
    return this.parts.nextNumber();
  }

  revisionOf(queue: SharedQueue): number {
    return this.parts.revisionOf(queue);
  }

  get isFull(): boolean {
    return this.keptBytes > keptBytesMax;
  }

  keep(bytes: number): void {
    this.keptBytes += bytes;
    const isBehind = this.keptBytes > (this.isBehind ? keptBytesLow : keptBytesHigh);
    if (isBehind === this.isBehind) return;
    this.isBehind = isBehind;
    this.parts.onBehind(isBehind);
  }

  forget(face: MirroredQueue): void {
    if (this.byIncarnation.get(face.incarnation) === face) this.byIncarnation.delete(face.incarnation);
    this.leads.delete(face.incarnation);
  }
}
