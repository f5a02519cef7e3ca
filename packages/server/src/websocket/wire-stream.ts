import { Duplex } from 'node:stream';
import type { Wire, WireSink } from '@chapar/platform';

/** A wire as the stream that HTTP and WebSocket libraries want: so that they run over whatever the platform listens on, TLS included. */
export class WireStream extends Duplex {
  private readonly wire: Wire;
  /** Called when the kernel has taken everything. */
  onDrained: (() => void) | null = null;

  constructor(wire: Wire) {
    // One byte each way: the door's own bounds decide, see the platform's network.
    super({ highWaterMark: 1, allowHalfOpen: false });
    this.wire = wire;
    this.on('error', () => undefined);
  }

  /** What the wire is opened with. */
  readonly sink: WireSink = {
    received: (chunk) => {
      if (!this.push(chunk)) this.wire.pause();
    },
    drained: () => this.onDrained?.(),
    ended: () => {
      this.push(null);
    },
    closed: (error) => {
      this.destroy(error ?? undefined);
    },
  };

  // ---- the stream --------------------------------------------------------------------------------------------------

  override _read(): void {
    this.wire.resume();
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.wire.write(chunk, done);
  }

  override _writev(chunks: readonly { readonly chunk: Buffer }[], done: () => void): void {
    this.wire.writev(
      chunks.map(({ chunk }) => chunk),
      done,
    );
  }

  override _final(done: () => void): void {
    this.wire.end();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.wire.destroy();
    done(error);
  }

  /** What HTTP's server asks of a socket. */
  setTimeout(): this {
    return this;
  }

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }
}
