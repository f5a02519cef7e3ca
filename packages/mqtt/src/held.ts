/** A peer whose packets wait may send this much more before nothing of it is read. Bytes. */
const heldBytesMax = 1024 * 1024;

/** Of those where nothing waits; nothing is put into it. */
const none: Buffer[] = [];

/** Packets that wait for a decision (a login, a declaration, a permission asked elsewhere) or for an alarm to end, in their order. */
export class Held {
  private packets = none;
  private bytes = 0;

  get isEmpty(): boolean {
    return this.packets.length === 0;
  }

  get isFull(): boolean {
    return this.bytes >= heldBytesMax;
  }

  /** Copies: the packet would pin the chunk it came in. */
  add(chunk: Buffer, at: number, next: number): void {
    if (this.packets === none) this.packets = [];
    this.packets.push(Buffer.from(chunk.subarray(at, next)));
    this.bytes += next - at;
  }

  shift(): Buffer {
    const packet = this.packets.shift()!;
    this.bytes -= packet.length;
    return packet;
  }

  /** Puts back what has to wait on. */
  unshift(packet: Buffer): void {
    this.packets.unshift(packet);
    this.bytes += packet.length;
  }

  clear(): void {
    this.packets = none;
    this.bytes = 0;
  }
}

/** Where a packet's body begins, behind its length. */
export function bodyOf(packet: Buffer): number {
  let at = 1;
  while (packet[at]! >= 0x80) at++;
  return at + 1;
}
