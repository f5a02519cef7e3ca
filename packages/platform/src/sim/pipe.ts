import type { SimGate } from './gate.js';
import type { SimLink } from './link.js';

/** A piece that is still with the process; `written` belongs to the last piece of its write. */
interface Unsent {
  part: Buffer;
  readonly written: (() => void) | null;
}

/**
 * One direction of a wire: what the process could not hand over yet, then the kernel's buffers and the cable.
 * Those hold a bounded number of bytes until the other side has read them, as real ones do.
 */
export class SimPipe {
  unsentBytes = 0;
  /** Times that bytes were handed to the kernel: the system calls of a real socket. */
  writes = 0;
  readonly link: SimLink;
  private readonly kernelBytesMax: number;
  /** Called with what arrives at the far end; null is the end. */
  private readonly arrived: (bytes: Buffer | null) => void;
  /** Of the process that writes. */
  private readonly gate: SimGate;
  private kernelBytes = 0;
  private outbox: Unsent[] = [];
  private isEndWanted = false;
  private isEndSent = false;
  private isSilent = false;

  constructor(link: SimLink, kernelBytesMax: number, gate: SimGate, arrived: (bytes: Buffer | null) => void) {
    this.link = link;
    this.kernelBytesMax = kernelBytesMax;
    this.gate = gate;
    this.arrived = arrived;
  }

  write(parts: readonly Buffer[], written: (() => void) | null): void {
    const wasEmpty = this.outbox.length === 0;
    const last = parts.length - 1;
    parts.forEach((part, index) => {
      this.unsentBytes += part.length;
      this.outbox.push({ part, written: index === last ? written : null });
    });
    if (wasEmpty) this.flush();
  }

  /** Hands over as much as the kernel takes. */
  flush(): void {
    if (this.outbox.length > 0 && this.kernelBytes < this.kernelBytesMax) this.handOver();
    if (this.isEndWanted && this.outbox.length === 0) this.sendEnd();
  }

  /** The end follows when everything before it is with the kernel. */
  end(): void {
    this.isEndWanted = true;
    this.flush();
  }

  /** The end goes out now; once. */
  sendEnd(): void {
    if (this.isEndSent) return;
    this.isEndSent = true;
    this.link.carry(() => this.arrived(null));
  }

  get isEnded(): boolean {
    return this.isEndSent;
  }

  /** The far end has read so much. */
  taken(bytes: number): void {
    this.kernelBytes -= bytes;
  }

  /** Drops what is unsent and returns the `written`s that are still owed, in order. */
  abandon(): (() => void)[] {
    const { outbox } = this;
    this.outbox = [];
    this.unsentBytes = 0;
    return outbox.flatMap(({ written }) => (written === null ? [] : [written]));
  }

  /** The writing process died: no `written` any more. */
  silence(): void {
    this.isSilent = true;
    this.abandon();
  }

  private handOver(): void {
    this.writes++;
    const taken: Buffer[] = [];
    const finished: (() => void)[] = [];
    let room = this.kernelBytesMax - this.kernelBytes;
    let done = 0;
    for (const unsent of this.outbox) {
      const { part } = unsent;
      taken.push(part.subarray(0, room));
      if (part.length > room) {
        unsent.part = part.subarray(room);
        break;
      }
      room -= part.length;
      done++;
      if (unsent.written !== null) finished.push(unsent.written);
    }
    this.outbox.splice(0, done);
    // Copied here, as the kernel does: the writer may change its buffers as soon as it hears `written`.
    this.send(Buffer.concat(taken), finished);
  }

  private send(bytes: Buffer, finished: (() => void)[]): void {
    this.kernelBytes += bytes.length;
    this.unsentBytes -= bytes.length;
    if (bytes.length > 0) this.link.carry(() => this.arrived(bytes));
    if (finished.length === 0) return;
    const tell = () => {
      if (!this.isSilent) for (const written of finished) written();
    };
    this.link.scheduler.work(0, () => this.gate.pass(tell));
  }
}
