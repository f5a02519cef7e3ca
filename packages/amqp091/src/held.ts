import type { Connection } from './connection.js';

/** What a channel may hold before its connection stops reading. Bytes. */
const heldBytesMax = 1024 * 1024;

/** The frames of one channel that wait for something to be decided; other channels of the connection go on. */
export class Held {
  private readonly connection: Connection;
  private frames: Buffer[] = [];
  private bytes = 0;
  private holding = false;
  private pausing = false;
  private waiting: (() => void)[] = [];

  constructor(connection: Connection) {
    this.connection = connection;
  }

  get isHolding(): boolean {
    return this.holding;
  }

  /** Resolves when nothing is waited for any more. */
  rest(): Promise<void> {
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  hold(): void {
    this.holding = true;
  }

  add(chunk: Buffer, at: number, next: number): void {
    this.frames.push(Buffer.from(chunk.subarray(at, next)));
    this.bytes += next - at;
    if (this.bytes <= heldBytesMax || this.pausing) return;
    this.pausing = true;
    this.connection.reading.hold();
  }

  /** Plays the frames in order, until one makes the channel hold again. */
  release(play: (chunk: Buffer, at: number, next: number) => void): void {
    this.holding = false;
    let played = 0;
    while (played < this.frames.length && !this.holding) {
      const frame = this.frames[played++]!;
      this.bytes -= frame.length;
      play(frame, 0, frame.length);
    }
    this.frames = this.frames.slice(played);
    if (!this.holding) for (const resolve of this.waiting.splice(0)) resolve();
    if (!this.pausing || this.bytes > heldBytesMax) return;
    this.pausing = false;
    this.connection.reading.release();
  }
}
