/** Clocks of two machines that run differ by no more than this share. */
const driftMax = 1 / 2000;
/** A difference of so much is written down, so that a node that is started anew and hears nobody goes on with it. Milliseconds. */
export const keptFromMs = 1000;

/**
 * The time of a mirrored queue, in which its messages grow old whoever leads: that of the node which led first, and each one after it goes on
 * as it followed. A follower hears it with every answer. What it hears is late by what the answer took, so that the highest counts; the longer
 * ago that was, the less, for clocks do not run alike.
 */
export class QueueTime {
  /** How far it is ahead of this node's time. Milliseconds; negative: it is behind. */
  aheadMs: number;
  private heardAtMs = Number.NEGATIVE_INFINITY;

  /** `aheadMs`: what was written down; null: nothing. */
  constructor(aheadMs: number | null) {
    this.aheadMs = aheadMs ?? 0;
  }

  /** Another leader is followed: the first that it says counts, whatever the one before said. */
  follows(): void {
    this.heardAtMs = Number.NEGATIVE_INFINITY;
  }

  /** The leader says what time it is, and this node's clock does. Milliseconds since 1970. */
  heard(queueMs: number, nodeMs: number): void {
    const worthMs = this.aheadMs - Math.max(0, nodeMs - this.heardAtMs) * driftMax;
    this.aheadMs = Math.max(queueMs - nodeMs, worthMs);
    this.heardAtMs = nodeMs;
  }
}
