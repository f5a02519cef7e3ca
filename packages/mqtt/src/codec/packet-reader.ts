import { MqttError, malformed } from './error.js';
import { REASON } from './reason.js';

/** Who is told about packets. */
export interface PacketSink {
  /** A whole packet stands at `at` in `chunk`: its first byte there, its variable header at `bodyAt`, the next packet at `next`. False: nothing more is read. */
  packet(chunk: Buffer, at: number, bodyAt: number, next: number): boolean;
}

const nothing = Buffer.alloc(0);
/** What a torn packet is first given; it grows with what really comes, so that a peer that announces much costs what it sends. Bytes. */
const tornBytes = 4096;

/**
 * Cuts the byte stream into packets (§2.1): looked at where they lie in the socket's chunk; only one that is torn over chunks is put
 * together in a buffer of its own.
 */
export class PacketReader {
  /** Of a whole packet, its first bytes included. Bytes. */
  packetBytesMax: number;
  private readonly sink: PacketSink;
  private torn = nothing;
  private tornUsed = 0;
  /** Where the packet at hand has its variable header and its end; set by `measure`. */
  private bodyAt = 0;
  private next = 0;

  constructor(sink: PacketSink, packetBytesMax: number) {
    this.sink = sink;
    this.packetBytesMax = packetBytesMax;
  }

  /** False when the sink asked to stop. Throws MqttError. */
  read(chunk: Buffer): boolean {
    let at = 0;
    if (this.tornUsed > 0) {
      at = this.complete(chunk);
      if (at < 0) return false;
    }
    const end = chunk.length;
    while (at < end) {
      if (!this.measure(chunk, at, end) || this.next > end) break;
      const { next } = this;
      if (!this.sink.packet(chunk, at, this.bodyAt, next)) return false;
      at = next;
    }
    if (at < end) this.keep(chunk, at);
    return true;
  }

  /** Bytes of a packet that is not complete are waiting. */
  get isTorn(): boolean {
    return this.tornUsed > 0;
  }

  /** Finds where the packet at `at` ends; false when its length is not all there. [MQTT-1.5.5-1] */
  private measure(buf: Buffer, at: number, end: number): boolean {
    let length = 0;
    let shift = 0;
    for (let from = at + 1; from < end; from++) {
      const byte = buf[from]!;
      length |= (byte & 0x7f) << shift;
      if (byte < 0x80) {
        this.bodyAt = from + 1;
        this.next = from + 1 + length;
        if (this.next - at > this.packetBytesMax) throw tooLarge(this.next - at, this.packetBytesMax);
        return true;
      }
      shift += 7;
      if (shift === 28) throw malformed('the remaining length has more than four bytes');
    }
    return false;
  }

  private keep(chunk: Buffer, at: number): void {
    const have = chunk.length - at;
    this.torn = Buffer.allocUnsafeSlow(Math.max(this.sizeFor(chunk, at, chunk.length, have), have));
    this.tornUsed = chunk.copy(this.torn, 0, at);
  }

  /** Room for the torn packet: all of it when it is small, else twice what has come. */
  private sizeFor(buf: Buffer, at: number, end: number, have: number): number {
    if (!this.measure(buf, at, end)) return 8;
    const whole = this.next - at;
    return Math.min(whole, Math.max(tornBytes, have * 2));
  }

  /** Takes what the torn packet lacks from the new chunk; returns where to go on in it, -1 to stop. */
  private complete(chunk: Buffer): number {
    let from = 0;
    while (!this.measure(this.torn, 0, this.tornUsed)) {
      if (from === chunk.length) return from;
      this.torn[this.tornUsed++] = chunk[from++]!;
    }
    const whole = this.next;
    const { bodyAt } = this;
    const take = Math.min(whole - this.tornUsed, chunk.length - from);
    const used = this.tornUsed + take;
    if (used > this.torn.length) {
      const grown = Buffer.allocUnsafeSlow(Math.min(whole, Math.max(used, this.torn.length * 2, tornBytes)));
      this.torn.copy(grown, 0, 0, this.tornUsed);
      this.torn = grown;
    }
    chunk.copy(this.torn, this.tornUsed, from, from + take);
    this.tornUsed = used;
    if (used < whole) return from + take;
    const packet = this.torn;
    this.torn = nothing;
    this.tornUsed = 0;
    return this.sink.packet(packet, 0, bodyAt, whole) ? from + take : -1;
  }
}

function tooLarge(bytes: number, max: number): MqttError {
  return new MqttError(REASON.packetTooLarge, `a packet of ${bytes} bytes; at most ${max} are taken`);
}
