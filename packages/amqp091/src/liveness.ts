import type { NodeLimits } from '@chapar/core';
import type { Wire } from '@chapar/platform';

/** What is due on a connection: `beat`, a heartbeat should be sent; the others, it should end. */
export type Due = 'beat' | 'silent' | 'handshake' | 'stalled' | null;

/**
 * Whether a peer is still there, looked at once a second instead of with timers of its own: heartbeats both ways (AMQP 0-9-1 §4.2.7),
 * a handshake that must end, output that must be read.
 */
export class Liveness {
  private readonly wire: Wire;
  private readonly limits: NodeLimits;
  private isOpen = false;
  private readonly openedBeforeMs: number;
  /** Milliseconds; 0: no heartbeats. */
  private intervalMs = 0;
  private receivedBytes = 0;
  private receivedAtMs: number;
  private sentBytes = 0;
  private sentAtMs: number;
  /** Since when nothing of what waits was taken; 0: nothing waits. */
  private stalledSinceMs = 0;
  private takenBytes = 0;

  constructor(wire: Wire, nowMs: number, limits: NodeLimits) {
    this.wire = wire;
    this.limits = limits;
    this.openedBeforeMs = nowMs + limits.handshakeSeconds * 1000;
    this.receivedAtMs = this.sentAtMs = nowMs;
  }

  agreed(heartbeatSeconds: number): void {
    this.intervalMs = heartbeatSeconds * 1000;
  }

  opened(): void {
    this.isOpen = true;
  }

  drained(): void {
    this.stalledSinceMs = 0;
  }

  /** `isReading`: false while the wire is held, when silence means nothing. */
  tick(nowMs: number, waitingBytes: number, isReading: boolean): Due {
    const { wire } = this;
    if (!this.isOpen && nowMs >= this.openedBeforeMs) return 'handshake';
    if (waitingBytes > 0 && this.isStalled(nowMs)) return 'stalled';
    if (wire.receivedBytes !== this.receivedBytes || !isReading) {
      this.receivedBytes = wire.receivedBytes;
      this.receivedAtMs = nowMs;
    }
    if (this.intervalMs === 0) return null;
    // Two missed intervals, and a tick's rounding.
    if (nowMs - this.receivedAtMs > this.intervalMs * 2 + 1000) return 'silent';
    if (wire.sentBytes !== this.sentBytes) {
      this.sentBytes = wire.sentBytes;
      this.sentAtMs = nowMs;
    }
    if (nowMs - this.sentAtMs < this.intervalMs / 2) return null;
    this.sentAtMs = nowMs;
    return 'beat';
  }

  private isStalled(nowMs: number): boolean {
    if (this.stalledSinceMs === 0 || this.wire.sentBytes !== this.takenBytes) {
      this.takenBytes = this.wire.sentBytes;
      this.stalledSinceMs = nowMs;
      return false;
    }
    return nowMs - this.stalledSinceMs >= this.limits.stalledSeconds * 1000;
  }
}
