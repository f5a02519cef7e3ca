import type { Wire } from '@chapar/platform';
import { copyBytes } from '../message.js';
import { type Flushable, PHASE_WRITE, type Turn } from '../turn.js';

const slabBytes = 64 * 1024;
/** Slabs kept for reuse by all connections: enough for a busy turn, little enough not to matter. */
const spareMax = 64;
const spare: Buffer[] = [];

/**
 * Thousands of connections may answer in one turn, each with a frame of thirty bytes: they take slabs of this size, of which many more are
 * kept. Bytes.
 */
const smallSlabBytes = 2 * 1024;
const spareSmallMax = 2048;
const spareSmall: Buffer[] = [];

const spareless = Buffer.alloc(0);
const noPieces: Buffer[] = [];

/** What is encoded in one turn beyond this goes out at once, so that a flood finds out early whether the peer keeps up. Bytes. */
const flushBytes = 256 * 1024;

/** Larger pieces travel as views instead of being copied into the slab. Bytes. */
export const viewBytesMin = 8 * 1024;

/**
 * What a connection writes: frames are encoded into a slab and handed to the wire once per turn. An idle connection holds no slab.
 * Encoders ask for room with `reserve`, write at `at` in `slab`, and advance `at`.
 */
export class Output implements Flushable {
  slab: Buffer = spareless;
  at = 0;
  private readonly wire: Wire;
  private readonly turn: Turn;
  /** Where in the slab begins what was not handed to the wire yet. */
  private from = 0;
  private pieces: Buffer[] = noPieces;
  private piecesBytes = 0;
  private dirty = false;
  /** What was handed over last would have fitted into a small slab; so will the next, it is assumed. */
  private isSmall = true;
  /** Slabs whose last piece is on its way; given back as the wire reports them written. */
  private inFlight: (Buffer | null)[] = [];
  /** Slabs that the pieces gathered since the last flush lie in. */
  private retired: Buffer[] = [];
  private readonly written = (): void => this.giveBack();
  private readonly onFlushed: () => void;

  /** `onFlushed` is called at the end of each turn in which something was handed to the wire. */
  constructor(wire: Wire, turn: Turn, onFlushed: () => void) {
    this.wire = wire;
    this.turn = turn;
    this.onFlushed = onFlushed;
  }

  /** Encoded or written and not yet handed to the kernel, bytes. */
  get waitingBytes(): number {
    return this.piecesBytes + this.at - this.from + this.wire.unsentBytes;
  }

  /** Makes room for `bytes` in one piece. */
  reserve(bytes: number): void {
    if (!this.dirty) {
      this.dirty = true;
      this.turn.add(PHASE_WRITE, this);
    }
    if (this.at + bytes <= this.slab.length) return;
    this.cut();
    if (this.slab !== spareless) this.retire();
    this.slab = this.take(bytes);
    this.at = this.from = 0;
  }

  /** Appends ready bytes: small ones are copied, large ones travel as they are and must not change. */
  append(bytes: Buffer): void {
    if (bytes.length >= viewBytesMin) {
      this.reserve(0);
      this.cut();
      this.push(bytes);
      return;
    }
    this.reserve(bytes.length);
    copyBytes(bytes, 0, bytes.length, this.slab, this.at);
    this.at += bytes.length;
  }

  endOfTurn(): void {
    this.dirty = false;
    this.flush();
    this.onFlushed();
  }

  /** Hands over early what has grown large. */
  flushLarge(): void {
    if (this.piecesBytes >= flushBytes) this.flush();
  }

  /** Hands over what was encoded. Called at the end of a turn, and before the wire is ended. */
  flush(): void {
    this.cut();
    const pieces = this.pieces;
    if (pieces.length === 0) return;
    this.isSmall = this.piecesBytes <= smallSlabBytes;
    this.pieces = [];
    this.piecesBytes = 0;
    if (this.slab !== spareless) this.retire();
    this.slab = spareless;
    this.at = this.from = 0;
    const done = this.retired;
    this.retired = [];
    this.inFlight.push(...done, null);
    if (pieces.length === 1) this.wire.write(pieces[0]!, this.written);
    else this.wire.writev(pieces, this.written);
  }

  private take(bytes: number): Buffer {
    if (bytes > slabBytes) return Buffer.allocUnsafeSlow(bytes);
    if (this.isSmall && this.pieces.length === 0 && bytes <= smallSlabBytes)
      return spareSmall.pop() ?? Buffer.allocUnsafeSlow(smallSlabBytes);
    return spare.pop() ?? Buffer.allocUnsafeSlow(slabBytes);
  }

  private retire(): void {
    this.retired.push(this.slab);
  }

  private cut(): void {
    if (this.at === this.from) return;
    this.push(this.slab.subarray(this.from, this.at));
    this.from = this.at;
  }

  private push(piece: Buffer): void {
    if (this.pieces === noPieces) this.pieces = [];
    this.pieces.push(piece);
    this.piecesBytes += piece.length;
  }

  /** One write is done: its slabs, up to the mark behind them, are free. */
  private giveBack(): void {
    for (let slab = this.inFlight.shift(); slab !== null && slab !== undefined; slab = this.inFlight.shift()) {
      if (slab.length === slabBytes && spare.length < spareMax) spare.push(slab);
      else if (slab.length === smallSlabBytes && spareSmall.length < spareSmallMax) spareSmall.push(slab);
    }
  }
}
