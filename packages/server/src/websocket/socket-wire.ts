import type { Endpoint, TlsSession, Wire, WireSink } from '@chapar/platform';
import { WebSocket } from 'ws';
import type { WireStream } from './wire-stream.js';

/** RFC 6455 §7.4.1: a kind of data that is not taken; the end of the server or of a session. */
const unacceptableData = 1003;
const normalClosure = 1000;
/** How long the peer may take to answer our close frame. */
const closingMs = 2000;

/** A WebSocket as doors see it: a wire like any other. Messages are a stream of bytes; where they begin and end means nothing. [MQTT-6.0.0-2] */
export class SocketWire implements Wire {
  readonly local: Endpoint;
  readonly remote: Endpoint;
  readonly tls: TlsSession | null;
  receivedBytes = 0;
  private readonly socket: WebSocket;
  private readonly below: Wire;
  private readonly stream: WireStream;
  private sink: WireSink | null = null;
  private acceptedBytes = 0;
  private isWaiting = false;
  private isOver = false;
  private isClosed = false;
  private error: Error | null = null;

  constructor(socket: WebSocket, stream: WireStream, below: Wire) {
    this.socket = socket;
    this.stream = stream;
    this.below = below;
    this.local = below.local;
    this.remote = below.remote;
    this.tls = below.tls;
  }

  get unsentBytes(): number {
    return this.isClosed ? 0 : this.socket.bufferedAmount + this.below.unsentBytes;
  }

  get sentBytes(): number {
    return this.acceptedBytes - this.unsentBytes;
  }

  open(sink: WireSink): void {
    this.sink = sink;
    const { socket } = this;
    socket.binaryType = 'nodebuffer';
    socket.on('message', (message, isBinary) => this.message(message as Buffer, isBinary));
    socket.on('error', (error) => {
      this.error = error;
    });
    socket.on('close', () => this.gone());
    this.stream.onDrained = () => this.drained();
  }

  private message(message: Buffer, isBinary: boolean): void {
    // [MQTT-6.0.0-1]
    if (!isBinary) {
      this.socket.close(unacceptableData, 'binary messages only');
      return;
    }
    this.receivedBytes += message.length;
    if (!this.isOver) this.sink?.received(message);
  }

  private drained(): void {
    if (!this.isWaiting || this.unsentBytes > 0) return;
    this.isWaiting = false;
    this.sink?.drained();
  }

  private gone(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.isOver = true;
    this.sink?.closed(this.error);
  }

  write(bytes: Buffer, written: (() => void) | null): void {
    this.writev([bytes], written);
  }

  writev(parts: readonly Buffer[], written: (() => void) | null): void {
    if (this.isOver || this.socket.readyState !== WebSocket.OPEN) {
      if (written !== null) process.nextTick(written);
      return;
    }
    const bytes = parts.length === 1 ? parts[0]! : Buffer.concat(parts);
    this.acceptedBytes += bytes.length;
    // The library calls back in order, also with an error when the socket breaks.
    this.socket.send(bytes, { binary: true }, () => {
      written?.();
      this.drained();
    });
    if (this.unsentBytes > 0) this.isWaiting = true;
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
    this.socket.close(normalClosure);
    const timer = setTimeout(() => this.socket.terminate(), closingMs);
    timer.unref();
    this.socket.once('close', () => clearTimeout(timer));
  }

  destroy(): void {
    this.isOver = true;
    this.socket.terminate();
  }
}
