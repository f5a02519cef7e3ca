import { PROTOCOL_HEADER } from './codec/index.js';

/** What the first bytes of a peer came to: not enough yet, another protocol, or ours with what followed. */
export type Opened =
  | { readonly header: 'short' }
  | { readonly header: 'wrong'; readonly first: Buffer }
  | { readonly header: 'right'; readonly rest: Buffer };

/** The protocol header that a client begins with (AMQP 0-9-1 §4.2.2), however its bytes arrive. */
export class Opening {
  private first: Buffer | null = null;

  take(chunk: Buffer): Opened {
    const first = this.first === null ? chunk : Buffer.concat([this.first, chunk]);
    const length = Math.min(first.length, PROTOCOL_HEADER.length);
    if (first.compare(PROTOCOL_HEADER, 0, length, 0, length) !== 0) return { header: 'wrong', first };
    if (length < PROTOCOL_HEADER.length) {
      this.first = Buffer.from(first);
      return { header: 'short' };
    }
    return { header: 'right', rest: first.subarray(length) };
  }
}
