import { isUtf8 } from 'node:buffer';

/** Below this a loop over the bytes is cheaper than a view and a call out of the engine. */
const LOOP_BYTES_MAX = 48;

/** Whether `buf[start..end)` is well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms). Copies nothing. */
export function isValidUtf8(buf: Uint8Array, start = 0, end: number = buf.length): boolean {
  let at = start;
  if (end - start <= LOOP_BYTES_MAX) {
    while (at < end && buf[at]! < 0x80) at++;
    if (at >= end) return true;
  }
  return isUtf8(buf.subarray(at, end));
}

/** The longest beginning of `text` that fits in `bytesMax` bytes of UTF-8 and splits no character. */
export function truncateUtf8(text: string, bytesMax: number): string {
  if (Buffer.byteLength(text) <= bytesMax) return text;
  const bytes = Buffer.from(text);
  let end = Math.max(bytesMax, 0);
  while (end > 0 && (bytes[end]! & 0xc0) === 0x80) end--;
  return bytes.toString('utf8', 0, end);
}
