import type { Socket } from 'node:net';
import type { Endpoint, TlsSession, Wire, WireSink } from '../network.js';

/** The way from a socket back to its wire, so that all sockets share one set of listener functions (a closure each would cost more than the wire). */
const wireOf = Symbol('wire');
type WiredSocket = Socket & { [wireOf]: NodeWire };

/** Shared by all wires until one needs its own: ten thousand idle ones would pay for it. */
const noneLate: (() => void)[] = [];

const nothing = Buffer.alloc(0);

const mappedPrefix = '::ffff:';

/** Null when the peer is gone already. IPv4 peers of a dual-stack listener get their IPv4 form. */
export function addressOf(address: string | undefined, port: number | undefined): Endpoint | null {
  if (address === undefined || port === undefined) return null;
  const plain =
    address.startsWith(mappedPrefix) && address.includes('.') ? address.slice(mappedPrefix.length) : address;
  return { address: plain, port };
}

/** A socket of node:net or node:tls. */
export class NodeWire implements Wire {
  readonly local: Endpoint;
  readonly remote: Endpoint;
  readonly tls: TlsSession | null;
  receivedBytes = 0;
  protected readonly socket: Socket;
  private sink: WireSink | null = null;
  protected acceptedBytes = 0;
  private error: Error | null = null;
  /** Something stayed behind in the process at the end of a write; `drained` is owed. */
  private isWaiting = false;
  /** We ended or destroyed: node would turn a further write into an error. */
  private isOver = false;
  private isClosed = false;
  /** `written`s of writes that came too late: they wait for those of the writes before them. */
  private late: (() => void)[] = noneLate;

  constructor(socket: Socket, local: Endpoint, remote: Endpoint, tls: TlsSession | null) {
    this.socket = socket;
    this.local = local;
    this.remote = remote;
    this.tls = tls;
    (socket as WiredSocket)[wireOf] = this;
    // From the first moment on: an 'error' without a listener ends the process.
    socket.on('error', onError).on('close', onClose);
  }

  get unsentBytes(): number {
    return this.socket.destroyed ? 0 : this.socket.writableLength;
  }

  get sentBytes(): number {
    return this.acceptedBytes - this.socket.writableLength;
  }

  open(sink: WireSink): void {
    this.sink = sink;
    this.socket.on('data', onData).on('end', onEnd).on('drain', onDrain);
    this.socket.resume();
  }

  write(bytes: Buffer, written: (() => void) | null): void {
    if (this.isOver || this.socket.destroyed) {
      this.skip(written);
      return;
    }
    this.hand(bytes, written);
    if (this.socket.writableLength > 0) this.isWaiting = true;
  }

  writev(parts: readonly Buffer[], written: (() => void) | null): void {
    const { socket } = this;
    const last = parts.length - 1;
    if (last < 1 || this.isOver || socket.destroyed) {
      this.write(parts[0] ?? nothing, written);
      return;
    }
    socket.cork();
    for (let i = 0; i < last; i++) this.hand(parts[i]!, null);
    // Writes are finished in order, so the last one speaks for all.
    this.hand(parts[last]!, written);
    socket.uncork();
    if (socket.writableLength > 0) this.isWaiting = true;
  }

  private skip(written: (() => void) | null): void {
    if (written === null) return;
    // Never within the call: the caller may be in the middle of something.
    if (this.isClosed) process.nextTick(written);
    else if (this.late === noneLate) this.late = [written];
    else this.late.push(written);
  }

  protected hand(bytes: Buffer, written: (() => void) | null): void {
    this.acceptedBytes += bytes.length;
    if (written === null) this.socket.write(bytes);
    else this.socket.write(bytes, written);
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  end(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.socket.end();
  }

  destroy(): void {
    this.isOver = true;
    this.socket.destroy();
  }

  received(chunk: Buffer): void {
    this.receivedBytes += chunk.length;
    this.sink?.received(chunk);
  }

  drained(): void {
    if (!this.isWaiting) return;
    this.isWaiting = false;
    this.sink?.drained();
  }

  ended(): void {
    this.sink?.ended();
  }

  failed(error: Error): void {
    this.error = error;
  }

  closed(): void {
    this.isOver = true;
    this.isClosed = true;
    for (const written of this.late) written();
    this.late = noneLate;
    this.sink?.closed(this.error);
  }
}

/**
 * A socket of node:tls. Its server offers no way to lower the bound below which node keeps 'drain' to itself, and its
 * writes stay behind for a moment even when there is room; so each write's callback looks whether it was the last.
 */
export class NodeTlsWire extends NodeWire {
  private readonly unanswered: ((() => void) | null)[] = [];
  /** One function per wire, not per write. */
  private readonly answered = () => {
    this.unanswered.shift()?.();
    if (!this.socket.destroyed && this.socket.writableLength === 0) this.drained();
  };

  protected override hand(bytes: Buffer, written: (() => void) | null): void {
    this.acceptedBytes += bytes.length;
    this.unanswered.push(written);
    this.socket.write(bytes, this.answered);
  }
}

function onData(this: Socket, chunk: Buffer): void {
  (this as WiredSocket)[wireOf].received(chunk);
}

function onDrain(this: Socket): void {
  (this as WiredSocket)[wireOf].drained();
}

function onEnd(this: Socket): void {
  (this as WiredSocket)[wireOf].ended();
}

function onError(this: Socket, error: Error): void {
  (this as WiredSocket)[wireOf].failed(error);
}

function onClose(this: Socket): void {
  (this as WiredSocket)[wireOf].closed();
}
