import { badRequest } from './problem.js';

/** AMQP's short strings (0-9-1 §4.2.5.3) have at most this many bytes; what is longer could be declared here and never be named there. */
const bytesMax = 255;

/** The text, or 400 when it is too long to be a name or a key. */
export function shortText(what: string, text: string): string {
  const bytes = Buffer.byteLength(text);
  if (bytes <= bytesMax) return text;
  throw badRequest(`${what} has at most ${bytesMax} bytes, got ${bytes}`);
}
