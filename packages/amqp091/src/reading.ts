import type { Wire } from '@chapar/platform';

/** Whether a connection reads: not while something must be decided before more comes. Whoever holds it releases it once. */
export class Reading {
  private readonly wire: Wire;
  private holds = 0;
  private isOver = false;

  constructor(wire: Wire) {
    this.wire = wire;
  }

  get isHeld(): boolean {
    return this.holds > 0;
  }

  hold(): void {
    if (!this.isOver && this.holds++ === 0) this.wire.pause();
  }

  release(): void {
    if (!this.isOver && --this.holds === 0) this.wire.resume();
  }

  /** The connection is ending: nothing is decided any more, but the peer's goodbye must be heard. */
  end(): void {
    if (this.isOver) return;
    this.isOver = true;
    if (this.holds > 0) this.wire.resume();
    this.holds = 0;
  }
}
