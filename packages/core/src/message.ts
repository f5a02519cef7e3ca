import type { Address } from './address.js';

/** Which protocol's bytes a message carries. It keeps the form it came in and is converted once, at the exit, where the doors differ. */
export type DialectId = 1 | 2 | 3 | 4;
export const DIALECT_AMQP091: DialectId = 1;
export const DIALECT_MQTT: DialectId = 2;

/** Bodies and properties up to this size are copied out of the socket chunk; larger ones stay views of it. Bytes. */
const copyBytesMax = 16 * 1024;
const slabBytes = 64 * 1024;

/** Where small messages are copied to. One slab at a time; a slab goes when its last message does. */
let slab = Buffer.allocUnsafeSlow(0);
let slabUsed = 0;

/**
 * A message inside the broker: its envelope (address and flags, all that routing and queues look at) and the bytes it came in.
 * One object per publish, shared by every queue it is routed to; nothing in it changes after it was routed.
 */
export class Message {
  readonly address: Address;
  readonly dialect: DialectId;
  /** Survives a restart in a durable queue (0-9-1 delivery-mode 2). */
  readonly persistent: boolean;
  /** 0 to 255; -1 when the publisher gave none. */
  readonly priority: number;
  /** Time to live given by the publisher, milliseconds; -1: none. */
  readonly expirationMs: number;
  /** Properties at [propertiesStart, propertiesEnd) and, unless `parts` holds it, the body at [bodyStart, bodyEnd). */
  bytes: Buffer;
  propertiesStart: number;
  propertiesEnd: number;
  bodyStart: number;
  bodyEnd: number;
  /** The body in pieces when it came in several frames; null otherwise. */
  readonly parts: readonly Buffer[] | null;
  readonly bodyBytes: number;
  /** When the first queue took it, by the node's time (`Turn.nowMs`); 0: not yet. It is not changed by waiting, being read back or requeued. */
  receivedAtMs = 0;
  /** False while `bytes` is the socket's chunk and the message is small enough to be copied. */
  private kept: boolean;

  constructor(
    address: Address,
    dialect: DialectId,
    persistent: boolean,
    priority: number,
    expirationMs: number,
    bytes: Buffer,
    propertiesStart: number,
    propertiesEnd: number,
    bodyStart: number,
    bodyEnd: number,
    parts: readonly Buffer[] | null,
    bodyBytes: number,
  ) {
    this.address = address;
    this.dialect = dialect;
    this.persistent = persistent;
    this.priority = priority;
    this.expirationMs = expirationMs;
    this.bytes = bytes;
    this.propertiesStart = propertiesStart;
    this.propertiesEnd = propertiesEnd;
    this.bodyStart = bodyStart;
    this.bodyEnd = bodyEnd;
    this.parts = parts;
    this.bodyBytes = bodyBytes;
    this.kept = false;
  }

  /**
   * Called by whoever holds the message beyond the turn in which it came: moves small bytes out of the socket's chunk, so that a
   * waiting message of 16 bytes does not pin 64 KiB. A message delivered in the same turn is never copied.
   */
  keep(): void {
    if (this.kept) return;
    this.kept = true;
    const propertiesBytes = this.propertiesEnd - this.propertiesStart;
    const bodyBytes = this.bodyEnd - this.bodyStart;
    const total = propertiesBytes + bodyBytes;
    if (total > copyBytesMax) return;
    if (slabUsed + total > slab.length) {
      slab = Buffer.allocUnsafeSlow(slabBytes);
      slabUsed = 0;
    }
    const start = slabUsed;
    copyBytes(this.bytes, this.propertiesStart, this.propertiesEnd, slab, start);
    copyBytes(this.bytes, this.bodyStart, this.bodyEnd, slab, start + propertiesBytes);
    slabUsed = start + total;
    this.bytes = slab;
    this.propertiesStart = start;
    this.propertiesEnd = start + propertiesBytes;
    this.bodyStart = this.propertiesEnd;
    this.bodyEnd = start + total;
  }

  /**
   * The same message for one queue that logs it, whatever it says of itself, and notes when it was received: an object of its own, which
   * shares the bytes. Only of one that is kept.
   */
  logged(): Message {
    const { address, dialect, priority, expirationMs, bytes, propertiesStart, propertiesEnd } = this;
    const { bodyStart, bodyEnd, parts, bodyBytes } = this;
    const logged = new Message(
      address,
      dialect,
      true,
      priority,
      expirationMs,
      bytes,
      propertiesStart,
      propertiesEnd,
      bodyStart,
      bodyEnd,
      parts,
      bodyBytes,
    );
    logged.kept = this.kept;
    return logged;
  }

  /** The raw properties in the message's dialect, as a view. */
  properties(): Buffer {
    return this.bytes.subarray(this.propertiesStart, this.propertiesEnd);
  }

  /** The body in one piece; copies when it came in several. */
  body(): Buffer {
    return this.parts === null ? this.bytes.subarray(this.bodyStart, this.bodyEnd) : Buffer.concat(this.parts);
  }

  /** What limits and statistics count, bytes. */
  get sizeBytes(): number {
    return this.bodyBytes;
  }
}

/** Copies between buffers; below some 50 bytes a loop costs less than the call into the engine. */
export function copyBytes(from: Buffer, start: number, end: number, to: Buffer, at: number): void {
  if (end - start > 48) {
    from.copy(to, at, start, end);
    return;
  }
  for (let i = start, j = at; i < end; i++, j++) to[j] = from[i]!;
}
