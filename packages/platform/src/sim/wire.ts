import type { Endpoint, TlsSession, Wire, WireSink } from '../network.js';
import type { SimGate } from './gate.js';
import type { SimPipe } from './pipe.js';
import { systemError } from './system-error.js';

/** How much of what has arrived one `received` gets, given how much there is. */
export type ChunkSize = (availableBytes: number) => number;

/** One end of a simulated connection. */
export class SimWire implements Wire {
  readonly local: Endpoint;
  readonly remote: Endpoint;
  readonly tls: TlsSession | null;
  receivedBytes = 0;
  private readonly chunkSize: ChunkSize;
  /** Of the process at this end. */
  private readonly gate: SimGate;
  private out!: SimPipe;
  private peer!: SimWire;
  private sink: WireSink | null = null;
  private arrivals: Buffer[] = [];
  private arrivedBytes = 0;
  private acceptedBytes = 0;
  private isDeliveryDue = false;
  private isEndArrived = false;
  private isEndTold = false;
  private isPaused = false;
  /** `drained` is owed. */
  private isWaiting = false;
  /** We ended or destroyed: what is written from now on goes nowhere. */
  private isOver = false;
  private isClosed = false;
  private isClosedTold = false;
  /** `written`s of writes that came after our end. */
  private readonly late: (() => void)[] = [];
  /** The machine is without power: not even its kernel answers. */
  private isMute = false;

  constructor(local: Endpoint, remote: Endpoint, tls: TlsSession | null, chunkSize: ChunkSize, gate: SimGate) {
    this.local = local;
    this.remote = remote;
    this.tls = tls;
    this.chunkSize = chunkSize;
    this.gate = gate;
  }

  /** Plugs both ends together. */
  join(peer: SimWire, out: SimPipe): void {
    this.peer = peer;
    this.out = out;
  }

  /** Times that this end handed bytes to its kernel: the system calls of a real socket. */
  get writes(): number {
    return this.out.writes;
  }

  get unsentBytes(): number {
    return this.out.unsentBytes;
  }

  get sentBytes(): number {
    return this.acceptedBytes - this.out.unsentBytes;
  }

  get isOpen(): boolean {
    return !this.isClosed;
  }

  open(sink: WireSink): void {
    this.sink = sink;
    this.deliverSoon();
  }

  write(bytes: Buffer, written: (() => void) | null): void {
    this.writev([bytes], written);
  }

  writev(parts: readonly Buffer[], written: (() => void) | null): void {
    if (this.isOver || this.isClosed) {
      this.skip(written);
      return;
    }
    for (const part of parts) this.acceptedBytes += part.length;
    this.out.write(parts.length === 0 ? [Buffer.alloc(0)] : parts, written);
    if (this.out.unsentBytes > 0) this.isWaiting = true;
  }

  private skip(written: (() => void) | null): void {
    if (written === null) return;
    // What was written before may still be under way: its `written`s come first.
    if (this.isClosedTold) this.later(written);
    else this.late.push(written);
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
    this.deliverSoon();
  }

  end(): void {
    if (this.isOver || this.isClosed) return;
    this.isOver = true;
    this.out.end();
    this.closeWhenBothEnded();
  }

  destroy(): void {
    if (this.isClosed) return;
    this.isOver = true;
    this.close(null);
    // As kernels do: who leaves bytes unread resets the connection, else the peer sees a plain end.
    if (this.arrivedBytes > 0) this.resetPeer();
    else this.out.sendEnd();
  }

  /** The connection breaks: both ends get ECONNRESET. */
  cut(): void {
    this.fail(systemError('ECONNRESET', 'read', this.remote.address));
    this.peer.fail(systemError('ECONNRESET', 'read', this.peer.remote.address));
  }

  /** Nothing gets through any more, in either direction, and nobody is told; `restore` lets it flow again. */
  blackHole(): void {
    this.out.link.hold();
    this.peer.out.link.hold();
  }

  restore(): void {
    this.out.link.release();
    this.peer.out.link.release();
  }

  /** The process of this end died; its kernel closes the connection, unless the machine lost power as well. */
  abandon(hasPower: boolean): void {
    this.sink = null;
    this.out.silence();
    this.late.length = 0;
    if (hasPower) this.destroy();
    this.isMute = !hasPower;
    this.isClosed = true;
  }

  fail(error: Error): void {
    this.arrivals = [];
    this.arrivedBytes = 0;
    this.close(error);
  }

  /** From the cable. */
  arrived(bytes: Buffer | null): void {
    if (this.isMute) return;
    if (bytes === null) this.isEndArrived = true;
    else if (this.isClosed) this.resetPeer();
    else this.keep(bytes);
    this.deliverSoon();
  }

  private keep(bytes: Buffer): void {
    this.arrivals.push(bytes);
    this.arrivedBytes += bytes.length;
  }

  private resetPeer(): void {
    const { peer } = this;
    this.out.link.carry(() => peer.fail(systemError('ECONNRESET', 'read', peer.remote.address)));
  }

  private deliverSoon(): void {
    if (this.isDeliveryDue || this.sink === null || this.isPaused || this.isClosed) return;
    if (this.arrivedBytes === 0 && (!this.isEndArrived || this.isEndTold)) return;
    this.isDeliveryDue = true;
    this.later(() => this.deliver());
  }

  private deliver(): void {
    this.isDeliveryDue = false;
    const { sink } = this;
    if (sink === null || this.isPaused || this.isClosed) return;
    if (this.arrivedBytes > 0) {
      const chunk = this.takeChunk();
      this.receivedBytes += chunk.length;
      sink.received(chunk);
      this.deliverSoon();
    } else if (this.isEndArrived && !this.isEndTold) {
      this.isEndTold = true;
      sink.ended();
      this.closeWhenBothEnded();
    }
  }

  private takeChunk(): Buffer {
    const all = this.arrivals.length === 1 ? this.arrivals[0]! : Buffer.concat(this.arrivals);
    const bytes = this.chunkSize(all.length);
    this.arrivals = bytes < all.length ? [all.subarray(bytes)] : [];
    this.arrivedBytes -= bytes;
    this.peer.out.taken(bytes);
    this.later(() => this.peer.kernelHasRoom());
    return all.subarray(0, bytes);
  }

  private kernelHasRoom(): void {
    if (this.isClosed) return;
    this.out.flush();
    if (this.isWaiting && this.out.unsentBytes === 0) {
      this.isWaiting = false;
      this.sink?.drained();
    }
    this.closeWhenBothEnded();
  }

  private closeWhenBothEnded(): void {
    if (this.out.isEnded && this.isEndTold) this.close(null);
  }

  private close(error: Error | null): void {
    if (this.isClosed) return;
    this.isClosed = true;
    const owed = this.out.abandon();
    this.later(() => {
      this.isClosedTold = true;
      for (const written of [...owed, ...this.late.splice(0)]) written();
      this.sink?.closed(error);
    });
  }

  /** Sinks are never called from within a call to the wire. */
  private later(run: () => void): void {
    this.out.link.scheduler.work(0, () => this.gate.pass(run));
  }
}
