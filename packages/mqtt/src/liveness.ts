import type { NodeLimits } from '@chapar/core';
import type { Wire } from '@chapar/platform';

/** Why a connection should end: nothing came, no CONNECT came, nothing is read. */
export type Due = 'silent' | 'no CONNECT came in time' | 'nothing of what waits was read' | null;

/** Whether a client is still there (§3.1.2.10), looked at once a second instead of with timers of its own. */
export class Liveness {
  private readonly wire: Wire;
  private readonly limits: NodeLimits;
  private isOpen = false;
  private readonly openedBeforeMs: number;
  /** 0: for ever. */
  private silentMsMax = 0;
  private receivedBytes = 0;
  private receivedAtMs: number;
  /** Since when nothing of what waits was taken; 0: nothing waits. */
  private stalledSinceMs = 0;
  private takenBytes = 0;

  constructor(wire: Wire, nowMs: number, limits: NodeLimits) {
    this.wire = wire;
    this.limits = limits;
    this.openedBeforeMs = nowMs + limits.handshakeSeconds * 1000;
    this.receivedAtMs = nowMs;
  }

  /** [MQTT-3.1.2-22]: one and a half times the keep-alive. */
  opened(keepAliveSeconds: number): void {
    this.isOpen = true;
    this.silentMsMax = keepAliveSeconds * 1500;
  }

  drained(): void {
    this.stalledSinceMs = 0;
  }

  /** `isReading`: false while the wire is paused, when silence means nothing. */
  tick(nowMs: number, waitingBytes: number, isReading: boolean): Due {
    const { wire } = this;
    if (!this.isOpen && nowMs >= this.openedBeforeMs) return 'no CONNECT came in time';
    if (waitingBytes > 0 && this.isStalled(nowMs)) return 'nothing of what waits was read';
    if (wire.receivedBytes !== this.receivedBytes || !isReading) {
      this.receivedBytes = wire.receivedBytes;
      this.receivedAtMs = nowMs;
    }
    return this.silentMsMax > 0 && nowMs - this.receivedAtMs > this.silentMsMax ? 'silent' : null;
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
